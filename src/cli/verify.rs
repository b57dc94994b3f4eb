//! `groundwire verify`: is the lake what its log says, and do its numbers follow from its rows?

use std::io::Write;

use clap::Args;

use super::lake::Which;
use super::{Failure, Result};
use crate::lake::verify::{Report, Rescore, Settings};

/// Arguments of `groundwire verify`.
#[derive(Debug, Args)]
#[command(after_help = EXIT)]
pub(super) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// Also score the stored text again and compare
    #[arg(long)]
    rescore: bool,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// Help with an example first.
pub(super) const ABOUT: &str = "groundwire verify --lake ./groundwire-data\n\n\
    Checks the log, the ledger of records, every live file and its SHA-256, and recomputes the metrics of requests, \
    feedback and pipelines and the ledger's windows from the rows. Reads only; may run beside the service. With --lake alone, feedback is judged by the default settings";

const EXIT: &str = "Exit codes: 0 all well, 1 something is wrong, 64 the lake cannot be opened, 70 the store failed";

/// Runs the command.
///
/// # Errors
/// If the lake cannot be read, if something is wrong, or if the result cannot be printed.
pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result {
    let (lake, runtime) = arguments.which.open()?;
    let rescore = if arguments.rescore { Rescore::Yes } else { Rescore::No };
    let settings = Settings { rescore, feedback: arguments.which.feedback()?, reference: arguments.which.reference()? };
    let report = runtime.block_on(lake.verify(&settings)).map_err(Failure::operational)?;
    if arguments.json {
        serde_json::to_writer(&mut *out, &report).map_err(Failure::operational)?;
        writeln!(out)?;
    } else {
        print(&report, out)?;
    }
    if report.findings_total == 0 { Ok(()) } else { Err(Failure::findings()) }
}

fn print(report: &Report, out: &mut dyn Write) -> std::io::Result<()> {
    for finding in &report.findings {
        writeln!(out, "{}: {}: {}", finding.check, finding.place, finding.problem)?;
    }
    if report.findings_total > report.findings.len() as u64 {
        writeln!(out, "… and {} more", report.findings_total - report.findings.len() as u64)?;
    }
    writeln!(out, "log       {} entries", report.entries)?;
    let records: Vec<String> = report.records.iter().map(|(outcome, count)| format!("{count} {outcome}")).collect();
    writeln!(out, "records   {}", records.join(", "))?;
    writeln!(out, "files     {} with {} bytes", report.files, report.bytes)?;
    for (table, rows) in &report.rows {
        writeln!(out, "rows      {rows} in {table}")?;
    }
    writeln!(out, "metrics   {} rows recomputed", report.metrics_compared)?;
    if report.answers_rescored > 0 {
        writeln!(out, "scores    {} answers scored again", report.answers_rescored)?;
    }
    for without_rows in &report.without_rows {
        writeln!(out, "no rows   {without_rows}")?;
    }
    for left_out in &report.left_out {
        writeln!(out, "left out  {left_out}")?;
    }
    match report.findings_total {
        0 => writeln!(out, "ok        nothing is wrong"),
        1 => writeln!(out, "not well  1 finding"),
        findings => writeln!(out, "not well  {findings} findings"),
    }
}
