//! Partials as compact bytes: what epochs store for the evaluator, and what the evaluator keeps of closed panes.
//!
//! Integers are LEB128, signed ones in zigzag; a count takes two bytes, a measure with fifteen values about sixty. Reading
//! never trusts the bytes: anything but what [`PartialSet::to_bytes`] of a known version wrote is an [`Error`].

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Group, Measure, Partial, PartialRow, PartialSet, measures};
use crate::event::Timestamp;

/// Why bytes are not a set of partials.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Written by another version.
    #[error("partials have format {found}, expected {VERSION}: they were written by another version of groundwire")]
    Version {
        /// The format found.
        found: u8,
    },
    /// Cut off or changed.
    #[error("partials are damaged at byte {at} of {len}: restore the file, or recompute its dates from `interactions`")]
    Damaged {
        /// Where reading ended.
        at: usize,
        /// Number of bytes.
        len: usize,
    },
}

/// The last version; the first has no partials of scorers, and is still written where there are none.
const VERSION: u8 = 2;
const FIRST: u8 = 1;

const HAS_NULL: u8 = 1;
/// Every value is 1.
const UNIT: u8 = 2;
const HAS_BAD: u8 = 4;
const HAS_HIST: u8 = 8;
const HAS_VALUES: u8 = 16;

impl PartialSet {
    /// The set as bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = vec![if self.of_scorers.is_empty() { FIRST } else { VERSION }];
        write_text(&mut out, self.scorer.as_deref());
        write(&mut out, self.groups.len() as u64);
        for group in &self.groups {
            for value in &group.0 {
                write_text(&mut out, value.as_deref());
            }
        }
        write_rows(&mut out, &self.rows);
        if !self.of_scorers.is_empty() {
            write(&mut out, self.of_scorers.len() as u64);
            for (scorer, rows) in &self.of_scorers {
                write_text(&mut out, Some(scorer));
                write_rows(&mut out, rows);
            }
        }
        out
    }

    /// The set of bytes that [`Self::to_bytes`] made. Rows of measures that this version does not know are left out: they were
    /// written by a newer one during a rolling update.
    ///
    /// # Errors
    /// [`Error`], if the bytes are of another version or damaged.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        if let Some(found) = bytes.first().filter(|version| ![FIRST, VERSION].contains(version)) {
            return Err(Error::Version { found: *found });
        }
        let mut reader = Reader { bytes, at: 1 };
        match reader.set(bytes.first().copied().unwrap_or_default()) {
            Some(set) => Ok(set),
            None => Err(Error::Damaged { at: reader.at.min(bytes.len()), len: bytes.len() }),
        }
    }
}

fn write_rows(out: &mut Vec<u8>, rows: &[PartialRow]) {
    write(out, rows.len() as u64);
    let (mut minute, mut group) = (0, 0);
    for row in rows {
        let row_minute = row.pane.0.div_euclid(Timestamp::MINUTE_US);
        write_signed(out, i128::from(row_minute - minute));
        write_signed(out, i128::from(row.group) - i128::from(group));
        write(out, u64::from(row.measure.0));
        write_partial(out, &row.partial);
        (minute, group) = (row_minute, row.group);
    }
}

fn write(out: &mut Vec<u8>, value: u64) {
    write_wide(out, u128::from(value));
}

#[inline]
#[expect(clippy::cast_possible_truncation, reason = "seven bits are masked")]
fn write_wide(out: &mut Vec<u8>, mut value: u128) {
    while value >= 128 {
        out.push(value as u8 | 128);
        value >>= 7;
    }
    out.push(value as u8);
}

#[expect(clippy::cast_sign_loss, reason = "zigzag is never negative")]
fn write_signed(out: &mut Vec<u8>, value: i128) {
    write_wide(out, ((value << 1) ^ (value >> 127)) as u128);
}

fn write_text(out: &mut Vec<u8>, text: Option<&str>) {
    match text {
        None => out.push(0),
        Some(text) => {
            write(out, text.len() as u64 + 1);
            out.extend_from_slice(text.as_bytes());
        }
    }
}

