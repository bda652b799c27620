//! What chmpx accepts: a document of the dialect becomes a [`Ring`], and everything that chmpx would refuse, take
//! to somebody's harm, or ignore is reported, all of it at once and with its line.
//!
//! Pure. Facts about the host (which files exist, which addresses are its own) are an argument, [`Host`].
//! Every rule is chmpx 1.0.113's (lib/chmconf.cc:733-2640) unless its text says k2hdkc.

mod address;
mod hostname;
mod k2hdkc;
mod nodes;
mod own;
pub mod placeholders;
mod repeated;
mod tls;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::ini::{Document, Entry, Kind};
use crate::keys::{self, Below, Value, atoi, is_unset};
use crate::names::Port;
use crate::problem::{Problem, Severity};
use crate::ring::{Extra, Mode, Profile, Ring};
use tls::{Values, View};

/// What must be known of the host for the rules that depend on it. A `None` is not examined.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Host {
    /// What stands at each path that [`paths`] named.
    pub files: Option<BTreeMap<String, FileKind>>,
    /// The addresses of the network interfaces.
    pub addresses: Option<BTreeSet<IpAddr>>,
}

/// What stands at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// Nothing, or something else.
    Missing,
}

impl Host {
    /// What stands at `path`; `None` where nobody looked.
    pub fn kind(&self, path: &str) -> Option<FileKind> {
        self.files.as_ref()?.get(path).copied()
    }
}

/// A document as chmpx would understand it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The ring, in canonical order; where keys are missing or wrong, as much of it as could be read.
    pub ring: Ring,
    /// `FILEVERSION`, as a running chmpx would report it in `cfg_revision`.
    pub fileversion: Option<u32>,
    /// Everything that is wrong, by line.
    pub problems: Vec<Problem>,
}

impl Reading {
    /// Whether chmpx would load the file.
    pub fn loads(&self) -> bool {
        self.problems.iter().all(|problem| problem.severity < Severity::Refused)
    }
}

/// The paths whose existence chmpx or k2hdkc will demand, for [`Host::files`].
pub fn paths(ring: &Ring) -> BTreeSet<String> {
    let of_chmpx = |key: &str| keys::global(key).is_some_and(|key| key.value == Value::Path);
    let global = ring.profile.global.iter().map(|(key, value)| (key.as_str(), value.as_str()));
    let nodes = ring.servers.iter().chain(&ring.slaves).flat_map(|node| node.rest.iter());
    let k2hdkc = ring.profile.k2hdkc.iter().flatten().map(|(key, value)| (key.as_str(), value.as_str()));
    let named = global.chain(nodes).filter(|(key, _)| of_chmpx(key));
    let named = named.chain(k2hdkc.filter(|(key, _)| keys::K2HDKC_FILES.contains(key)));
    named.filter(|(_, path)| !is_unset(path)).map(|(_, path)| path.to_owned()).collect()
}

/// The file of the keys and the directories above it. Apart from [`paths`], since a directory that is missing may be made
/// before k2hdkc starts: a caller who does so leaves it out of [`Host::files`].
pub fn database_paths(ring: &Ring) -> BTreeSet<String> {
    k2hdkc::places(ring).collect()
}

/// Why a NAME that is no pattern is not a host that chmpx can look up; `None` where it is one.
pub fn no_host(name: &str) -> Option<&'static str> {
    address::wrong(name)
}

/// Reads a document by chmpx's rules.
pub fn read(document: &Document<'_>, host: &Host) -> Reading {
    let mut problems = document.problems.clone();
    let global = merge_global(document, &mut problems);
    problems.extend(global.iter().filter_map(|(key, (value, line))| global_value(key, value, *line)));
    problems.extend(required(&global));
    problems.extend(queues(&global));
    problems.extend(placeholders::in_global(&global));
    problems.extend(placeholders::elsewhere(document));
    let servers = nodes::collect(document, Kind::Server, &global, &mut problems);
    let slaves = nodes::collect(document, Kind::Slave, &global, &mut problems);
    let k2hdkc = k2hdkc::read(document, host, &mut problems);
    let view = View { label: "[GLOBAL]", line: 1, mode: Mode::Server, own: &global, global: &global };
    problems.extend(tls::examine(&view, &views(&servers), &views(&slaves), host));
    let id_type = text(&global, "CHMPXIDTYPE").to_ascii_uppercase();
    let ring = Ring {
        profile: Profile { global: model_globals(&global), k2hdkc, extra: extras(document) },
        servers: nodes::model(&servers, Mode::Server, &id_type, &mut problems),
        slaves: nodes::model(&slaves, Mode::Slave, &id_type, &mut problems),
    }
    .canonical();
    problems.extend(nodes::duplicates(&ring));
    problems.extend(capacity(&ring));
    // A node whose port chmpx cannot use is not in the model, and was told already.
    if (servers.len(), slaves.len()) == (ring.servers.len(), ring.slaves.len()) {
        problems.extend(own::examine(&ring, host));
    }
    problems.extend(k2hdkc::belongs(&ring));
    problems.sort_by_key(|problem| (problem.line.is_none(), problem.line));
    let fileversion = global.get("FILEVERSION").and_then(|(value, _)| value.parse().ok());
    Reading { ring, fileversion, problems }
}

