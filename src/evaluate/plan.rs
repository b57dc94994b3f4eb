//! What the registry means for the evaluator, worked out once: which metrics close together, and what must be kept for them.

use std::sync::Arc;

use crate::measure::registry::Value;
use crate::measure::{Edges, Inputs, Measure, Registry, Window, measures};

/// Measures whose sums are large: minutes of them are forgotten once their quarter has closed, and they are kept by tenant and
/// application only.
pub(super) fn is_bulky(measure: Measure) -> bool {
    measure.info().edges == Edges::Words
}

/// Feedback by its own time: for seven days a later one with the same id may replace it, so its panes are kept as long as those by
/// answer.
pub(super) const fn is_replaceable(measure: Measure) -> bool {
    matches!(measure, measures::FEEDBACK | measures::FEEDBACK_POSITIVE | measures::FEEDBACK_SCORE)
}

/// A set of measures.
pub(super) type MeasureSet = u128;

const _: () = assert!(measures::COUNT <= MeasureSet::BITS as usize, "a set of measures must have a bit for each");

/// The bit of a measure.
pub(super) const fn bit(measure: Measure) -> MeasureSet {
    1 << measure.0
}

/// Metrics that wait for the same inputs and therefore close at the same moment.
#[derive(Clone, Debug)]
pub(super) struct Class {
    pub(super) inputs: Inputs,
    /// By window: numbers of the metrics in the registry that are derived from partials alone.
    plain: [Vec<usize>; 4],
    /// By window: numbers of the ages.
    ages: [Vec<usize>; 4],
    /// By window: the measures that the plain metrics need.
    needed: [MeasureSet; 4],
}

impl Class {
    pub(super) fn plain(&self, window: Window) -> &[usize] {
        &self.plain[window as usize]
    }

    pub(super) fn ages(&self, window: Window) -> &[usize] {
        &self.ages[window as usize]
    }

    pub(super) fn needed(&self, window: Window) -> MeasureSet {
        self.needed[window as usize]
    }
}

/// The plan.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) registry: Arc<Registry>,
    pub(super) classes: Vec<Class>,
    /// Numbers of the drift metrics.
    pub(super) drifts: Vec<usize>,
    /// Measures that drift looks at.
    pub(super) compared: MeasureSet,
    /// Rates and means whose changes are published, with the numbers of their changes.
    pub(super) changed: Vec<(usize, Vec<usize>)>,
    /// Measures that changes look at.
    pub(super) change_measures: MeasureSet,
    /// Inputs that maturity waits for.
    pub(super) answered: Inputs,
    /// Measures of daily metrics, whose hours are kept for longer.
    pub(super) daily: MeasureSet,
}

impl Plan {
    pub(super) fn new(registry: Arc<Registry>) -> Self {
        let mut classes: Vec<Class> = Vec::new();
        let (mut drifts, mut compared, mut daily) = (Vec::new(), 0, 0);
        let mut answered = Inputs::default();
        let (mut changed, mut change_measures) = (Vec::<(usize, Vec<usize>)>::new(), 0);
        for (number, metric) in registry.metrics().iter().enumerate() {
            let all = metric.measures.iter().fold(0, |set, measure| set | bit(*measure));
            match &metric.value {
                Value::Service(_) => continue,
                Value::Drift { of, .. } => {
                    drifts.push(number);
                    compared |= bit(*of);
                    continue;
                }
                Value::Maturity { .. } => {
                    answered = metric.inputs;
                    daily |= all;
                    continue;
                }
                Value::Change { of, .. } => {
                    let Some(base) = registry.metrics().iter().position(|metric| metric.name == *of) else { continue };
                    match changed.iter_mut().find(|(known, _)| *known == base) {
                        Some((_, parts)) => parts.push(number),
                        None => changed.push((base, vec![number])),
                    }
                    change_measures |= all;
                    continue;
                }
                _ => {}
            }
            let at = classes.iter().position(|class| class.inputs == metric.inputs).unwrap_or_else(|| {
                classes.push(Class { inputs: metric.inputs, plain: Default::default(), ages: Default::default(), needed: [0; 4] });
                classes.len() - 1
            });
            for window in &metric.windows {
                let at_window = *window as usize;
                if matches!(metric.value, Value::Age(_) | Value::AgeSince { .. }) {
                    classes[at].ages[at_window].push(number);
                } else {
                    classes[at].plain[at_window].push(number);
                    classes[at].needed[at_window] |= all;
                }
                if *window == Window::Day {
                    daily |= all;
                }
            }
        }
        Self { registry, classes, drifts, compared, changed, change_measures, answered, daily }
    }
}