/// Appends one partial.
pub(crate) fn write_partial(out: &mut Vec<u8>, partial: &Partial) {
    let values = partial.n > 0 || partial.sum != 0 || partial.sum_sq != 0;
    let unit = partial.n > 0
        && (partial.sum, partial.sum_sq) == (i128::from(partial.n), i128::from(partial.n))
        && (partial.min, partial.max) == (1, 1);
    let flag = |bit: u8, set: bool| if set { bit } else { 0 };
    out.push(
        flag(HAS_NULL, partial.n_null > 0)
            | flag(UNIT, unit)
            | flag(HAS_BAD, partial.bad_n > 0)
            | flag(HAS_HIST, !partial.hist.is_empty())
            | flag(HAS_VALUES, values),
    );
    if values {
        write(out, partial.n);
        if !unit {
            write_signed(out, partial.sum);
            write_signed(out, partial.sum_sq);
            write_signed(out, i128::from(partial.min));
            write_signed(out, i128::from(partial.max) - i128::from(partial.min));
        }
    }
    if partial.n_null > 0 {
        write(out, partial.n_null);
    }
    if partial.bad_n > 0 {
        write(out, partial.bad_n);
    }
    if partial.hist.is_empty() {
        return;
    }
    // A bin follows the one before it, and most counts are 1: one byte for both.
    let mut bytes = Vec::with_capacity(partial.hist.len() * 2);
    let mut before = 0;
    for (bin, count) in &partial.hist {
        let step = u64::from(bin - before) << 1;
        before = *bin;
        if *count == 1 {
            write(&mut bytes, step);
        } else {
            write(&mut bytes, step | 1);
            write(&mut bytes, u64::from(*count));
        }
    }
    write(out, bytes.len() as u64);
    out.extend_from_slice(&bytes);
}

/// Reads what this module wrote; `None` where the bytes end or make no sense.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    pub(crate) const fn is_at_end(&self) -> bool {
        self.at >= self.bytes.len()
    }

    #[inline]
    fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    #[inline]
    pub(crate) fn number(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 127) << shift;
            if byte < 128 {
                return Some(value);
            }
        }
        None
    }

    #[inline]
    fn wide(&mut self) -> Option<u128> {
        let mut value = 0;
        for shift in (0..128).step_by(7) {
            let byte = self.byte()?;
            value |= u128::from(byte & 127) << shift;
            if byte < 128 {
                return Some(value);
            }
        }
        None
    }

    #[inline]
    #[expect(clippy::cast_possible_wrap, reason = "zigzag")]
    fn signed(&mut self) -> Option<i128> {
        let value = self.wide()?;
        Some((value >> 1) as i128 ^ -((value & 1) as i128))
    }

    fn slice(&mut self, len: u64) -> Option<&'a [u8]> {
        let end = self.at.checked_add(usize::try_from(len).ok()?)?;
        let slice = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(slice)
    }

    #[expect(clippy::option_option, reason = "the outer is damage, the inner an absent text")]
    fn text(&mut self) -> Option<Option<Arc<str>>> {
        match self.number()?.checked_sub(1) {
            None => Some(None),
            Some(len) => Some(Some(std::str::from_utf8(self.slice(len)?).ok()?.into())),
        }
    }

    /// Everything of one partial but its histogram, and the bytes of that for [`for_each_bin`].
    #[inline]
    pub(crate) fn moments(&mut self) -> Option<(Partial, &'a [u8])> {
        let flags = self.byte()?;
        let mut partial = Partial::default();
        if flags & HAS_VALUES != 0 {
            partial.n = self.number()?;
            if flags & UNIT != 0 {
                partial.sum = i128::from(partial.n);
                partial.sum_sq = partial.sum;
                (partial.min, partial.max) = (1, 1);
            } else {
                partial.sum = self.signed()?;
                partial.sum_sq = self.signed()?;
                let min = self.signed()?;
                partial.min = i64::try_from(min).ok()?;
                partial.max = i64::try_from(min.checked_add(self.signed()?)?).ok()?;
            }
        }
        if flags & HAS_NULL != 0 {
            partial.n_null = self.number()?;
        }
        if flags & HAS_BAD != 0 {
            partial.bad_n = self.number()?;
        }
        let hist = if flags & HAS_HIST == 0 {
            &[]
        } else {
            let len = self.number()?;
            self.slice(len)?
        };
        Some((partial, hist))
    }

    /// One partial.
    pub(crate) fn partial(&mut self) -> Option<Partial> {
        let (mut partial, hist) = self.moments()?;
        for_each_bin(hist, |bin, count| partial.hist.push((bin, count)))?;
        Some(partial)
    }

    fn set(&mut self, version: u8) -> Option<PartialSet> {
        let scorer = self.text()?;
        let mut groups = Vec::new();
        for _ in 0..self.number()? {
            let mut group = Group::default();
            for value in &mut group.0 {
                *value = self.text()?;
            }
            groups.push(group);
        }
        let rows = self.rows(groups.len())?;
        let mut of_scorers = BTreeMap::new();
        let scorers = if version == FIRST { 0 } else { self.number()? };
        for _ in 0..scorers {
            of_scorers.insert(self.text()??, self.rows(groups.len())?);
        }
        self.is_at_end().then_some(PartialSet { scorer, groups, rows, of_scorers })
    }

    fn rows(&mut self, groups: usize) -> Option<Vec<PartialRow>> {
        let mut rows = Vec::new();
        let (mut minute, mut group) = (0_i64, 0_i64);
        for _ in 0..self.number()? {
            minute = minute.checked_add(i64::try_from(self.signed()?).ok()?)?;
            group = group.checked_add(i64::try_from(self.signed()?).ok()?)?;
            let measure = u16::try_from(self.number()?).ok()?;
            let partial = self.partial()?;
            let number = u32::try_from(group).ok().filter(|group| (*group as usize) < groups)?;
            if usize::from(measure) < measures::COUNT {
                let pane = Timestamp(minute.checked_mul(Timestamp::MINUTE_US)?);
                rows.push(PartialRow { pane, group: number, measure: Measure(measure), partial });
            }
        }
        Some(rows)
    }
}

