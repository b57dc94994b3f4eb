//! Partial aggregates of one measure in one pane (a minute of event time) and group.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Group, histogram};
use crate::event::Timestamp;

/// A measure that ingest aggregates: an index into the registry of measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Measure(pub u16);

/// Exact sums over the values of one measure. Values are integers in the measure's unit (billionths for scores and money,
/// microseconds for times, one for counts), so `merge` is associative and commutative (ME-1).
///
/// A partial may also be the difference of two others ([`Self::less`]), which corrects one that was merged earlier. Its sums may be
/// negative and its counts wrap around: added up with what they correct they are right again. Least and greatest value cannot be
/// corrected; metrics of measures that are ([`super::measures::is_corrected`]) do not show them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partial {
    /// Values seen.
    pub n: u64,
    /// Events that could have had a value and had none.
    pub n_null: u64,
    /// Sum of the values.
    pub sum: i128,
    /// Sum of the squares.
    pub sum_sq: i128,
    /// Least value; 0 when `n` is 0.
    pub min: i64,
    /// Greatest value; 0 when `n` is 0.
    pub max: i64,
    /// Values that count as bad (for a rate: its numerator).
    pub bad_n: u64,
    /// Counts by bin of the measure's fixed edges: (bin, count), ascending, no zero counts.
    pub hist: Vec<(u16, u32)>,
}

impl Partial {
    /// Adds another partial of the same measure: `self` is then what it would be had it seen the other's values too.
    pub fn merge(&mut self, other: &Self) {
        self.merge_moments(other);
        histogram::add_bins(&mut self.hist, &other.hist);
    }

    /// Adds everything but the histogram.
    pub fn merge_moments(&mut self, other: &Self) {
        if other.n > 0 {
            (self.min, self.max) = match self.n {
                0 => (other.min, other.max),
                _ => (self.min.min(other.min), self.max.max(other.max)),
            };
        }
        self.n = self.n.wrapping_add(other.n);
        self.n_null = self.n_null.wrapping_add(other.n_null);
        self.sum += other.sum;
        self.sum_sq += other.sum_sq;
        self.bad_n = self.bad_n.wrapping_add(other.bad_n);
    }

    /// What has to be merged to `other` to make it this one.
    #[must_use]
    pub fn less(&self, other: &Self) -> Self {
        let (min, max) = if self.n > 0 { (self.min, self.max) } else { (other.min, other.max) };
        Self {
            n: self.n.wrapping_sub(other.n),
            n_null: self.n_null.wrapping_sub(other.n_null),
            sum: self.sum - other.sum,
            sum_sq: self.sum_sq - other.sum_sq,
            min,
            max,
            bad_n: self.bad_n.wrapping_sub(other.bad_n),
            hist: histogram::less_bins(&self.hist, &other.hist),
        }
    }

    /// Whether it counts nothing; a correction that changes nothing, or a count that was taken back whole.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        (self.n, self.n_null, self.bad_n, self.sum, self.sum_sq) == (0, 0, 0, 0, 0) && self.hist.is_empty()
    }
}

/// One partial with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartialRow {
    /// Start of the pane.
    pub pane: Timestamp,
    /// Index into [`PartialSet::groups`].
    pub group: u32,
    /// What was measured.
    pub measure: Measure,
    /// The sums.
    pub partial: Partial,
}

/// The partials of one epoch, sorted by (pane, group, measure), each key once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartialSet {
    /// The scorer that made the scored measures of this set; values of different scorers are never added.
    pub scorer: Option<Arc<str>>,
    /// Groups that occur, each once, in the order in which they were first seen (that order decides who is within a tenant's cap).
    pub groups: Vec<Group>,
    /// The partials.
    pub rows: Vec<PartialRow>,
    /// What feedback adds to answers that a scorer has scored, by that scorer, which may be an earlier one; sorted likewise.
    pub of_scorers: BTreeMap<Arc<str>, Vec<PartialRow>>,
}

