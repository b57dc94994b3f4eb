//! The plain text, section by section. HTML is made from the same sections.

use super::super::duration;
use super::super::evidence::{PIPELINE_FAILURES, STRONGLY};
use super::super::expr::{Comparison, Name, parse};
use super::super::machine::Reason;
use super::super::notification::{Ending, Kind, Notification};
use super::super::vocabulary::{Unit, grouped};
use super::{Section, Settings, state_word, whom};
use crate::evaluate::interval;
use crate::event::Timestamp;

/// Columns of a line.
const WIDTH: usize = 62;
/// Columns of the margin.
const MARGIN: usize = 9;

/// Text without anything but printable ASCII: Latin letters lose their marks, the rest becomes `?`, breaks become spaces.
pub(in crate::alert) fn ascii(text: &str) -> String {
    use unicode_normalization::UnicodeNormalization;
    let mut out = String::with_capacity(text.len());
    for c in text.nfkd() {
        match c {
            ' '..='~' => out.push(c),
            'ß' => out.push_str("ss"),
            'ø' => out.push('o'),
            'Ø' => out.push('O'),
            'ł' => out.push('l'),
            'Ł' => out.push('L'),
            'æ' => out.push_str("ae"),
            'Æ' => out.push_str("AE"),
            '–' | '—' | '−' => out.push('-'),
            '‘' | '’' => out.push('\''),
            '“' | '”' => out.push('"'),
            '…' => out.push_str("..."),
            c if c.is_whitespace() => out.push(' '),
            // Marks that decomposition split off, for example the dots of an umlaut.
            '\u{300}'..='\u{36f}' => {}
            c if c.is_control() => {}
            _ => out.push('?'),
        }
    }
    out
}

/// The first line: state, what, how bad, whom. Must stand alone on a lock screen.
pub(super) fn lead(notification: &Notification) -> String {
    let quoted = &notification.quoted;
    let what = if quoted.summary.is_empty() { built_in_summary(notification) } else { quoted.summary.clone() };
    let whom = notification.labels.iter().filter(|(_, value)| !value.is_empty() && !what.contains(value.as_str()));
    let whom: Vec<&str> = whom.map(|(_, value)| value.as_str()).collect();
    let whom = if whom.is_empty() { String::new() } else { format!(" {}", whom.join(" / ")) };
    ascii(&format!("{} {what}{whom}", state_word(notification)))
}

/// Where the rule's own summary fails: metric, value, normal.
fn built_in_summary(notification: &Notification) -> String {
    let quoted = &notification.quoted;
    let value = notification.numbers.window.value.map_or_else(|| "no value".to_owned(), |value| quoted.unit.show(value));
    let normal = notification.numbers.baseline.as_ref().and_then(|base| base.value);
    let normal = normal.map(|base| format!(" (normal {})", quoted.unit.show(base))).unwrap_or_default();
    let metric = if quoted.metric.is_empty() { &notification.rule } else { &quoted.metric };
    format!("{metric} {value}{normal}")
}

/// Everything below the first line.
pub(super) fn sections(notification: &Notification, settings: &Settings) -> Vec<Section> {
    let section = |name, lines: Vec<String>| Section { name, lines: lines.iter().map(|line| ascii(line)).collect() };
    let mut all = vec![section("SINCE", since(notification))];
    if let Some(ending) = &notification.ending {
        all.push(section("ENDED", ended(notification, ending)));
    }
    all.push(section("HOW BAD", how_bad(notification)));
    all.push(section("BLAST", blast(notification)));
    if notification.kind.is_on() {
        all.push(section("LIKELY", likely(notification)));
    }
    all.push(section("TREND", trend(notification)));
    all.push(section("DO NEXT", do_next(notification, settings)));
    all.push(section("WHY YOU", why_you(notification)));
    all.push(section("REASON", reason(notification)));
    all.retain(|section| !section.lines.is_empty());
    all
}

/// All of it as text.
pub(super) fn plain(lead: &str, sections: &[Section]) -> String {
    let mut out = String::new();
    for line in wrap(lead, WIDTH, 0) {
        out.push_str(&line);
        out.push('\n');
    }
    for section in sections {
        out.push('\n');
        let mut margin = format!("{:<MARGIN$}", section.name);
        for line in &section.lines {
            for (at, part) in wrap(line, WIDTH - MARGIN, 2).into_iter().enumerate() {
                let indent = if at == 0 { "" } else { "  " };
                out.push_str(format!("{margin}{indent}{part}").trim_end());
                out.push('\n');
                margin = " ".repeat(MARGIN);
            }
        }
    }
    out
}

