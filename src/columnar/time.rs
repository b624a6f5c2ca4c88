//! Dates and times as numbers and as text. The text is that of Python's `isoformat`, which `jiff` does not
//! write.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::Offset;
use jiff::{Span, Unit};

const DAY: i128 = 86_400_000_000_000;
const EPOCH: Date = Date::constant(1970, 1, 1);

/// Days since 1970.
pub(super) fn days(date: Date) -> Option<i32> {
    date.since((Unit::Day, EPOCH)).ok().map(|span| span.get_days())
}

/// Microseconds since 1970 in local time. Smaller units are dropped, as Python does.
pub(super) fn microseconds(time: DateTime) -> Option<i64> {
    let since_midnight = time.time().since((Unit::Second, Time::midnight())).ok()?.get_seconds();
    let seconds = i64::from(days(time.date())?) * 86_400 + since_midnight;
    Some(seconds * 1_000_000 + i64::from(time.subsec_nanosecond() / 1000))
}

/// The date that is this many days after 1970, from the year 1 to 9999.
fn day(days: i64) -> Option<Date> {
    let date = EPOCH.checked_add(Span::new().try_days(days).ok()?).ok()?;
    (date.year() > 0).then_some(date)
}

/// The text of a date, given in days since 1970.
pub(super) fn date(days: i64) -> Option<String> {
    day(days).map(|date| date.to_string())
}

/// The text of a time of day, given in units of which a second has `parts`.
pub(super) fn of_day(value: i64, parts: i64) -> Option<String> {
    clock(i128::from(value) * i128::from(1_000_000_000 / parts))
}

/// The text of a point in time, given since 1970 in units of which a second has `parts`; with the offset from UTC if there
/// is one.
pub(super) fn stamp(value: i64, parts: i64, offset: Option<Offset>) -> Option<String> {
    let seconds = offset.map_or(0, Offset::seconds);
    let local = i128::from(value) * i128::from(1_000_000_000 / parts) + i128::from(seconds) * 1_000_000_000;
    let date = day(i64::try_from(local.div_euclid(DAY)).ok()?)?;
    let suffix = offset.map_or(String::new(), |_| {
        let (sign, seconds) = (if seconds < 0 { '-' } else { '+' }, seconds.abs());
        format!("{sign}{:02}:{:02}", seconds / 3600, seconds / 60 % 60)
    });
    Some(format!("{date}T{}{suffix}", clock(local.rem_euclid(DAY))?))
}

/// A fraction has six digits, or nine if it needs them.
fn clock(nanoseconds: i128) -> Option<String> {
    if !(0..DAY).contains(&nanoseconds) {
        return None;
    }
    let (seconds, fraction) = (nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    Some(match (fraction, fraction % 1000) {
        (0, _) => format!("{hour:02}:{minute:02}:{second:02}"),
        (_, 0) => format!("{hour:02}:{minute:02}:{second:02}.{:06}", fraction / 1000),
        _ => format!("{hour:02}:{minute:02}:{second:02}.{fraction:09}"),
    })
}

/// The offset of a time zone, if it is the same in summer and winter.
pub(super) fn offset(zone: &str) -> Result<Offset, String> {
    if matches!(zone, "UTC" | "Etc/UTC" | "Z" | "GMT") {
        return Ok(Offset::UTC);
    }
    let fixed = || {
        let (sign, rest) = match zone.as_bytes().first()? {
            b'+' => (1, &zone[1..]),
            b'-' => (-1, &zone[1..]),
            _ => return None,
        };
        let (hours, minutes) = rest.split_once(':').or_else(|| rest.split_at_checked(2))?;
        let (hours, minutes): (i32, i32) = (hours.parse().ok()?, minutes.parse().ok()?);
        Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()
    };
    fixed().ok_or_else(|| format!("a timestamp in time zone `{zone}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_those_of_python() {
        assert_eq!(date(-1).as_deref(), Some("1969-12-31"));
        assert_eq!(of_day(36_000_500, 1000).as_deref(), Some("10:00:00.500000"));
        let stamp = |value, parts, zone: &str| stamp(value, parts, Some(offset(zone).unwrap()));
        assert_eq!(stamp(-1, 1_000_000, "UTC").as_deref(), Some("1969-12-31T23:59:59.999999+00:00"));
        assert_eq!(
            stamp(1_000_000_001, 1_000_000_000, "+05:30").as_deref(),
            Some("1970-01-01T05:30:01.000000001+05:30")
        );
        assert_eq!(super::stamp(0, 1, None).as_deref(), Some("1970-01-01T00:00:00"));
        assert_eq!(super::stamp(253_402_300_799, 1, None).as_deref(), Some("9999-12-31T23:59:59"));
        assert_eq!(super::stamp(253_402_300_800, 1, None), None);
        assert!(offset("Europe/Berlin").is_err() && offset("+xx").is_err());
    }
}