fn views<'a>(nodes: &'a [nodes::Raw<'_>]) -> Vec<View<'a>> {
    nodes.iter().map(nodes::Raw::view).collect()
}

/// Repeated `[GLOBAL]` sections are one to chmpx, and the last value of a key counts.
fn merge_global<'a>(document: &'a Document<'a>, problems: &mut Vec<Problem>) -> Values<'a> {
    let mut merged = Values::new();
    for section in document.sections.iter().filter(|section| section.kind == Kind::Global) {
        repeated::take(section, &mut merged, problems);
    }
    merged
}

fn text<'a>(values: &Values<'a>, key: &str) -> &'a str {
    values.get(key).map_or("", |(value, _)| *value)
}

fn global_value(name: &str, value: &str, line: usize) -> Option<Problem> {
    match keys::global(name) {
        Some(key) => one_value(name, value, key.value, line),
        None => Some(Problem::note(line, format!("[GLOBAL]: {}", unknown(name)))),
    }
}

/// A key that chmpx passes over: it minds the case of letters.
fn unknown(key: &str) -> String {
    if let Some(hole) = placeholders::within(key) {
        return format!("the placeholder {hole} was not replaced; chmpx passes over it");
    }
    let capitals = key.to_ascii_uppercase();
    let meant = capitals != key && (keys::global(&capitals).is_some() || nodes::knows(&capitals));
    let hint = if meant { format!(" (it minds capitals: {capitals})") } else { String::new() };
    format!("chmpx does not know the key {key}{hint}")
}

fn one_value(name: &str, value: &str, kind: Value, line: usize) -> Option<Problem> {
    match kind {
        Value::Text | Value::Path => None,
        Value::Word(words) if words.iter().any(|word| word.eq_ignore_ascii_case(value)) => None,
        Value::Word(words) => {
            let text = format!("{name} is \"{value}\"; chmpx knows {}", words.join(", "));
            Some(Problem::refused(line, text))
        }
        Value::Port => {
            let wrong = Port::try_from(value).err()?;
            Some(Problem::harmful(line, format!("{name}: {wrong}")))
        }
        Value::Number { least, most, below } => number(name, value, (least, most), below, line),
    }
}

/// chmpx never refuses a number for its text, so what counts is what `atoi` makes of it.
fn number(name: &str, value: &str, (least, most): (i32, i32), below: Below, line: usize) -> Option<Problem> {
    let read = atoi(value);
    let odd = value.parse::<i64>().ok() != Some(i64::from(read));
    if read < least {
        return Some(outside(name, read, least, below, line));
    }
    if read > most {
        let text = format!("{name} is {read}; more than {most} is not good");
        let fatal = below == Below::Fatal;
        return Some(if fatal {
            Problem::harmful(line, text)
        } else {
            Problem::note(line, format!("{text}: chmpx takes {most}"))
        });
    }
    odd.then(|| Problem::harmful(line, format!("{name} is \"{value}\", which chmpx reads as {read}")))
}

fn outside(name: &str, number: i32, least: i32, below: Below, line: usize) -> Problem {
    match below {
        Below::Refused => {
            Problem::refused(line, format!("{name} is {number}; chmpx refuses less than {least}"))
        }
        Below::Fatal | Below::FatalBelow => Problem::harmful(
            line,
            format!("{name} is {number}; below {least} chmpx or its clients crash, hang or do not start"),
        ),
        Below::Raised => Problem::note(line, format!("{name} is {number}; chmpx takes its default instead")),
    }
}