/// Breaks a line at spaces; further lines are `indent` shorter. A word that is too long (a URL) stays whole.
fn wrap(line: &str, width: usize, indent: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut current = String::new();
    // What is indented is to be pasted as it stands.
    if line.chars().count() <= width || line.starts_with("  ") {
        return vec![line.to_owned()];
    }
    for word in line.split(' ') {
        let room = if lines.is_empty() { width } else { width - indent };
        if !current.trim().is_empty() && current.chars().count() + 1 + word.chars().count() > room {
            lines.push(std::mem::take(&mut current));
        } else if !current.is_empty() {
            current.push(' ');
        }
        current.push_str(word);
        if current.is_empty() {
            current.push(' ');
        }
    }
    lines.push(current);
    lines.iter().map(|line| line.trim_end().to_owned()).collect()
}

/// `03:02 UTC`, with the date if that is another day than `beside`.
fn clock(at: Timestamp, beside: Timestamp) -> String {
    let minutes = at.0.div_euclid(Timestamp::MINUTE_US);
    let time = format!("{:02}:{:02} UTC", minutes.div_euclid(60).rem_euclid(24), minutes.rem_euclid(60));
    if at.days() == beside.days() { time } else { format!("{} {time}", at.date()) }
}

fn since(notification: &Notification) -> Vec<String> {
    let Notification { onset, at, .. } = *notification;
    if notification.kind == Kind::Test {
        return vec![format!("{} {}", at.date(), clock(at, at))];
    }
    let began = format!("{} {}", onset.date(), clock(onset, onset));
    vec![match &notification.ending {
        Some(ending) => format!("{began}; fired {}", clock(ending.fired_at, onset)),
        None => {
            format!("{began}; detected {} ({} later)", clock(at, onset).trim_end_matches(" UTC"), duration::words(at.0 - onset.0))
        }
    }]
}

fn ended(notification: &Notification, ending: &Ending) -> Vec<String> {
    let how = match ending.reason {
        Reason::Recovered => {
            let kept = notification.quoted.keep_firing_us;
            if kept == 0 { "recovered".to_owned() } else { format!("recovered: right for {}", duration::words(kept)) }
        }
        Reason::NoData => "no traffic: not proven fixed".to_owned(),
        Reason::InsufficientTraffic => "too little traffic to judge: not proven fixed".to_owned(),
        Reason::SeriesGone => "no traffic for a day: not proven fixed".to_owned(),
        Reason::RuleRemoved => "the rule was removed or switched off: not proven fixed".to_owned(),
        Reason::Revised => "data that came late changed the numbers: it should not have fired".to_owned(),
        other => other.as_str().to_owned(),
    };
    let mut lines = vec![format!(
        "{}, after {}",
        clock(notification.at, notification.onset),
        duration::words(notification.at.0 - notification.onset.0)
    )];
    lines.push(how);
    if let Some(worst) = ending.worst {
        lines.push(format!("worst {} at {}", notification.quoted.unit.show(worst), clock(ending.worst_at, notification.onset)));
    }
    if ending.first_news {
        lines.push("The mail that it fired was delayed: this is the first.".to_owned());
    }
    lines
}

fn how_bad(notification: &Notification) -> Vec<String> {
    let quoted = &notification.quoted;
    let numbers = &notification.numbers;
    let window = &numbers.window;
    let over = duration::words(quoted.over_us);
    let count = |n: u64| grouped(&n.to_string());
    let mut lines = Vec::new();
    if notification.kind == Kind::Test {
        return lines;
    }
    match window.value {
        Some(value) if window.bad_n > 0 => {
            lines.push(format!("{} over {over}, {} of n={}", quoted.unit.show(value), count(window.bad_n), count(window.n)));
        }
        Some(value) => lines.push(format!("{} over {over}, n={}", quoted.unit.show(value), count(window.n))),
        None => lines.push(format!("no value over {over}")),
    }
    if let (Some(lo), Some(hi)) = (window.lo, window.hi) {
        lines.push(format!("95% interval {} to {}", quoted.unit.show(lo), quoted.unit.show(hi)));
        lines.extend(varied(notification));
    }
    if let Some(limits) = numbers.limits {
        lines.push(format!(
            "own spread {} to {}: of {} windows before, at most {} lie beyond either end",
            quoted.unit.show(limits.lower),
            quoted.unit.show(limits.upper),
            count(limits.windows.into()),
            Unit::Share.show(limits.level),
        ));
    }
    if let Some(base) = &numbers.baseline
        && let Some(value) = base.value
    {
        let what = quoted.baseline.as_deref().unwrap_or("baseline");
        lines.push(format!("normal {} (n={}, {what})", quoted.unit.show(value), count(base.n)));
    }
    let mut change = Vec::new();
    if let Some(delta) = numbers.delta {
        change.push(quoted.unit.show_change(delta));
    }
    if let Some(relative) = numbers.delta_pct.filter(|relative| relative.is_finite()) {
        change.push(format!("{:+.0}%", relative * 100.0));
    }
    if let Some(z) = numbers.z {
        change.push(format!("z={z:.1}"));
    }
    if !change.is_empty() {
        lines.push(change.join(", "));
    }
    lines.push(format!("limit: {}", limit(notification)));
    lines
}

