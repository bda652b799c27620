//! The last gate before the machine: rendered bytes become [`Validated`] or every reason why not.
//!
//! It reads the *bytes* again, by chmpx's own rules, and then asks what only this node can answer: is it the same
//! ring, group and mode as before, is this host in it exactly where it belongs, does the running chmpx have room.
//! Pure; `apply` takes nothing weaker than [`Validated`], and only this module can make one.

mod words;

use std::collections::BTreeSet;
use std::rc::Rc;

use crate::acceptance::placeholders::OF_CUK;
use crate::acceptance::{self, DEFAULT_MAXCHMPX, Host};
use crate::ini;
use crate::names::Cuk;
use crate::problem::{self, Fault as _, Problem};
use crate::render::Rendered;
use crate::replicas;
use crate::ring::{NodeKey, Ring};
use words::Against;

/// Facts for the validation besides the bytes.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The host: files that exist, own addresses.
    pub host: Host,
    /// CUK of this node; `None` only where a stranger's file is examined.
    pub cuk: Option<Cuk>,
    /// The ring that is installed now.
    pub installed: Option<Rc<Ring>>,
    /// `MAXCHMPX` with which the running chmpx sized its table; where nobody asked it, that of the installed file.
    pub running_maxchmpx: Option<usize>,
    /// Servers that chmpx reports as up; `None` where it was not asked.
    pub up: Option<BTreeSet<NodeKey>>,
    /// `true` where this host's processes may and can restart as soon as a file asks for it.
    pub restarts: bool,
}

/// A rendered file that may be installed on this node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Validated {
    rendered: Rendered,
}

impl Validated {
    /// The file and what it says.
    pub fn rendered(&self) -> &Rendered {
        &self.rendered
    }
}

/// Examines a rendered file.
///
/// # Errors
///
/// Everything that forbids its installation, chmpx's reasons first.
pub fn validate(rendered: Rendered, facts: &Facts) -> Result<Validated, Vec<Problem>> {
    let mut problems = unreadable(&rendered, &facts.host);
    problems.extend(changed_identity(&rendered.ring, facts));
    problems.extend(wrong_self(&rendered.ring, facts));
    problems.extend(no_room(&rendered.ring, facts));
    problems.extend(moved_while_up(&rendered.ring, facts));
    if problems.is_empty() { Ok(Validated { rendered }) } else { Err(problems) }
}

/// chmpx must load the bytes, and read in them exactly the ring that was meant.
fn unreadable(rendered: &Rendered, host: &Host) -> Vec<Problem> {
    let Ok(text) = std::str::from_utf8(&rendered.bytes) else {
        return vec![Against::NotUtf8.at(None)];
    };
    let reading = acceptance::read(&ini::parse(text), host);
    let (mut problems, _) = problem::split(reading.problems);
    // The file is on no disk yet, and its lines are nobody's.
    for problem in &mut problems {
        *problem = problem.without_lines();
    }
    let same = reading.ring == rendered.ring && reading.fileversion == Some(rendered.stamp.fileversion);
    if problems.is_empty() && !same {
        problems.push(Against::AnotherRing.at(None));
    }
    problems.extend(replicas::examine(&rendered.ring).filter(Problem::forbids));
    if rendered.stamp.fileversion > FILEVERSION_MOST {
        problems.push(Against::UsedUp.at(None));
    }
    problems
}

/// Largest FILEVERSION that chmpx keeps and reports unchanged.
pub const FILEVERSION_MOST: u32 = i32::MAX as u32;

/// GROUP, CHMPXIDTYPE and MODE are for the life of a ring: chmpx refuses the first two and ends at the third.
fn changed_identity(ring: &Ring, facts: &Facts) -> Vec<Problem> {
    let Some(installed) = &facts.installed else { return Vec::new() };
    let said = |ring: &Ring, key: &str| match (key, ring.global(key).to_ascii_uppercase().as_str()) {
        ("CHMPXIDTYPE", "") => "NAME".to_owned(),
        (_, value) => value.to_owned(),
    };
    let unsaid = |key: &str| key == "MODE" && (ring.mode().is_none() || installed.mode().is_none());
    let differs = |key: &&str| !unsaid(key) && said(ring, key) != said(installed, key);
    let changed = ["GROUP", "CHMPXIDTYPE", "MODE"].into_iter().filter(differs);
    let against = |key| Against::Changed { key, old: installed.global(key), new: ring.global(key) };
    changed.map(|key| against(key).at(None)).collect()
}

