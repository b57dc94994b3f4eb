//! The status page: one HTML document, rendered here, without scripts and without anything loaded from elsewhere.
//!
//! Everything that is not written in this file is escaped. Ages are relative to the time of the request.

use std::fmt::{self, Display, Write};

use super::board::{AlertStatus, Board, InputStatus, MailStatus, Status};
use crate::event::Timestamp;

/// Most rows of a table; more would hide what matters.
const MAX_ROWS: usize = 100;

const STYLE: &str = include_str!("page.css");

/// Renders the page.
#[must_use]
pub(super) fn render(board: &Board) -> String {
    let mut out = String::with_capacity(16 * 1024);
    // Writing into a `String` cannot fail.
    match write_page(board, &mut out) {
        Ok(()) | Err(fmt::Error) => out,
    }
}

fn write_page(board: &Board, out: &mut String) -> fmt::Result {
    let (status, now) = board.snapshot();
    let stuck = board.stuck();
    let missing = board.missing();
    let firing = status.alerts.iter().filter(|alert| alert.state == "firing").count();
    let (health, word) = match (stuck.is_empty(), missing.is_empty()) {
        (false, _) => ("bad", "stuck"),
        (true, false) => ("warn", "not ready"),
        (true, true) => ("good", "ready"),
    };
    let title = if firing > 0 { format!("({firing}) Groundwire") } else { "Groundwire".to_owned() };
    write!(
        out,
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><meta name=\"color-scheme\" content=\"light dark\">\
         <meta http-equiv=\"refresh\" content=\"15\"><style>{STYLE}</style></head><body>\
         <header><h1>Groundwire</h1><span class=\"chip {health}\">{word}</span>\
         <span class=\"quiet\">{} · version {} · up {}</span></header><main>",
        Escaped(&status.instance),
        env!("CARGO_PKG_VERSION"),
        Age(now.0 - status.started_at.0),
    )?;
    if !stuck.is_empty() || !missing.is_empty() {
        out.write_str("<ul class=\"reasons\">")?;
        for (task, seconds) in stuck {
            write!(out, "<li><b>{}</b> has not moved for {}</li>", task.as_str(), Age(seconds * Timestamp::SECOND_US))?;
        }
        for (condition, why) in missing {
            write!(out, "<li><b>{}</b>: {}</li>", condition.as_str(), Escaped(&why))?;
        }
        out.write_str("</ul>")?;
    }
    if let Some(why) = &status.reload_refused {
        write!(
            out,
            "<ul class=\"reasons\"><li>New rules were refused, the earlier ones stay in effect: {}</li></ul>",
            Escaped(why)
        )?;
    }
    alerts(&status.alerts, status.rules, now, out)?;
    progress(&status, now, out)?;
    inputs(&status.inputs, now, out)?;
    mails(&status.mails, status.unsent, now, out)?;
    write!(
        out,
        "</main><footer>{} · <a href=\"/metrics\">metrics</a> · <a href=\"/readyz\">readiness</a></footer></body></html>",
        Moment(now)
    )
}

fn alerts(alerts: &[AlertStatus], rules: u64, now: Timestamp, out: &mut String) -> fmt::Result {
    write!(out, "<section><h2>Alerts</h2>")?;
    if alerts.is_empty() {
        return write!(out, "<p class=\"quiet\">Nothing is firing. {rules} rules are in effect.</p></section>");
    }
    out.write_str("<ul class=\"cards\">")?;
    for alert in alerts.iter().take(MAX_ROWS) {
        let class = match (alert.state.as_str(), alert.severity.as_str()) {
            ("firing", "page") => "bad",
            ("firing" | "recovering", _) => "warn",
            _ => "dim",
        };
        write!(
            out,
            "<li class=\"{class}\"><div class=\"top\"><b>{}</b><span class=\"chip {class}\">{}</span></div><div>",
            Escaped(&alert.rule),
            Escaped(&alert.state)
        )?;
        for (name, value) in &alert.labels {
            write!(out, "<span class=\"label\">{}={}</span> ", Escaped(name), Escaped(value))?;
        }
        write!(out, "</div><div class=\"numbers\"><span>now <b>{}</b></span>", Value(alert.value))?;
        if alert.baseline.is_some() {
            write!(out, "<span>before <b>{}</b></span>", Value(alert.baseline))?;
        }
        write!(
            out,
            "<span>n <b>{}</b></span></div><div class=\"quiet\">{} · since {} ({})",
            Grouped(alert.n),
            Escaped(&alert.severity),
            Moment(alert.since),
            Age(now.0 - alert.since.0)
        )?;
        if let Some(incident) = &alert.incident {
            write!(out, " · incident {}", Escaped(incident))?;
        }
        out.write_str("</div></li>")?;
    }
    out.write_str("</ul>")?;
    more(alerts.len(), out)?;
    out.write_str("</section>")
}

