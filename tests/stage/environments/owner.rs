//! The owner of an environment: the process that made it, by number and start time. What belongs to none that runs is a leftover.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};

/// The label of everything that the machine's daemon keeps for an environment.
pub const LABEL: &str = "k2hdkc-environments.owner";

/// A process, now or some time ago.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    pid: u32,
    started: u64,
}

impl Owner {
    /// This process.
    pub fn own() -> Self {
        let pid = std::process::id();
        Self { pid, started: started(pid).unwrap_or_default() }
    }

    /// Reads what [`Owner`] displays as.
    pub fn parse(text: &str) -> Option<Self> {
        let (pid, started) = text.split_once('.')?;
        Some(Self { pid: pid.parse().ok()?, started: started.parse().ok()? })
    }

    /// Checks whether it still runs.
    pub fn lives(&self) -> bool {
        started(self.pid) == Some(self.started)
    }

    /// The number of a new environment of this process.
    pub fn next_environment() -> u32 {
        static LAST: AtomicU32 = AtomicU32::new(0);
        LAST.fetch_add(1, Ordering::Relaxed)
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.pid, self.started)
    }
}

/// Start time in ticks since boot: field 22 of `/proc/PID/stat`, counted behind the name, which may have blanks.
fn started(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_lives_and_another_of_its_number_does_not() {
        let own = Owner::own();
        assert_eq!(Owner::parse(&own.to_string()), Some(own));
        assert!(own.lives() && !Owner { started: own.started + 1, ..own }.lives());
    }
}