/// What makes the interval so wide, where the window is not of one piece: the interval is one of its mean, and says little about now.
fn varied(notification: &Notification) -> Option<String> {
    let (unit, window) = (notification.quoted.unit, &notification.numbers.window);
    let factor = window.dispersion.filter(|factor| *factor >= STRONGLY)?;
    let value = window.value?;
    let plain = match window.stddev {
        Some(stddev) => interval::student(value, stddev, window.n),
        None => interval::wilson(value * window.n as f64, window.n as f64),
    };
    let thirds = notification
        .evidence
        .thirds
        .map(|(first, last)| format!(": {} in its first third, {} in its last", unit.show(first), unit.show(last)));
    let plain = plain.map(|(lo, hi)| format!("; were it of one piece, {} to {}", unit.show(lo.max(0.0)), unit.show(hi.min(1.0))));
    let (thirds, plain) = (thirds.unwrap_or_default(), plain.unwrap_or_default());
    Some(format!("wide as it varied within the window (dispersion {factor:.0}){thirds}{plain}"))
}

/// The condition in the metric's unit if it is one comparison, else as written.
fn limit(notification: &Notification) -> String {
    let quoted = &notification.quoted;
    let Ok(condition) = parse(&quoted.expr) else { return quoted.expr.clone() };
    match condition.limit() {
        Some((Name::Value, comparison, limit)) if condition.names() == [Name::Value] && !quoted.expr.contains(" or ") => {
            let sign = match comparison {
                Comparison::Less => "<",
                Comparison::LessOrEqual => "<=",
                Comparison::Greater => ">",
                Comparison::GreaterOrEqual => ">=",
                Comparison::Equal => "==",
                Comparison::NotEqual => "!=",
            };
            format!("{sign} {}", quoted.unit.show(limit))
        }
        _ => quoted.expr.split_whitespace().collect::<Vec<_>>().join(" "),
    }
}

fn blast(notification: &Notification) -> Vec<String> {
    let unit = notification.quoted.unit;
    let mut lines: Vec<String> = notification
        .labels
        .iter()
        .map(|(name, value)| format!("{:<15}{}", name, if value.is_empty() { "(none)" } else { value }))
        .collect();
    let mut at = 0;
    let parts = &notification.evidence.parts;
    while let Some(first) = parts.get(at) {
        let same: Vec<String> = parts
            .iter()
            .skip(at)
            .take_while(|part| part.dimension == first.dimension)
            .map(|part| {
                let metric = part.metric.map(|metric| format!(" {}", unit.show(metric))).unwrap_or_default();
                format!("{}{metric} (n={})", part.value, grouped(&part.n.to_string()))
            })
            .collect();
        at += same.len();
        lines.push(format!("{:<15}{}", first.dimension, same.join(" | ")));
    }
    lines
}

fn likely(notification: &Notification) -> Vec<String> {
    let hints = &notification.evidence.hints;
    hints
        .iter()
        .enumerate()
        .map(|(at, hint)| {
            let distance = hint.at.0 - notification.onset.0;
            let when = if distance.abs() < Timestamp::MINUTE_US {
                "at the onset".to_owned()
            } else if distance < 0 {
                format!("{} before onset", duration::words(-distance))
            } else {
                format!("{} after onset", duration::words(distance))
            };
            format!("{}. {} {} ({when})", at + 1, clock(hint.at, notification.onset), hint.text)
        })
        .collect()
}

fn trend(notification: &Notification) -> Vec<String> {
    let evidence = &notification.evidence;
    let known: Vec<f64> = evidence.trend.iter().flatten().copied().collect();
    if known.len() < 2 {
        return Vec::new();
    }
    let unit = notification.quoted.unit;
    let shown: Vec<String> = evidence
        .trend
        .iter()
        .map(|value| match value {
            Some(value) if unit == Unit::Share => format!("{:.0}", value * 100.0),
            Some(value) => unit.show(*value).split(' ').next().unwrap_or_default().to_owned(),
            None => "-".to_owned(),
        })
        .collect();
    let length = i64::try_from(evidence.trend.len()).unwrap_or(0).saturating_mul(evidence.trend_step_us);
    vec![
        format!("{} in steps of {}, newest last:", duration::words(length), duration::words(evidence.trend_step_us)),
        shown.join(" "),
    ]
}

