//! A key that stands twice in one section: chmpx takes the last one, without a word at its usual level
//! (lib/chmconf.cc:1413-1417).
//!
//! Two that mean the same are a note. So is TLS turned on below the line that turns it off: the k8s tools write their
//! own TLS lines behind the `SSL = no` of their template, and mean theirs. Everything else is harmful, since nothing
//! says which of both was meant; so is a key of a `[GLOBAL]` that begins again, which no template does and a tag with
//! a line break in it can.

use super::tls::Values;
use super::words::{Twice, Wrong};
use crate::ini::{Entry, Kind, Section};
use crate::keys::{self, Effect, Value, atoi, is_off, is_on, is_unset};
use crate::names::Port;
use crate::problem::{Fault as _, Problem, printable};

/// Longest piece of a value in a message.
const SHOWN: usize = 64;

/// Adds the entries of one section; a key that is there already is overwritten, as chmpx does, and reported.
pub(super) fn take<'a>(section: &'a Section<'a>, into: &mut Values<'a>, problems: &mut Vec<Problem>) {
    for entry in &section.entries {
        if let Some(first) = into.insert(&*entry.key, (&*entry.value, entry.line)) {
            problems.push(again(section, entry, first));
        }
    }
}

fn again(section: &Section<'_>, entry: &Entry<'_>, (first, line): (&str, usize)) -> Problem {
    let (was, is) = (printable(first, SHOWN), printable(&entry.value, SHOWN));
    let tls = section.kind == Kind::Global && &*entry.key == "SSL";
    let how = if line < section.line {
        Twice::Section(section.line)
    } else if is_same(section.kind, &entry.key, first, &entry.value) {
        Twice::Same
    } else if tls && is_off(first) && is_on(&entry.value) {
        Twice::Last { was: &was, is: &is }
    } else {
        Twice::Other { was: &was, is: &is }
    };
    Wrong::Twice { section: section.name, key: &entry.key, line, how }.at(entry.line)
}

/// Tells whether chmpx makes the same of both values.
fn is_same(kind: Kind, key: &str, one: &str, other: &str) -> bool {
    if one == other {
        return true;
    }
    let known = keys::global(key).filter(|key| key.change != Effect::None);
    match known.map(|key| key.value) {
        Some(Value::Word(_)) => {
            let truth = (is_on(one) && is_on(other)) || (is_off(one) && is_off(other));
            truth || one.eq_ignore_ascii_case(other)
        }
        Some(Value::Number { .. }) => atoi(one) == atoi(other),
        Some(Value::Port) => Port::try_from(one).is_ok_and(|port| Port::try_from(other) == Ok(port)),
        Some(Value::Path) => is_unset(one) && is_unset(other),
        Some(Value::Text) => false,
        // What chmpx reads of `[GLOBAL]` stands in the table; a node has keys of its own.
        None => kind == Kind::Global,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Host, read};
    use crate::fixtures::text;
    use crate::problem::Severity;
    use crate::ring::Mode;

    /// What stands in a file of one server and one slave, `[GLOBAL]` ending in these lines, about what stands twice.
    fn told(lines: &str) -> Vec<(Severity, String)> {
        let good =
            text(Mode::Server, &[1], &[1]).replace("AUTOMERGE = on\n", &format!("AUTOMERGE = on\n{lines}\n"));
        let problems = read(&crate::ini::parse(&good), &Host::default()).problems;
        let twice = problems.into_iter().filter(|problem| problem.text.contains("already"));
        twice.map(|problem| (problem.severity, problem.text)).collect()
    }

    #[test]
    fn what_says_the_same_twice_is_a_note() {
        for lines in [
            "SSL = no\nSSL = no",
            "SSL = no\nSSL = off",
            "SSL = NO\nSSL = Off",
            "AUTOMERGE = yes",
            "REPLICA = 01",
            "PORT = 8020",
            "MODE = server",
            "CAPATH =\nCAPATH = NULL",
            "DATE = another one",
            "NOBODY = reads\nNOBODY = it",
        ] {
            let told = told(lines);
            assert_eq!(told.len(), 1, "{lines}: {told:?}");
            assert!(
                told[0].0 == Severity::Note && told[0].1.ends_with("already, and says the same"),
                "{told:?}"
            );
        }
    }

    #[test]
    fn tls_that_is_turned_on_below_the_line_that_turns_it_off_is_meant() {
        let [(severity, text)] = &told("SSL = no\nSSL = on")[..] else { panic!("one is told") };
        assert_eq!(*severity, Severity::Note);
        assert!(text.ends_with("already as \"no\"; the last one, \"on\", counts"), "{text}");
    }

    #[test]
    fn two_that_differ_are_harmful_where_nothing_says_which_is_meant() {
        for lines in ["SSL = on\nSSL = no", "REPLICA = 2", "AUTOMERGE = no", "PORT = 8022", "GROUP = another"]
        {
            let told = told(lines);
            assert_eq!(told.len(), 1, "{lines}: {told:?}");
            assert!(
                told[0].0 == Severity::Harmful && told[0].1.contains("leave the one that is meant"),
                "{told:?}"
            );
        }
        let node = text(Mode::Server, &[1, 2], &[1]).replace("CUK = cuk-2", "CUK = cuk-2\nCUK = cuk-7");
        let problems = read(&crate::ini::parse(&node), &Host::default()).problems;
        assert!(problems[0].text.starts_with("[SVRNODE]: CUK stands in line"), "{problems:?}");
        assert_eq!(problems[0].severity, Severity::Harmful);
    }

    #[test]
    fn a_global_section_that_begins_again_is_harmful_even_where_it_says_the_same() {
        let broken = text(Mode::Server, &[1, 2], &[1])
            .replace("server2.example\n", "server2.example\nREPLICA = 0\n[GLOBAL]\n")
            .replace("AUTOMERGE = on\n", "AUTOMERGE = on\nSSL = no\n");
        let problems = read(&crate::ini::parse(&broken), &Host::default()).problems;
        let again = problems.iter().find(|problem| problem.text.contains("[GLOBAL] begins again in line"));
        assert!(again.is_some_and(|problem| problem.severity == Severity::Harmful), "{problems:?}");
    }
}
