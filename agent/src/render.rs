//! A [`Ring`] to the bytes of an ini file, in one canonical form: same ring and stamp, same bytes.

mod words;

use std::fmt::Write as _;

use crate::fingerprint;
use crate::ini;
use crate::keys::{self, NODE_REST};
use crate::problem::{Fault as _, Problem};
use crate::ring::{Mode, Node, Ring};
use words::NoForm;

/// The difference between two writings of the same ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    /// The generation: chmpx reports it back, so every writing has its own. 0 to 2147483647.
    pub fileversion: u32,
    /// `DATE`: when the generation was made, for people; chmpx does not compare it.
    pub date: String,
}

/// A ring and the bytes that say it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    /// The ring in the bytes.
    pub ring: Ring,
    /// With which generation.
    pub stamp: Stamp,
    /// The file.
    pub bytes: Vec<u8>,
}

const HEAD: &str = "# Written by k2hdkc-agent from the cluster's roles in K2HR3; an edit here is replaced.\n";

/// Renders a ring.
///
/// # Errors
///
/// Every value that has no form in the dialect.
pub fn render(ring: Ring, stamp: Stamp) -> Result<Rendered, Vec<Problem>> {
    let mut writer = Writer { text: String::from(HEAD), problems: Vec::new() };
    writer.global(&ring, &stamp);
    for server in &ring.servers {
        writer.node(server, Mode::Server);
    }
    for slave in &ring.slaves {
        writer.node(slave, Mode::Slave);
    }
    if let Some(k2hdkc) = &ring.profile.k2hdkc {
        writer.foreign("K2HDKC", k2hdkc, ini::bare);
    }
    for extra in &ring.profile.extra {
        writer.foreign(&extra.name, &extra.entries, ini::raw);
    }
    if writer.problems.is_empty() {
        Ok(Rendered { ring, stamp, bytes: writer.text.into_bytes() })
    } else {
        Err(writer.problems)
    }
}

/// A short name for what a ring says, the same on every node for the same ring.
pub fn name(ring: &Ring) -> String {
    let mut writer = Writer { text: String::new(), problems: Vec::new() };
    writer.global(ring, &Stamp { fileversion: 0, date: String::new() });
    ring.servers.iter().for_each(|node| writer.node(node, Mode::Server));
    ring.slaves.iter().for_each(|node| writer.node(node, Mode::Slave));
    writer.foreign("K2HDKC", ring.profile.k2hdkc.as_deref().unwrap_or_default(), ini::bare);
    ring.profile.extra.iter().for_each(|extra| writer.foreign(&extra.name, &extra.entries, ini::raw));
    fingerprint::of(writer.text.as_bytes())
}

struct Writer {
    text: String,
    problems: Vec<Problem>,
}

impl Writer {
    fn global(&mut self, ring: &Ring, stamp: &Stamp) {
        self.open("GLOBAL");
        self.quoted("FILEVERSION", &stamp.fileversion.to_string());
        self.quoted("DATE", &stamp.date);
        let known = keys::GLOBAL.iter().map(|key| key.name);
        for name in known {
            if let Some(value) = ring.profile.global.get(name) {
                self.quoted(name, value);
            }
        }
        let unknown = ring.profile.global.iter().filter(|(key, _)| keys::global(key).is_none());
        unknown.for_each(|(key, value)| self.quoted(key, value));
    }

    fn node(&mut self, node: &Node, mode: Mode) {
        self.open(if mode == Mode::Server { "SVRNODE" } else { "SLVNODE" });
        self.quoted("NAME", &node.name);
        if let Some(port) = node.port {
            self.quoted("PORT", &port.to_string());
        }
        self.quoted("CTLPORT", &node.ctlport.to_string());
        for (key, value) in [("CUK", &node.cuk), ("CUSTOM_ID_SEED", &node.seed)] {
            if !value.is_empty() {
                self.quoted(key, value);
            }
        }
        for key in NODE_REST {
            if let Some(value) = node.rest.get(key) {
                self.quoted(key, value);
            }
        }
        let unknown = node.rest.iter().filter(|(key, _)| !NODE_REST.contains(key));
        unknown.for_each(|(key, value)| self.quoted(key, value));
    }

    fn foreign(&mut self, name: &str, entries: &[(String, String)], form: fn(&str) -> Option<String>) {
        self.open(name);
        for (key, value) in entries {
            self.entry(key, form(value));
        }
    }

    fn open(&mut self, name: &str) {
        let wrong = name.contains(['[', ']']) || name.chars().any(char::is_control);
        if wrong {
            self.problems.push(NoForm::Section(name).at(None));
        }
        // Writing to a String cannot fail.
        let _ = write!(self.text, "\n[{name}]\n");
    }

    fn quoted(&mut self, key: &str, value: &str) {
        self.entry(key, ini::quote(value));
    }

    fn entry(&mut self, key: &str, value: Option<String>) {
        let plain = !key.is_empty() && key.chars().all(|c| c.is_ascii_graphic() && !"=#[]'\"\\".contains(c));
        match value {
            Some(value) if plain => {
                let space = if value.is_empty() { "" } else { " " };
                let _ = writeln!(self.text, "{key} ={space}{value}");
            }
            // Only the word: a secret may stand behind it where a `=` is missing.
            Some(_) => self.problems.push(NoForm::Key(first_word(key)).at(None)),
            None => self.problems.push(NoForm::Value(first_word(key)).at(None)),
        }
    }
}

