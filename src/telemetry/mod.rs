//! The service's own signals: counters, gauges and histograms from one closed list, log lines, traces.
//!
//! Guarantees one name per signal in Prometheus, OpenTelemetry and the documentation, and bounded label values. Knows
//! nothing of what is measured for users: that is `measure`. Imported by modules that do I/O and by `runtime` only.

mod export;
mod logs;
pub mod reference;
mod registry;
mod signals;

pub use logs::{Error, Format, Guard, Settings, install_tls_provider, start};
pub use registry::Telemetry;
pub use signals::{Counter, Description, Gauge, Histogram};

#[cfg(test)]
mod tests;
