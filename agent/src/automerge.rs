//! AUTOMERGE against the hand that runs the ring's merges. Where the agents run them, no file has chmpx begin one by itself:
//! its merge hides keys at each change of the number of servers (D10), and a crash would be a scale-in (D6).
//!
//! Pure.

use crate::ring::Ring;
use crate::settings::MergeBy;

/// The ring with the keys that the hand asks for. DOMERGE stays the operator's: without it a server copies nothing.
#[must_use]
pub(crate) fn fitted(mut ring: Ring, by: MergeBy) -> Ring {
    if by == MergeBy::Agents {
        ring.profile.global.insert("AUTOMERGE".to_owned(), "off".to_owned());
    }
    ring
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;

    #[test]
    fn a_ring_of_the_agents_merges_by_no_will_of_its_own() {
        let mut ring = fixtures::ring(&[1, 2, 3], &[1]);
        ring.profile.global.insert("AUTOMERGE".into(), "on".into());
        assert_eq!(fitted(ring.clone(), MergeBy::Agents).global("AUTOMERGE"), "off");
        assert_eq!(fitted(ring.clone(), MergeBy::Chmpx), ring);
    }
}
