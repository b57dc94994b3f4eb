//! A point in time in UTC with microsecond resolution, the one representation of time in Groundwire.
//!
//! Reads and writes RFC 3339; knows no clock and no time zone but the offset in the text.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde::ser::{Serialize, Serializer};

/// Microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

/// Microseconds in a second.
const SECOND: i64 = 1_000_000;
/// Microseconds in a day.
const DAY: i64 = 86_400 * SECOND;

impl Timestamp {
    /// One second, in microseconds.
    pub const SECOND_US: i64 = SECOND;
    /// One minute, in microseconds: the length of a pane.
    pub const MINUTE_US: i64 = 60 * SECOND;
    /// One hour, in microseconds.
    pub const HOUR_US: i64 = 3_600 * SECOND;
    /// One day, in microseconds.
    pub const DAY_US: i64 = DAY;

    /// The greatest multiple of `step_us` since the epoch that is not after this time.
    #[must_use]
    pub const fn floor(self, step_us: i64) -> Self {
        Self(self.0.div_euclid(step_us) * step_us)
    }

    /// This time moved by `us` microseconds, saturating.
    #[must_use]
    pub const fn plus(self, us: i64) -> Self {
        Self(self.0.saturating_add(us))
    }

    /// Days since 1970-01-01, as Arrow's `Date32` wants them.
    #[must_use]
    #[expect(clippy::cast_possible_truncation, reason = "an i64 of microseconds spans 107 million days, less than an i32")]
    pub const fn days(self) -> i32 {
        self.0.div_euclid(DAY) as i32
    }

    /// The UTC date as `YYYY-MM-DD`.
    #[must_use]
    pub fn date(self) -> String {
        let (year, month, day) = civil_from_days(i64::from(self.days()));
        format!("{year:04}-{month:02}-{day:02}")
    }

    /// Reads RFC 3339 (`2026-05-04T08:00:00.123Z`, any offset, `T` or a space, up to nine fractional digits; digits beyond
    /// microseconds are cut). A time without a zone is refused: it could be anyone's.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let number = |from: usize, to: usize| -> Option<i64> {
            let mut value = 0;
            for byte in bytes.get(from..to)? {
                value = value * 10 + i64::from(byte.is_ascii_digit().then(|| byte - b'0')?);
            }
            Some(value)
        };
        let is = |at: usize, wanted: &[u8]| bytes.get(at).is_some_and(|byte| wanted.contains(byte));
        if !(is(4, b"-") && is(7, b"-") && is(10, b"Tt ") && is(13, b":") && is(16, b":")) {
            return None;
        }
        let (year, month, day) = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
        let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
        if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) || hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let mut at = 19;
        let mut micros = 0;
        if is(at, b".") {
            at += 1;
            let start = at;
            let mut unit = 100_000;
            while let Some(digit) = bytes.get(at).filter(|byte| byte.is_ascii_digit()) {
                micros += i64::from(digit - b'0') * unit;
                unit /= 10;
                at += 1;
            }
            if at == start || at > start + 9 {
                return None;
            }
        }
        let offset_minutes = match bytes.get(at)? {
            b'Z' | b'z' => {
                at += 1;
                0
            }
            sign @ (b'+' | b'-') if is(at + 3, b":") => {
                let (hours, minutes) = (number(at + 1, at + 3)?, number(at + 4, at + 6)?);
                if hours > 23 || minutes > 59 {
                    return None;
                }
                at += 6;
                if *sign == b'-' { -(hours * 60 + minutes) } else { hours * 60 + minutes }
            }
            _ => return None,
        };
        if at != bytes.len() {
            return None;
        }
        let seconds = days_from_civil(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset_minutes * 60;
        Some(Self(seconds * SECOND + micros))
    }
}

/// Days since 1970-01-01 of a proleptic Gregorian date (Howard Hinnant, "chrono-compatible low-level date algorithms").
const fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (if month > 2 { month - 3 } else { month + 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// The proleptic Gregorian date of a number of days since 1970-01-01; the inverse of [`days_from_civil`].
const fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + if month <= 2 { 1 } else { 0 };
    (year, month, day)
}

const fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC; the fraction is left out when it is zero.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of_day = self.0.rem_euclid(DAY);
        let (seconds, micros) = (of_day / SECOND, of_day % SECOND);
        write!(f, "{}T{:02}:{:02}:{:02}", self.date(), seconds / 3_600, seconds / 60 % 60, seconds % 60)?;
        if micros != 0 {
            write!(f, ".{micros:06}")?;
        }
        f.write_str("Z")
    }
}

impl Serialize for Timestamp {
    /// RFC 3339 where people may read it, microseconds in binary formats.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { serializer.serialize_i64(self.0) }
    }
}

struct TimestampVisitor;

impl Visitor<'_> for TimestampVisitor {
    type Value = Timestamp;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time as RFC 3339 with a zone (2026-05-04T08:00:00Z) or as milliseconds since 1970")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Timestamp, E> {
        Timestamp::parse(text).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Str(text), &self))
    }

    fn visit_i64<E: Error>(self, millis: i64) -> Result<Timestamp, E> {
        millis.checked_mul(1_000).map(Timestamp).ok_or_else(|| E::invalid_value(serde::de::Unexpected::Signed(millis), &self))
    }

    fn visit_u64<E: Error>(self, millis: u64) -> Result<Timestamp, E> {
        match i64::try_from(millis) {
            Ok(millis) => self.visit_i64(millis),
            Err(_) => Err(E::invalid_value(serde::de::Unexpected::Unsigned(millis), &self)),
        }
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    /// RFC 3339 text, or a whole number of milliseconds since 1970; in binary formats microseconds.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            deserializer.deserialize_any(TimestampVisitor)
        } else {
            i64::deserialize(deserializer).map(Timestamp)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Timestamp;

    #[test]
    fn agrees_with_an_independent_calendar_over_four_centuries() {
        let mut at = -62_135_596_800_i64;
        while at < 4_102_444_800 {
            let ours = Timestamp(at * 1_000_000 + 123_456);
            let theirs = jiff::Timestamp::from_microsecond(at * 1_000_000 + 123_456).unwrap();
            assert_eq!(ours.to_string(), theirs.to_string());
            assert_eq!(Timestamp::parse(&theirs.to_string()), Some(ours));
            at += 86_400 * 13 + 4_711;
        }
    }

    #[test]
    fn offsets_fractions_and_refusals() {
        assert_eq!(Timestamp::parse("2026-05-04T10:00:00.5+02:00"), Timestamp::parse("2026-05-04 08:00:00.500000Z"));
        for wrong in
            ["2026-05-04T08:00:00", "2026-02-29T08:00:00Z", "2026-05-04T24:00:00Z", "2026-05-04T08:00:00.Z", "", "yesterday"]
        {
            assert_eq!(Timestamp::parse(wrong), None, "{wrong}");
        }
    }
}
