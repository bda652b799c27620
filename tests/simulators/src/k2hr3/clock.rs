//! The server's clock, which a suite can put forward, and its two ways to write a date.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Real time plus what the suite added, so that tokens expire without anybody waiting.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Clock {
    ahead: Duration,
}

impl Clock {
    pub(super) fn advance(&mut self, by: Duration) {
        self.ahead += by;
    }

    /// Whole seconds since 1970: the grain of every expiry (`k2hr3_api` `lib/k2hr3apiutil.ts`).
    #[expect(clippy::disallowed_methods, reason = "K2HR3 tells its own wall clock")]
    pub(super) fn unix(&self) -> i64 {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + self.ahead;
        i64::try_from(now.as_secs()).unwrap_or(i64::MAX)
    }

    /// For the `Date` header: `Sun, 22 Nov 2026 01:07:05 GMT`.
    pub(super) fn http_date(&self) -> String {
        const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
        const MONTHS: [&str; 12] =
            ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        let date = Date::of(self.unix());
        let month = MONTHS[date.month - 1];
        let (weekday, time) = (DAYS[date.weekday], date.time());
        format!("{weekday}, {:02} {month} {:04} {time} GMT", date.day, date.year)
    }
}

/// As in the list of role tokens: `2026-11-22T01:08:15.000Z`.
pub(super) fn iso_date(unix: i64) -> String {
    let date = Date::of(unix);
    format!("{:04}-{:02}-{:02}T{}.000Z", date.year, date.month, date.day, date.time())
}

struct Date {
    year: i64,
    month: usize,
    day: i64,
    weekday: usize,
    second_of_day: i64,
}

impl Date {
    /// Civil date from days, in years that begin with March so that the leap day comes last.
    fn of(unix: i64) -> Self {
        let days = unix.div_euclid(86_400);
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        Self {
            year: era * 400 + year_of_era + i64::from(month <= 2),
            month: usize::try_from(month).unwrap_or(1),
            day: day_of_year - (153 * shifted_month + 2) / 5 + 1,
            weekday: usize::try_from((days + 4).rem_euclid(7)).unwrap_or(0),
            second_of_day: unix.rem_euclid(86_400),
        }
    }

    fn time(&self) -> String {
        let second = self.second_of_day;
        format!("{:02}:{:02}:{:02}", second / 3_600, second / 60 % 60, second % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_civil() {
        assert_eq!(iso_date(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(iso_date(1_795_309_695), "2026-11-22T01:08:15.000Z");
        assert_eq!(iso_date(951_782_400), "2000-02-29T00:00:00.000Z");
    }
}
