//! Scalar values of fields, with what each accepts and says of what it refuses.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};

use crate::event::Text;

/// A whole number, 0 or more; `12.0` counts as whole, because some producers know no integers.
pub(super) struct Count(pub(super) i64);

/// A finite number.
pub(super) struct Number(pub(super) f64);

/// A finite number, or a boolean as 0 or 1.
pub(super) struct Score(pub(super) f64);

/// A string, or a number as its digits.
pub(super) struct NameOrNumber<'de>(pub(super) Text<'de>);

/// Implements `Deserialize` through a visitor of `deserialize_any` with the given methods.
macro_rules! scalar {
    ($type:ty, $expecting:literal, $($methods:item)+) => {
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct Scalar;
                impl<'de> Visitor<'de> for Scalar {
                    type Value = $type;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($expecting)
                    }
                    $($methods)+
                }
                deserializer.deserialize_any(Scalar)
            }
        }
    };
}

scalar! { Count, "a whole number, 0 or more",
    fn visit_u64<E: Error>(self, value: u64) -> Result<Count, E> {
        i64::try_from(value).map(Count).map_err(|_| E::invalid_value(Unexpected::Unsigned(value), &self))
    }
    #[expect(clippy::cast_possible_truncation, reason = "only whole values below 2^53 are cast")]
    fn visit_f64<E: Error>(self, value: f64) -> Result<Count, E> {
        if value.fract() == 0.0 && (0.0..9_007_199_254_740_992.0).contains(&value) {
            return Ok(Count(value as i64));
        }
        Err(E::invalid_value(Unexpected::Float(value), &self))
    }
    fn visit_i64<E: Error>(self, value: i64) -> Result<Count, E> {
        Err(E::invalid_value(Unexpected::Signed(value), &self))
    }
}

scalar! { Number, "a number",
    fn visit_u64<E: Error>(self, value: u64) -> Result<Number, E> {
        Ok(Number(value as f64))
    }
    fn visit_i64<E: Error>(self, value: i64) -> Result<Number, E> {
        Ok(Number(value as f64))
    }
    fn visit_f64<E: Error>(self, value: f64) -> Result<Number, E> {
        if value.is_finite() { Ok(Number(value)) } else { Err(E::invalid_value(Unexpected::Float(value), &self)) }
    }
}

scalar! { Score, "a number or a boolean",
    fn visit_bool<E: Error>(self, value: bool) -> Result<Score, E> {
        Ok(Score(f64::from(u8::from(value))))
    }
    fn visit_u64<E: Error>(self, value: u64) -> Result<Score, E> {
        Ok(Score(value as f64))
    }
    fn visit_i64<E: Error>(self, value: i64) -> Result<Score, E> {
        Ok(Score(value as f64))
    }
    fn visit_f64<E: Error>(self, value: f64) -> Result<Score, E> {
        if value.is_finite() { Ok(Score(value)) } else { Err(E::invalid_value(Unexpected::Float(value), &self)) }
    }
}

scalar! { NameOrNumber<'de>, "a string or a number",
    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<NameOrNumber<'de>, E> {
        Ok(NameOrNumber(text.into()))
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<NameOrNumber<'de>, E> {
        Ok(NameOrNumber(text.to_owned().into()))
    }
    fn visit_u64<E: Error>(self, value: u64) -> Result<NameOrNumber<'de>, E> {
        Ok(NameOrNumber(value.to_string().into()))
    }
    fn visit_i64<E: Error>(self, value: i64) -> Result<NameOrNumber<'de>, E> {
        Ok(NameOrNumber(value.to_string().into()))
    }
    fn visit_f64<E: Error>(self, value: f64) -> Result<NameOrNumber<'de>, E> {
        Ok(NameOrNumber(value.to_string().into()))
    }
}
