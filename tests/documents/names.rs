//! Commands, settings, suites and tests that the documents name.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use k2hdkc_simulators::binaries;

use super::{files, quoted, root, text};

/// The first words of the rows of a table whose head begins so.
fn first_column(document: &str, head: &str) -> Vec<String> {
    let rows = document.lines().skip_while(|line| !line.starts_with(head)).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    let cells = rows.filter_map(|row| row.split('|').nth(1));
    let words = cells.flat_map(quoted).filter_map(|word| word.split_whitespace().next());
    words.map(str::to_owned).collect()
}

#[test]
fn the_readme_lists_exactly_the_commands_of_the_agent() {
    let help = Command::new(binaries::agent().unwrap()).arg("--help").output().unwrap().stdout;
    let help = String::from_utf8(help).unwrap();
    let commands = help.lines().skip_while(|line| !line.starts_with("Commands:")).skip(1);
    let commands = commands.take_while(|line| line.starts_with("  "));
    let names =
        commands.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
    let of_agent: BTreeSet<String> = names.filter(|name| *name != "help").map(str::to_owned).collect();
    let of_readme: BTreeSet<String> = first_column(&text("README.md"), "| command").into_iter().collect();
    assert_eq!(of_readme, of_agent);
}

#[test]
fn every_suite_is_in_the_document_about_testing() {
    let named: BTreeSet<String> = first_column(&text("docs/testing.md"), "| suite").into_iter().collect();
    let folders = fs::read_dir(root().join("tests")).unwrap().map(Result::unwrap);
    let suites = folders.filter(|folder| folder.path().join("main.rs").is_file());
    let names = suites.map(|folder| folder.file_name().to_string_lossy().into_owned());
    let missing: Vec<_> = names.filter(|name| !named.contains(name)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn every_test_that_a_guarantee_names_exists() {
    let sources: Vec<_> = files("tests", ".rs").into_iter().chain(files("agent/src", ".rs")).collect();
    let all: String = sources.iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    let guarantees = text("docs/guarantees.md").replace('\n', " ");
    let is_suite = |name: &str| name == "agent" || root().join("tests").join(name).join("main.rs").is_file();
    let named = quoted(&guarantees).into_iter().filter_map(|word| word.split_once(": "));
    let tests: Vec<&str> = named.filter(|(suite, _)| is_suite(suite)).map(|(_, test)| test).collect();
    let is_there = |test: &str| {
        test.ends_with('…')
            || all.contains(&format!("fn {test}("))
            || sources.iter().any(|path| path.to_string_lossy().ends_with(&format!("/{test}.rs")))
    };
    let missing: Vec<_> = tests.iter().filter(|test| !is_there(test)).collect();
    assert!(tests.len() > 15 && missing.is_empty(), "{missing:?} of {tests:?}");
}

#[test]
fn every_setting_that_a_guarantee_names_exists() {
    let settings = text("packaging/agent.toml");
    let guarantees = text("docs/guarantees.md");
    let named = guarantees.split("- **Setting.** ").skip(1).filter_map(|rest| rest.lines().next());
    let keys = named.flat_map(quoted).filter_map(|words| words.split_once("] "));
    let keys: Vec<&str> = keys.flat_map(|(_, keys)| keys.split(", ")).collect();
    let missing: Vec<_> = keys.iter().filter(|key| !settings.contains(**key)).collect();
    assert!(keys.len() > 10 && missing.is_empty(), "{missing:?} of {keys:?}");
}
