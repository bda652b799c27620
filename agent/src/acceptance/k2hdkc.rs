//! `[K2HDKC]`: what makes k2hdkc end at its start (k2hdkc 1.0.19, src/k2hdkcconfparser.cc:160-556). It reads the
//! section once, when it starts, so a fault shows only at the next restart: the worst moment.

use super::keys::{K2HDKC_REPEATED, is_on};
use crate::ini::{Document, Entry, Kind, Section};
use crate::problem::Problem;
use crate::ring::{Mode, Ring};

/// The entries of the first `[K2HDKC]`, the only one that k2hdkc reads.
pub(super) fn read(document: &Document<'_>, problems: &mut Vec<Problem>) -> Option<Vec<(String, String)>> {
    let mut sections = document.sections.iter().filter(|section| section.kind == Kind::K2hdkc);
    let first = sections.next()?;
    for other in sections {
        problems.push(Problem::harmful(other.line, "a second [K2HDKC]: k2hdkc reads only the first"));
    }
    problems.extend(repeated(first));
    problems.extend(storage(first));
    problems.extend(passphrases(first));
    Some(first.entries.iter().map(|entry| (entry.key.to_string(), entry.value.to_string())).collect())
}

/// The section belongs to server nodes, and to them only.
pub(super) fn belongs(ring: &Ring) -> Option<Problem> {
    match (ring.mode()?, ring.profile.k2hdkc.is_some()) {
        (Mode::Server, false) => {
            Some(Problem::harmful(None, "a server node without [K2HDKC]: k2hdkc ends when it is started"))
        }
        (Mode::Slave, true) => Some(Problem::note(None, "a slave node has no use for [K2HDKC]")),
        (Mode::Server, true) | (Mode::Slave, false) => None,
    }
}

fn repeated(section: &Section<'_>) -> Vec<Problem> {
    let again = |(index, entry): &(usize, &Entry<'_>)| {
        let earlier = section.entries[..*index].iter().any(|other| other.key == entry.key);
        earlier && !K2HDKC_REPEATED.contains(&&*entry.key)
    };
    let repeated = section.entries.iter().enumerate().filter(again);
    repeated.map(|(_, e)| Problem::harmful(e.line, format!("[K2HDKC]: {} stands twice", e.key))).collect()
}

/// Memory, temporary file or file, and the keys that each excludes.
fn storage(section: &Section<'_>) -> Option<Problem> {
    let value = |key: &str| section.get(key).map_or("", |entry| &*entry.value);
    let line = section.get("K2HTYPE").map_or(section.line, |entry| entry.line);
    let off = |key: &str| !value(key).is_empty() && !is_on(value(key));
    let refuse =
        |text: &str| Some(Problem::harmful(line, format!("[K2HDKC]: {text}: k2hdkc would not start")));
    match value("K2HTYPE").to_ascii_lowercase().as_str() {
        "" | "m" | "mem" | "memory" if value("K2HFILE").is_empty() => {
            let excluded = off("K2HFULLMAP") || off("K2HINIT");
            excluded.then(|| refuse("a memory database with K2HFULLMAP or K2HINIT off")).flatten()
        }
        "f" | "file" | "t" | "temp" | "temporary" if value("K2HFILE").is_empty() => {
            refuse("K2HTYPE needs K2HFILE")
        }
        "t" | "temp" | "temporary" if off("K2HINIT") => refuse("a temporary database with K2HINIT off"),
        "" | "m" | "mem" | "memory" | "f" | "file" | "t" | "temp" | "temporary" => None,
        other => refuse(&format!("K2HTYPE \"{other}\" is not known")),
    }
}

fn passphrases(section: &Section<'_>) -> Option<Problem> {
    let both = section.get("PASSPHRASES").and(section.get("PASSFILE"))?;
    Some(Problem::harmful(both.line, "[K2HDKC]: PASSPHRASES and PASSFILE together: k2hdkc would not start"))
}
