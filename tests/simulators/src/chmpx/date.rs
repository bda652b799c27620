//! Moments as chmpx writes them, and the DATE of the ini.

use super::picture::Picture;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `2026-11-22 02h 25m 41s 135ms 28us(30120374...)`, in UTC, of microseconds since 1970.
pub fn moment(stamp: u64) -> String {
    let (seconds, micros) = (stamp / 1_000_000, stamp % 1_000_000);
    let (year, month, day) = date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    format!(
        "{year:04}-{month:02}-{day:02} {hour:02}h {minute:02}m {second:02}s {}ms {}us({})",
        micros / 1000,
        micros % 1000,
        Picture::moment(stamp)
    )
}

/// Seconds since 1970 of `Sun, 22 Nov 2026 00:00:00 +0000`; 0 for what is not of that form. The real one is an hour off
/// now and then, since it leaves the flag for summer time uninitialised.
pub fn read(text: &str) -> u64 {
    let parse = || -> Option<u64> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let [_, day, month, year, time, zone] = words[..] else { return None };
        let month = MONTHS.iter().position(|name| *name == month)? as u64 + 1;
        let mut parts = time.split(':').map(|part| part.parse::<u64>().ok());
        let seconds = parts.next()?? * 3600 + parts.next()?? * 60 + parts.next()??;
        let local = days(year.parse().ok()?, month, day.parse().ok()?)? * 86_400 + seconds;
        let offset = zone.get(1..3)?.parse::<u64>().ok()? * 3600 + zone.get(3..5)?.parse::<u64>().ok()? * 60;
        if zone.starts_with('-') { local.checked_add(offset) } else { local.checked_sub(offset) }
    };
    parse().unwrap_or_default()
}

/// Days since 1970 as year, month and day (the usual era arithmetic).
fn date(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year + era * 400 + u64::from(month <= 2), month, day)
}

/// The other way round; `None` before 1970.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let year = year.checked_sub(u64::from(month <= 2))?;
    let (era, year) = (year / 400, year % 400);
    let month = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * month + 2) / 5 + day.checked_sub(1)?;
    let day_of_era = year * 365 + year / 4 - year / 100 + day_of_year;
    (era * 146_097 + day_of_era).checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_as_chmpx_does() {
        let stamp = 1_795_314_320 * 1_000_000 + 227_202;
        assert_eq!(moment(stamp), "2026-11-22 02h 25m 20s 227ms 202us(30120376134760322)");
    }

    #[test]
    fn the_date_of_the_file_is_read() {
        assert_eq!(read("Sun, 22 Nov 2026 00:00:00 +0000"), 1_795_305_600);
        assert_eq!(read("Sun, 22 Nov 2026 09:00:00 +0900"), 1_795_305_600);
        assert_eq!(read("Thu, 29 Feb 2024 00:00:01 -0100"), 1_709_168_401);
        assert_eq!((read(""), read("yesterday")), (0, 0));
    }
}
