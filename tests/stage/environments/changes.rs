//! The costs of a change of K2HR3's answer for a server's processes, as `diff` says it and as it is seen.

/// A line of `diff`.
pub const LIVE: &str = "in all: live: chmpx takes it when the file is replaced";
/// A line of `diff`.
pub const K2HDKC: &str = "in all: needs a restart of k2hdkc";
/// The beginning of a line of `diff`.
pub const CHMPX: &str = "in all: needs a restart of chmpx, then of k2hdkc";

/// The pids of chmpx and k2hdkc.
pub type Pids = (Option<u32>, Option<u32>);

/// Which processes of a server a change ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ends {
    /// No program.
    Neither,
    /// k2hdkc.
    K2hdkc,
    /// chmpx, and k2hdkc with it.
    Both,
}

impl Ends {
    /// Checks whether exactly these have ended, and others run in their place.
    pub fn are_seen(self, before: Pids, now: Pids) -> bool {
        let ended = (now.0 != before.0, now.1 != before.1);
        let whole = now.0.is_some() && now.1.is_some();
        whole && ended == (self == Self::Both, self != Self::Neither)
    }
}

/// The first of these beginnings with which no line starts.
pub fn missing<'a>(said: &str, beginnings: &[&'a str]) -> Option<&'a str> {
    beginnings.iter().copied().find(|beginning| !said.lines().any(|line| line.starts_with(beginning)))
}
