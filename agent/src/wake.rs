//! Reasons for a pass. Producers raise named reasons, and the loop takes all that were raised since the last pass: a
//! storm of one reason is one wake.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde::Serialize;
use tokio::sync::Notify;

/// A reason for a pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The agent has just started.
    Start,
    /// The next question to the source is due.
    Timer,
    /// A change has rested long enough.
    Settled,
    /// The ini was changed, maybe by the agent itself.
    IniChanged,
    /// The file of the `file` source was changed.
    SourceChanged,
    /// The configuration, the token or the CA file changed.
    SettingsChanged,
    /// SIGHUP.
    Hangup,
    /// The operator confirmed what was held.
    Confirmed,
    /// A command asked for a pass.
    Command,
    /// A watched process ended.
    ProcessEnded,
    /// chmpx answered.
    Answered,
    /// The next look at the processes is due.
    Look,
    /// The supervisor reports a change.
    SupervisorChanged,
    /// The node has become a member of its role.
    Joined,
    /// The change of the ring has come to another stage.
    RingChanged,
    /// A host at the other end of chmpx's connections is silent, or heard again.
    PeersChanged,
}

impl Reason {
    const ALL: [Self; 16] = [
        Self::Start,
        Self::Timer,
        Self::Settled,
        Self::IniChanged,
        Self::SourceChanged,
        Self::SettingsChanged,
        Self::Hangup,
        Self::Confirmed,
        Self::Command,
        Self::ProcessEnded,
        Self::Answered,
        Self::Look,
        Self::SupervisorChanged,
        Self::Joined,
        Self::RingChanged,
        Self::PeersChanged,
    ];

    fn bit(self) -> u32 {
        1 << (self as u32)
    }

    fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Timer => "timer",
            Self::Settled => "settled",
            Self::IniChanged => "ini-changed",
            Self::SourceChanged => "source-changed",
            Self::SettingsChanged => "settings-changed",
            Self::Hangup => "hangup",
            Self::Confirmed => "confirmed",
            Self::Command => "command",
            Self::ProcessEnded => "process-ended",
            Self::Answered => "answered",
            Self::Look => "look",
            Self::SupervisorChanged => "supervisor-changed",
            Self::Joined => "joined",
            Self::RingChanged => "ring-changed",
            Self::PeersChanged => "peers-changed",
        }
    }
}

/// The reasons of one pass.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reasons(u32);

impl Reasons {
    /// Adds a reason.
    #[must_use]
    pub fn and(self, reason: Reason) -> Self {
        Self(self.0 | reason.bit())
    }

    /// Returns true where the reason is one of them.
    pub fn contains(self, reason: Reason) -> bool {
        self.0 & reason.bit() != 0
    }

    /// Returns true where the source is asked: not where only something on this host moved.
    pub fn ask(self) -> bool {
        self != self.local()
    }

    /// Returns the reasons that need no answer of the source.
    #[must_use]
    pub fn local(self) -> Self {
        let asking = [
            Reason::Start,
            Reason::Timer,
            Reason::SourceChanged,
            Reason::SettingsChanged,
            Reason::Hangup,
            Reason::Command,
            Reason::Joined,
        ];
        Self(asking.into_iter().fold(self.0, |rest, reason| rest & !reason.bit()))
    }

    /// Returns the reasons that need an answer of the source.
    #[must_use]
    pub fn asking(self) -> Self {
        Self(self.0 & !self.local().0)
    }

    /// Returns the union of both.
    #[must_use]
    pub fn with(self, others: Self) -> Self {
        Self(self.0 | others.0)
    }

    /// Returns true where there is no reason.
    pub fn is_empty(self) -> bool {
        self == Self::default()
    }
}

impl From<Reason> for Reasons {
    fn from(reason: Reason) -> Self {
        Self(reason.bit())
    }
}

impl fmt::Display for Reasons {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = Reason::ALL.into_iter().filter(|r| self.contains(*r)).map(Reason::word).collect();
        f.write_str(&words.join("+"))
    }
}

/// The end that raises reasons; clones share one set. May be used from any thread.
#[derive(Debug, Clone, Default)]
pub struct Waker {
    raised: Arc<AtomicU32>,
    bell: Arc<Notify>,
}

impl Waker {
    /// Raises a reason. Never waits, and never grows.
    pub fn wake(&self, reason: Reason) {
        self.raised.fetch_or(reason.bit(), Ordering::AcqRel);
        self.bell.notify_one();
    }

    /// Waits until a reason was raised, and takes all that were.
    pub async fn woken(&self) -> Reasons {
        loop {
            let raised = Reasons(self.raised.swap(0, Ordering::AcqRel));
            if !raised.is_empty() {
                return raised;
            }
            self.bell.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_storm_is_one_wake_with_all_its_reasons() {
        let waker = Waker::default();
        for _ in 0..1000 {
            waker.wake(Reason::IniChanged);
            waker.wake(Reason::Hangup);
        }
        let reasons = waker.woken().await;
        assert_eq!(reasons.to_string(), "ini-changed+hangup");
        let next = tokio::time::timeout(std::time::Duration::ZERO, waker.woken()).await;
        assert!(next.is_err(), "{next:?}");
    }

    #[test]
    fn only_what_moved_elsewhere_asks_the_source() {
        assert!(Reasons::from(Reason::Timer).ask());
        assert!(!Reasons::from(Reason::Settled).and(Reason::IniChanged).ask());
        assert!(Reasons::from(Reason::Settled).and(Reason::Start).ask());
    }
}
