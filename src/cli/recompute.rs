//! `groundwire recompute`: history by another price table.

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::lake::Which;
use super::{Failure, Result};
use crate::config;
use crate::lake::Lake;
use crate::lake::reprice::{Change, Mode, Settings};
use crate::runtime;

/// Arguments of `groundwire recompute`.
#[derive(Debug, Args)]
#[command(after_help = EXIT)]
pub(super) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// The price table; otherwise the one of the configuration
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
    /// First date in UTC, for example 2026-05-01
    #[arg(long, value_name = "DATE", value_parser = date)]
    from: Option<String>,
    /// Last date in UTC
    #[arg(long, value_name = "DATE", value_parser = date)]
    to: Option<String>,
    /// Write nothing, only say what would change
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

/// Help with an example first.
pub(super) const ABOUT: &str = "groundwire recompute --config groundwire.toml --from 2026-05-01 --dry-run\n\n\
    Prices stored requests again and adds what changed as new revisions: rows of `costs` and of the metrics of cost, date by date. \
    Requests whose producer gave the cost are left alone; nothing is rewritten. May run beside the service, and again after an \
    interruption: what is up to date stays as it is. Give the service the same table, it prices what comes";

const EXIT: &str =
    "Exit codes: 0 done, 64 the price table or the lake cannot be used, 70 the store failed or another recompute ran";

fn date(text: &str) -> std::result::Result<String, String> {
    match crate::event::Timestamp::parse(&format!("{text}T00:00:00Z")) {
        Some(day) if day.date() == text => Ok(text.to_owned()),
        _ => Err("expected a date such as 2026-05-01".to_owned()),
    }
}

/// Runs the command.
///
/// # Errors
/// If the price table or the lake cannot be used, or the result cannot be printed.
pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result {
    let configuration = arguments.which.configuration_or_defaults()?;
    let file = arguments.prices.clone().or_else(|| configuration.cost.prices_file.clone()).ok_or_else(|| {
        Failure::usage("there is no price table: name it with --prices FILE, or in the configuration with [cost] prices_file")
    })?;
    let prices = config::load_prices(&file).map_err(|found| {
        let found: Vec<String> = found.iter().map(ToString::to_string).collect();
        Failure::usage(found.join("\n").trim_end())
    })?;
    let mode = if arguments.dry_run { Mode::DryRun } else { Mode::Commit };
    let settings = Settings {
        prices,
        from: arguments.from.clone(),
        to: arguments.to.clone(),
        group_by: configuration.measure.group_by.clone(),
        mode,
    };
    let (reader, calls) = arguments.which.open()?;
    let changes = calls.block_on(async {
        let lake = match mode {
            Mode::DryRun => reader,
            Mode::Commit => {
                let mut writer = reader.settings().clone();
                writer.writer = format!("recompute-{:032x}", runtime::random_id());
                Lake::open(&writer).await.map_err(Failure::usage)?
            }
        };
        lake.reprice(&settings, runtime::random_id).await.map_err(Failure::operational)
    })?;
    if arguments.json {
        serde_json::to_writer(&mut *out, &json!({ "price_version": settings.prices.version(), "dates": changes }))
            .map_err(Failure::operational)?;
        return Ok(writeln!(out)?);
    }
    Ok(print(&changes, mode, out)?)
}

fn print(changes: &[Change], mode: Mode, out: &mut dyn Write) -> std::io::Result<()> {
    for change in changes.iter().filter(|change| change.changed > 0) {
        let (before, after) = (usd(change.before_billionths), usd(change.after_billionths));
        writeln!(
            out,
            "{}  {} of {} requests: {before} -> {after} USD, {} newly priced, {} no longer priced; {} rows of metrics",
            change.date, change.changed, change.requests, change.newly_priced, change.no_longer_priced, change.rows
        )?;
    }
    let changed: u64 = changes.iter().map(|change| change.changed).sum();
    match (changed, mode) {
        (0, _) => writeln!(out, "ok        all {} dates are up to date", changes.len()),
        (_, Mode::DryRun) => writeln!(out, "dry run   {changed} requests would change; nothing was written"),
        (_, Mode::Commit) => writeln!(out, "ok        {changed} requests repriced"),
    }
}

/// Exact decimals of an amount in billionths.
fn usd(billionths: i64) -> String {
    let sign = if billionths < 0 { "-" } else { "" };
    format!("{sign}{}.{:09}", billionths.unsigned_abs() / 1_000_000_000, billionths.unsigned_abs() % 1_000_000_000)
}
