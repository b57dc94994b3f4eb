//! The values of the signals, shared by all who count, and their Prometheus text.
//!
//! Values are added per batch, not per record, so a lock per signal is cheap. The number of label values per signal is
//! bounded: what comes beyond is counted under `__other__`.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use super::signals::{Counter, Description, Gauge, Histogram};

/// Most label values of one signal.
const MAX_SERIES: usize = 2_000;
/// Stands for the label values beyond the bound.
const OTHER: &str = "__other__";

type Labels = Vec<String>;
type Series<T> = Mutex<BTreeMap<Labels, T>>;

/// Counts of one histogram.
#[derive(Clone, Debug, Default)]
pub(super) struct Distribution {
    /// By bucket; one more than there are bounds.
    counts: Vec<u64>,
    sum: f64,
}

#[derive(Debug)]
struct Inner {
    counters: Vec<Series<u64>>,
    gauges: Vec<Series<f64>>,
    histograms: Vec<Series<Distribution>>,
    /// OpenTelemetry's histograms, which cannot be read from here but must be fed.
    exported: OnceLock<Vec<opentelemetry::metrics::Histogram<f64>>>,
}

/// Handle to all signals of the process. Clones share the values.
#[derive(Clone, Debug)]
pub struct Telemetry(Arc<Inner>);

impl Default for Telemetry {
    fn default() -> Self {
        Self::new()
    }
}

impl Telemetry {
    /// All signals, without values.
    #[must_use]
    pub fn new() -> Self {
        let telemetry = Self(Arc::new(Inner {
            counters: Counter::ALL.iter().map(|_| Mutex::default()).collect(),
            gauges: Gauge::ALL.iter().map(|_| Mutex::default()).collect(),
            histograms: Histogram::ALL.iter().map(|_| Mutex::default()).collect(),
            exported: OnceLock::new(),
        }));
        telemetry.set(Gauge::Build, &[env!("CARGO_PKG_VERSION")], 1.0);
        telemetry
    }

    /// Adds to a counter. `labels` are the values of [`Description::labels`], in their order.
    pub fn add(&self, counter: Counter, labels: &[&str], n: u64) {
        let Some(series) = self.0.counters.get(counter as usize) else { return };
        let overflow = update(&mut lock(series), counter.describe(), labels, |value: &mut u64| *value += n);
        self.count_overflow(overflow);
    }

    /// Sets a gauge.
    pub fn set(&self, gauge: Gauge, labels: &[&str], value: f64) {
        let Some(series) = self.0.gauges.get(gauge as usize) else { return };
        let overflow = update(&mut lock(series), gauge.describe(), labels, |current| *current = value);
        self.count_overflow(overflow);
    }

    /// Forgets the values of a gauge whose labels do not pass, for example of partitions that are not assigned any more.
    pub fn retain(&self, gauge: Gauge, keep: impl Fn(&[String]) -> bool) {
        if let Some(series) = self.0.gauges.get(gauge as usize) {
            lock(series).retain(|labels, _| keep(labels));
        }
    }

    /// Adds a value to a histogram.
    pub fn observe(&self, histogram: Histogram, labels: &[&str], value: f64) {
        let Some(series) = self.0.histograms.get(histogram as usize) else { return };
        let bounds = histogram.bounds();
        let overflow = update(&mut lock(series), histogram.describe(), labels, |distribution: &mut Distribution| {
            distribution.counts.resize(bounds.len() + 1, 0);
            let bucket = bounds.iter().position(|bound| value <= *bound).unwrap_or(bounds.len());
            if let Some(count) = distribution.counts.get_mut(bucket) {
                *count += 1;
            }
            distribution.sum += value;
        });
        self.count_overflow(overflow);
        if let Some(exported) = self.0.exported.get().and_then(|exported| exported.get(histogram as usize)) {
            exported.record(value, &attributes(histogram.describe(), labels));
        }
    }

    /// Value of a counter, 0 if nothing was added.
    #[must_use]
    pub fn counter(&self, counter: Counter, labels: &[&str]) -> u64 {
        self.0.counters.get(counter as usize).and_then(|series| get(&lock(series), labels)).unwrap_or_default()
    }

    /// Value of a gauge, if it was set.
    #[must_use]
    pub fn gauge(&self, gauge: Gauge, labels: &[&str]) -> Option<f64> {
        self.0.gauges.get(gauge as usize).and_then(|series| get(&lock(series), labels))
    }

    pub(super) fn counters(&self, counter: Counter) -> Vec<(Labels, u64)> {
        self.0.counters.get(counter as usize).map(|series| copy(&lock(series))).unwrap_or_default()
    }

    pub(super) fn gauges(&self, gauge: Gauge) -> Vec<(Labels, f64)> {
        self.0.gauges.get(gauge as usize).map(|series| copy(&lock(series))).unwrap_or_default()
    }