/// A client attaches with MQPERATTACH queues at once, out of MAXMQCLIENT.
fn queues(global: &Values<'_>) -> Option<Problem> {
    let (each, line) = global.get("MQPERATTACH")?;
    let (all, _) = global.get("MAXMQCLIENT")?;
    let text = format!("MQPERATTACH {each} is more than MAXMQCLIENT {all}: k2hdkc cannot attach");
    (atoi(each) > atoi(all)).then(|| Problem::harmful(*line, text))
}

fn required(global: &Values<'_>) -> Vec<Problem> {
    let mut problems: Vec<_> = ["GROUP", "FILEVERSION", "DELIVERMODE"]
        .into_iter()
        .filter(|key| !global.contains_key(*key))
        .map(|key| Problem::refused(None, format!("[GLOBAL] has no {key}")))
        .collect();
    if let Some((group, line)) = global.get("GROUP") {
        problems.extend(group_name(group).map(|text| Problem::harmful(*line, format!("GROUP {text}"))));
    }
    problems
}

/// GROUP becomes part of the names of a message queue and of files, which end at 255 bytes.
fn group_name(group: &str) -> Option<&'static str> {
    match group {
        "" => Some("is empty; chmpx does not start"),
        _ if group.contains('/') => Some("has a '/' in it; chmpx does not start"),
        _ if group.len() > 238 => Some("is longer than 238 bytes; chmpx does not start"),
        _ => None,
    }
}