/// Calls `each` with every (bin, count) of a histogram's bytes.
#[inline]
pub(crate) fn for_each_bin(bytes: &[u8], mut each: impl FnMut(u16, u32)) -> Option<()> {
    let mut reader = Reader::new(bytes);
    let mut bin = 0_u16;
    while !reader.is_at_end() {
        let step = reader.number()?;
        bin = bin.checked_add(u16::try_from(step >> 1).ok()?)?;
        let count = if step & 1 == 0 { 1 } else { u32::try_from(reader.number()?).ok()? };
        each(bin, count);
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn partials() -> impl Strategy<Value = Partial> {
        let hist = prop::collection::btree_map(0_u16..4_000, 1_u32..5, 0..40).prop_map(|map| map.into_iter().collect());
        let measured =
            (1_u64..9, 0_u64..3, any::<i64>(), any::<i64>(), 0_u64..3, hist).prop_map(|(n, n_null, a, b, bad_n, hist)| {
                let (sum, sum_sq) = (i128::from(a) * 7, i128::from(b) * i128::from(b));
                Partial { n, n_null, sum, sum_sq, min: a.min(b), max: a.max(b), bad_n, hist }
            });
        let counted = (1_u64..400, 0_u64..400).prop_map(|(n, bad_n)| {
            let sum = i128::from(n);
            Partial { n, sum, sum_sq: sum, min: 1, max: 1, bad_n, ..Partial::default() }
        });
        prop_oneof![measured, counted, (1_u64..300).prop_map(|n_null| Partial { n_null, ..Partial::default() })]
    }

    fn sets() -> impl Strategy<Value = PartialSet> {
        let row =
            || {
                (-3_000_000_i64..3_000_000, 0_u32..3, 0_u16..50, partials()).prop_map(|(minute, group, measure, partial)| {
                    PartialRow { pane: Timestamp(minute * Timestamp::MINUTE_US), group, measure: Measure(measure), partial }
                })
            };
        let rows = || prop::collection::vec(row(), 0..30);
        let of_scorers = prop::collection::btree_map("[a-z]{1,8}".prop_map(Into::into), rows(), 0..3);
        (rows(), prop::option::of("[a-z]{0,8}"), of_scorers).prop_map(|(rows, scorer, of_scorers)| {
            let group = |name: &str| {
                let mut group = Group::default();
                (group.0[0], group.0[3]) = (Some(name.into()), Some("".into()));
                group
            };
            let groups = vec![Group::default(), group("a"), group("ä")];
            PartialSet { scorer: scorer.map(Into::into), groups, rows, of_scorers }
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_and_what_is_cut_off_is_refused(set in sets(), cut in any::<prop::sample::Index>()) {
            let bytes = set.to_bytes();
            prop_assert_eq!(PartialSet::from_bytes(&bytes), Ok(set));
            let len = cut.index(bytes.len());
            prop_assert_eq!(PartialSet::from_bytes(&bytes[..len]).is_err(), true);
        }

        #[test]
        fn any_bytes_are_read_or_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if PartialSet::from_bytes(&bytes).is_ok() {
                prop_assert!(bytes.first().is_some_and(|version| [FIRST, VERSION].contains(version)));
            }
        }
    }

    #[test]
    fn a_later_format_is_named() {
        assert_eq!(PartialSet::from_bytes(&[9, 0, 0]), Err(Error::Version { found: 9 }));
    }
}
