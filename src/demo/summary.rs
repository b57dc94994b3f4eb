//! What the demo says at its end: what was injected, what was found and how soon, where things are, what to ask.
//!
//! Composes text and does nothing else; the command gathers the facts and prints.

use std::fmt::Write;
use std::time::Duration;

use super::verdict::{Alarm, Finding, Verdict};
use crate::event::Timestamp;

/// How the text is emphasised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Emphasis {
    /// With the colours of a terminal.
    Terminal,
    /// Not at all, for files and pipes.
    None,
}

/// What the demo knows at its end.
#[derive(Clone, Debug)]
pub struct Facts {
    /// What was found.
    pub verdict: Verdict,
    /// Length of the scenario in minutes of event time.
    pub minutes: u32,
    /// How long it took to play it.
    pub played: Duration,
    /// Events taken, by input: requests, feedback, pipeline events.
    pub accepted: [u64; 3],
    /// Repeats that were dropped.
    pub duplicates: u64,
    /// Records that were refused.
    pub rejected: u64,
    /// Directory of the lake.
    pub lake: String,
    /// Directory of the mails.
    pub mail: String,
    /// Names of the mails, in order.
    pub mails: Vec<String>,
    /// The configuration file.
    pub config: String,
}

/// The whole text, ending in a line break.
#[must_use]
pub fn render(facts: &Facts, emphasis: Emphasis) -> String {
    let pen = Pen(emphasis);
    let mut text = String::new();
    // Writing to a string cannot fail.
    if write(&mut text, facts, pen).is_err() {
        text.clear();
    }
    text
}

fn write(text: &mut String, facts: &Facts, pen: Pen) -> std::fmt::Result {
    let [requests, feedback, pipeline] = facts.accepted.map(thousands);
    writeln!(
        text,
        "\n{}",
        pen.bold(&format!(
            "{} of Larkfield's traffic, played in {:.0} s",
            duration(i64::from(facts.minutes) * 60_000_000),
            facts.played.as_secs_f64()
        ))
    )?;
    writeln!(text, "  {requests} requests, {feedback} pieces of feedback, {pipeline} pipeline events")?;
    writeln!(
        text,
        "  {} repeats dropped, {} broken lines kept as rejects",
        thousands(facts.duplicates),
        thousands(facts.rejected)
    )?;

    writeln!(text, "\n{}", pen.bold("What went wrong, and what Groundwire said (event time, UTC)"))?;
    for finding in &facts.verdict.findings {
        incident(text, finding, pen)?;
    }
    if !facts.verdict.unexplained.is_empty() {
        writeln!(text, "\n  {}", pen.bold("Alerts without an incident"))?;
        for alarm in &facts.verdict.unexplained {
            let app = alarm.app.as_deref().unwrap_or("all applications");
            writeln!(text, "    {} {}  {} ({app})", pen.bad("✘"), clock(alarm.fired_us), alarm.rule)?;
        }
    }
    let (found, all) = (facts.verdict.found(), facts.verdict.findings.len());
    let unexplained = facts.verdict.unexplained.len();
    let judgement = format!(
        "{found} of {all} incidents found{}, {}",
        median_delay(&facts.verdict.findings).map_or(String::new(), |delay| format!(", half of them within {}", duration(delay))),
        match unexplained {
            0 => "no alert without an incident".to_owned(),
            1 => "1 alert without an incident".to_owned(),
            many => format!("{many} alerts without an incident"),
        }
    );
    writeln!(text, "\n  {}", if facts.verdict.is_clean() { pen.good(&judgement) } else { pen.bad(&judgement) })?;

    writeln!(text, "\n{}", pen.bold("Where things are"))?;
    writeln!(text, "  mail      {}  ({} messages)", facts.mail, facts.mails.len())?;
    if let Some(first) = facts.mails.first() {
        writeln!(text, "            begin with: less {}/{first}", facts.mail)?;
    }
    writeln!(text, "  Parquet   {}", facts.lake)?;
    writeln!(text, "  settings  {}", facts.config)?;

    writeln!(text, "\n{}", pen.bold("Ask the lake: paste these into duckdb"))?;
    for (question, query) in QUERIES {
        writeln!(text, "  -- {question}\n  {}\n", query.replace("{lake}", &facts.lake))?;
    }
    Ok(())
}

/// Questions and the queries that answer them.
pub const QUERIES: [(&str, &str); 3] = [
    (
        "which prompt version broke the support bot?",
        "SELECT prompt_version, count(*) AS answers, round(avg(groundedness), 3) AS groundedness\n  \
         FROM read_parquet('{lake}/interactions/v1/*/*.parquet')\n  \
         WHERE app = 'support-bot' AND state = 'scored' GROUP BY ALL ORDER BY 1;",
    ),
    (
        "what did its worst answers say?",
        "SELECT prompt, response, round(groundedness, 3) AS groundedness FROM read_parquet('{lake}/interactions/v1/*/*.parquet')\n  \
         WHERE app = 'support-bot' AND prompt_version = 'v8' AND state = 'scored' ORDER BY groundedness LIMIT 3;",
    ),
    (
        "what fired, when, and how bad was it?",
        "SELECT event_time, rule, to_state, round(value, 3) AS value, round(baseline, 3) AS baseline, n\n  \
         FROM read_parquet('{lake}/alert_events/v1/*/*.parquet') WHERE incident IS NOT NULL ORDER BY 1;",
    ),
];