fn progress(status: &Status, now: Timestamp, out: &mut String) -> fmt::Result {
    out.write_str("<section><h2>Progress</h2><dl>")?;
    match &status.last_commit {
        Some(commit) => write!(
            out,
            "<div><dt>Last commit</dt><dd>{} ago<small>entry {} · {} rows · {} bytes</small></dd></div>",
            Age(now.0 - commit.at.0),
            Grouped(commit.number),
            Grouped(commit.rows),
            Grouped(commit.bytes)
        )?,
        None => out.write_str("<div><dt>Last commit</dt><dd>none yet</dd></div>")?,
    }
    match status.evaluated_to {
        Some(end) => write!(
            out,
            "<div><dt>Closed up to</dt><dd>{} ago<small>{} · {} minutes open</small></dd></div>",
            Age(now.0 - end.0),
            Moment(end),
            Grouped(status.open_windows)
        )?,
        None => out.write_str("<div><dt>Closed up to</dt><dd>nothing yet</dd></div>")?,
    }
    for (fate, count) in &status.records {
        write!(out, "<div><dt>Records {}</dt><dd>{}</dd></div>", Escaped(fate), Grouped(*count))?;
    }
    out.write_str("</dl></section>")
}

fn inputs(inputs: &[InputStatus], now: Timestamp, out: &mut String) -> fmt::Result {
    out.write_str("<section><h2>Inputs</h2>")?;
    if inputs.is_empty() {
        return out.write_str("<p class=\"quiet\">No partition is assigned to this process.</p></section>");
    }
    out.write_str(
        "<table><thead><tr><th>Partition</th><th class=\"r\">Lag</th><th class=\"r\">Watermark</th><th></th></tr></thead><tbody>",
    )?;
    for input in inputs.iter().take(MAX_ROWS) {
        let lag = input.lag.map_or_else(|| "unknown".to_owned(), |lag| Grouped(lag.unsigned_abs()).to_string());
        let watermark = input.watermark.map_or_else(|| "none yet".to_owned(), |at| format!("{} ago", Age(now.0 - at.0)));
        let paused = input.paused.as_deref().map(|why| format!("paused: {why}")).unwrap_or_default();
        write!(
            out,
            "<tr><td>{}</td><td class=\"r\" data-name=\"lag\">{lag}</td><td class=\"r\" data-name=\"watermark\">{watermark}</td><td>{}</td></tr>",
            Escaped(&input.name),
            Escaped(&paused)
        )?;
    }
    out.write_str("</tbody></table>")?;
    more(inputs.len(), out)?;
    out.write_str("</section>")
}

fn mails(mails: &[MailStatus], unsent: u64, now: Timestamp, out: &mut String) -> fmt::Result {
    out.write_str("<section><h2>Mail</h2>")?;
    if unsent > 0 {
        write!(out, "<p>{} not delivered yet.</p>", Grouped(unsent))?;
    }
    if mails.is_empty() {
        return out.write_str("<p class=\"quiet\">Nothing was sent since the start.</p></section>");
    }
    out.write_str("<ul class=\"lines\">")?;
    for mail in mails.iter().take(MAX_ROWS) {
        write!(
            out,
            "<li><b>{}</b><div class=\"quiet\">{} · {} ago · {}</div></li>",
            Escaped(&mail.subject),
            Escaped(&mail.recipient),
            Age(now.0 - mail.at.0),
            Escaped(&mail.result)
        )?;
    }
    out.write_str("</ul>")?;
    more(mails.len(), out)?;
    out.write_str("</section>")
}

fn more(rows: usize, out: &mut String) -> fmt::Result {
    if rows > MAX_ROWS { write!(out, "<p class=\"quiet\">and {} more</p>", rows - MAX_ROWS) } else { Ok(()) }
}

/// Text with the characters that HTML reads escaped.
struct Escaped<'t>(&'t str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                // Controls are invisible at best.
                c if c.is_control() => f.write_char(' ')?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// A stretch of time in the two largest units, from microseconds.
struct Age(i64);

impl Display for Age {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.max(0) / Timestamp::SECOND_US;
        let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
        match seconds {
            0..60 => write!(f, "{seconds} s"),
            60..3_600 => write!(f, "{minutes} min {} s", seconds % 60),
            3_600..86_400 => write!(f, "{hours} h {} min", minutes % 60),
            _ => write!(f, "{days} d {} h", hours % 24),
        }
    }
}

/// A whole number with narrow spaces between its thousands.
struct Grouped(u64);

impl Display for Grouped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = self.0.to_string();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                f.write_char('\u{202f}')?;
            }
            f.write_char(digit)?;
        }
        Ok(())
    }
}

/// A measured value with four significant digits, or a dash.
struct Value(Option<f64>);

impl Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => f.write_str("–"),
            Some(value) if value == 0.0 || !value.is_finite() => write!(f, "{value}"),
            Some(value) => {
                let decimals = match value.abs() {
                    1_000.0.. => 0,
                    100.0.. => 1,
                    10.0.. => 2,
                    1.0.. => 3,
                    0.1.. => 4,
                    0.001.. => 6,
                    _ => return write!(f, "{value:.3e}"),
                };
                let text = format!("{value:.decimals$}");
                f.write_str(if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text })
            }
        }
    }
}

/// A point in time to the second.
struct Moment(Timestamp);

impl Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.floor(Timestamp::SECOND_US))
    }
}
