//! Sends the signals and traces to an OpenTelemetry collector (OTLP over HTTP, protobuf), if one is configured.
//!
//! A collector that is down costs nothing but its signals: exports run on threads of their own and are dropped when they
//! fail. Headers for authentication come from `OTEL_EXPORTER_OTLP_HEADERS`, never from the configuration.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider;
use opentelemetry_otlp::{ExporterBuildError, MetricExporter, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::{PeriodicReader, SdkMeterProvider};
use opentelemetry_sdk::trace::SdkTracerProvider;

use super::registry::{Telemetry, attributes};
use super::signals::{Counter, Gauge, Histogram};

/// How long one export may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Builds the provider that reads the signals of `telemetry` at each interval.
pub(super) fn metrics(
    endpoint: &str,
    interval: Duration,
    resource: Resource,
    telemetry: &Telemetry,
) -> Result<SdkMeterProvider, ExporterBuildError> {
    let exporter =
        MetricExporter::builder().with_http().with_endpoint(signal_url(endpoint, "metrics")).with_timeout(TIMEOUT).build()?;
    let reader = PeriodicReader::builder(exporter).with_interval(interval).build();
    let provider = SdkMeterProvider::builder().with_reader(reader).with_resource(resource).build();
    register(&provider, telemetry);
    Ok(provider)
}

/// Builds the provider that takes the spans.
pub(super) fn traces(endpoint: &str, resource: Resource) -> Result<SdkTracerProvider, ExporterBuildError> {
    let exporter =
        SpanExporter::builder().with_http().with_endpoint(signal_url(endpoint, "traces")).with_timeout(TIMEOUT).build()?;
    Ok(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource).build())
}

/// What all signals of this process have in common.
pub(super) fn resource(instance: &str) -> Resource {
    Resource::builder()
        .with_service_name("groundwire")
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .with_attribute(KeyValue::new("service.instance.id", instance.to_owned()))
        .build()
}

/// Address for one kind of signal, as the OTLP specification derives it.
pub(super) fn signal_url(endpoint: &str, signal: &str) -> String {
    format!("{}/v1/{signal}", endpoint.trim_end_matches('/'))
}

/// Makes one instrument per signal. Counters and gauges are read when they are exported, so they cannot disagree with
/// `/metrics`; histograms are fed as values come.
pub(super) fn register(provider: &SdkMeterProvider, telemetry: &Telemetry) {
    let meter = provider.meter("groundwire");
    for &counter in Counter::ALL {
        let description = counter.describe();
        let telemetry = telemetry.clone();
        meter
            .u64_observable_counter(description.name)
            .with_unit(description.unit)
            .with_description(description.help.trim())
            .with_callback(move |observer| {
                for (labels, value) in telemetry.counters(counter) {
                    observer.observe(value, &attributes(description, &labels));
                }
            })
            .build();
    }
    for &gauge in Gauge::ALL {
        let description = gauge.describe();
        let telemetry = telemetry.clone();
        meter
            .f64_observable_gauge(description.name)
            .with_unit(description.unit)
            .with_description(description.help.trim())
            .with_callback(move |observer| {
                for (labels, value) in telemetry.gauges(gauge) {
                    observer.observe(value, &attributes(description, &labels));
                }
            })
            .build();
    }
    let histograms = Histogram::ALL.iter().map(|histogram| {
        let description = histogram.describe();
        meter
            .f64_histogram(description.name)
            .with_unit(description.unit)
            .with_description(description.help.trim())
            .with_boundaries(histogram.bounds().to_vec())
            .build()
    });
    if !telemetry.export_histograms(histograms.collect()) {
        tracing::debug!("histograms are exported already");
    }
}
