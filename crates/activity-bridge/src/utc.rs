//! How is a moment written? In UTC, to the microsecond.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A moment in UTC. `Display` gives RFC 3339: `2026-11-21T10:54:20.000001Z`. Moments before 1970 count as 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Utc {
    year: u64,
    month: u64,
    day: u64,
    hour: u64,
    minute: u64,
    second: u64,
    micros: u32,
}

impl Utc {
    pub(crate) fn of(time: SystemTime) -> Utc {
        Utc::since_1970(time.duration_since(UNIX_EPOCH).unwrap_or_default())
    }

    fn since_1970(since: Duration) -> Utc {
        let (days, second) = (since.as_secs() / 86_400, since.as_secs() % 86_400);
        let (year, month, day) = date(days);
        Utc {
            year,
            month,
            day,
            hour: second / 3600,
            minute: second / 60 % 60,
            second: second % 60,
            micros: since.subsec_micros(),
        }
    }

    /// For names of files: no colons, sorts by time, always [`STAMP_PATTERN`] long for the years up to 9999.
    pub(crate) fn stamp(&self) -> String {
        let Utc {
            year,
            month,
            day,
            hour,
            minute,
            second,
            micros,
        } = self;
        format!("{year:04}-{month:02}-{day:02}-{hour:02}-{minute:02}-{second:02}.{micros:06}")
    }
}

/// What [`Utc::stamp`] looks like, with `0` for any digit.
const STAMP_PATTERN: &[u8] = b"0000-00-00-00-00-00.000000";

/// Splits a stamp off the front of a text.
pub(crate) fn split_stamp(text: &str) -> Option<(&str, &str)> {
    let (stamp, rest) = text.split_at_checked(STAMP_PATTERN.len())?;
    let fits = |(byte, pattern): (u8, &u8)| match pattern {
        b'0' => byte.is_ascii_digit(),
        separator => byte == *separator,
    };
    stamp.bytes().zip(STAMP_PATTERN).all(fits).then_some((stamp, rest))
}

impl fmt::Display for Utc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Utc {
            year,
            month,
            day,
            hour,
            minute,
            second,
            micros,
        } = self;
        write!(
            f,
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z"
        )
    }
}

/// The date of a day counted from 1970-01-01, in the proleptic Gregorian calendar.
///
/// The years begin in March, so that the leap day is a year's last; eras of 400 years all have 146,097 days.
/// See <https://howardhinnant.github.io/date_algorithms.html#civil_from_days>.
fn date(days: u64) -> (u64, u64, u64) {
    let from_march_of_year_0 = days + 719_468;
    let (era, day_of_era) = (from_march_of_year_0 / 146_097, from_march_of_year_0 % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_rfc_3339() {
        let text = |secs, micros: u32| Utc::since_1970(Duration::new(secs, micros * 1000)).to_string();
        assert_eq!(text(0, 0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(text(951_782_399, 999_999), "2000-02-28T23:59:59.999999Z");
        assert_eq!(text(951_782_400, 1), "2000-02-29T00:00:00.000001Z");
        assert_eq!(text(1_709_210_096, 7), "2024-02-29T12:34:56.000007Z");
        assert_eq!(text(4_107_542_399, 0), "2100-02-28T23:59:59.000000Z");
        assert_eq!(text(4_107_542_400, 0), "2100-03-01T00:00:00.000000Z");
    }

    #[test]
    fn every_day_follows_the_one_before() {
        let mut before = date(0);
        for day in 1..200_000 {
            let (year, month, day_of_month) = date(day);
            let next_day = (year, month) == (before.0, before.1) && day_of_month == before.2 + 1;
            let next_month = day_of_month == 1 && before.2 >= 28 && year * 12 + month == before.0 * 12 + before.1 + 1;
            assert!(next_day || next_month, "{before:?} then {year}-{month}-{day_of_month}");
            before = (year, month, day_of_month);
        }
    }

    #[test]
    fn only_stamps_are_stamps() {
        let stamp = Utc::since_1970(Duration::new(1_709_210_096, 7000)).stamp();
        assert_eq!(stamp, "2024-02-29-12-34-56.000007");
        assert_eq!(split_stamp(&format!("{stamp}-17")), Some((stamp.as_str(), "-17")));
        assert_eq!(split_stamp("2024-02-29-12-34-56"), None);
        assert_eq!(split_stamp("2024-02-29-12-34-56,000007"), None);
        assert_eq!(split_stamp("2024-02-29-12-34-5x.000007"), None);
        assert_eq!(split_stamp("2024-02-29-12-34-56.00000é"), None);
    }
}
