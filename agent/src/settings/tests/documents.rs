//! `packaging/agent.toml` and `docs/configuration.md`: both are made of the comments of the types, and compared byte by
//! byte. `UPDATE_EXPECT=1` writes them.
//!
//! A section is a struct whose comment begins with its name in the configuration. The last line of a key's comment says
//! its default: as the value itself, or in words and with an example.

use std::fmt::Write as _;
use std::path::PathBuf;

use super::{MAIN, Settings, with};

/// The types, in the order of the documents.
const SOURCES: &[&str] = &[
    include_str!("../k2hr3.rs"),
    include_str!("../join.rs"),
    include_str!("../poll.rs"),
    include_str!("../ini.rs"),
    include_str!("../guard.rs"),
    include_str!("../peers.rs"),
    include_str!("../profile.rs"),
    include_str!("../supervisor.rs"),
    include_str!("../supervisor/timing.rs"),
    include_str!("../supervisor/programs.rs"),
    include_str!("../merge.rs"),
    include_str!("../state.rs"),
];

/// Keys that the file of the package sets, against the built-in default.
const PACKAGED: &[(&str, &str)] = &[("hosts.enabled", "true")];

/// Begins the file of the package.
const HEAD: &str = "\
# /etc/k2hdkc-agent/agent.toml. Every key is optional. A key behind `#` stands with its built-in default, or with an
# example where the default is described in words. Fragments in conf.d/*.toml beside this file are read after it, and win
# key by key. The agent takes a change at once; `systemctl reload` and SIGHUP have it look as well. It reports a faulty
# configuration, and keeps the old one.
";

/// Parts the written half of the document from the tables.
const MARK: &str = "<!-- The tables below are made of the types in agent/src/settings: UPDATE_EXPECT=1 cargo test -p \
                    k2hdkc-agent --lib settings -->\n";

/// Longest line of the file of the package.
const WIDTH: usize = 118;

struct Section {
    name: String,
    text: String,
    keys: Vec<Key>,
}

struct Key {
    name: String,
    text: String,
    /// As the document has it.
    default: String,
    /// True where the default is a value.
    is_value: bool,
    /// As the file of the package has it.
    value: String,
}

fn sections() -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    let (mut comment, mut attributes, mut is_open) = (Vec::new(), String::new(), false);
    for line in SOURCES.iter().flat_map(|source| source.lines()) {
        let line = line.trim();
        if let Some(text) = line.strip_prefix("/// ") {
            comment.push(text);
            continue;
        }
        if line.starts_with("#[") {
            attributes.push_str(line);
            continue;
        }
        if line.starts_with("pub struct") {
            let section = Section::of(&comment);
            is_open = section.is_some();
            sections.extend(section);
        } else if let Some(field) = line.strip_prefix("pub ").filter(|_| is_open) {
            let key = Key::of(field.split(':').next().unwrap(), &comment, &attributes);
            sections.last_mut().unwrap().keys.extend(key);
        }
        comment.clear();
        attributes.clear();
    }
    sections
}

impl Section {
    fn of(comment: &[&str]) -> Option<Self> {
        let text = comment.join(" ");
        let name = text.strip_prefix("`[")?.split(']').next()?.to_owned();
        Some(Self { name, text, keys: Vec::new() })
    }
}

impl Key {
    /// The key of a field; `None` for a table, and for what the configuration does not have.
    fn of(field: &str, comment: &[&str], attributes: &str) -> Option<Self> {
        let (last, rest) = comment.split_last()?;
        let default = last.strip_prefix("Default: ")?;
        let renamed = attributes.split_once("rename = \"").and_then(|(_, rest)| rest.split('"').next());
        let name = renamed.map_or_else(|| field.replace('_', "-"), str::to_owned);
        let (default, example) = default.split_once(". Example: ").unwrap_or((default, default));
        let value = example.strip_prefix('`')?.strip_suffix('`')?.to_owned();
        let is_value = default == example;
        Some(Self { name, text: rest.join(" "), default: default.to_owned(), is_value, value })
    }
}

/// Writes a comment of the file of the package.
fn comment(text: &str, into: &mut String) {
    let mut line = "#".to_owned();
    for word in text.split(' ') {
        if line.len() + 1 + word.len() > WIDTH {
            writeln!(into, "{line}").unwrap();
            "#".clone_into(&mut line);
        }
        line = format!("{line} {word}");
    }
    writeln!(into, "{line}").unwrap();
}

