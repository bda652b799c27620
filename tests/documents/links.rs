//! Every link of a document leads to a file, and to a heading where it names one.

use std::fs;
use std::path::{Path, PathBuf};

use super::{files, root, text};

fn documents() -> Vec<PathBuf> {
    let mut all = files("docs", ".md");
    all.extend(
        ["README.md", "CONTRIBUTING.md", "SECURITY.md", "cloud-init/README.md"].map(|p| root().join(p)),
    );
    all
}

/// The targets of `[text](target)` that are in this repository.
fn links(document: &str) -> Vec<&str> {
    let targets = document.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets.filter(|target| !target.contains("://")).collect()
}

/// The anchor that a forge makes of a heading.
fn anchor(heading: &str) -> String {
    let kept = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = kept.chars().filter(|c| c.is_alphanumeric() || [' ', '-', '_'].contains(c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

fn leads_somewhere(document: &Path, link: &str) -> bool {
    let (file, heading) = link.split_once('#').map_or((link, None), |(file, heading)| (file, Some(heading)));
    let target =
        if file.is_empty() { document.to_owned() } else { document.parent().unwrap_or(document).join(file) };
    let Some(heading) = heading else { return target.exists() };
    let text = fs::read_to_string(target).unwrap_or_default();
    text.lines().any(|line| line.starts_with('#') && anchor(line) == heading)
}

#[test]
fn every_link_leads_to_a_file_and_a_heading() {
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        let broken: Vec<_> =
            links(&text).into_iter().filter(|link| !leads_somewhere(&document, link)).collect();
        assert!(broken.is_empty(), "{}: {broken:?}", document.display());
    }
}

#[test]
fn the_readme_has_at_most_a_thousand_words() {
    let words = text("README.md").split_whitespace().count();
    assert!(words <= 1000, "{words} words");
}
