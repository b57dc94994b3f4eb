//! Windows beside their reference, published by tenant and application: the rows of drift.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::derive::{Derived, of_values};
use super::drift::{Cosine, Drift, Nulls, Reference, Shape, Words, adjusted, cosine, drift, nulls, words};
use super::interval;
use super::pane::{Block, Histograms, Series, sum};
use super::plan::bit;
use super::publish::{Place, row};
use super::state::State;
use super::{MetricRow, ValueStatus};
use crate::event::{Input, Timestamp};
use crate::measure::registry::{Statistic, Value};
use crate::measure::{Edges, Group, Inputs, Measure, Partial, Window};

/// Stands for drift where classes of metrics are numbered.
pub(super) const DRIFT: u8 = u8::MAX;

/// What a comparison of one series found.
pub(super) struct Found {
    pub(super) drift: Option<Drift>,
    nulls: Nulls,
    cosine: Option<Cosine>,
    words: Option<Words>,
    reference_n: u64,
    /// p, adjusted for the number of series.
    screened: Option<f64>,
}

impl Found {
    /// Compares.
    pub(super) fn new(of: Measure, window: &Partial, reference: Option<&Partial>) -> Self {
        let nothing = Partial::default();
        let reference = reference.unwrap_or(&nothing);
        Self {
            drift: drift(of, window, reference),
            nulls: nulls(window, reference),
            cosine: if of.info().edges == Edges::Vector { cosine(window, reference) } else { None },
            words: if of.info().edges == Edges::Words { words(window, reference) } else { None },
            reference_n: reference.n,
            screened: None,
        }
    }

    /// Adjusts the p of all series of one measure.
    pub(super) fn screen<'a>(all: impl Iterator<Item = &'a mut Self>) {
        let mut decided: Vec<&mut Self> = all.filter(|found| found.drift.is_some()).collect();
        let p: Vec<f64> = decided.iter().filter_map(|found| Some(found.drift?.p)).collect();
        for (found, adjusted) in decided.iter_mut().zip(adjusted(&p)) {
            found.screened = Some(adjusted);
        }
    }

    /// The comparison as a metric's numbers, the moments being those of the window's values; `None` where there is nothing to say.
    pub(super) fn derived(&self, of: Measure, statistic: Statistic, window: &Partial) -> Option<Derived> {
        if statistic == Statistic::NullShare {
            return self.null_share();
        }
        if window.n == 0 {
            return None;
        }
        let mut derived = of_values(of, window);
        derived.reference_n = Some(self.reference_n);
        derived.status = Some(ValueStatus::Thin);
        if statistic == Statistic::Cosine {
            derived.observation.value = self.cosine.map(|cosine| cosine.distance);
            derived.expected = self.cosine.map(|cosine| cosine.expected);
            derived.status = self.cosine.is_none().then_some(ValueStatus::Thin);
            return Some(derived);
        }
        if let Some(words) = self.words {
            derived.expected = Some(words.expected);
            (derived.observation.value, derived.observation.p, derived.status) = (Some(words.js), Some(words.p), None);
        }
        let Some(drift) = self.drift else { return Some(derived) };
        let (value, p) = match (statistic, drift.shape) {
            (Statistic::Psi, _) => {
                derived.expected = Some(drift.psi_expected);
                (Some(drift.psi), drift.p)
            }
            (Statistic::PsiP, _) => (Some(drift.p), drift.p),
            (Statistic::PsiQ, _) => (self.screened, drift.p),
            (Statistic::Js, _) => (Some(drift.js), drift.p),
            (Statistic::Ks, Shape::Numbers { ks, ks_p, .. }) => (Some(ks), ks_p),
            (Statistic::Wasserstein, Shape::Numbers { wasserstein, .. }) => (Some(wasserstein), drift.p),
            (Statistic::ChiSquare, Shape::Categories { chi_square, chi_square_p }) => {
                derived.expected = Some(drift.bins as f64 - 1.0);
                (Some(chi_square), chi_square_p)
            }
            _ => (None, drift.p),
        };
        derived.observation.value = value;
        derived.observation.p = Some(p);
        derived.status = value.is_none().then_some(ValueStatus::NotApplicable);
        Some(derived)
    }

    fn null_share(&self) -> Option<Derived> {
        let Nulls { n, missing, p } = self.nulls;
        let bounds = interval::wilson(missing as f64, n as f64)?;
        let mut derived = Derived { sum: missing as f64, sum_sq: missing as f64, ..Derived::default() };
        derived.reference_n = Some(self.reference_n);
        derived.status = p.is_none().then_some(ValueStatus::Thin);
        let seen = &mut derived.observation;
        (seen.n, seen.bad_n, seen.value, seen.p) = (n, missing, Some(missing as f64 / n as f64), p);
        (seen.lo, seen.hi) = (Some(bounds.0), Some(bounds.1));
        Some(derived)
    }
}

