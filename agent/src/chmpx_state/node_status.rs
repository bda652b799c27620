//! Status of one node in the ring, as chmpx keeps it: one number with five parts (chmpx 1.0.113,
//! lib/chmstructure.h:150-330).

use std::fmt;

use serde::{Deserialize, Serialize};

/// Status bits of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NodeStatus(u32);

/// Next change of a server in the ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The server stays.
    Nothing,
    /// The server joins.
    Add,
    /// The server leaves.
    Delete,
}

/// Progress of a merge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// No merge.
    Nothing,
    /// The merge awaits its start.
    Pending,
    /// Data moves.
    Doing,
    /// Data has moved; the ring does not use it yet.
    Done,
}

/// Names and values of one part of the bits.
struct Part {
    mask: u32,
    words: &'static [(&'static str, u32)],
    other: &'static str,
}

const fn part(mask: u32, words: &'static [(&'static str, u32)], other: &'static str) -> Part {
    Part { mask, words, other }
}

/// In the order of the text, which is not the order of the bits.
const PARTS: [Part; 5] = [
    part(0x30, &[("[SLAVE]", 0), ("[SERVICE OUT]", 0x10), ("[SERVICE IN]", 0x20)], "[Unknown RING]"),
    part(0x1, &[("[DOWN]", 0), ("[UP]", 1)], ""),
    part(0x300, &[("[n/a]", 0), ("[ADD]", 0x100), ("[DELETE]", 0x200)], "[unknown ACTION]"),
    part(0x3000, &[("[Nothing]", 0), ("[Pending]", 0x1000), ("[Doing]", 0x2000), ("[Done]", 0x3000)], ""),
    part(0x10000, &[("[NoSuspend]", 0), ("[Suspend]", 0x10000)], ""),
];

impl NodeStatus {
    /// Up, in service, no change, k2hdkc joined.
    pub const HEALTHY: Self = Self(0x21);

    /// Status of these bits; a later chmpx may have more of them.
    pub fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// The number.
    pub fn bits(self) -> u32 {
        self.0
    }

    /// Reads a status in any of chmpx's forms: `0x21(SAFE -> [SERVICE IN]…)`, the same with a colon as in its log, the number
    /// alone, or the words alone as in DUMP and `chmpxstatus`. `None` for an unknown word, and for a number and words that
    /// contradict each other.
    pub fn read(text: &str) -> Option<Self> {
        let Some(text) = text.strip_prefix("0x") else { return read_words(text) };
        let end = text.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(text.len());
        let status = Self(u32::try_from(u64::from_str_radix(&text[..end], 16).ok()?).ok()?);
        let words = match &text[end..] {
            "" => return Some(status),
            rest => rest.strip_prefix(':').or_else(|| rest.strip_prefix('(')?.strip_suffix(')'))?,
        };
        // Unknown words of a later chmpx do not contradict the number.
        read_words(words).is_none_or(|said| said == status).then_some(status)
    }

    /// True if chmpx runs there.
    pub fn is_up(self) -> bool {
        self.0 & 0x1 != 0
    }

    /// True for a server whose data the ring uses, up or down, joining or leaving.
    pub fn is_in_service(self) -> bool {
        self.0 & 0x30 == 0x20
    }

    /// True for a slave, and for no node at all.
    pub fn is_slave(self) -> bool {
        self.0 & 0x30 == 0
    }

    /// Next change of the server. chmpx gives both bits together no meaning; they read as nothing.
    pub fn action(self) -> Action {
        match self.0 & 0x300 {
            0x100 => Action::Add,
            0x200 => Action::Delete,
            _ => Action::Nothing,
        }
    }

    /// Progress of its merge.
    pub fn operation(self) -> Operation {
        match self.0 & 0x3000 {
            0x1000 => Operation::Pending,
            0x2000 => Operation::Doing,
            0x3000 => Operation::Done,
            _ => Operation::Nothing,
        }
    }

    /// True if no k2hdkc has joined its chmpx.
    pub fn is_suspended(self) -> bool {
        self.0 & 0x10000 != 0
    }

    /// True where nothing changes: no merge, and no announcement.
    pub fn is_calm(self) -> bool {
        self.operation() == Operation::Nothing && self.action() == Action::Nothing
    }

    /// True if chmpx runs there and a k2hdkc has joined it.
    pub fn is_well(self) -> bool {
        self.is_up() && !self.is_suspended()
    }

    /// True for a server that answers for keys of the ring, be it in a change or not.
    pub fn serves(self) -> bool {
        self.is_well() && self.is_in_service()
    }

    /// True for [`NodeStatus::HEALTHY`] alone.
    pub fn is_healthy(self) -> bool {
        self == Self::HEALTHY
    }
}

fn read_words(text: &str) -> Option<NodeStatus> {
    let mut rest = text.strip_prefix("SAFE -> ").or_else(|| text.strip_prefix("NOT SAFE -> "))?;
    let mut bits = 0;
    for part in &PARTS {
        let (behind, value) =
            part.words.iter().find_map(|(word, value)| Some((rest.strip_prefix(word)?, value)))?;
        rest = behind;
        bits |= value;
    }
    rest.is_empty().then_some(NodeStatus(bits))
}

