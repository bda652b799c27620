//! `[K2HDKC]`: what makes k2hdkc end at its start (k2hdkc 1.0.19, src/k2hdkcconfparser.cc:160-556). It reads the
//! section once, when it starts, so a fault shows only at the next restart: the worst moment.

use std::path::Path;

use super::{FileKind, Host};
use crate::ini::{Document, Entry, Kind, Section};
use crate::keys::{K2HDKC_FILES, K2HDKC_NUMBERS, K2HDKC_REPEATED, K2HDKC_TRUTHS, atoi, is_off, is_on};
use crate::problem::Problem;
use crate::ring::{Mode, Ring};

/// The entries of the first `[K2HDKC]`, the only one that k2hdkc reads.
pub(super) fn read(
    document: &Document<'_>,
    host: &Host,
    problems: &mut Vec<Problem>,
) -> Option<Vec<(String, String)>> {
    let mut sections = document.sections.iter().filter(|section| section.kind == Kind::K2hdkc);
    let first = sections.next()?;
    for other in sections {
        problems.push(Problem::harmful(other.line, "a second [K2HDKC]: k2hdkc reads only the first"));
    }
    problems.extend(repeated(first));
    problems.extend(storage(first));
    problems.extend(place(first, host));
    problems.extend(passphrases(first));
    problems.extend(first.entries.iter().filter_map(|entry| value(entry, host)));
    problems.extend(threads(first));
    Some(first.entries.iter().map(|entry| (entry.key.to_string(), entry.value.to_string())).collect())
}

/// One value that k2hdkc would end over.
fn value(entry: &Entry<'_>, host: &Host) -> Option<Problem> {
    let (key, value) = (&*entry.key, &*entry.value);
    let wrong = |text: String| {
        Some(Problem::harmful(entry.line, format!("[K2HDKC]: {text}: k2hdkc would not start")))
    };
    if let Some((_, least, most)) = K2HDKC_NUMBERS.iter().find(|(name, ..)| *name == key) {
        let read = atoi(value);
        return if (*least..=*most).contains(&read) { None } else { wrong(format!("{key} is {read}")) };
    }
    let truth =
        is_on(value) || is_off(value) || ["y", "n"].iter().any(|word| value.eq_ignore_ascii_case(word));
    if K2HDKC_TRUTHS.contains(&key) && !truth {
        return wrong(format!("{key} is \"{value}\""));
    }
    if K2HDKC_FILES.contains(&key) && host.kind(value) == Some(FileKind::Missing) {
        return wrong(format!("{key} {value} does not exist on this host"));
    }
    None
}