impl State {
    /// The blocks of a series that a window of applications is compared with.
    pub(super) fn reference_blocks(&self, series: Series, from: Timestamp, to: Timestamp) -> Vec<&Block> {
        let level = if to.0 - from.0 >= Timestamp::DAY_US { &self.kept.days } else { &self.kept.apps[2] };
        let stretches = self.settings.reference.stretches(from, to);
        stretches.into_iter().flat_map(|(from, to)| level.blocks(series, from, to)).collect()
    }

    /// Publishes the drift of one hour or day, by tenant and application.
    pub(super) fn publish_drift(&mut self, window: Window, start: Timestamp, revision: i64, rows: &mut Vec<MetricRow>) {
        let plan = self.plan.clone();
        let end = start.plus(window.us());
        let place = Place { revision, ..self.place(Inputs::of(Input::Gateway), window, start) };
        let level = if window == Window::Day { &self.kept.days } else { &self.kept.apps[2] };
        let bound = self.kept.groups.bound();
        for series in level.series(start, end).into_iter().filter(|series| plan.compared & bit(series.measure()) != 0) {
            let of = series.measure();
            let here = sum(level.blocks(series, start, end), bound, Some, Histograms::Added);
            let earlier = self.reference_blocks(series, start, end).into_iter();
            let reference: BTreeMap<u32, Partial> = sum(earlier, bound, Some, Histograms::Added).into_iter().collect();
            let scorer = usize::from(series.scorer()).checked_sub(1).and_then(|at| self.kept.scorers.get(at));
            let mut all: Vec<Found> = Vec::with_capacity(here.len());
            for (number, partial) in &here {
                let pinned = self.pinned(of, scorer, |group| self.kept.groups.get(*number).is_some_and(|known| **known == *group));
                all.push(Found::new(of, partial, pinned.as_ref().or_else(|| reference.get(number))));
            }
            Found::screen(all.iter_mut());
            for ((number, partial), found) in here.iter().zip(&all) {
                let Some(group) = self.kept.groups.get(*number) else { continue };
                for metric in plan.drifts.iter().filter_map(|number| plan.registry.metrics().get(*number)) {
                    let Value::Drift { of: measure, statistic } = metric.value else { continue };
                    if measure == of
                        && metric.windows.contains(&window)
                        && let Some(derived) = found.derived(of, statistic, partial)
                    {
                        rows.push(row(metric, group, scorer, derived, Some(partial), &place));
                    }
                }
            }
        }
        self.note_provisional(&place, DRIFT);
    }

    /// The pinned values that a series is compared with, if the reference is pinned.
    pub(super) fn pinned(&self, of: Measure, scorer: Option<&Arc<str>>, wanted: impl Fn(&Group) -> bool) -> Option<Partial> {
        match &self.settings.reference {
            Reference::Pinned(pinned) => pinned.of(of, scorer, wanted),
            Reference::Trailing | Reference::SameHours => None,
        }
    }
}