fn first_word(text: &str) -> &str {
    text.split_whitespace().next().unwrap_or_default()
}

/// The codes of the faults of this module.
#[cfg(test)]
pub(crate) const CODES: &[&str] = <NoForm<'_> as crate::problem::Coded>::CODES;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;
    use crate::ring::Extra;
    use proptest::prelude::*;

    fn stamp() -> Stamp {
        Stamp { fileversion: 7, date: "Sun, 22 Nov 2026 01:00:00 +0000".to_owned() }
    }

    #[test]
    fn the_form_is_canonical() {
        let ring = fixtures::ring(&[2, 1], &[1]);
        let text = String::from_utf8(render(ring, stamp()).unwrap().bytes).unwrap();
        let expected = "\n[GLOBAL]\nFILEVERSION = 7\nDATE = Sun, 22 Nov 2026 01:00:00 +0000\nGROUP = mycluster\n\
            MODE = SERVER\nCHMPXIDTYPE = CUSTOM\nDELIVERMODE = hash\nMAXCHMPX = 256\nREPLICA = 1\nPORT = 8020\n\
            CTLPORT = 8021\nSELFCTLPORT = 8021\nSELFCUK = cuk-1\nRWTIMEOUT = 10000\nAUTOMERGE = on\n\
            \n[SVRNODE]\nNAME = 192.0.2.1\nPORT = 8020\nCTLPORT = 8021\nCUK = cuk-1\n\
            CUSTOM_ID_SEED = server1.example\nSSL = no\n\
            \n[SVRNODE]\nNAME = 192.0.2.2\nPORT = 8020\nCTLPORT = 8021\nCUK = cuk-2\n\
            CUSTOM_ID_SEED = server2.example\nSSL = no\n\
            \n[SLVNODE]\nNAME = 198.51.100.1\nCTLPORT = 8031\nCUK = slave-1\n\
            CUSTOM_ID_SEED = slave1.example\nSSL = no\n\
            \n[K2HDKC]\nK2HFILE = /data/k2hdkc.k2h\nK2HINIT = no\nK2HTYPE = file\nMAXTHREAD = 20\n";
        assert_eq!(text, format!("{HEAD}{expected}"));
    }

    #[test]
    fn keys_that_nobody_knows_come_last_and_empty_values_stay() {
        let mut ring = fixtures::ring(&[1], &[1]);
        ring.profile.global.insert("ZZZ".into(), String::new());
        ring.servers[0].rest.insert("NOTE", "a # b");
        ring.profile.extra = vec![Extra { name: "MORE".into(), entries: vec![("k".into(), "v".into())] }];
        let text = String::from_utf8(render(ring, stamp()).unwrap().bytes).unwrap();
        assert!(text.contains("AUTOMERGE = on\nZZZ =\n"), "{text}");
        assert!(text.contains("SSL = no\nNOTE = \"a # b\"\n"), "{text}");
        assert!(text.ends_with("\n[MORE]\nk = v\n"), "{text}");
    }

    #[test]
    fn what_has_no_form_is_refused_not_changed() {
        for (key, value) in [("SELFCUK", "a\nb"), ("A B", "x"), ("A=B", "x"), ("", "x"), ("REPLICA", " 1")] {
            let mut ring = fixtures::ring(&[1], &[1]);
            ring.profile.global.insert(key.into(), value.into());
            assert_eq!(render(ring, stamp()).unwrap_err().len(), 1, "{key}={value}");
        }
        let mut ring = fixtures::ring(&[1], &[1]);
        ring.profile.k2hdkc = Some(vec![("PASSPHRASES".into(), "a#b".into())]);
        ring.profile.extra = vec![Extra { name: "A]\n[GLOBAL".into(), entries: Vec::new() }];
        assert_eq!(render(ring, stamp()).unwrap_err().len(), 2);
    }

    #[test]
    fn the_name_is_of_the_ring_alone() {
        let ring = fixtures::ring(&[1, 2], &[1]);
        assert_eq!(name(&ring), name(&ring.clone().canonical()));
        assert_ne!(name(&ring), name(&fixtures::ring(&[1, 3], &[1])));
    }

    proptest! {
        #[test]
        fn what_is_rendered_is_read_back_as_the_same_ring(
            values in proptest::collection::btree_map("[A-Z_]{3,12}", "[ -~あé]{0,24}", 0..6),
            servers in proptest::collection::btree_set(1usize..2000, 1..12),
        ) {
            let servers: Vec<usize> = servers.into_iter().collect();
            let mut ring = fixtures::ring(&servers, &[1]);
            for (key, value) in values {
                ring.profile.global.entry(key).or_insert_with(|| value.trim().to_owned());
            }
            let rendered = render(ring.clone(), stamp()).unwrap();
            let reading = fixtures::read(std::str::from_utf8(&rendered.bytes).unwrap());
            prop_assert_eq!(reading.ring, ring.clone());
            prop_assert_eq!(reading.fileversion, Some(7));
            prop_assert_eq!(render(ring, stamp()).unwrap().bytes, rendered.bytes);
        }
    }
}