fn incident(text: &mut String, finding: &Finding, pen: Pen) -> std::fmt::Result {
    let incident = &finding.incident;
    let span = format!("{}–{}", clock(incident.start_us), clock(incident.end_us));
    writeln!(text, "\n  {span}  {}", pen.bold(&format!("{} ({})", incident.title, incident.app)))?;
    writeln!(text, "               {}", incident.story)?;
    for alarm in &finding.alarms {
        let mark = if incident.expected_alerts.contains(&alarm.rule.as_str()) { pen.good("✔") } else { "·".to_owned() };
        let after = duration(alarm.fired_us - incident.start_us);
        writeln!(
            text,
            "             {mark} {}  {:<17} {after} after it began{}",
            clock(alarm.fired_us),
            alarm.rule,
            resolved(alarm)
        )?;
    }
    if finding.delay_us().is_none() {
        let expected = incident.expected_alerts.join(" or ");
        writeln!(text, "             {} not found: {expected} did not fire", pen.bad("✘"))?;
    }
    Ok(())
}

fn resolved(alarm: &Alarm) -> String {
    alarm.resolved_us.map_or_else(|| ", still firing".to_owned(), |at| format!(", resolved {}", clock(at)))
}

fn median_delay(findings: &[Finding]) -> Option<i64> {
    let mut delays: Vec<i64> = findings.iter().filter_map(Finding::delay_us).collect();
    delays.sort_unstable();
    delays.get(delays.len().checked_sub(1)? / 2).copied()
}

/// Hours and minutes of a time.
fn clock(at_us: i64) -> String {
    let text = Timestamp(at_us).to_string();
    text.get(11..16).unwrap_or_default().to_owned()
}

/// A length of time as people say it.
fn duration(length_us: i64) -> String {
    let minutes = length_us.div_euclid(60_000_000);
    match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes} min"),
        (hours, 0) => format!("{hours} h"),
        (hours, minutes) => format!("{hours} h {minutes} min"),
    }
}

/// A number with its thousands set apart.
fn thousands(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[derive(Clone, Copy)]
struct Pen(Emphasis);

impl Pen {
    fn paint(self, code: &str, text: &str) -> String {
        match self.0 {
            Emphasis::Terminal => format!("\u{1b}[{code}m{text}\u{1b}[0m"),
            Emphasis::None => text.to_owned(),
        }
    }

    fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    fn bad(self, text: &str) -> String {
        self.paint("31", text)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Emphasis, Facts, render};
    use crate::demo::{Alarm, Scenario, Verdict};

    fn facts(alarms: Vec<Alarm>) -> Facts {
        let scenario = Scenario::new(1, 1_780_300_800_000_000);
        Facts {
            verdict: Verdict::new(&scenario, alarms),
            minutes: scenario.minutes(),
            played: Duration::from_millis(41_300),
            accepted: [28_277, 5_590, 33],
            duplicates: 44,
            rejected: 4,
            lake: "groundwire-data/lake".to_owned(),
            mail: "groundwire-data/mail".to_owned(),
            mails: vec!["0001-firing.eml".to_owned()],
            config: "groundwire-data/groundwire.toml".to_owned(),
        }
    }

    #[test]
    fn the_summary_names_what_was_found_and_what_was_not() {
        let start_us = Scenario::new(1, 1_780_300_800_000_000).incidents()[0].start_us;
        let fired = |rule: &str, minutes: i64| Alarm {
            rule: rule.to_owned(),
            app: Some("support-bot".to_owned()),
            fired_us: start_us + minutes * 60_000_000,
            resolved_us: (minutes < 20).then_some(start_us + 50 * 60_000_000),
        };
        let text = render(
            &facts(vec![fired("GroundednessDrop", 14), fired("ThumbsDownSurge", 21), fired("NoInput", -30)]),
            Emphasis::None,
        );
        for part in [
            "6 h 30 min of Larkfield's traffic, played in 41 s",
            "28,277 requests, 5,590 pieces of feedback, 33 pipeline events",
            "09:35–10:07  Bad prompt version (support-bot)",
            "✔ 09:49  GroundednessDrop  14 min after it began, resolved 10:25",
            "✔ 09:56  ThumbsDownSurge   21 min after it began, still firing",
            "✘ not found: ErrorRateRise did not fire",
            "✘ 09:05  NoInput (support-bot)",
            "1 of 5 incidents found, half of them within 14 min, 1 alert without an incident",
            "read_parquet('groundwire-data/lake/interactions/v1/*/*.parquet')",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains('\u{1b}'));
        assert!(text.lines().all(|line| line.chars().count() <= 140));
    }

    #[test]
    fn colours_are_for_terminals_only_and_change_no_word() {
        let colourful = render(&facts(Vec::new()), Emphasis::Terminal);
        let mut stripped = colourful.clone();
        for code in ["\u{1b}[0m", "\u{1b}[1m", "\u{1b}[31m", "\u{1b}[32m"] {
            stripped = stripped.replace(code, "");
        }
        assert!(colourful != stripped);
        assert_eq!(stripped, render(&facts(Vec::new()), Emphasis::None));
    }
}