fn model_globals(global: &Values<'_>) -> BTreeMap<String, String> {
    let kept = global.iter().filter(|(key, _)| !["FILEVERSION", "DATE"].contains(key));
    kept.map(|(key, (value, _))| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn extras(document: &Document<'_>) -> Vec<Extra> {
    let pair = |entry: &Entry<'_>| (entry.key.to_string(), entry.value.to_string());
    let others = document.sections.iter().filter(|section| section.kind == Kind::Other);
    others.map(|s| Extra { name: s.name.to_owned(), entries: s.entries.iter().map(pair).collect() }).collect()
}

/// Every node needs a row of the table that chmpx sizes at its start.
fn capacity(ring: &Ring) -> Option<Problem> {
    let most: usize = ring.global("MAXCHMPX").parse().unwrap_or(DEFAULT_MAXCHMPX);
    let text = format!("MAXCHMPX {most} has room for {}", room(ring, most));
    beyond(ring, most).map(|nodes| Problem::harmful(None, format!("{nodes} nodes, but {text}")))
}

/// How many nodes the ring has, where they are more than a table of so many rows has room for. Nobody connects as the
/// placeholder slave.
pub fn beyond(ring: &Ring, rows: usize) -> Option<usize> {
    let nodes = servers(ring) + ring.slaves.iter().filter(|slave| !slave.is_placeholder()).count();
    (nodes > room(ring, rows)).then_some(nodes)
}

/// How many nodes of this ring a table of so many rows has room for: a server and a connected slave take one row each,
/// a server has the one before it in the ring as a slave as well, and one that joins has to connect before that one has
/// moved on (docs/facts.md C20).
pub fn room(ring: &Ring, rows: usize) -> usize {
    rows.saturating_sub(servers(ring).saturating_sub(1).min(2))
}

/// How many servers chmpx makes of the ring: a NAME may stand for several.
pub fn servers(ring: &Ring) -> usize {
    nodes::servers(ring)
}

/// `MAXCHMPX` where the file does not say it.
pub const DEFAULT_MAXCHMPX: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::text;

    /// What a change of a good file makes of it: severity and text of everything but notes.
    fn after(mode: Mode, from: &str, to: &str) -> Vec<(Severity, String)> {
        let good = text(mode, &[1, 2], &[1]);
        assert!(good.contains(from), "{from}");
        found(&good.replace(from, to), &Host::default())
    }

    fn found(text: &str, host: &Host) -> Vec<(Severity, String)> {
        let reading = read(&crate::ini::parse(text), host);
        let (bad, _) = crate::problem::split(reading.problems);
        bad.into_iter().map(|problem| (problem.severity, problem.text)).collect()
    }

    fn one(mode: Mode, from: &str, to: &str, severity: Severity, word: &str) {
        let found = after(mode, from, to);
        let expected = found.len() == 1 && found[0].0 == severity && found[0].1.contains(word);
        assert!(expected, "{from} -> {to}: expected one {severity:?} with \"{word}\", found {found:?}");
    }

    #[test]
    fn good_files_have_no_fault() {
        for mode in [Mode::Server, Mode::Slave] {
            let reading = read(&crate::ini::parse(&text(mode, &[1, 2], &[1])), &Host::default());
            assert_eq!(reading.problems, []);
            assert!(reading.loads());
            assert_eq!((reading.ring.servers.len(), reading.ring.slaves.len()), (2, 1));
            assert_eq!((reading.ring.mode(), reading.fileversion), (Some(mode), Some(1)));
        }
    }

    #[test]
    fn what_chmpx_refuses_is_refused() {
        for (from, to, word) in [
            ("GROUP = mycluster\n", "", "no GROUP"),
            ("FILEVERSION = 1\n", "", "no FILEVERSION"),
            ("DELIVERMODE = hash\n", "", "no DELIVERMODE"),
            ("DELIVERMODE = hash", "DELIVERMODE = ring", "DELIVERMODE is \"ring\""),
            ("MODE = SERVER", "MODE = MASTER", "MODE is \"MASTER\""),
            ("CHMPXIDTYPE = CUSTOM", "CHMPXIDTYPE = UUID", "CHMPXIDTYPE is \"UUID\""),
            ("AUTOMERGE = on", "AUTOMERGE = true", "AUTOMERGE is \"true\""),
            ("AUTOMERGE = on", "SOCKTHREADCNT = -1", "refuses less than 0"),
            ("AUTOMERGE = on", "MAXSOCKPOOL = 0", "refuses less than 1"),
            ("NAME = 192.0.2.2", "NAME = db[1-", "a '[' without ']'"),
            ("AUTOMERGE = on", "MAXSOCKPOOL = abc", "refuses less than 1"),
            ("AUTOMERGE = on", "SOCKTHREADCNT = 3000000000", "refuses less than 0"),
            ("SELFCTLPORT = 8021\n", "", "no [SVRNODE] is this host"),
            ("SELFCUK = cuk-1", "SELFCUK = cuk-7", "no [SVRNODE] is this host"),
            ("SELFCTLPORT = 8021", "SELFCTLPORT = 8022", "no [SVRNODE] is this host"),
        ] {
            one(Mode::Server, from, to, Severity::Refused, word);
        }
        let no_slaves = text(Mode::Server, &[1], &[]);
        assert_eq!(
            found(&no_slaves, &Host::default()),
            [(Severity::Refused, "there is no [SLVNODE]".to_owned())]
        );
        let no_servers = found(&text(Mode::Slave, &[], &[1]), &Host::default());
        assert_eq!(no_servers, [(Severity::Refused, "there is no [SVRNODE]".to_owned())]);
    }

    #[test]
    fn what_chmpx_takes_to_somebody_s_harm_is_harmful() {
        for (from, to, word) in [
            ("MAXCHMPX = 256", "MAXCHMPX = 0", "below 1 chmpx or its clients crash"),
            ("REPLICA = 1", "REPLICA = -1", "below 0 chmpx or its clients crash"),
            ("AUTOMERGE = on", "MQRETRYCNT = 0", "below 1 chmpx or its clients crash"),
            ("AUTOMERGE = on", "K2HMASKBIT = 28", "more than 27 is not good"),
            ("AUTOMERGE = on", "MQPERATTACH = 9\nMAXMQCLIENT = 8", "k2hdkc cannot attach"),
            ("MAXCHMPX = 256", "MAXCHMPX = 3", "3 nodes, but MAXCHMPX 3 has room for 2"),
            ("REPLICA = 1", "REPLICA = 1x", "which chmpx reads as 1"),
            ("REPLICA = 1", "REPLICA = 4294967297", "which chmpx reads as 1"),
            ("NAME = 192.0.2.2", "NAME = 192.0.2.2,,192.0.2.3", "a server of the empty name"),
            ("GROUP = mycluster", "GROUP = ", "GROUP is empty"),
            ("GROUP = mycluster", "GROUP = a/b", "has a '/'"),
            ("CUK = cuk-2", "CUK = ", "CUK is empty"),
            ("SELFCUK = cuk-1", "SELFCUK = cuk-1\nSELFCUK = cuk-2", "stands in line"),
            (
                "GROUP = mycluster",
                "GROUP = %%CLUSTER_NAME%%",
                "GROUP is still the placeholder %%CLUSTER_NAME%%",
            ),
            ("MAXTHREAD = 20", "MAXTHREAD = 20\nSVRNODEINI = %%INI%%", "SVRNODEINI is still the placeholder"),
            ("NAME = 192.0.2.2\n", "NAME = 192.0.2.2\nENDPOINTS = a,b,c,d,e\n", "more than the four hosts"),
            ("NAME = 192.0.2.2\n", "NAME = 192.0.2.2\nENDPOINTS = a b\n", "which is not a host"),
            (
                "K2HTYPE = file\nK2HFILE = /data/k2hdkc.k2h",
                "K2HTYPE = file",
                "without K2HFILE keeps its data in memory",
            ),
            ("K2HTYPE = file", "K2HTYPE = ", "K2HTYPE is empty"),
            ("K2HINIT = no", "K2HINIT = true", "K2HINIT is \"true\""),
            ("MAXTHREAD = 20", "MAXTHREAD = 0", "MAXTHREAD is 0"),
            ("MAXTHREAD = 20", "MAXTHREAD = 2\nMINTHREAD = 3", "MINTHREAD 3 is more than MAXTHREAD 2"),
            ("MAXTHREAD = 20", "PASSPHRASES = ", "PASSPHRASES is empty"),
            ("K2HTYPE = file\nK2HFILE = /data/k2hdkc.k2h", "K2HTYPE = mem", "a memory database with"),
            ("K2HTYPE = file", "K2HTYPE = temp", "a temporary database with"),
            ("K2HTYPE = file", "K2HTYPE = disk", "is not known"),
            ("MAXTHREAD = 20", "PASSPHRASES = a\nPASSFILE = /b", "PASSPHRASES and PASSFILE"),
            ("MAXTHREAD = 20", "MAXTHREAD = 20\nmaxthread = 2", "[K2HDKC]: MAXTHREAD stands twice"),
            ("MAXTHREAD = 20\n", "MAXTHREAD = 20\n[K2HDKC]\n", "a second [K2HDKC]"),
            ("[K2HDKC]", "[OTHER]", "a server node without [K2HDKC]"),
            ("[K2HDKC]", "[k2hdkc]", "is not [K2HDKC]"),
        ] {
            let found = after(Mode::Server, from, to);
            let hit =
                found.iter().any(|(severity, text)| *severity == Severity::Harmful && text.contains(word));
            assert!(hit, "{from} -> {to}: {found:?}");
        }
        one(
            Mode::Slave,
            "\nCUK = slave-1\n",
            "\nCUK = slave-9\n",
            Severity::Harmful,
            "a running chmpx goes on",
        );
    }

    /// Upstream's own test ring is one server and one slave with MAXCHMPX 2; the others were tried on the real one, too.
    #[test]
    fn the_table_needs_rows_for_the_servers_that_connect_besides_those_of_the_nodes() {
        for (servers, slaves, most, room) in [
            (&[1][..], &[1][..], 2, true),
            (&[1], &[1], 1, false),
            (&[1], &[1, 2], 2, false),
            (&[1, 2], &[1], 4, true),
            (&[1, 2], &[1], 3, false),
            (&[1, 2, 3], &[1], 6, true),
            (&[1, 2, 3], &[1], 5, false),
        ] {
            let text =
                text(Mode::Server, servers, slaves).replace("MAXCHMPX = 256", &format!("MAXCHMPX = {most}"));
            let told = found(&text, &Host::default());
            assert_eq!(
                told.is_empty(),
                room,
                "{} servers, {} slaves, {most}: {told:?}",
                servers.len(),
                slaves.len()
            );
        }
        let alone = text(Mode::Server, &[1, 2, 3], &[1]).replace("CUK = slave-1", "CUK = dummy_cuk");
        for (most, room) in [(5, true), (4, false)] {
            let told =
                found(&alone.replace("MAXCHMPX = 256", &format!("MAXCHMPX = {most}")), &Host::default());
            assert_eq!(told.is_empty(), room, "three servers, and {most}: {told:?}");
        }
    }

    #[test]
    fn ports_and_names_are_examined_where_they_count() {
        let ports = after(
            Mode::Server,
            "PORT = 8020\nCTLPORT = 8021\nCUK = cuk-2",
            "PORT = 40000\nCTLPORT = 0\nCUK = cuk-2",
        );
        assert_eq!(ports.len(), 2, "{ports:?}");
        assert!(
            ports.iter().all(|(severity, text)| *severity == Severity::Harmful && text.contains("32767"))
        );
        let good = text(Mode::Server, &[1, 2], &[1]);
        let nameless = found(&good.replace("NAME = 192.0.2.2\n", ""), &Host::default());
        assert_eq!(
            nameless,
            [(Severity::Harmful, "a node without NAME: chmpx drops the section".to_owned())]
        );
        let homeless =
            good.replace("PORT = 8020\nCTLPORT = 8021\nSELF", "SELF").replace("CTLPORT = 8031\n", "");
        let homeless = found(&homeless, &Host::default());
        assert_eq!(
            homeless,
            [(Severity::Refused, "198.51.100.1: neither the section nor [GLOBAL] has CTLPORT".to_owned())]
        );
    }

    #[test]
    fn ids_are_needed_by_the_kind_of_id() {
        let custom = after(Mode::Server, "CUSTOM_ID_SEED = server2.example\n", "");
        assert_eq!(
            custom,
            [(Severity::Refused, "192.0.2.2: CHMPXIDTYPE CUSTOM needs CUSTOM_ID_SEED".to_owned())]
        );
        let cuk = text(Mode::Server, &[1, 2], &[1]).replace("= CUSTOM", "= CUK").replace("CUK = cuk-2\n", "");
        assert_eq!(found(&cuk, &Host::default())[0].1, "192.0.2.2: CHMPXIDTYPE CUK needs CUK");
        let ends = text(Mode::Server, &[1], &[1]).replace("= CUSTOM", "= CTLEPS");
        let ends = found(&ends, &Host::default());
        assert_eq!(ends.iter().filter(|(severity, _)| *severity == Severity::Refused).count(), 3, "{ends:?}");
        let same = text(Mode::Server, &[1, 2], &[1])
            .replace("= CUSTOM", "= CUK")
            .replace("CUK = slave-1", "CUK = cuk-2");
        assert!(found(&same, &Host::default())[0].1.contains("CUK cuk-2 is that of"));
        let long = "x".repeat(2048);
        let long =
            after(Mode::Server, "CUSTOM_ID_SEED = server2.example", &format!("CUSTOM_ID_SEED = {long}"));
        assert!(long[0].1.contains("longer than the 2047 bytes"), "{long:?}");
    }

    #[test]
    fn one_name_may_be_many_and_still_not_two_of_the_same() {
        let good = text(Mode::Server, &[1, 2], &[1]);
        let range = good.replace("NAME = 192.0.2.2", "NAME = 192.0.2.[1-3]");
        let found = found(&range, &Host::default());
        assert_eq!(found.len(), 1);
        assert!(found[0].1.starts_with("192.0.2.1:8021 is the address of two nodes (CUK"), "{found:?}");
    }

    #[test]
    fn sections_that_chmpx_merges_are_judged_as_one() {
        let good = text(Mode::Server, &[1, 2], &[1]);
        let stale = "[SVRNODE]\nNAME = 192.0.2.1\nPORT = 8020\nCTLPORT = 8021\nCUK = old\n[SLVNODE]";
        let taken_over = found(&good.replace("[SLVNODE]", stale), &Host::default());
        assert!(taken_over[0].1.contains("(CUK cuk-1 there, old here)"), "{taken_over:?}");
        assert_eq!(taken_over[1].0, Severity::Refused, "the later CUK counts, and this host is gone");
        let partial = "[SVRNODE]\nNAME = 192.0.2.1\nCTLPORT = 8021\n[SLVNODE]";
        let partial = found(&good.replace("[SLVNODE]", partial), &Host::default());
        assert!(partial.len() == 1 && partial[0].0 == Severity::Harmful, "{partial:?}");
    }

    #[test]
    fn a_placeholder_that_was_left_in_is_told() {
        let found = after(Mode::Server, "SELFCUK = cuk-1", "SELFCUK = __SELF_INSTANCE_ID__");
        assert!(
            found
                .iter()
                .any(|(_, text)| text.starts_with("SELFCUK is still the placeholder __SELF_INSTANCE_ID__:"))
        );
    }

    #[test]
    fn addresses_of_this_host_decide_who_is_self() {
        let good = text(Mode::Server, &[1, 2], &[1]);
        let host =
            |address: &str| Host { addresses: Some(BTreeSet::from([address.parse().unwrap()])), files: None };
        assert_eq!(found(&good, &host("192.0.2.1")), []);
        assert!(found(&good, &host("192.0.2.2"))[0].1.contains("no [SVRNODE] is this host"));
        let natted = good.replace("NAME = 192.0.2.1\n", "NAME = 192.0.2.1\nFORWARD_PEERS = 10.0.0.5\n");
        assert!(
            found(&natted, &host("10.0.0.5"))[0].1.contains("no [SVRNODE]"),
            "peers do not count for a server"
        );
        let range = good.replace("NAME = 192.0.2.1\n", "NAME = 192.0.2.[3-4]\n");
        assert_eq!(found(&range, &host("192.0.2.4")), []);
        assert!(found(&range, &host("192.0.2.5"))[0].1.contains("no [SVRNODE]"));
        let socket = good.replace("NAME = 192.0.2.1\n", "NAME = 192.0.2.1:80\n");
        let socket = found(&socket, &host("192.0.2.1"));
        assert!(socket[0].1.starts_with("NAME \"192.0.2.1:80\" is not a host: "), "{socket:?}");
        assert!(socket[1].1.contains("no [SVRNODE]"));
        assert_eq!(found(&good.replace("NAME = 192.0.2.1\n", "NAME = localhost\n"), &host("10.0.0.5")), []);
        let loopback = good.replace("NAME = 192.0.2.1\n", "NAME = 127.0.0.5\n");
        assert_eq!(found(&loopback, &host("192.0.2.9")), [], "all of 127/8 may be this host");
    }

    #[test]
    fn a_name_that_no_resolver_takes_is_harmful_on_servers_and_slaves() {
        for name in
            ["my vm", "http://192.0.2.52", "192.0.2.520", "192.0.2.52/24", "\u{a0}192.0.2.2", &"a".repeat(64)]
        {
            for from in ["NAME = 192.0.2.2\n", "NAME = 198.51.100.1\n"] {
                let found = after(Mode::Server, from, &format!("NAME = {name}\n"));
                let expected = found.len() == 1
                    && found[0].0 == Severity::Harmful
                    && found[0].1.contains("is not a host: ");
                assert!(expected, "{name}: {found:?}");
            }
        }
        for list in ["http://192.0.2.2:8020", "192.0.2.520:8020", "192.0.2.2/24"] {
            let to = format!("NAME = 192.0.2.2\nENDPOINTS = {list}\n");
            let found = after(Mode::Server, "NAME = 192.0.2.2\n", &to);
            assert!(found.len() == 1 && found[0].1.contains("which is not a host: "), "{list}: {found:?}");
        }
        assert_eq!(after(Mode::Server, "NAME = 198.51.100.1\n", "NAME = .*\n"), [], "a slave's pattern");
    }

    #[test]
    fn the_file_of_the_keys_must_be_one_in_a_directory() {
        use FileKind::{Dir, File, Missing};
        let good = text(Mode::Server, &[1, 2], &[1]);
        for (file, kinds, word) in [
            ("/data/k2hdkc.k2h", &[("/data", Dir), ("/data/k2hdkc.k2h", Missing)][..], ""),
            ("/data/k2hdkc.k2h", &[("/data", Dir), ("/data/k2hdkc.k2h", File)], ""),
            ("/data/k2hdkc.k2h", &[], ""),
            ("/var/lib/antpickax/k2hdkc/k", &[("/var/lib/antpickax/k2hdkc", Missing)], ""),
            ("/data/k2hdkc.k2h", &[("/data", Dir), ("/data/k2hdkc.k2h", Dir)], "is a directory"),
            ("/data/k2hdkc.k2h", &[("/", Dir), ("/data", Missing)], "lies in no directory: make /data"),
            ("/data/k2hdkc.k2h", &[("/data", File)], "lies below /data, which is a file"),
            ("/data/a/b.k2h", &[("/data", File), ("/data/a", Missing)], "lies below /data, which is a file"),
            ("k2hdkc.k2h", &[], "is no absolute path"),
        ] {
            let files = kinds.iter().map(|(path, kind)| ((*path).to_owned(), *kind)).collect();
            let host = Host { files: Some(files), addresses: None };
            let found = found(&good.replace("/data/k2hdkc.k2h", file), &host);
            let right = if word.is_empty() { found.is_empty() } else { found[0].1.contains(word) };
            assert!(right, "{file} {kinds:?}: {found:?}");
        }
        let ring = read(&crate::ini::parse(&good), &Host::default()).ring;
        assert_eq!(database_paths(&ring).into_iter().collect::<Vec<_>>(), ["/", "/data", "/data/k2hdkc.k2h"]);
    }

    #[test]
    fn notes_do_not_keep_a_file_from_being_installed() {
        let mut noted = text(Mode::Slave, &[1], &[1])
            .replace("REPLICA = 1", "REPLICA = 1\nREPLCA = 2\nMAXHISTLOG = -5\nssl = on");
        noted.push_str("NOTE = %%X%%\n[K2HDKC]\nK2HTYPE = mem\n");
        let reading = read(&crate::ini::parse(&noted), &Host::default());
        let texts: Vec<_> = reading.problems.iter().map(ToString::to_string).collect();
        assert!(reading.problems.iter().all(|problem| !problem.forbids()), "{texts:?}");
        assert_eq!(texts.len(), 6, "{texts:?}");
        assert!(texts.iter().any(|text| text.ends_with("the key ssl (it minds capitals: SSL)")), "{texts:?}");
    }

    /// Every TLS rule, by what it adds to `[GLOBAL]`, to the server and to the slave section.
    #[test]
    fn tls_rules_are_chmpx_s() {
        let server = "SSL = yes\nSERVER_CERT = /c\nSERVER_PRIKEY = /k\n";
        let client = "SLAVE_CERT = /c\nSLAVE_PRIKEY = /k\n";
        let verify = format!("{server}SSL_VERIFY_PEER = on\n{client}");
        let long = format!("SLAVE_PRIKEY = /{}\n", "k".repeat(1024));
        for (global, server, slave, word) in [
            ("", server, "", ""),
            ("", server, long.as_str(), "SLAVE_PRIKEY is longer than 1023 bytes"),
            ("SSL = no\n", "", "", ""),
            ("CAPATH = /ca\n", server, "", ""),
            ("SERVER_CERT = NULL\n", "", "", ""),
            ("", verify.as_str(), client, ""),
            ("", "SSL = yes\n", "", "without SERVER_CERT"),
            ("", "SSL = yes\nSERVER_CERT = /c\n", "", "without SERVER_PRIKEY"),
            ("", "SERVER_CERT = /c\n", "", "SERVER_CERT is set while SSL is off"),
            ("", "SERVER_PRIKEY = /k\n", "", "SERVER_PRIKEY is set while SSL is off"),
            ("SERVER_CERT = /c\n", "", "", "[GLOBAL]: SERVER_CERT is set while SSL is off"),
            ("SSL_VERIFY_PEER = on\n", "", "", "SSL_VERIFY_PEER is on while SSL is off"),
            ("SSL_MIN_VER = TLSV1.2\n", server, "", "SSL_MIN_VER is set while SSL is off"),
            ("SSL_MIN_VER = TLS\n", server, "", "DEFAULT"),
            ("SSL_MIN_VER =\n", server, "", ""),
            ("NSSDB_DIR = /c\n", server, "", "NSSDB_DIR \"/c\" is not a directory"),
            ("NSSDB_DIR = \n", server, "", "NSSDB_DIR \"\" is not a directory"),
            ("NSSDB_DIR = /ca\n", server, "", "NSSDB_DIR is set while SSL is off"),
            ("", "SSL = no\n", "SERVER_CERT = /none\nSLAVE_PRIKEY = /none\n", ""),
            ("", "SSL = maybe\n", "", "SSL is \"maybe\""),
            ("", "SSL_VERIFY_PEER = on\n", "", "SSL_VERIFY_PEER is on while SSL is off"),
            ("CAPATH = /ca\n", "", "", "CAPATH is set while no server has SSL"),
            ("", "", "CAPATH = /ca\n", "198.51.100.1: CAPATH is set while no server has SSL"),
            ("", server, client, "while no server has SSL_VERIFY_PEER"),
            ("", verify.as_str(), "", "so SLAVE_CERT and SLAVE_PRIKEY are needed here"),
            ("", "SSL = yes\nSERVER_CERT = /ca\nSERVER_PRIKEY = /k\n", "", "SERVER_CERT /ca does not exist"),
            (
                "",
                "SSL = yes\nSERVER_CERT = /none\nSERVER_PRIKEY = /k\n",
                "",
                "SERVER_CERT /none does not exist",
            ),
        ] {
            let text = text(Mode::Server, &[1], &[1])
                .replace("GROUP", &format!("{global}GROUP"))
                .replace("SSL = no\n    \n[SLVNODE]\n", &format!("{server}[SLVNODE]\n{slave}"));
            let document = crate::ini::parse(&text);
            let kind = |path: &String| match path.as_str() {
                "/c" | "/k" => FileKind::File,
                "/ca" => FileKind::Dir,
                _ => FileKind::Missing,
            };
            let files = paths(&read(&document, &Host::default()).ring)
                .into_iter()
                .map(|path| (path.clone(), kind(&path)))
                .collect();
            let found = found(&text, &Host { files: Some(files), addresses: None });
            let right =
                if word.is_empty() { found.is_empty() } else { found.iter().any(|(_, t)| t.contains(word)) };
            assert!(right, "[{global}] [{server}] [{slave}]: expected \"{word}\", found {found:?}");
        }
    }
}