/// The file must say that it is for this node.
fn wrong_self(ring: &Ring, facts: &Facts) -> Option<Problem> {
    let (own, said) = (facts.cuk.as_ref()?, ring.global("SELFCUK"));
    if said.is_empty() || said == own.as_str() || OF_CUK.contains(&said) {
        return None;
    }
    Some(Against::OtherNode { file: said, own }.at(None))
}

/// chmpx sized its table when it started; raising MAXCHMPX in the same file does not help it.
fn no_room(ring: &Ring, facts: &Facts) -> Option<Problem> {
    let installed =
        || facts.installed.as_ref().map(|ring| ring.global("MAXCHMPX").parse().unwrap_or(DEFAULT_MAXCHMPX));
    let room = facts.running_maxchmpx.or_else(installed)?;
    let nodes = acceptance::beyond(ring, room)?;
    Some(Against::NoRoom { nodes, room: acceptance::room(ring, room), most: room }.at(None))
}

/// The same seed at another address makes a second row of the same chmpxid while the first node is up. Where this host's
/// own chmpx must restart for the same file, the next one reads only that.
fn moved_while_up(ring: &Ring, facts: &Facts) -> Vec<Problem> {
    let Some(up) = &facts.up else { return Vec::new() };
    let was = facts.installed.as_ref().and_then(|installed| installed.own());
    let moves_itself =
        was.zip(ring.own()).is_some_and(|(was, own)| own.is_again(was) && own.key() != was.key());
    if moves_itself && facts.restarts {
        return Vec::new();
    }
    let moved = up.iter().filter(|old| !old.seed.is_empty()).filter_map(|old| {
        let new = ring.servers.iter().find(|node| node.seed == old.seed)?;
        (new.key() != *old).then(|| (old, new.label()))
    });
    moved.map(|(old, new)| Against::MovesWhileUp { old, new }.at(None)).collect()
}