impl PartialSet {
    /// Whether there is no partial.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.of_scorers.is_empty()
    }

    /// What has to be merged to `other` to make it this one; both have the same groups.
    #[must_use]
    pub fn less(&self, other: &Self) -> Self {
        let scorers: BTreeSet<&Arc<str>> = self.of_scorers.keys().chain(other.of_scorers.keys()).collect();
        let rows = |set: &Self, scorer| set.of_scorers.get(scorer).cloned().unwrap_or_default();
        let of_scorers = scorers.into_iter().map(|scorer| (scorer.clone(), less(&rows(self, scorer), &rows(other, scorer))));
        Self {
            scorer: self.scorer.clone(),
            groups: self.groups.clone(),
            rows: less(&self.rows, &other.rows),
            of_scorers: of_scorers.filter(|(_, rows)| !rows.is_empty()).collect(),
        }
    }
}

fn less(all: &[PartialRow], other: &[PartialRow]) -> Vec<PartialRow> {
    let key = |row: &PartialRow| (row.pane, row.group, row.measure);
    let mut rows: BTreeMap<_, Partial> = all.iter().map(|row| (key(row), row.partial.clone())).collect();
    for row in other {
        let mine = rows.entry(key(row)).or_default();
        *mine = mine.less(&row.partial);
    }
    let rows = rows.into_iter().filter(|(_, partial)| !partial.is_nothing());
    rows.map(|((pane, group, measure), partial)| PartialRow { pane, group, measure, partial }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::measure::Edges;

    fn of(values: &[i64]) -> Partial {
        let mut whole = Partial::default();
        for value in values {
            whole.merge(&Partial {
                n: 1,
                n_null: u64::from(*value % 3 == 0),
                sum: i128::from(*value),
                sum_sq: i128::from(*value) * i128::from(*value),
                min: *value,
                max: *value,
                bad_n: u64::from(*value % 2 == 0),
                hist: vec![(Edges::Logarithmic.bin(*value), 1)],
            });
        }
        whole
    }

    proptest! {
        #[test]
        fn merging_is_associative_and_commutative_and_has_a_neutral_element(
            a in prop::collection::vec(0_i64..1_000_000_000_000, 0..20),
            b in prop::collection::vec(0_i64..1_000_000_000_000, 0..20),
            c in prop::collection::vec(0_i64..1_000_000_000_000, 0..20),
        ) {
            let together = |left: &Partial, right: &Partial| { let mut sum = left.clone(); sum.merge(right); sum };
            let (x, y, z) = (of(&a), of(&b), of(&c));
            prop_assert_eq!(together(&x, &y), together(&y, &x));
            prop_assert_eq!(together(&together(&x, &y), &z), together(&x, &together(&y, &z)));
            prop_assert_eq!(together(&x, &Partial::default()), x.clone());
            let all: Vec<i64> = a.iter().chain(&b).chain(&c).copied().collect();
            prop_assert_eq!(together(&together(&x, &y), &z), of(&all));
        }

        #[test]
        fn a_difference_corrects_what_was_merged_before_or_after_it(
            kept in prop::collection::vec(0_i64..1_000_000_000_000, 0..9),
            old in prop::collection::vec(0_i64..1_000_000_000_000, 0..9),
            new in prop::collection::vec(0_i64..1_000_000_000_000, 0..9),
        ) {
            let plain = |values: &[i64]| Partial { min: 0, max: 0, ..of(values) };
            let correction = plain(&new).less(&plain(&old));
            let all: Vec<i64> = kept.iter().chain(&new).copied().collect();
            for order in [[&plain(&kept), &plain(&old), &correction], [&correction, &plain(&kept), &plain(&old)]] {
                let mut sum = Partial::default();
                for part in order {
                    sum.merge(part);
                }
                prop_assert_eq!(Partial { min: 0, max: 0, ..sum }, plain(&all));
            }
            let mut bytes = Vec::new();
            crate::measure::encode::write_partial(&mut bytes, &correction);
            prop_assert_eq!(crate::measure::encode::Reader::new(&bytes).partial(), Some(correction));
        }
    }
}
