//! AUTOMERGE against the hand that runs the ring's merges. Where the agents run them, no file has chmpx begin one by itself:
//! its merge hides keys at each change of the number of servers (D10), and a crash would be a scale-in (D6).
//!
//! One ring merges in one way. While a server insists on AUTOMERGE, since no agent runs there or its agent leaves the merges to
//! chmpx, all servers run AUTOMERGE. An agent that would run the merges marks that in its file by a MERGETIMEOUT, which DUMP shows
//! to the others. Once no server insists any more, each marked one turns AUTOMERGE off by itself.
//!
//! Pure.

use crate::ring::Ring;

const AUTOMERGE: &str = "AUTOMERGE";
const MERGETIMEOUT: &str = "MERGETIMEOUT";

/// MERGETIMEOUT, in seconds, of a server whose agent would run the merges: chmpx gives up no merge within 31 years, as with 0.
const MARK: u64 = 1_000_000_000;

/// AUTOMERGE of a server, by its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Automerge {
    /// Off: agents run the merges.
    Off,
    /// On as long as another server insists on it: the agent would run the merges.
    Deferred,
    /// On.
    On,
}

impl Automerge {
    /// Reads it from what a chmpx reports of its loaded file.
    pub(crate) fn of(is_on: bool, merge_timeout: u64) -> Self {
        match (is_on, merge_timeout) {
            (false, _) => Self::Off,
            (true, MARK) => Self::Deferred,
            (true, _) => Self::On,
        }
    }

    /// Reads it from a file.
    pub(crate) fn of_ring(ring: &Ring) -> Self {
        let is_on = ["on", "yes"].iter().any(|word| ring.global(AUTOMERGE).eq_ignore_ascii_case(word));
        Self::of(is_on, ring.global(MERGETIMEOUT).parse().unwrap_or(0))
    }

    /// Returns true where chmpx merges by itself.
    pub fn is_on(self) -> bool {
        self != Self::Off
    }

    /// Returns true where chmpx merges by itself, and no agent would run the merges in its place.
    pub fn insists(self) -> bool {
        self == Self::On
    }
}

/// The keys of merging as the operator has them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Asked {
    automerge: Option<String>,
    timeout: Option<String>,
}

impl Asked {
    /// Keeps what this ring says.
    pub(crate) fn of(ring: &Ring) -> Self {
        let value = |key: &str| ring.profile.global.get(key).cloned();
        Self { automerge: value(AUTOMERGE), timeout: value(MERGETIMEOUT) }
    }

    /// Returns the ring with the keys that the way of merging asks for, where it lacks them; `None` stands for the operator's own.
    /// DOMERGE stays the operator's: without it a server copies nothing.
    pub(crate) fn fitted(&self, ring: &Ring, way: Option<Automerge>) -> Option<Ring> {
        let wanted = self.keys(way);
        if Self::of(ring) == wanted {
            return None;
        }
        let mut ring = ring.clone();
        for (key, value) in [(AUTOMERGE, wanted.automerge), (MERGETIMEOUT, wanted.timeout)] {
            match value {
                Some(value) => drop(ring.profile.global.insert(key.to_owned(), value)),
                None => drop(ring.profile.global.remove(key)),
            }
        }
        Some(ring)
    }

    /// Returns the operator's MERGETIMEOUT: a mark that an agent has written is none.
    fn own_timeout(&self) -> Option<String> {
        self.timeout.clone().filter(|text| text.trim().parse() != Ok(MARK))
    }

    fn keys(&self, way: Option<Automerge>) -> Self {
        let automerge = match way {
            None => self.automerge.clone(),
            Some(Automerge::Off) => Some("off".to_owned()),
            Some(Automerge::On | Automerge::Deferred) => Some("on".to_owned()),
        };
        let marked = way == Some(Automerge::Deferred);
        let timeout = if marked { Some(MARK.to_string()) } else { self.own_timeout() };
        Self { automerge, timeout }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    fn says(automerge: &str, timeout: &str) -> Ring {
        let mut ring = fixtures::ring(&[1, 2, 3], &[1]);
        ring.profile.global.insert(AUTOMERGE.into(), automerge.into());
        ring.profile.global.insert(MERGETIMEOUT.into(), timeout.into());
        ring
    }

    #[test]
    fn a_ring_of_the_agents_merges_by_no_will_of_its_own_and_one_of_chmpx_is_the_operator_s() {
        let ring = says("on", "600");
        let asked = Asked::of(&ring);
        assert_eq!(asked.fitted(&ring, Some(Automerge::Off)), Some(says("off", "600")));
        assert_eq!(asked.fitted(&ring, None), None, "nothing is to be changed");
        let marked = says("on", &MARK.to_string());
        let handed = Asked::of(&marked).fitted(&marked, Some(Automerge::On)).unwrap();
        assert_eq!(Asked::of(&handed).timeout, None, "a mark stays on no host without an agent");
    }

    #[test]
    fn a_mark_shows_in_the_file_and_goes_with_the_way() {
        let ring = says("off", "600");
        let asked = Asked::of(&ring);
        let deferred = asked.fitted(&ring, Some(Automerge::Deferred)).unwrap();
        assert_eq!(Automerge::of_ring(&deferred), Automerge::Deferred);
        assert_eq!(asked.fitted(&deferred, Some(Automerge::Deferred)), None);
        assert_eq!(asked.fitted(&deferred, Some(Automerge::Off)), Some(ring.clone()));
        assert_eq!(asked.fitted(&deferred, None), Some(ring));
    }

    #[test]
    fn only_the_mark_tells_who_insists_from_who_does_not() {
        assert_eq!(Automerge::of(true, 600), Automerge::On);
        assert_eq!(Automerge::of(true, MARK), Automerge::Deferred);
        assert_eq!(Automerge::of(false, MARK), Automerge::Off);
        assert_eq!(Automerge::of_ring(&says("YES", "0")), Automerge::On);
    }
}