impl fmt::Display for NodeStatus {
    /// Writes the number and chmpx's words: `0x21 [SERVICE IN][UP][n/a][Nothing][NoSuspend]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x} ", self.0)?;
        PARTS.iter().try_for_each(|part| {
            let known = part.words.iter().find(|(_, value)| *value == self.0 & part.mask);
            f.write_str(known.map_or(part.other, |(word, _)| word))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chmpx_state::recorded;

    fn read(text: &str) -> NodeStatus {
        NodeStatus::read(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn number_and_words_agree_in_every_status_that_was_seen() {
        let mut both = 0;
        for text in recorded::STATUS_TEXTS.lines() {
            let (number, words) = text.split_at(text.find("SAFE").unwrap());
            let status = read(words.trim_end_matches(')'));
            assert_eq!(read(text), status, "{text}");
            assert!(status.to_string().ends_with(words.trim_end_matches(')').trim_start_matches("SAFE -> ")));
            if let Some(number) = number.strip_prefix("0x") {
                let digits = number.trim_end_matches(['(', ':']);
                assert_eq!(u64::from(status.bits()), u64::from_str_radix(digits, 16).unwrap(), "{text}");
                both += 1;
            }
        }
        assert_eq!(both, 17);
    }

    #[test]
    fn a_healthy_server_is_up_in_service_and_joined() {
        let status = read("SAFE -> [SERVICE IN][UP][n/a][Nothing][NoSuspend]");
        assert_eq!(status, NodeStatus::HEALTHY);
        assert!(status.is_healthy() && status.is_up() && status.is_in_service());
        assert!(!status.is_suspended() && !status.is_slave());
        assert_eq!((status.action(), status.operation()), (Action::Nothing, Operation::Nothing));
        assert!(status.is_calm() && status.is_well() && status.serves());
        assert_eq!(status.to_string(), "0x21 [SERVICE IN][UP][n/a][Nothing][NoSuspend]");
    }

    #[test]
    fn every_part_is_told_by_its_own_bits() {
        let told = |bits| {
            let status = NodeStatus::from_bits(bits);
            (status.is_up(), status.is_in_service(), status.is_slave(), status.action(), status.operation())
        };
        assert_eq!(told(0x10), (false, false, false, Action::Nothing, Operation::Nothing));
        assert_eq!(told(0x1), (true, false, true, Action::Nothing, Operation::Nothing));
        assert_eq!(told(0x1121), (true, true, false, Action::Add, Operation::Pending));
        assert_eq!(told(0x3221), (true, true, false, Action::Delete, Operation::Done));
        assert_eq!(told(0x2021), (true, true, false, Action::Nothing, Operation::Doing));
        assert!(NodeStatus::from_bits(0x10021).is_suspended());
        assert!(!NodeStatus::from_bits(0x10021).is_healthy());
    }

    #[test]
    fn every_combination_reads_as_it_prints() {
        for bits in
            (0..0x20000).filter(|bits| bits & !0x13331 == 0 && bits & 0x30 != 0x30 && bits & 0x300 != 0x300)
        {
            let status = NodeStatus::from_bits(bits);
            let printed = status.to_string();
            let (number, words) = printed.split_once(' ').unwrap();
            assert_eq!(read(&format!("NOT SAFE -> {words}")), status);
            assert_eq!(read(&format!("{number}(SAFE -> {words})")), status);
        }
    }

    #[test]
    fn a_contradiction_or_an_unknown_word_is_not_read() {
        for text in [
            "",
            "0x",
            "21",
            "0x100000000",
            "0x21(SAFE -> [SERVICE OUT][UP][n/a][Nothing][NoSuspend])",
            "0x21(SAFE -> [SERVICE IN][UP][n/a][Nothing][NoSuspend]",
            "0x21 [SERVICE IN]",
            "SAFE -> [SERVICE IN][UP][n/a][Nothing]",
            "SAFE -> [SERVICE IN][UP][n/a][Nothing][NoSuspend] ",
            "SAFE -> [Unknown RING][UP][n/a][Nothing][NoSuspend]",
            "[SERVICE IN][UP][n/a][Nothing][NoSuspend]",
        ] {
            assert_eq!(NodeStatus::read(text), None, "{text}");
        }
    }

    #[test]
    fn bits_of_a_later_chmpx_are_kept() {
        let status = read("0x40031(NOT SAFE -> [Unknown RING][UP][n/a][Nothing][NoSuspend])");
        assert_eq!(status.bits(), 0x40031);
        assert_eq!(status.to_string(), "0x40031 [Unknown RING][UP][n/a][Nothing][NoSuspend]");
        assert!(!status.is_healthy());
    }

    #[test]
    fn it_is_stored_as_its_number() {
        assert_eq!(serde_json::to_string(&NodeStatus::HEALTHY).unwrap(), "33");
        assert_eq!(serde_json::from_str::<NodeStatus>("33").unwrap(), NodeStatus::HEALTHY);
    }
}