fn packaged() -> String {
    let mut text = HEAD.to_owned();
    for section in sections() {
        writeln!(text).unwrap();
        let opening = format!("`[{}]` ", section.name);
        let rest = section.text.strip_prefix(&opening).unwrap();
        comment(&format!("This section {rest}"), &mut text);
        writeln!(text, "[{}]", section.name).unwrap();
        for key in section.keys {
            let words = if key.is_value { String::new() } else { format!(" Default: {}.", key.default) };
            comment(&format!("{}{words}", key.text), &mut text);
            let full = format!("{}.{}", section.name, key.name);
            match PACKAGED.iter().find(|(name, _)| *name == full) {
                Some((_, value)) => writeln!(text, "{} = {value}", key.name),
                None => writeln!(text, "#{} = {}", key.name, key.value),
            }
            .unwrap();
        }
    }
    text
}

fn tables() -> String {
    let mut text = MARK.to_owned();
    for section in sections() {
        writeln!(
            text,
            "\n## [{}]\n\n{}\n\n| key | default | meaning |\n|---|---|---|",
            section.name, section.text
        )
        .unwrap();
        for key in section.keys {
            writeln!(text, "| `{}` | {} | {} |", key.name, key.default, key.text).unwrap();
        }
    }
    text
}

fn document(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

/// Compares a document with its text, or writes it.
fn expect(path: &str, text: &str) {
    let path = document(path);
    let present = std::fs::read_to_string(&path).unwrap();
    if std::env::var_os("UPDATE_EXPECT").is_some() && present != text {
        crate::file::store(&path, text.as_bytes()).unwrap();
        return;
    }
    assert!(present == text, "{} differs from the types: run with UPDATE_EXPECT=1", path.display());
}

#[test]
fn the_file_of_the_package_is_that_of_the_types() {
    expect("packaging/agent.toml", &packaged());
}

#[test]
fn the_document_has_every_key_as_the_types_have_it() {
    let present = std::fs::read_to_string(document("docs/configuration.md")).unwrap();
    let written = present.split(MARK).next().unwrap();
    expect("docs/configuration.md", &format!("{written}{}", tables()));
}

#[test]
fn the_file_of_the_package_loads() {
    let settings = with(&[(MAIN, &packaged())]).unwrap();
    assert!(settings.hosts.enabled);
}

/// Settings with that one key; the paths are those below no root.
fn set(section: &str, key: &str, value: &str) -> Result<Settings, toml::de::Error> {
    toml::from_str(&format!("{section}.{key} = {value}"))
}

#[test]
fn every_default_of_a_comment_is_the_one_of_the_type_and_every_example_is_another_good_value() {
    let mut faults = Vec::new();
    for Section { name, keys: of_section, .. } in sections() {
        for Key { name: key, value, is_value, .. } in of_section {
            match set(&name, &key, &value) {
                Ok(settings) if (settings == Settings::default()) == is_value => {}
                Ok(_) => faults.push(format!("{name}.{key} = {value} against {is_value}")),
                Err(error) => faults.push(error.to_string()),
            }
        }
    }
    assert_eq!(faults, Vec::<String>::new());
}

#[test]
fn every_key_that_serde_knows_is_documented() {
    let known = |text: &str| {
        let error = toml::from_str::<Settings>(text).unwrap_err().to_string();
        let expected = error.split_once("expected ").unwrap().1;
        expected.split('`').skip(1).step_by(2).map(str::to_owned).collect::<Vec<_>>()
    };
    let mut tables = known("nonsense = 1");
    let sections = sections();
    for Section { name, keys, .. } in &sections {
        let inner = |key: &String| sections.iter().any(|section| section.name == format!("{name}.{key}"));
        let (below, of_section): (Vec<_>, Vec<_>) =
            known(&format!("{name}.nonsense = 1")).into_iter().partition(inner);
        let documented: Vec<_> = keys.iter().map(|key| key.name.as_str()).collect();
        assert_eq!(documented, of_section, "{name}");
        tables.extend(below.iter().map(|table| format!("{name}.{table}")));
    }
    let mut documented: Vec<_> = sections.into_iter().map(|section| section.name).collect();
    documented.sort();
    tables.sort();
    assert_eq!(documented, tables);
}
