//! `docs/telemetry.md`, made from the list of signals.

use super::signals::{Counter, Description, Gauge, Histogram};

/// The page, in Markdown.
#[must_use]
pub fn markdown() -> String {
    let mut out = String::from(
        "# Signals of the service itself\n\n\
         <!-- Made from the list of signals in src/telemetry/signals.rs; a test keeps it current. -->\n\n\
         Served as Prometheus text at `/metrics`, and exported over OTLP (HTTP, protobuf) if `[telemetry] otlp_endpoint` is set.\n\
         Both spellings come from one list. Labels take values from the configuration or from fixed words, never from events.\n\
         What they mean for operation: [operations.md](operations.md).\n",
    );
    section(&mut out, "Counters", "They only grow; look at their rate.", Counter::ALL.iter().map(|it| (it.describe(), "_total")));
    section(&mut out, "Gauges", "The value now.", Gauge::ALL.iter().map(|it| (it.describe(), "")));
    section(
        &mut out,
        "Histograms",
        "Prometheus adds `_bucket`, `_sum` and `_count`.",
        Histogram::ALL.iter().map(|it| (it.describe(), "")),
    );
    out
}

fn section(out: &mut String, title: &str, text: &str, rows: impl Iterator<Item = (Description, &'static str)>) {
    for part in
        ["\n## ", title, "\n\n", text, "\n\n| OpenTelemetry | Prometheus | unit | labels | meaning |\n|---|---|---|---|---|\n"]
    {
        out.push_str(part);
    }
    for (signal, suffix) in rows {
        let labels = if signal.labels.is_empty() { "–".to_owned() } else { format!("`{}`", signal.labels.join("`, `")) };
        let row = format!(
            "| `{}` | `{}{suffix}` | {} | {labels} | {} |\n",
            signal.name,
            signal.prometheus_name(),
            signal.unit,
            signal.help.trim()
        );
        out.push_str(&row);
    }
}