    pub(super) fn histograms(&self, histogram: Histogram) -> Vec<(Labels, Distribution)> {
        self.0.histograms.get(histogram as usize).map(|series| copy(&lock(series))).unwrap_or_default()
    }

    /// Feeds OpenTelemetry's histograms from now on. `false` if some are fed already.
    pub(super) fn export_histograms(&self, histograms: Vec<opentelemetry::metrics::Histogram<f64>>) -> bool {
        self.0.exported.set(histograms).is_ok()
    }

    fn count_overflow(&self, overflow: Overflow) {
        if let (Overflow::Yes, Some(series)) = (overflow, self.0.counters.get(Counter::SeriesOverflow as usize)) {
            *lock(series).entry(Labels::new()).or_default() += 1;
        }
    }

    /// All values as Prometheus text (exposition format 0.0.4).
    #[must_use]
    pub fn render(&self) -> String {
        let mut out = String::with_capacity(16 * 1024);
        // Writing into a `String` cannot fail.
        match self.write_prometheus(&mut out) {
            Ok(()) | Err(fmt::Error) => out,
        }
    }

    fn write_prometheus(&self, out: &mut String) -> fmt::Result {
        for counter in Counter::ALL {
            let description = counter.describe();
            let name = format!("{}_total", description.prometheus_name());
            header(out, &name, &description, "counter")?;
            for (labels, value) in self.counters(*counter) {
                writeln!(out, "{name}{} {value}", label_text(&description, &labels, None))?;
            }
        }
        for gauge in Gauge::ALL {
            let description = gauge.describe();
            let name = description.prometheus_name();
            header(out, &name, &description, "gauge")?;
            for (labels, value) in self.gauges(*gauge) {
                writeln!(out, "{name}{} {value}", label_text(&description, &labels, None))?;
            }
        }
        for histogram in Histogram::ALL {
            let description = histogram.describe();
            let name = description.prometheus_name();
            header(out, &name, &description, "histogram")?;
            for (labels, distribution) in self.histograms(*histogram) {
                let bounds = histogram.bounds().iter().map(ToString::to_string).chain(["+Inf".to_owned()]);
                let mut total = 0;
                for (bound, count) in bounds.zip(&distribution.counts) {
                    total += count;
                    writeln!(out, "{name}_bucket{} {total}", label_text(&description, &labels, Some(&bound)))?;
                }
                writeln!(out, "{name}_sum{} {}", label_text(&description, &labels, None), distribution.sum)?;
                writeln!(out, "{name}_count{} {total}", label_text(&description, &labels, None))?;
            }
        }
        Ok(())
    }
}

/// OpenTelemetry's form of label values.
pub(super) fn attributes<L: AsRef<str>>(description: Description, labels: &[L]) -> Vec<opentelemetry::KeyValue> {
    description
        .labels
        .iter()
        .zip(labels)
        .map(|(name, value)| opentelemetry::KeyValue::new(*name, value.as_ref().to_owned()))
        .collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Overflow {
    No,
    Yes,
}

fn update<T: Default>(
    series: &mut BTreeMap<Labels, T>,
    description: Description,
    labels: &[&str],
    change: impl FnOnce(&mut T),
) -> Overflow {
    debug_assert_eq!(labels.len(), description.labels.len(), "{} takes other labels", description.name);
    let labels: Labels = labels.iter().map(|&label| label.to_owned()).collect();
    if let Some(value) = series.get_mut(&labels) {
        change(value);
        return Overflow::No;
    }
    let full = series.len() >= MAX_SERIES;
    let labels = if full { labels.iter().map(|_| OTHER.to_owned()).collect() } else { labels };
    change(series.entry(labels).or_default());
    if full { Overflow::Yes } else { Overflow::No }
}

fn get<T: Clone>(series: &BTreeMap<Labels, T>, labels: &[&str]) -> Option<T> {
    let labels: Labels = labels.iter().map(|&label| label.to_owned()).collect();
    series.get(&labels).cloned()
}

fn copy<T: Clone>(series: &BTreeMap<Labels, T>) -> Vec<(Labels, T)> {
    series.iter().map(|(labels, value)| (labels.clone(), value.clone())).collect()
}

/// A panic elsewhere leaves numbers, not invariants, behind: they are still right.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn header(out: &mut String, name: &str, description: &Description, kind: &str) -> fmt::Result {
    writeln!(out, "# HELP {name} {}\n# TYPE {name} {kind}", description.help.trim().replace('\\', "\\\\").replace('\n', " "))
}

fn label_text(description: &Description, values: &[String], bound: Option<&str>) -> String {
    let escaped = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let mut pairs: Vec<_> =
        description.labels.iter().zip(values).map(|(name, value)| format!("{name}=\"{}\"", escaped(value))).collect();
    pairs.extend(bound.map(|bound| format!("le=\"{bound}\"")));
    if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) }
}