fn threads(section: &Section<'_>) -> Option<Problem> {
    let (least, most) = (section.get("MINTHREAD")?, section.get("MAXTHREAD")?);
    let text = format!(
        "[K2HDKC]: MINTHREAD {} is more than MAXTHREAD {}: k2hdkc would not start",
        least.value, most.value
    );
    (atoi(&least.value) > atoi(&most.value)).then(|| Problem::harmful(least.line, text))
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

/// k2hdkc takes the last of two, as chmpx does: it matters only where they differ.
fn repeated(section: &Section<'_>) -> Vec<Problem> {
    let again = |(index, entry): (usize, &Entry<'_>)| {
        let single = !K2HDKC_REPEATED.contains(&&*entry.key);
        let first = section.entries[..index].iter().rev().find(|other| single && other.key == entry.key)?;
        Some(if first.value.eq_ignore_ascii_case(&entry.value) {
            Problem::note(entry.line, format!("[K2HDKC]: {} stands twice, and says the same", entry.key))
        } else {
            let text = format!("[K2HDKC]: {} stands twice: leave the one that is meant", entry.key);
            Problem::harmful(entry.line, text)
        })
    };
    section.entries.iter().enumerate().filter_map(again).collect()
}

/// Memory, temporary file or file, and the keys that each excludes.
fn storage(section: &Section<'_>) -> Option<Problem> {
    let value = |key: &str| section.get(key).map_or("", |entry| &*entry.value);
    let line = section.get("K2HTYPE").map_or(section.line, |entry| entry.line);
    let off = |key: &str| is_off(value(key)) || value(key).eq_ignore_ascii_case("n");
    let wrong = |text: &str| Some(Problem::harmful(line, format!("[K2HDKC]: {text}")));
    let no_file = value("K2HFILE").is_empty();
    match value("K2HTYPE").to_ascii_lowercase().as_str() {
        "" if section.get("K2HTYPE").is_some() => wrong("K2HTYPE is empty: k2hdkc would not start"),
        "" | "m" | "mem" | "memory" if no_file => {
            let excluded = off("K2HFULLMAP") || off("K2HINIT");
            let text = "a memory database with K2HFULLMAP or K2HINIT off: k2hdkc would not start";
            excluded.then(|| wrong(text)).flatten()
        }
        "f" | "file" | "t" | "temp" | "temporary" if no_file => {
            wrong("K2HTYPE without K2HFILE keeps its data in memory, or does not start")
        }
        "t" | "temp" | "temporary" if off("K2HINIT") => {
            wrong("a temporary database with K2HINIT off: k2hdkc would not start")
        }
        "" | "m" | "mem" | "memory" | "f" | "file" | "t" | "temp" | "temporary" => None,
        other => wrong(&format!("K2HTYPE \"{other}\" is not known: k2hdkc would not start")),
    }
}

/// The file of the keys must be one, in a directory.
fn place(section: &Section<'_>, host: &Host) -> Option<Problem> {
    let entry = section.get("K2HFILE").filter(|entry| !entry.value.is_empty())?;
    let kind = section.get("K2HTYPE").map_or("", |entry| &*entry.value);
    if ["m", "mem", "memory"].iter().any(|word| kind.eq_ignore_ascii_case(word)) {
        return None;
    }
    let file = Path::new(&*entry.value);
    let wrong = |text: String| Some(Problem::harmful(entry.line, format!("[K2HDKC]: K2HFILE {text}")));
    if !file.is_absolute() {
        return wrong(format!(
            "{} is no absolute path: it would be looked for in / or elsewhere",
            entry.value
        ));
    }
    if host.kind(&entry.value) == Some(FileKind::Dir) {
        return wrong(format!("{} is a directory: k2hdkc would not start", entry.value));
    }
    let at = |directory: &Path| host.kind(directory.to_str()?);
    if let Some(no_directory) = file.ancestors().skip(1).find(|above| at(above) == Some(FileKind::File)) {
        let no_directory = no_directory.display();
        return wrong(format!(
            "{} lies below {no_directory}, which is a file: k2hdkc would not start",
            entry.value
        ));
    }
    // Packages, upstream's helper and the agent make the usual ones before k2hdkc starts.
    let usual = file.starts_with("/var/lib/antpickax");
    let directory = file.parent().filter(|directory| !usual && at(directory) == Some(FileKind::Missing))?;
    let directory = directory.display();
    wrong(format!("{} lies in no directory: make {directory} for the user of k2hdkc", entry.value))
}

/// What must be known of the host for the rules about the file of the keys: that file, and every directory above it.
pub(super) fn places(ring: &Ring) -> impl Iterator<Item = String> {
    let keys =
        ring.profile.k2hdkc.iter().flatten().filter(|(key, value)| key == "K2HFILE" && !value.is_empty());
    keys.flat_map(|(_, file)| Path::new(file).ancestors().filter_map(|path| Some(path.to_str()?.to_owned())))
}

fn passphrases(section: &Section<'_>) -> Option<Problem> {
    if let Some(empty) =
        section.entries.iter().find(|entry| entry.key == "PASSPHRASES" && entry.value.is_empty())
    {
        return Some(Problem::harmful(empty.line, "[K2HDKC]: PASSPHRASES is empty: k2hdkc would not start"));
    }
    let both = section.get("PASSPHRASES").and(section.get("PASSFILE"))?;
    Some(Problem::harmful(both.line, "[K2HDKC]: PASSPHRASES and PASSFILE together: k2hdkc would not start"))
}
