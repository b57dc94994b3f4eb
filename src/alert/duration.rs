//! Lengths of time as people write them: `90s`, `10m`, `1h30m`, `7d`.

/// Microseconds of a text such as `1h30m`: units `s`, `m`, `h`, `d`, `w`, each at most once and in falling order.
#[must_use]
pub fn parse(text: &str) -> Option<i64> {
    const UNITS: [(u8, i64); 5] = [(b'w', 604_800), (b'd', 86_400), (b'h', 3_600), (b'm', 60), (b's', 1)];
    let mut total = 0_i64;
    let mut number: Option<i64> = None;
    let mut units = UNITS.iter();
    for byte in text.bytes() {
        if byte.is_ascii_digit() {
            number = Some(number.unwrap_or(0).checked_mul(10)?.checked_add(i64::from(byte - b'0'))?);
        } else {
            let (_, seconds) = units.find(|(unit, _)| *unit == byte)?;
            total = total.checked_add(number.take()?.checked_mul(*seconds)?)?;
        }
    }
    if number.is_some() || text.is_empty() { None } else { total.checked_mul(1_000_000) }
}

/// Seconds as a number for arithmetic.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "exact up to 285 years")]
pub fn seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}

/// For people: the two largest units, for example `1 h 30 min`, `14 min`, `2 d 3 h`, `0 min`.
#[must_use]
pub fn words(micros: i64) -> String {
    let minutes = micros.max(0) / 60_000_000;
    let (days, hours, minutes) = (minutes / 1_440, minutes / 60 % 24, minutes % 60);
    match (days, hours, minutes) {
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, 0) => format!("{hours} h"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, 0, _) => format!("{days} d"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::{parse, words};

    #[test]
    fn durations_are_read_as_written_or_refused() {
        for (text, seconds) in
            [("0s", Some(0)), ("10m", Some(600)), ("1h30m", Some(5_400)), ("7d", Some(604_800)), ("1w", Some(604_800)), ("", None)]
        {
            assert_eq!(parse(text), seconds.map(|seconds: i64| seconds * 1_000_000), "{text}");
        }
        for wrong in ["10", "m", "10 m", "30m1h", "1m1m", "-1m", "1.5h", "99999999999999999999d", "1h30", "10ms"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn durations_are_told_in_two_units() {
        for (minutes, told) in [(0, "0 min"), (14, "14 min"), (60, "1 h"), (95, "1 h 35 min"), (1_440, "1 d"), (3_075, "2 d 3 h")] {
            assert_eq!(words(minutes * 60_000_000), told);
        }
    }
}