fn do_next(notification: &Notification, settings: &Settings) -> Vec<String> {
    let quoted = &notification.quoted;
    let mut lines = Vec::new();
    if !quoted.description.is_empty() {
        lines.extend(quoted.description.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()));
    }
    if !quoted.runbook_url.is_empty() {
        lines.push(format!("Runbook   {}", runbook(&quoted.runbook_url, &settings.runbooks)));
    }
    if !quoted.dashboard_url.is_empty() {
        lines.push(format!("Dashboard {}", quoted.dashboard_url));
    }
    if notification.kind != Kind::Test && !quoted.metric.is_empty() && !quoted.metric.starts_with("service.") {
        lines.push("Query     duckdb -c \"".to_owned());
        lines.extend(query(notification, settings).into_iter().map(|line| format!("  {line}")));
    }
    lines
}

/// An address as it is; anything else continues where the installation keeps its runbooks.
fn runbook(url: &str, base: &str) -> String {
    if base.is_empty() || url.contains("://") { url.to_owned() } else { format!("{}/{url}", base.trim_end_matches('/')) }
}

/// A query that shows the rows behind the alert. Values are quoted, so that a label cannot end the query.
fn query(notification: &Notification, settings: &Settings) -> Vec<String> {
    let lake = if settings.lake.is_empty() { String::new() } else { format!("{}/", settings.lake.trim_end_matches('/')) };
    let text = |text: &str| text.replace('\'', "''").replace(['"', '\\', '$', '`'], "?");
    let from = notification.onset.plus(-3 * Timestamp::HOUR_US).floor(Timestamp::HOUR_US);
    let to = notification.at;
    if notification.quoted.metric == PIPELINE_FAILURES {
        let mut lines = vec![
            "select event_time, job, run_id, error_type, error".to_owned(),
            format!("from '{}pipeline_events/**/*.parquet'", text(&lake)),
            "where state in ('FAIL', 'ABORT')".to_owned(),
            format!("and event_time >= '{from}'"),
        ];
        lines.extend(
            notification
                .labels
                .iter()
                .filter(|(_, value)| !value.is_empty())
                .map(|(name, value)| format!("and {name} = '{}'", text(value))),
        );
        lines.push("order by event_time\"".to_owned());
        return lines;
    }
    let mut lines = vec![
        // Windows of several lengths and groups lie side by side: each row says which it is.
        "select window_s, window_start, response_model,".to_owned(),
        "prompt_version, value, n, revision".to_owned(),
        format!("from '{}metrics/**/*.parquet'", text(&lake)),
        format!("where metric = '{}'", text(&notification.quoted.metric)),
    ];
    lines.extend(
        notification
            .labels
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| format!("and {name} = '{}'", text(value))),
    );
    lines.push(format!("and window_start between '{from}'"));
    lines.push(format!("and '{to}' order by all\""));
    lines
}

fn why_you(notification: &Notification) -> Vec<String> {
    let others = notification.recipients.len().saturating_sub(1);
    let with = match others {
        0 => String::new(),
        1 => ", with 1 other".to_owned(),
        many => format!(", with {many} others"),
    };
    vec![format!("You get mail of severity {}{with}.", notification.severity.as_str())]
}

fn reason(notification: &Notification) -> Vec<String> {
    let quoted = &notification.quoted;
    let mut lines = Vec::new();
    let keep = duration::words(quoted.keep_firing_us);
    match notification.kind {
        Kind::Firing => lines.push("first mail of this incident.".to_owned()),
        Kind::Reopened => lines.push("it fires again within an hour: the same incident goes on.".to_owned()),
        Kind::Update if notification.flaps > 0 => lines.push(format!("still not recovered after {} relapses.", notification.flaps)),
        Kind::Update => lines.push("it is at least 25% worse than the last mail said.".to_owned()),
        Kind::Resolved | Kind::Corrected => lines.push("the incident is over.".to_owned()),
        Kind::Test => lines.push("a test by hand. Nothing is wrong.".to_owned()),
    }
    if notification.kind.is_on() {
        let right = quoted.recover.as_ref().map_or_else(|| "it is right again".to_owned(), |recover| format!("{recover} holds"));
        let kept = if quoted.keep_firing_us == 0 { String::new() } else { format!(" for {keep}") };
        lines.push(format!("Next: a mail if it gets 25% worse; resolved when {right}{kept}."));
    }
    for (name, value) in &quoted.labels {
        lines.push(format!("{name}: {value}"));
    }
    if !quoted.place.is_empty() {
        lines.push(format!("Rule {} ({})", notification.rule, quoted.place));
    }
    lines.push(format!("GW-{} seq {} {}", notification.incident, notification.sequence, whom(notification)).trim_end().to_owned());
    for problem in &quoted.problems {
        lines.push(format!("The rule's {problem}"));
    }
    lines
}
