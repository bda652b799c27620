//! The last gate before the machine: rendered bytes become [`Validated`] or every reason why not.
//!
//! It reads the *bytes* again, by chmpx's own rules, and then asks what only this node can answer: is it the same
//! ring, group and mode as before, is this host in it exactly where it belongs, does the running chmpx have room.
//! Pure; `apply` takes nothing weaker than [`Validated`], and only this module can make one.

use std::collections::BTreeSet;

use crate::acceptance::{self, DEFAULT_MAXCHMPX, Host};
use crate::ini;
use crate::membership::PLACEHOLDERS;
use crate::names::Cuk;
use crate::problem::{self, Problem};
use crate::render::Rendered;
use crate::ring::{NodeKey, Ring};

/// What validation must know besides the bytes.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The host: files that exist, own addresses.
    pub host: Host,
    /// Who this node is; `None` only where a stranger's file is examined.
    pub cuk: Option<Cuk>,
    /// The ring that is installed now.
    pub installed: Option<Ring>,
    /// `MAXCHMPX` with which the running chmpx sized its table; where nobody asked it, that of the installed file.
    pub running_maxchmpx: Option<usize>,
    /// Servers that chmpx reports as up; `None` where it was not asked.
    pub up: Option<BTreeSet<NodeKey>>,
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

/// Examines a rendered file. On failure everything that forbids it, chmpx's reasons first.
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
        return vec![Problem::refused(None, "the rendered file is not UTF-8")];
    };
    let reading = acceptance::read(&ini::parse(text), host);
    let (mut problems, _) = problem::split(reading.problems);
    let same = reading.ring == rendered.ring && reading.fileversion == Some(rendered.stamp.fileversion);
    if problems.is_empty() && !same {
        problems.push(Problem::refused(
            None,
            "chmpx would read another ring in the rendered file than was meant",
        ));
    }
    if rendered.stamp.fileversion > FILEVERSION_MOST {
        problems
            .push(Problem::refused(None, "FILEVERSION is used up (2147483647): it must start anew by hand"));
    }
    problems
}

/// Largest FILEVERSION that chmpx keeps and reports unchanged.
pub const FILEVERSION_MOST: u32 = i32::MAX as u32;

/// GROUP, CHMPXIDTYPE and MODE are for the life of a ring: chmpx refuses the first two and ends at the third.
fn changed_identity(ring: &Ring, facts: &Facts) -> Vec<Problem> {
    let Some(installed) = &facts.installed else { return Vec::new() };
    let differs = |key: &&str| !ring.global(key).eq_ignore_ascii_case(installed.global(key));
    let changed = ["GROUP", "CHMPXIDTYPE", "MODE"].into_iter().filter(differs);
    changed
        .map(|key| {
            let (old, new) = (installed.global(key), ring.global(key));
            let text = format!(
                "{key} would change from \"{old}\" to \"{new}\": no running chmpx can follow; to mean it, stop chmpx \
                 and k2hdkc and remove the installed file"
            );
            Problem::refused(None, text)
        })
        .collect()
}

/// The file must say that it is for this node.
fn wrong_self(ring: &Ring, facts: &Facts) -> Option<Problem> {
    let (own, said) = (facts.cuk.as_ref()?, ring.global("SELFCUK"));
    if said.is_empty() || said == own.as_str() || PLACEHOLDERS.contains(&said) {
        return None;
    }
    Some(Problem::refused(None, format!("SELFCUK is {said}, but this node's CUK is {own}")))
}

/// chmpx sized its table when it started; raising MAXCHMPX in the same file does not help it.
fn no_room(ring: &Ring, facts: &Facts) -> Option<Problem> {
    let installed =
        || facts.installed.as_ref().map(|ring| ring.global("MAXCHMPX").parse().unwrap_or(DEFAULT_MAXCHMPX));
    let room = facts.running_maxchmpx.or_else(installed)?;
    let text = format!(
        "{} nodes, but the running chmpx has room for {} (MAXCHMPX {room} at its start): raise MAXCHMPX in the \
         template and restart chmpx and k2hdkc first",
        ring.len(),
        room.saturating_sub(1)
    );
    (ring.len() + 1 > room).then(|| Problem::refused(None, text))
}

/// The same seed at another address makes a second row of the same chmpxid while the first node is up.
fn moved_while_up(ring: &Ring, facts: &Facts) -> Vec<Problem> {
    let Some(up) = &facts.up else { return Vec::new() };
    let moved = up.iter().filter(|old| !old.seed.is_empty()).filter_map(|old| {
        let new = ring.servers.iter().find(|node| node.seed == old.seed)?;
        (new.key() != *old).then(|| (old, new.label()))
    });
    moved
        .map(|(old, new)| {
            let text = format!(
                "server {}:{} is up, and would move to {new} under the same CUSTOM_ID_SEED: stop it first",
                old.name, old.ctlport
            );
            Problem::refused(None, text)
        })
        .collect()
}
