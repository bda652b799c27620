//! The host's two clocks: the wall clock, which jumps and is for people and for DATE only ([`Timestamp`]), and the time since
//! the boot, by which every wait that protects something counts ([`BootTime`]).
//!
//! Waits that need not outlive the process use tokio's clock, which nobody sets either.

mod boot;

use std::fmt;
use std::path::Path;
use std::rc::Rc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

pub use boot::{BootId, BootTime};

/// A moment by both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// Wall clock, for people.
    pub wall: Timestamp,
    /// Time since the boot, for waits.
    pub boot: BootTime,
}

/// Source of the present time: the host's clocks, or those of a test.
#[derive(Clone)]
pub struct Clock(Rc<dyn Fn() -> Now>);

impl Clock {
    /// The host's clocks.
    pub fn of_host() -> Self {
        let boot = BootId::read(Path::new("/proc"));
        Self::by(move || Now { wall: Timestamp::now(), boot: BootTime::now(boot) })
    }

    /// Clocks that are read by `read`.
    pub fn by(read: impl Fn() -> Now + 'static) -> Self {
        Self(Rc::new(read))
    }

    /// The present.
    pub fn now(&self) -> Now {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clock")
    }
}

/// Milliseconds since 1970-01-01 00:00:00 UTC, for people: no decision follows from it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// The present, as the host's clock says it.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }

    /// Time from `earlier` to this; zero where the clock was set back in between.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// Returns a moment that is earlier by this much.
    #[must_use]
    pub fn before(self, age: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(age.as_millis()).unwrap_or(u64::MAX)))
    }

    /// Returns a moment that is later by this much.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)))
    }

    /// As RFC 2822 wants it, in UTC: `Sun, 22 Nov 2026 01:00:00 +0000`, the form that chmpx reads in DATE.
    pub fn rfc2822(self) -> String {
        let (days, rest) = (self.0 / 86_400_000, self.0 / 1000 % 86_400);
        let (year, month, day) = civil(days);
        let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][index(days % 7)];
        let month = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
            [index(month - 1)];
        let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
        format!("{weekday}, {day:02} {month} {year} {hour:02}:{minute:02}:{second:02} +0000")
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, to the second.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil(self.0 / 86_400_000);
        let rest = self.0 / 1000 % 86_400;
        let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
    }
}

/// Year, month and day of the `days`-th day since 1970-01-01 (Gregorian calendar; eras of 400 years that start on
/// 1 March, so that the leap day is the last one).
fn civil(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or_default()
}

/// A length of time as a number of milliseconds, for serde's `with`.
pub(crate) mod millis {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(crate) fn serialize<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
    }

    pub(crate) fn deserialize<'a, D: Deserializer<'a>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

/// A length of time for people: `850 ms`, `4.2 s`, `3 min 5 s`, `2 h 7 min`, `5 d 3 h`.
pub fn spoken(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 => format!("{} ms", time.as_millis()),
        1..60 => format!("{:.1} s", time.as_secs_f64()),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_gregorian() {
        assert_eq!(Timestamp(0).to_string(), "1970-01-01T00:00:00Z");
        assert_eq!(Timestamp(951_782_400_000).to_string(), "2000-02-29T00:00:00Z");
        assert_eq!(Timestamp(1_795_309_200_999).to_string(), "2026-11-22T01:00:00Z");
        assert_eq!(Timestamp(1_795_309_200_000).rfc2822(), "Sun, 22 Nov 2026 01:00:00 +0000");
        assert_eq!(Timestamp(4_107_542_399_000).to_string(), "2100-02-28T23:59:59Z");
    }

    #[test]
    fn a_clock_that_is_set_back_makes_an_age_of_zero() {
        assert_eq!(Timestamp(5).since(Timestamp(7)), Duration::ZERO);
        assert_eq!(Timestamp(5).after(Duration::from_secs(1)), Timestamp(1005));
    }

    #[test]
    fn lengths_of_time_are_told_in_two_units() {
        let told: Vec<_> =
            [850, 4200, 185_000, 7_620_000, 442_800_000].map(|ms| spoken(Duration::from_millis(ms))).to_vec();
        assert_eq!(told, ["850 ms", "4.2 s", "3 min 5 s", "2 h 7 min", "5 d 3 h"]);
    }
}
