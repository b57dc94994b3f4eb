use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::time::Duration;

use tracing_subscriber::layer::SubscriberExt;

use super::*;

fn descriptions() -> Vec<Description> {
    let counters = Counter::ALL.iter().map(|it| it.describe());
    let gauges = Gauge::ALL.iter().map(|it| it.describe());
    let histograms = Histogram::ALL.iter().map(|it| it.describe());
    counters.chain(gauges).chain(histograms).collect()
}

#[test]
fn names_are_unique_and_well_formed_in_both_spellings() {
    let all = descriptions();
    let otel: BTreeSet<_> = all.iter().map(|signal| signal.name).collect();
    let prometheus: BTreeSet<_> = all.iter().map(Description::prometheus_name).collect();
    assert_eq!((otel.len(), prometheus.len()), (all.len(), all.len()));
    for name in prometheus {
        assert!(name.starts_with("groundwire_") && name.chars().all(|c| c.is_ascii_lowercase() || c == '_'), "{name}");
    }
    assert_eq!(Gauge::ConsumerLag.describe().prometheus_name(), "groundwire_consumer_lag");
    assert_eq!(Gauge::WatermarkAge.describe().prometheus_name(), "groundwire_watermark_age_seconds");
}

#[test]
fn the_page_of_signals_is_current() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/telemetry.md");
    let text = reference::markdown();
    if std::env::var_os("GROUNDWIRE_UPDATE_DOCS").is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    let current = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(current == text, "docs/telemetry.md is stale: run the tests once with GROUNDWIRE_UPDATE_DOCS=1");
}

#[test]
fn values_appear_in_the_prometheus_text() {
    let telemetry = Telemetry::new();
    telemetry.add(Counter::Records, &["gateway", "accepted"], 3);
    telemetry.clone().add(Counter::Records, &["gateway", "accepted"], 4);
    telemetry.set(Gauge::ConsumerLag, &["gateway-logs", "0"], 12.0);
    telemetry.set(Gauge::ConsumerLag, &["odd\"topic\\", "1"], 1.5);
    for value in [0.004, 0.3, 1000.0] {
        telemetry.observe(Histogram::EvaluateDuration, &[], value);
    }
    let text = telemetry.render();
    for line in [
        "# TYPE groundwire_records_total counter",
        "groundwire_records_total{input=\"gateway\",outcome=\"accepted\"} 7",
        "groundwire_consumer_lag{topic=\"gateway-logs\",partition=\"0\"} 12",
        "groundwire_consumer_lag{topic=\"odd\\\"topic\\\\\",partition=\"1\"} 1.5",
        "groundwire_evaluate_duration_seconds_bucket{le=\"0.005\"} 1",
        "groundwire_evaluate_duration_seconds_bucket{le=\"0.5\"} 2",
        "groundwire_evaluate_duration_seconds_bucket{le=\"+Inf\"} 3",
        "groundwire_evaluate_duration_seconds_count 3",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    telemetry.retain(Gauge::ConsumerLag, |labels| labels.first().is_some_and(|topic| topic == "gateway-logs"));
    assert_eq!(telemetry.gauge(Gauge::ConsumerLag, &["odd\"topic\\", "1"]), None);
    assert_eq!(telemetry.gauge(Gauge::ConsumerLag, &["gateway-logs", "0"]), Some(12.0));
}

#[test]
fn label_values_are_bounded_and_nothing_is_lost() {
    let telemetry = Telemetry::new();
    for number in 0..5_000 {
        telemetry.add(Counter::LostRecords, &[&number.to_string()], 1);
    }
    let series = telemetry.render().lines().filter(|line| line.starts_with("groundwire_records_lost_total{")).count();
    assert_eq!(series, 2_001);
    assert_eq!(telemetry.counter(Counter::LostRecords, &["__other__"]), 3_000);
    assert_eq!(telemetry.counter(Counter::SeriesOverflow, &[]), 3_000);
}

/// A collector for one request: its path and body.
fn collect(listener: &TcpListener) -> (String, Vec<u8>) {
    let (stream, _) = listener.accept().unwrap();
    let mut reader = BufReader::new(stream);
    let mut path = String::new();
    reader.read_line(&mut path).unwrap();
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
    (path, body)
}

fn contains(body: &[u8], part: &[u8]) -> bool {
    body.windows(part.len()).any(|window| window == part)
}

#[test]
fn a_collector_gets_the_same_values_over_http() {
    install_tls_provider();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}/", listener.local_addr().unwrap());
    let telemetry = Telemetry::new();
    let provider = export::metrics(&endpoint, Duration::from_hours(1), export::resource("one"), &telemetry).unwrap();
    telemetry.add(Counter::Rejects, &["too_large"], 5);
    telemetry.set(Gauge::OutboxAge, &[], 7.5);
    telemetry.observe(Histogram::EpochRows, &[], 42.25);
    let collector = std::thread::Builder::new().name("collector".into()).spawn(move || collect(&listener)).unwrap();
    provider.force_flush().unwrap();
    let (path, body) = collector.join().unwrap();
    assert!(path.starts_with("POST /v1/metrics "), "{path}");
    for part in ["groundwire.rejects", "too_large", "groundwire.outbox.age", "groundwire.epoch.rows", "service.instance.id"] {
        assert!(contains(&body, part.as_bytes()), "{part}");
    }
    // Protobuf writes doubles as eight little-endian bytes.
    assert!(contains(&body, &7.5_f64.to_le_bytes()));
    assert!(contains(&body, &42.25_f64.to_le_bytes()));
}

#[test]
fn a_collector_gets_our_spans_as_traces() {
    install_tls_provider();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let provider = export::traces(&endpoint, export::resource("one")).unwrap();
    let collector = std::thread::Builder::new().name("collector".into()).spawn(move || collect(&listener)).unwrap();
    let subscriber = tracing_subscriber::registry().with(logs::trace_layer(&provider));
    tracing::subscriber::with_default(subscriber, || {
        let _ours = tracing::info_span!(target: "groundwire::runtime", "commit", rows = 3).entered();
        let _theirs = tracing::info_span!(target: "hyper", "connect").entered();
    });
    provider.force_flush().unwrap();
    let (path, body) = collector.join().unwrap();
    assert!(path.starts_with("POST /v1/traces "), "{path}");
    assert!(contains(&body, b"commit") && contains(&body, b"rows"));
    assert!(!contains(&body, b"connect"), "spans of libraries stay out");
}
