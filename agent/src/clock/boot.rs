//! Time that nobody sets: milliseconds of `CLOCK_BOOTTIME`, and the boot that they belong to.
//!
//! NTP steps the wall clock at boot and after a resume, and an operator sets it; a guard that counts by it opens an hour
//! early. `CLOCK_BOOTTIME` cannot be set and goes on while the host sleeps. It starts at zero with each boot, so a number of
//! another boot says nothing, and a count that it began begins anew.

use std::path::Path;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A moment by which waits are counted that protect something. Not comparable with a [`super::Timestamp`], nor with a
/// moment of another boot but by [`BootTime::since`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct BootTime {
    boot: BootId,
    ms: u64,
}

/// A boot of a kernel; the id zero belongs to none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BootId(u128);

impl BootTime {
    /// Makes the moment that long after the boot began.
    pub fn new(boot: BootId, after: Duration) -> Self {
        Self { boot, ms: millis(after) }
    }

    /// `CLOCK_BOOTTIME`'s present, in this boot.
    pub fn now(boot: BootId) -> Self {
        let now = clock_gettime(ClockId::Boottime);
        let seconds = u64::try_from(now.tv_sec).unwrap_or_default();
        let nanos = u32::try_from(now.tv_nsec).unwrap_or_default();
        Self::new(boot, Duration::new(seconds, nanos))
    }

    /// Time from `earlier` to this; `None` where that was in another boot, or is later: an agent that moved to another
    /// time namespace sees such ones.
    pub fn since(self, earlier: Self) -> Option<Duration> {
        let known = self.boot == earlier.boot && self.boot != BootId::NONE;
        self.ms.checked_sub(earlier.ms).filter(|_| known).map(Duration::from_millis)
    }

    /// Returns a moment that is earlier by this much, at most back to the boot.
    #[must_use]
    pub fn before(self, age: Duration) -> Self {
        Self { ms: self.ms.saturating_sub(millis(age)), ..self }
    }

    /// Returns a moment that is later by this much.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        Self { ms: self.ms.saturating_add(millis(wait)), ..self }
    }
}

impl BootId {
    const NONE: Self = Self(0);

    /// The id that the kernel made at its boot. Where it says none, a new one: then nothing counts over a restart of the
    /// agent, and every wait is longer rather than shorter.
    pub fn read(proc: &Path) -> Self {
        let text = std::fs::read_to_string(proc.join("sys/kernel/random/boot_id")).unwrap_or_default();
        Self::parse(&text).unwrap_or_else(|| Self(fastrand::u128(1..)))
    }

    /// A UUID as the kernel writes it.
    fn parse(text: &str) -> Option<Self> {
        let digits: String = text.trim().chars().filter(|c| *c != '-').collect();
        let id = u128::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 32)?;
        Some(Self(id)).filter(|id| *id != Self::NONE)
    }
}

impl Serialize for BootId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:032x}", self.0))
    }
}

/// A moment as ledgers have it: a boot time, or the wall clock's milliseconds of 0.1.0-dev, which count for nothing.
#[derive(Deserialize)]
#[serde(untagged)]
enum Kept {
    Boot { boot: String, ms: u64 },
    Wall(#[expect(dead_code, reason = "only that it is a number")] u64),
}

impl<'de> Deserialize<'de> for BootTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Kept::deserialize(deserializer)? {
            Kept::Boot { boot, ms } => Self { boot: BootId::parse(&boot).unwrap_or(BootId::NONE), ms },
            Kept::Wall(_) => Self { boot: BootId::NONE, ms: 0 },
        })
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOT: BootId = BootId(7);

    fn at(seconds: u64) -> BootTime {
        BootTime::new(BOOT, Duration::from_secs(seconds))
    }

    #[test]
    fn a_count_holds_within_one_boot_only() {
        assert_eq!(at(9).since(at(2)), Some(Duration::from_secs(7)));
        assert_eq!(at(2).since(at(9)), None, "another time namespace");
        assert_eq!(at(9).since(BootTime::new(BootId(8), Duration::from_secs(2))), None);
        assert_eq!(at(9).before(Duration::from_secs(10)), at(0));
        assert_eq!(at(9).after(Duration::from_secs(1)), at(10));
    }

    #[test]
    fn what_a_ledger_keeps_is_read_again_and_a_wall_clock_in_it_counts_for_nothing() {
        let kept = serde_json::to_string(&at(9)).unwrap();
        assert_eq!(kept, r#"{"boot":"00000000000000000000000000000007","ms":9000}"#);
        assert_eq!(serde_json::from_str::<BootTime>(&kept).unwrap(), at(9));
        for other in ["1795309200000", r#"{"boot":"torn","ms":9000}"#, r#"{"boot":"","ms":0}"#] {
            let read: BootTime = serde_json::from_str(other).unwrap();
            assert_eq!((at(10).since(read), read.since(read)), (None, None), "{other}");
        }
    }

    #[test]
    fn the_boot_is_the_kernels_and_an_unknown_one_is_never_the_same_again() {
        let proc = tempfile::tempdir().unwrap();
        let path = proc.path().join("sys/kernel/random/boot_id");
        crate::file::ensure_directory(path.parent().unwrap(), 0o755).unwrap();
        crate::file::store(&path, b"00000000-0000-0000-0000-000000000007\n").unwrap();
        assert_eq!(BootId::read(proc.path()), BOOT);
        for bad in ["", "00000000-0000-0000-0000-000000000000\n", "no such\n"] {
            crate::file::store(&path, bad.as_bytes()).unwrap();
            assert_ne!(BootId::read(proc.path()), BootId::read(proc.path()), "{bad:?}");
        }
    }

    #[test]
    fn the_host_has_such_a_clock() {
        let boot = BootId::read(Path::new("/proc"));
        let (first, second) = (BootTime::now(boot), BootTime::now(boot));
        assert!(
            second.since(first).is_some_and(|time| time < Duration::from_secs(60)),
            "{first:?} {second:?}"
        );
    }
}
