//! `[K2HDKC]`: what makes k2hdkc end at its start (k2hdkc 1.0.19, src/k2hdkcconfparser.cc:160-556). It reads the
//! section once, when it starts, so a fault shows only at the next restart: the worst moment.

mod words;

use std::path::Path;

use super::{FileKind, Host};
use crate::ini::{Document, Entry, Kind, Section};
use crate::keys::{K2HDKC_FILES, K2HDKC_NUMBERS, K2HDKC_REPEATED, K2HDKC_TRUTHS, atoi, is_off, is_on};
use crate::problem::{Fault as _, Problem};
use crate::ring::{Mode, Ring};
use words::Wrong;

/// The entries of the first `[K2HDKC]`, the only one that k2hdkc reads.
pub(super) fn read(
    document: &Document<'_>,
    host: &Host,
    problems: &mut Vec<Problem>,
) -> Option<Vec<(String, String)>> {
    let mut sections = document.sections.iter().filter(|section| section.kind == Kind::K2hdkc);
    let first = sections.next()?;
    for other in sections {
        problems.push(Wrong::SecondSection.at(other.line));
    }
    problems.extend(repeated(first));
    problems.extend(storage(first));
    problems.extend(place(first, host));
    problems.extend(passphrases(first));
    problems.extend(first.entries.iter().filter_map(|entry| value(entry, host)));
    problems.extend(threads(first));
    Some(first.entries.iter().map(|entry| (entry.key.to_string(), entry.value.to_string())).collect())
}

/// Examines a value that k2hdkc may end over.
fn value(entry: &Entry<'_>, host: &Host) -> Option<Problem> {
    let (key, value) = (&*entry.key, &*entry.value);
    if let Some((_, least, most)) = K2HDKC_NUMBERS.iter().find(|(name, ..)| *name == key) {
        let read = atoi(value);
        let good = (*least..=*most).contains(&read);
        return (!good).then(|| Wrong::Number { key, read }.at(entry.line));
    }
    let truth =
        is_on(value) || is_off(value) || ["y", "n"].iter().any(|word| value.eq_ignore_ascii_case(word));
    if K2HDKC_TRUTHS.contains(&key) && !truth {
        return Some(Wrong::Truth { key, value }.at(entry.line));
    }
    let missing = K2HDKC_FILES.contains(&key) && host.kind(value) == Some(FileKind::Missing);
    missing.then(|| Wrong::NoFile { key, value }.at(entry.line))
}

fn threads(section: &Section<'_>) -> Option<Problem> {
    let (least, most) = (section.get("MINTHREAD")?, section.get("MAXTHREAD")?);
    let wrong = Wrong::Threads { least: &least.value, most: &most.value };
    (atoi(&least.value) > atoi(&most.value)).then(|| wrong.at(least.line))
}

/// The section belongs to server nodes, and to them only.
pub(super) fn belongs(ring: &Ring) -> Option<Problem> {
    match (ring.mode()?, ring.profile.k2hdkc.is_some()) {
        (Mode::Server, false) => Some(Wrong::NoSection.at(None)),
        (Mode::Slave, true) => Some(Wrong::OnSlave.at(None)),
        (Mode::Server, true) | (Mode::Slave, false) => None,
    }
}

/// k2hdkc takes the last of two, as chmpx does: it matters only where they differ.
fn repeated(section: &Section<'_>) -> Vec<Problem> {
    let again = |(index, entry): (usize, &Entry<'_>)| {
        let single = !K2HDKC_REPEATED.contains(&&*entry.key);
        let first = section.entries[..index].iter().rev().find(|other| single && other.key == entry.key)?;
        let same = first.value.eq_ignore_ascii_case(&entry.value);
        let wrong = if same { Wrong::SameTwice(&entry.key) } else { Wrong::Twice(&entry.key) };
        Some(wrong.at(entry.line))
    };
    section.entries.iter().enumerate().filter_map(again).collect()
}

/// Memory, temporary file or file, and the keys that each excludes.
fn storage(section: &Section<'_>) -> Option<Problem> {
    let value = |key: &str| section.get(key).map_or("", |entry| &*entry.value);
    let line = section.get("K2HTYPE").map_or(section.line, |entry| entry.line);
    let off = |key: &str| is_off(value(key)) || value(key).eq_ignore_ascii_case("n");
    let no_file = value("K2HFILE").is_empty();
    let wrong = match value("K2HTYPE").to_ascii_lowercase().as_str() {
        "" if section.get("K2HTYPE").is_some() => Wrong::EmptyType.at(line),
        "" | "m" | "mem" | "memory" if no_file => {
            return (off("K2HFULLMAP") || off("K2HINIT")).then(|| Wrong::MemoryKept.at(line));
        }
        "f" | "file" | "t" | "temp" | "temporary" if no_file => Wrong::TypeWithoutFile.at(line),
        "t" | "temp" | "temporary" if off("K2HINIT") => Wrong::TemporaryKept.at(line),
        "" | "m" | "mem" | "memory" | "f" | "file" | "t" | "temp" | "temporary" => return None,
        other => Wrong::UnknownType(other).at(line),
    };
    Some(wrong)
}

/// The file of the keys must be one, in a directory.
fn place(section: &Section<'_>, host: &Host) -> Option<Problem> {
    let entry = section.get("K2HFILE").filter(|entry| !entry.value.is_empty())?;
    let kind = section.get("K2HTYPE").map_or("", |entry| &*entry.value);
    if ["m", "mem", "memory"].iter().any(|word| kind.eq_ignore_ascii_case(word)) {
        return None;
    }
    misplaced(&entry.value, host).map(|wrong| wrong.at(entry.line))
}

fn misplaced<'a>(file: &'a str, host: &Host) -> Option<Wrong<'a>> {
    let path = Path::new(file);
    if !path.is_absolute() {
        return Some(Wrong::Relative(file));
    }
    if host.kind(file) == Some(FileKind::Dir) {
        return Some(Wrong::Directory(file));
    }
    let at = |directory: &Path| host.kind(directory.to_str()?);
    if let Some(above) = path.ancestors().skip(1).find(|above| at(above) == Some(FileKind::File)) {
        return Some(Wrong::BelowFile { file, above });
    }
    // Packages, upstream's helper and the agent make the usual ones before k2hdkc starts.
    let usual = path.starts_with("/var/lib/antpickax");
    let directory = path.parent().filter(|directory| !usual && at(directory) == Some(FileKind::Missing))?;
    Some(Wrong::NoDirectory { file, directory })
}

/// Paths for the rules about the file of the keys: that file, and every directory above it.
pub(super) fn places(ring: &Ring) -> impl Iterator<Item = String> {
    let keys =
        ring.profile.k2hdkc.iter().flatten().filter(|(key, value)| key == "K2HFILE" && !value.is_empty());
    keys.flat_map(|(_, file)| Path::new(file).ancestors().filter_map(|path| Some(path.to_str()?.to_owned())))
}

fn passphrases(section: &Section<'_>) -> Option<Problem> {
    let empty = |entry: &&Entry<'_>| entry.key == "PASSPHRASES" && entry.value.is_empty();
    if let Some(empty) = section.entries.iter().find(empty) {
        return Some(Wrong::EmptyPassphrase.at(empty.line));
    }
    let both = section.get("PASSPHRASES").and(section.get("PASSFILE"))?;
    Some(Wrong::TwoPassphrases.at(both.line))
}

/// The codes of the faults of this module.
#[cfg(test)]
pub(super) const CODES: &[&str] = <Wrong<'_> as crate::problem::Coded>::CODES;
