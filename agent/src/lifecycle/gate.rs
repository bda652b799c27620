//! Whether k2hdkc may start: never alone on a ring that has other members.

use std::time::Duration;

use super::memory::Waiting;
use super::{Case, Memory, rules::LOOKS_AGAIN, rules::Rules, status_of};
use crate::ring::Node;
use crate::view::View;

/// Whether it may.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Gate {
    /// It may, for this reason.
    Open(String),
    /// Not yet.
    Shut(String),
    /// Not yet, and chmpx must look for the others anew.
    Scattered(String),
    /// Not at all, as long as nobody else is in sight.
    Lonely(String),
}

/// How this node sees the other servers of the file.
#[derive(Debug, Default)]
struct Sight<'a> {
    /// In service.
    serving: usize,
    /// Up, but not in service.
    ready: Vec<&'a Node>,
    /// Down, or not listed.
    down: Vec<&'a Node>,
}

pub(super) fn gate(case: &Case<'_>, view: &View, memory: &mut Memory) -> Gate {
    let sight = sight(case, view);
    let Rules { peers_within, wait_for_peers, .. } = *case.rules;
    let peers = sight.serving + sight.ready.len() + sight.down.len();
    if !wait_for_peers {
        return Gate::Open("supervisor.wait-for-peers is off".to_owned());
    }
    if peers == 0 {
        return Gate::Open("this is the ring's only server".to_owned());
    }
    // How long it was alone says nothing of those that come then.
    let alone = sight.serving == 0 && sight.ready.is_empty();
    let waited = memory.waited_for(if alone { Waiting::Anybody } else { Waiting::Peers }, case.now);
    match (sight.serving, sight.down.is_empty()) {
        (1.., true) => Gate::Open(format!("all {peers} other servers are up")),
        (1.., false) if waited >= peers_within => {
            Gate::Open(format!("{} others serve; {} stay down", sight.serving, names(&sight.down)))
        }
        (1.., false) => Gate::Shut(format!("k2hdkc waits a while for {}", names(&sight.down))),
        (0, all_up) => first(case, &sight, all_up, waited, memory),
    }
}

/// No ring is in sight. The first of those that are up begins it, the others join it then; but only with a majority.
fn first(case: &Case<'_>, sight: &Sight<'_>, all_up: bool, waited: Duration, memory: &mut Memory) -> Gate {
    if sight.ready.is_empty() {
        let text = format!(
            "k2hdkc is not started alone: none of the other {} servers is up to this chmpx ({}); if they are gone for \
             good, take them out of their role in K2HR3",
            sight.down.len(),
            names(&sight.down)
        );
        return if waited < case.rules.peers_within { Gate::Shut(text) } else { Gate::Lonely(text) };
    }
    let (up, all) = (sight.ready.len() + 1, sight.ready.len() + sight.down.len() + 1);
    let (waits, is_few) = (!all_up && waited < case.rules.peers_within, 2 * up <= all);
    // Servers that came together and were not let in see each other, and then look for nobody else. Two halves of a ring
    // would wait for each other for ever.
    if (waits || is_few) && waited >= LOOKS_AGAIN.saturating_mul(1 << memory.looked_anew.min(16)) {
        memory.looked_anew += 1;
        return Gate::Scattered(format!("it looks for {} anew", names(&sight.down)));
    }
    if waits {
        return Gate::Shut(format!("k2hdkc waits a while for {}", names(&sight.down)));
    }
    if is_few {
        // Those that are down to it may serve without it; only a majority has no second ring beside it.
        return Gate::Lonely(format!(
            "k2hdkc does not begin a ring: only {up} of {all} servers are up to this chmpx, and none of them serves; \
             missing are {}",
            names(&sight.down)
        ));
    }
    let own = case.own();
    let before = sight.ready.iter().filter(|node| own.is_some_and(|own| **node < own)).count();
    let before = u32::try_from(before).unwrap_or(u32::MAX);
    // Should the first one not come into service, the next one begins.
    if before == 0 || waited >= case.rules.peers_within.saturating_mul(before + 1) {
        return Gate::Open("it begins the ring".to_owned());
    }
    Gate::Shut(format!("k2hdkc waits for {} to begin the ring", sight.ready[0].label()))
}

fn sight<'a>(case: &'a Case<'_>, view: &View) -> Sight<'a> {
    let mut sight = Sight::default();
    for node in case.peers() {
        let status = status_of(view, node);
        match status {
            Some(status) if status.is_up() && status.is_in_service() && !status.is_suspended() => {
                sight.serving += 1;
            }
            Some(status) if status.is_up() => sight.ready.push(node),
            _ => sight.down.push(node),
        }
    }
    sight
}

fn names(nodes: &[&Node]) -> String {
    const SHOWN: usize = 4;
    let mut names = nodes.iter().take(SHOWN).map(|node| node.label()).collect::<Vec<_>>().join(", ");
    if nodes.len() > SHOWN {
        names.push_str(&format!(" and {} more", nodes.len() - SHOWN));
    }
    names
}
