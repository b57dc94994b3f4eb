//! Numbers as they are written, compared by value: `1,250.50`, `1.3 million`, `5k`.

use super::hash;

/// Equal for equal values `mantissa · 10^power`.
pub(super) fn number_key(mantissa: u64, power: i32) -> u64 {
    let mut mantissa = mantissa;
    let mut power = power;
    while mantissa != 0 && mantissa.is_multiple_of(10) {
        mantissa /= 10;
        power += 1;
    }
    hash::pair(hash::pair(2, mantissa), u64::from(power.unsigned_abs()) << 1 | u64::from(power < 0))
}

/// `(mantissa, power of ten, digits)` of figures such as `1,250.50`; beyond 19 digits only the size is kept.
pub(super) fn decimal(figures: &[u8]) -> (u64, i32, u32) {
    let mut mantissa = 0u64;
    let mut power = 0;
    let mut digits = 0;
    let mut after_point = false;
    for byte in figures {
        match byte {
            b'0'..=b'9' => {
                digits += 1;
                if let Some(next) = mantissa.checked_mul(10).and_then(|value| value.checked_add(u64::from(byte - b'0'))) {
                    mantissa = next;
                    power -= i32::from(after_point);
                } else {
                    power += i32::from(!after_point);
                }
            }
            b'.' => after_point = true,
            _ => {}
        }
    }
    (mantissa, power, digits)
}

/// Power of ten of a scale word behind a number, only as far as it must compare equal.
pub(super) fn scale(word: &[u8]) -> Option<u8> {
    match word {
        b"thousand" => Some(3),
        b"million" => Some(6),
        b"billion" => Some(9),
        b"trillion" => Some(12),
        _ => None,
    }
}

/// The year that `19` stands for behind `2018–`.
pub(super) fn end_of_years(before: (u64, i32), last_figures: u64) -> Option<u64> {
    let (start, power) = before;
    let end = start / 100 * 100 + last_figures;
    (power == 0 && (1000..3000).contains(&start) && (start + 1..=start + 20).contains(&end)).then_some(end)
}
