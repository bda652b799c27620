//! REPLICA against the number of servers. A ring of n servers has room for n - 1 extra copies of a key. From n on chmpx
//! takes the file, and a server that joins copies one slot instead of everything, since the range that it asks for
//! wraps (docs/facts.md D15). So no file that the agent writes says more than one less than it has servers.
//!
//! Pure; the number is that of the servers in the same file, also of those that are down or whose removal is held.

mod words;

use crate::acceptance;
use crate::problem::{Fault as _, Problem};
use crate::ring::Ring;
use words::TooMany;

const KEY: &str = "REPLICA";

/// Number of extra copies of a key for which the servers of this ring have room.
pub(crate) fn most(ring: &Ring) -> u32 {
    u32::try_from(acceptance::servers(ring).saturating_sub(1)).unwrap_or(u32::MAX)
}

/// Tells whether it asks for more copies than there are other servers. In the random mode chmpx makes none.
pub(crate) fn is_too_many(ring: &Ring) -> bool {
    !ring.global("DELIVERMODE").eq_ignore_ascii_case("random") && ring.replicas() > most(ring)
}

/// The ring with as many copies as were asked for, and no more than its servers have room for.
#[must_use]
pub(crate) fn fitted(mut ring: Ring, asked: Option<u32>) -> Ring {
    if let Some(asked) = asked {
        ring.profile.global.insert(KEY.to_owned(), asked.to_string());
    }
    if is_too_many(&ring) {
        let most = most(&ring);
        ring.profile.global.insert(KEY.to_owned(), most.to_string());
    }
    ring
}

/// The finding about a file that says too many, where it does: with one server nothing is copied, and nothing is lost.
pub(crate) fn examine(ring: &Ring) -> Option<Problem> {
    let (asked, most) = (ring.replicas(), most(ring));
    let wrong = if most == 0 { TooMany::OneServer { asked } } else { TooMany::Servers { asked, most } };
    is_too_many(ring).then(|| wrong.at(None))
}

/// The note about an answer that asks for too many. It lacks the number that is written: where removals are not believed
/// yet, the file has more servers than the answer.
pub(crate) fn note(asked: u32, ring: &Ring) -> Problem {
    let wrong = if most(ring) == 0 { TooMany::WrittenZero { asked } } else { TooMany::WrittenLess { asked } };
    wrong.at(None)
}

/// The codes of the faults of this module.
#[cfg(test)]
pub(crate) const CODES: &[&str] = <TooMany as crate::problem::Coded>::CODES;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures;
    use crate::problem::Severity;

    fn asking(replicas: &str, servers: &[usize]) -> Ring {
        let mut ring = fixtures::ring(servers, &[1]);
        ring.profile.global.insert(KEY.into(), replicas.into());
        ring
    }

    #[test]
    fn no_more_copies_than_other_servers_are_written() {
        for (asked, servers, written) in [
            ("4", &[1, 2, 3, 4, 5][..], "4"),
            ("4", &[1, 2, 3, 4], "3"),
            ("4", &[1, 2], "1"),
            ("1", &[1, 2], "1"),
            ("1", &[1], "0"),
            ("0", &[1], "0"),
            ("32768", &[1, 2, 3], "2"),
        ] {
            let ring = asking(asked, servers);
            let too_many = asked != written;
            assert_eq!(is_too_many(&ring), too_many, "{asked} of {servers:?}");
            assert_eq!(fitted(ring, None).global(KEY), written, "{asked} of {servers:?}");
        }
    }

    #[test]
    fn what_was_asked_for_comes_back_with_the_servers() {
        let ring = asking("1", &[1, 2, 3, 4]);
        assert_eq!(fitted(ring.clone(), Some(4)).global(KEY), "3");
        assert_eq!(fitted(ring.clone(), Some(2)).global(KEY), "2");
        assert_eq!(fitted(ring, None).global(KEY), "1");
    }

    #[test]
    fn names_that_stand_for_several_servers_count_as_several() {
        let mut ring = asking("4", &[1, 2]);
        ring.servers[1].name = "192.0.2.[2-5]".into();
        assert_eq!((most(&ring), is_too_many(&ring)), (4, false));
    }

    #[test]
    fn where_chmpx_copies_nothing_anyway_nothing_is_changed() {
        let mut ring = asking("4", &[1, 2]);
        ring.profile.global.insert("DELIVERMODE".into(), "random".into());
        assert_eq!((fitted(ring.clone(), None), examine(&ring)), (ring.clone(), None));
    }

    #[test]
    fn too_many_are_harmful_where_something_is_copied() {
        assert_eq!(examine(&asking("3", &[1, 2, 3, 4])), None);
        let of_four = examine(&asking("4", &[1, 2, 3, 4])).unwrap();
        assert_eq!(of_four.severity, Severity::Harmful);
        assert!(
            of_four.text.starts_with("REPLICA 4 with 4 servers: a server that joins"),
            "{}",
            of_four.text
        );
        assert_eq!(examine(&asking("1", &[1])).unwrap().severity, Severity::Note);
    }
}
