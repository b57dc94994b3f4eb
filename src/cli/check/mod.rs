//! `groundwire check`: is the configuration right, and with `--connect`: is everything it names there and willing?
//!
//! Changes nothing, except that `--connect` creates and deletes one object in the lake to see whether the store keeps its
//! promises. Tries everything and reports everything; the first failure hides no other.

mod broker;
mod probe;

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::{Failure, Result};
use crate::config::{self, Diagnostic, Loaded, Secrets, Severity};
use probe::Probe;

/// Arguments of `groundwire check`.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = "groundwire.toml")]
    config: PathBuf,
    /// Also try the broker, the topics, the lake, the mail server and the OpenTelemetry collector
    #[arg(long)]
    connect: bool,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// Help with an example first.
pub(super) const ABOUT: &str = "groundwire check --config groundwire.toml --connect\n\n\
    Checks the configuration and the alert rules, and reports every mistake at once with its place and what to do";

const EXAMPLES: &str = "Exit codes: 0 all well (there may be warnings), 1 something is wrong, 64 the file cannot be read";

/// What was found.
#[derive(Debug, Default)]
struct Report {
    findings: Vec<Diagnostic>,
    /// How many rules there are, if they are right.
    rules: Option<usize>,
    probes: Vec<Probe>,
}

impl Report {
    fn is_well(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity == Severity::Warning) && self.probes.iter().all(Probe::is_well)
    }
}

/// Runs the command.
///
/// # Errors
/// If the file cannot be read, if something is wrong, or if the result cannot be printed.
pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result {
    let mut report = Report::default();
    match config::load(&arguments.config) {
        Err(findings) if findings.iter().any(|finding| finding.line == 0 && finding.key.is_empty()) => {
            return Err(Failure::usage(findings.iter().map(ToString::to_string).collect::<String>().trim_end()));
        }
        Err(findings) => report.findings = findings,
        Ok(loaded) => {
            report.findings.clone_from(&loaded.warnings);
            let secrets = loaded.resolve().unwrap_or_else(|missing| {
                report.findings.extend(missing);
                Secrets::absent()
            });
            match loaded.config.rules() {
                Ok(rules) => report.rules = Some(rules.rules.len()),
                Err(mistakes) => report.findings.extend(mistakes),
            }
            report.findings.extend(loaded.config.reference().err().unwrap_or_default());
            if arguments.connect {
                report.probes = connect(&loaded, &secrets)?;
            }
        }
    }
    if arguments.json {
        print_json(&report, out)?;
    } else {
        print_text(&report, &arguments.config.display().to_string(), out)?;
    }
    if report.is_well() { Ok(()) } else { Err(Failure::findings()) }
}

/// Tries everything that the configuration names.
fn connect(loaded: &Loaded, secrets: &Secrets) -> Result<Vec<Probe>> {
    crate::telemetry::install_tls_provider();
    let mut probes = broker::probe(&loaded.config, secrets);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::operational)?;
    runtime.block_on(async {
        probes.push(probe::lake(&loaded.config).await);
        probes.extend(probe::mail(&loaded.config, secrets).await);
        probes.extend(probe::collector(&loaded.config).await);
    });
    Ok(probes)
}

fn print_text(report: &Report, file: &str, out: &mut dyn Write) -> std::io::Result<()> {
    for finding in &report.findings {
        writeln!(out, "{finding}")?;
    }
    let mistakes = report.findings.iter().filter(|finding| finding.severity == Severity::Mistake).count();
    match mistakes {
        0 => writeln!(out, "ok        {file}")?,
        1 => writeln!(out, "1 mistake, see above")?,
        _ => writeln!(out, "{mistakes} mistakes, see above")?,
    }
    if let Some(rules) = report.rules {
        writeln!(out, "ok        {rules} alert rule{}", if rules == 1 { "" } else { "s" })?;
    }
    for probe in &report.probes {
        match &probe.result {
            Ok(found) => writeln!(out, "ok        {}: {found}", probe.subject)?,
            Err(problem) => writeln!(out, "not well  {}: {}\n          to do: {}", probe.subject, problem.message, problem.remedy)?,
        }
    }
    Ok(())
}

fn print_json(report: &Report, out: &mut dyn Write) -> std::io::Result<()> {
    let probes: Vec<_> = report.probes.iter().map(Probe::to_json).collect();
    writeln!(out, "{}", json!({ "ok": report.is_well(), "findings": report.findings, "rules": report.rules, "probes": probes }))
}

#[cfg(test)]
mod tests;
