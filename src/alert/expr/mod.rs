//! The language of `expr`: conditions over the numbers of one window and its baseline.
//!
//! Closed (a fixed list of names), total (every expression ends, nothing fails but "unknown"), typed while it is read (a
//! number is not a condition), without loops, calls, text, state or I/O. Unknown is a third truth value in the sense of
//! Kleene: `true or unknown` is true, `true and unknown` is unknown, so the order of operands never matters.

mod parse;

use std::fmt;

pub use parse::{Mistake, parse};

/// A number of a window that an expression may name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Name {
    /// The metric's value over the window.
    Value,
    /// Values behind it.
    N,
    /// Of these, how many count as bad.
    BadN,
    /// Lower 95 % bound of `value`.
    Lo,
    /// Upper 95 % bound of `value`.
    Hi,
    /// Least value.
    Min,
    /// Greatest value.
    Max,
    /// Standard deviation of the values.
    Stddev,
    /// Median.
    P50,
    /// 90 % quantile.
    P90,
    /// 95 % quantile.
    P95,
    /// 99 % quantile.
    P99,
    /// Seconds of event time since the newest value.
    Age,
    /// The baseline's value.
    Baseline,
    /// Values behind the baseline.
    BaseN,
    /// `value - baseline`.
    Delta,
    /// `delta / baseline`.
    DeltaPct,
    /// `delta` in standard errors of a difference with pooled variance.
    Z,
    /// The metric's own p where it has one (drift), else the two-sided normal p of `z`.
    P,
    /// What the metric's own last windows seldom fall below.
    Lower,
    /// What the metric's own last windows seldom exceed.
    Upper,
}

impl Name {
    /// All names, in the order of the documentation.
    pub const ALL: [Self; 21] = [
        Self::Value,
        Self::N,
        Self::BadN,
        Self::Lo,
        Self::Hi,
        Self::Min,
        Self::Max,
        Self::Stddev,
        Self::P50,
        Self::P90,
        Self::P95,
        Self::P99,
        Self::Age,
        Self::Baseline,
        Self::BaseN,
        Self::Delta,
        Self::DeltaPct,
        Self::Z,
        Self::P,
        Self::Lower,
        Self::Upper,
    ];

    /// As it is written.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::N => "n",
            Self::BadN => "bad_n",
            Self::Lo => "lo",
            Self::Hi => "hi",
            Self::Min => "min",
            Self::Max => "max",
            Self::Stddev => "stddev",
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::Age => "age",
            Self::Baseline => "baseline",
            Self::BaseN => "base_n",
            Self::Delta => "delta",
            Self::DeltaPct => "delta_pct",
            Self::Z => "z",
            Self::P => "p",
            Self::Lower => "lower",
            Self::Upper => "upper",
        }
    }

    /// Whether it exists only beside a baseline.
    #[must_use]
    pub const fn needs_baseline(self) -> bool {
        matches!(self, Self::Baseline | Self::BaseN | Self::Delta | Self::DeltaPct | Self::Z)
    }

    /// Whether it exists only beside a spread.
    #[must_use]
    pub const fn needs_spread(self) -> bool {
        matches!(self, Self::Lower | Self::Upper)
    }

    /// Whether a bound on it bounds how large the effect is, not only how sure.
    const fn is_effect(self) -> bool {
        !matches!(self, Self::Z | Self::P | Self::N | Self::BaseN | Self::Age | Self::Stddev)
    }
}

/// A condition.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// Both.
    And(Box<Condition>, Box<Condition>),
    /// At least one.
    Or(Box<Condition>, Box<Condition>),
    /// The opposite.
    Not(Box<Condition>),
    /// A comparison of two numbers.
    Compare(Number, Comparison, Number),
}

/// How two numbers are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `==`
    Equal,
    /// `!=`
    NotEqual,
}

/// A number.
#[derive(Clone, Debug, PartialEq)]
pub enum Number {
    /// A literal: `0.82`, `3%` (0.03), `10m` (600, in seconds).
    Literal(f64),
    /// A name.
    Name(Name),
    /// `-x`
    Negative(Box<Number>),
    /// Arithmetic.
    Binary(Box<Number>, Arithmetic, Box<Number>),
}

/// Arithmetic operators, as IEEE 754 has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arithmetic {
    /// `+`
    Add,
    /// `-`
    Subtract,
    /// `*`
    Multiply,
    /// `/`
    Divide,
}

/// Why a condition has no truth value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// The name has no value in this window, for example a p99 of ten values.
    Missing(Name),
    /// The arithmetic gave no number, for example `0 / 0`.
    NotANumber,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(name) => write!(f, "too few values for `{}`", name.as_str()),
            Self::NotANumber => f.write_str("the expression gave no number"),
        }
    }
}