/// The codes of the faults of this module.
#[cfg(test)]
pub(crate) const CODES: &[&str] = <Against<'_> as crate::problem::Coded>::CODES;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::acceptance::FileKind;
    use crate::fixtures::{ring, server};
    use crate::render::{Stamp, render};
    use std::collections::BTreeMap;

    fn facts() -> Facts {
        let cuk = Cuk::try_from("cuk-1").ok();
        Facts { cuk, installed: Some(Rc::new(ring(&[1, 2], &[1]))), ..Facts::default() }
    }

    fn rendered(ring: Ring) -> Rendered {
        render(ring, Stamp { fileversion: 7, date: String::new() }).unwrap()
    }

    /// The reasons against a ring that differs from a good one by `change`.
    fn against(facts: &Facts, change: impl FnOnce(&mut Ring)) -> Vec<String> {
        let mut ring = ring(&[1, 2, 3], &[1]);
        change(&mut ring);
        let result = validate(rendered(ring.canonical()), facts);
        result.err().unwrap_or_default().iter().map(ToString::to_string).collect()
    }

    fn one(facts: &Facts, change: impl FnOnce(&mut Ring), word: &str) {
        let reasons = against(facts, change);
        assert!(reasons.len() == 1 && reasons[0].contains(word), "{word}: {reasons:?}");
    }

    #[test]
    fn a_good_file_passes_with_the_bytes_that_were_examined() {
        let rendered = rendered(ring(&[1, 2, 3], &[1]));
        assert_eq!(validate(rendered.clone(), &facts()).unwrap().rendered(), &rendered);
    }

    #[test]
    fn what_a_ring_is_cannot_change() {
        one(
            &facts(),
            |ring| drop(ring.profile.global.insert("GROUP".into(), "x".into())),
            "GROUP would change",
        );
        one(
            &facts(),
            |ring| drop(ring.profile.global.insert("CHMPXIDTYPE".into(), "CUK".into())),
            "CHMPXIDTYPE would",
        );
        let reasons =
            against(&facts(), |ring| drop(ring.profile.global.insert("MODE".into(), "SLAVE".into())));
        assert!(reasons.iter().any(|reason| reason.contains("MODE would change")), "{reasons:?}");
        let first = Facts { installed: None, ..facts() };
        assert_eq!(
            against(&first, |ring| drop(ring.profile.global.insert("GROUP".into(), "x".into()))),
            [""; 0]
        );
    }

    #[test]
    fn a_file_for_another_node_is_refused() {
        let other = Facts { cuk: Cuk::try_from("cuk-9").ok(), ..facts() };
        one(&other, |_| (), "SELFCUK is cuk-1, but this node's CUK is cuk-9");
        let elsewhere = BTreeSet::from(["192.0.2.77".parse().unwrap()]);
        let host = Host { addresses: Some(elsewhere), ..Host::default() };
        one(&Facts { host, ..facts() }, |_| (), "no [SVRNODE] is this host");
    }

    #[test]
    fn the_running_chmpx_must_have_room() {
        let running = Facts { running_maxchmpx: Some(4), ..facts() };
        one(&running, |_| (), "room for 2 (MAXCHMPX 4 at its start)");
        let mut installed = ring(&[1, 2], &[1]);
        installed.profile.global.insert("MAXCHMPX".into(), "4".into());
        one(&Facts { installed: Some(Rc::new(installed)), ..facts() }, |_| (), "room for 2");
        one(
            &facts(),
            |ring| drop(ring.profile.global.insert("MAXCHMPX".into(), "4".into())),
            "has room for 2",
        );
    }

    #[test]
    fn a_seed_does_not_move_while_its_node_is_up() {
        let up = Facts { up: Some(BTreeSet::from([server(3).key()])), ..facts() };
        one(
            &up,
            |ring| ring.servers[2].name = "192.0.2.99".into(),
            "is up, and would move to 192.0.2.99:8021",
        );
        let down = Facts { up: Some(BTreeSet::new()), ..facts() };
        assert_eq!(against(&down, |ring| ring.servers[2].name = "192.0.2.99".into()), [""; 0]);
    }

    #[test]
    fn all_may_move_where_this_host_s_own_chmpx_is_started_anew_for_it() {
        let moved = |ring: &mut Ring| {
            ring.profile.global.insert("SELFCTLPORT".into(), "8121".into());
            ring.servers
                .iter_mut()
                .for_each(|node| node.ctlport = crate::names::Port::try_from(8121).unwrap());
        };
        let up = Some(BTreeSet::from([server(1).key(), server(2).key()]));
        assert_eq!(against(&Facts { up: up.clone(), restarts: true, ..facts() }, moved), [""; 0]);
        let reasons = against(&Facts { up: up.clone(), ..facts() }, moved);
        assert_eq!(reasons.len(), 2, "{reasons:?}");
        let other = |ring: &mut Ring| ring.servers[1].ctlport = crate::names::Port::try_from(8121).unwrap();
        one(&Facts { up, restarts: true, ..facts() }, other, "server 192.0.2.2:8021 is up");
    }

    #[test]
    fn duplicates_are_refused_with_a_remedy() {
        one(&facts(), |ring| ring.servers[2].seed = "server2.example".into(), "would give both the same id");
        let reasons = against(&facts(), |ring| ring.servers[2].name = "192.0.2.2".into());
        assert!(reasons[0].contains("remove the stale member"), "{reasons:?}");
    }

    #[test]
    fn certificates_must_exist_on_this_host() {
        let tls = |ring: &mut Ring| {
            for node in &mut ring.servers {
                node.rest.insert("SSL", "yes");
                node.rest.insert("SERVER_CERT", "/pki/a.crt");
                node.rest.insert("SERVER_PRIKEY", "/pki/a.key");
            }
        };
        let files = |kind| {
            let files = BTreeMap::from([("/pki/a.crt".into(), FileKind::File), ("/pki/a.key".into(), kind)]);
            Facts { host: Host { files: Some(files), ..Host::default() }, ..facts() }
        };
        assert_eq!(against(&files(FileKind::File), tls), [""; 0]);
        let reasons = against(&files(FileKind::Missing), tls);
        assert_eq!(reasons.len(), 3);
        assert!(reasons[0].contains("SERVER_PRIKEY /pki/a.key does not exist"), "{reasons:?}");
    }

    #[test]
    fn bytes_that_say_another_ring_are_refused() {
        let mut rendered = rendered(ring(&[1, 2], &[1]));
        rendered.ring = ring(&[1, 2, 3], &[1]);
        let reasons = validate(rendered.clone(), &facts()).unwrap_err();
        assert!(reasons[0].text.contains("another ring"), "{reasons:?}");
        rendered.bytes = vec![0xff];
        assert!(validate(rendered, &facts()).unwrap_err()[0].text.contains("UTF-8"));
    }

    #[test]
    fn a_fileversion_that_chmpx_cannot_report_is_refused() {
        let stamp = Stamp { fileversion: FILEVERSION_MOST + 1, date: String::new() };
        let rendered = render(ring(&[1, 2], &[1]), stamp).unwrap();
        let reasons = validate(rendered, &facts()).unwrap_err();
        assert!(reasons.iter().any(|reason| reason.text.contains("used up")), "{reasons:?}");
    }
}
