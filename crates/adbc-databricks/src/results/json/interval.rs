//! Intervals as text: Hive's form (`2-6`, `3 12:30:15.000000000`), which results have, and SQL's (`INTERVAL '2-6' YEAR TO MONTH`).

const YEAR_MONTH: [(&str, i64); 2] = [("YEAR", 12), ("MONTH", 1)];
const DAY_TIME: [(&str, i64); 4] = [
    ("DAY", 86_400_000_000),
    ("HOUR", 3_600_000_000),
    ("MINUTE", 60_000_000),
    ("SECOND", 1_000_000),
];

/// Months.
pub(super) fn year_month(text: &str) -> Option<i32> {
    i32::try_from(total(text, &YEAR_MONTH)?).ok()
}

/// Microseconds; finer digits are cut off, as there is no finer interval.
pub(super) fn day_time(text: &str) -> Option<i64> {
    total(text, &DAY_TIME)
}

/// The sum of the numbers, each in its unit.
fn total(text: &str, units: &[(&str, i64)]) -> Option<i64> {
    let (numbers, units) = match text.trim().strip_prefix("INTERVAL '") {
        Some(quoted) => {
            let (numbers, names) = quoted.split_once('\'')?;
            let mut names = names.trim().split(" TO ");
            let place = |name: &str| units.iter().position(|(unit, _)| *unit == name.trim());
            let first = place(names.next()?)?;
            let last = names.next().map_or(Some(first), place)?;
            (numbers, units.get(first..=last)?)
        }
        None => (text.trim(), units),
    };
    let (negative, numbers) = match numbers.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, numbers),
    };
    let mut numbers = numbers.split([' ', ':', '-']);
    let mut sum = 0_i64;
    for (_, scale) in units {
        sum = sum.checked_add(scaled(numbers.next()?, *scale)?)?;
    }
    if numbers.next().is_some() {
        return None;
    }
    Some(if negative { -sum } else { sum })
}

/// `15.25` of a unit of so many smallest ones. Only the unit of a million smallest ones, the second, has a fraction.
fn scaled(number: &str, scale: i64) -> Option<i64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) || (!fraction.is_empty() && scale != 1_000_000) {
        return None;
    }
    let fraction: String = fraction.chars().chain("000000".chars()).take(6).collect();
    whole
        .parse::<i64>()
        .ok()?
        .checked_mul(scale)?
        .checked_add(fraction.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_read_and_nonsense_is_not() {
        assert_eq!(year_month("2-6"), Some(30));
        assert_eq!(year_month("-2-6"), Some(-30));
        assert_eq!(year_month("INTERVAL '2-6' YEAR TO MONTH"), Some(30));
        assert_eq!(year_month("INTERVAL '-7' MONTH"), Some(-7));
        assert_eq!(day_time("3 12:30:15.000000000"), Some(304_215_000_000));
        assert_eq!(day_time("-0 00:00:00.000001000"), Some(-1));
        assert_eq!(day_time("INTERVAL '3 12:30:15.5' DAY TO SECOND"), Some(304_215_500_000));
        assert_eq!(day_time("INTERVAL '12:30' HOUR TO MINUTE"), Some(45_000_000_000));
        assert_eq!(day_time("INTERVAL '-5' DAY"), Some(-432_000_000_000));
        for nonsense in [
            "",
            "-",
            "x",
            "1",
            "1-2-3",
            "99999999999-0",
            "INTERVAL '1",
            "INTERVAL '1' EON",
            "1.5-0",
        ] {
            assert_eq!(year_month(nonsense), None, "{nonsense}");
        }
        for nonsense in [
            "",
            "1 2",
            "1 2:3:4:5",
            "1 2:3.5:4",
            "é 0:0:0",
            "INTERVAL '1' SECOND TO DAY",
        ] {
            assert_eq!(day_time(nonsense), None, "{nonsense}");
        }
    }
}