impl Condition {
    /// Its truth under `lookup`, which gives the value of a name or `None` where there is none.
    ///
    /// # Errors
    /// [`Unknown`] where a missing value or a NaN decides.
    pub fn evaluate(&self, lookup: &dyn Fn(Name) -> Option<f64>) -> Result<bool, Unknown> {
        match self {
            Self::And(left, right) => match (left.evaluate(lookup), right.evaluate(lookup)) {
                (Ok(false), _) | (_, Ok(false)) => Ok(false),
                (Ok(true), Ok(true)) => Ok(true),
                (Err(unknown), _) | (_, Err(unknown)) => Err(unknown),
            },
            Self::Or(left, right) => match (left.evaluate(lookup), right.evaluate(lookup)) {
                (Ok(true), _) | (_, Ok(true)) => Ok(true),
                (Ok(false), Ok(false)) => Ok(false),
                (Err(unknown), _) | (_, Err(unknown)) => Err(unknown),
            },
            Self::Not(inner) => inner.evaluate(lookup).map(|truth| !truth),
            Self::Compare(left, comparison, right) => {
                let (left, right) = (left.evaluate(lookup)?, right.evaluate(lookup)?);
                let order = left.partial_cmp(&right).ok_or(Unknown::NotANumber)?;
                Ok(match comparison {
                    Comparison::Less => order.is_lt(),
                    Comparison::LessOrEqual => order.is_le(),
                    Comparison::Greater => order.is_gt(),
                    Comparison::GreaterOrEqual => order.is_ge(),
                    Comparison::Equal => order.is_eq(),
                    Comparison::NotEqual => order.is_ne(),
                })
            }
        }
    }

    /// Every name that occurs.
    #[must_use]
    pub fn names(&self) -> Vec<Name> {
        let mut names = Vec::new();
        self.collect_names(&mut names);
        names.sort_unstable();
        names.dedup();
        names
    }

    fn collect_names(&self, into: &mut Vec<Name>) {
        match self {
            Self::And(left, right) | Self::Or(left, right) => {
                left.collect_names(into);
                right.collect_names(into);
            }
            Self::Not(inner) => inner.collect_names(into),
            Self::Compare(left, _, right) => {
                left.collect_names(into);
                right.collect_names(into);
            }
        }
    }

    /// The first of `z` and `p` that could make this condition true without a bound on the size of the effect. With enough
    /// traffic everything is significant, so such a rule fires on differences that do not matter.
    #[must_use]
    pub fn without_effect_floor(&self) -> Option<Name> {
        self.unfloored(false)
    }

    fn unfloored(&self, floored: bool) -> Option<Name> {
        match self {
            Self::And(left, right) => {
                let floored = floored || left.bounds_effect() || right.bounds_effect();
                left.unfloored(floored).or_else(|| right.unfloored(floored))
            }
            Self::Or(left, right) => left.unfloored(floored).or_else(|| right.unfloored(floored)),
            Self::Not(inner) => inner.unfloored(floored),
            Self::Compare(..) => {
                let names = self.names();
                if floored || names.iter().any(|name| name.is_effect()) {
                    return None;
                }
                names.into_iter().find(|name| matches!(name, Name::Z | Name::P))
            }
        }
    }

    /// Whether it can only hold together with a bound on the effect.
    fn bounds_effect(&self) -> bool {
        match self {
            Self::And(left, right) => left.bounds_effect() || right.bounds_effect(),
            Self::Or(left, right) => left.bounds_effect() && right.bounds_effect(),
            Self::Not(inner) => inner.bounds_effect(),
            Self::Compare(..) => self.names().iter().any(|name| name.is_effect()),
        }
    }

    /// The first comparison of `value` (or `delta`) with a literal, for the mail: (name, comparison, limit).
    #[must_use]
    pub fn limit(&self) -> Option<(Name, Comparison, f64)> {
        match self {
            Self::And(left, right) | Self::Or(left, right) => left.limit().or_else(|| right.limit()),
            Self::Not(_) => None,
            Self::Compare(Number::Name(name @ (Name::Value | Name::Delta | Name::DeltaPct)), comparison, right) => {
                right.constant().map(|limit| (*name, *comparison, limit))
            }
            Self::Compare(..) => None,
        }
    }
}

impl Number {
    fn evaluate(&self, lookup: &dyn Fn(Name) -> Option<f64>) -> Result<f64, Unknown> {
        match self {
            Self::Literal(value) => Ok(*value),
            Self::Name(name) => lookup(*name).ok_or(Unknown::Missing(*name)),
            Self::Negative(inner) => Ok(-inner.evaluate(lookup)?),
            Self::Binary(left, operator, right) => {
                let (left, right) = (left.evaluate(lookup)?, right.evaluate(lookup)?);
                Ok(match operator {
                    Arithmetic::Add => left + right,
                    Arithmetic::Subtract => left - right,
                    Arithmetic::Multiply => left * right,
                    Arithmetic::Divide => left / right,
                })
            }
        }
    }

    fn collect_names(&self, into: &mut Vec<Name>) {
        match self {
            Self::Literal(_) => {}
            Self::Name(name) => into.push(*name),
            Self::Negative(inner) => inner.collect_names(into),
            Self::Binary(left, _, right) => {
                left.collect_names(into);
                right.collect_names(into);
            }
        }
    }

    /// Its value, if it names nothing.
    fn constant(&self) -> Option<f64> {
        self.evaluate(&|_| None).ok()
    }
}

#[cfg(test)]
mod tests;
