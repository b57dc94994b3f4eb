//! Starts log lines and exports, and ends them in order.
//!
//! Log lines go to standard error, one line per event, coloured only on a terminal and without `NO_COLOR`.

use std::io::IsTerminal;
use std::time::Duration;

use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::ExporterBuildError;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::filter::{EnvFilter, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use super::{Telemetry, export};

/// Form of the log lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// What to start.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Collector that takes OTLP over HTTP; nothing is exported without one.
    pub endpoint: Option<String>,
    /// Metrics are exported this often.
    pub interval: Duration,
    /// Name of this process among several.
    pub instance: String,
    /// Form of the log lines.
    pub format: Format,
    /// Least level of our own log lines: error, warn, info, debug, trace.
    pub level: &'static str,
}

/// Why logging or exporting could not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The exporter refuses its settings.
    #[error("cannot export to the OpenTelemetry collector at {endpoint}: {reason}; correct [telemetry] otlp_endpoint")]
    Export {
        /// Address.
        endpoint: String,
        /// What the exporter says.
        reason: ExporterBuildError,
    },
    /// The process logs already.
    #[error("logging was started twice in this process")]
    Twice,
}

/// Keeps exports running; [`Guard::shutdown`] sends what is left.
#[derive(Debug, Default)]
pub struct Guard {
    meters: Option<SdkMeterProvider>,
    tracers: Option<SdkTracerProvider>,
}

impl Guard {
    /// Sends what is left of traces and of metrics, for at most `limit` each. Blocks, so call it off the async runtime. What cannot be sent is lost.
    pub fn shutdown(self, limit: Duration) {
        let traces = self.tracers.map(|tracers| tracers.shutdown_with_timeout(limit));
        let metrics = self.meters.map(|meters| meters.shutdown_with_timeout(limit));
        for error in [traces, metrics].into_iter().flatten().filter_map(Result::err) {
            tracing::warn!(%error, "the last signals did not reach the OpenTelemetry collector");
        }
    }
}

/// Starts log lines for the whole process and, with an endpoint, exports of metrics and traces.
///
/// # Errors
/// If the exporter refuses its settings, or if logging was started before.
pub fn start(settings: &Settings, telemetry: &Telemetry) -> Result<Guard, Error> {
    install_tls_provider();
    let mut guard = Guard::default();
    if let Some(endpoint) = &settings.endpoint {
        let refused = |reason| Error::Export { endpoint: endpoint.clone(), reason };
        let resource = export::resource(&settings.instance);
        guard.meters = Some(export::metrics(endpoint, settings.interval, resource.clone(), telemetry).map_err(refused)?);
        guard.tracers = Some(export::traces(endpoint, resource).map_err(refused)?);
    }
    let traces = guard.tracers.as_ref().map(trace_layer);
    let lines = match settings.format {
        Format::Text => fmt::layer().with_writer(std::io::stderr).with_ansi(colour()).with_target(false).boxed(),
        Format::Json => fmt::layer().json().flatten_event(true).with_current_span(true).with_writer(std::io::stderr).boxed(),
    };
    let filter = EnvFilter::new(format!("warn,groundwire={}", settings.level));
    tracing_subscriber::registry().with(traces).with(lines.with_filter(filter)).try_init().map_err(|_| Error::Twice)?;
    Ok(guard)
}

/// Turns spans into traces: only our own, since those of the HTTP client that exports them would export themselves for ever.
pub(super) fn trace_layer<S>(tracers: &SdkTracerProvider) -> impl Layer<S> + use<S>
where
    S: tracing::Subscriber + for<'span> LookupSpan<'span> + Send + Sync,
{
    let ours =
        |metadata: &tracing::Metadata<'_>| metadata.target().starts_with("groundwire") && *metadata.level() <= tracing::Level::INFO;
    tracing_opentelemetry::layer().with_tracer(tracers.tracer("groundwire")).with_filter(filter_fn(ours))
}

/// Chooses the cryptography that HTTPS clients of this process use.
pub fn install_tls_provider() {
    // Fails only if one is installed already, which is as good.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::trace!("a TLS provider is installed already");
    }
}

/// Colour only where a person sees it and has not declined it (<https://no-color.org>).
fn colour() -> bool {
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
