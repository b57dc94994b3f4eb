//! `groundwire log`: shows entries of the commit log.

use std::io::Write;

use clap::Args;

use super::lake::Which;
use super::{Failure, Result};
use crate::log::Entry;

/// Arguments of `groundwire log`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// The entry to show in full; without it, the last entries, one line each
    number: Option<u64>,
    /// How many of the last entries to show
    #[arg(long, value_name = "COUNT", default_value_t = 20, conflicts_with = "number")]
    last: u64,
    /// Print each entry as one line of JSON
    #[arg(long)]
    json: bool,
}

/// Help with an example first.
pub(super) const ABOUT: &str = "groundwire log --lake ./groundwire-data --last 5\n\n\
    Shows entries of the commit log: what each made true, from where to where, and which files it added";

/// Runs the command.
///
/// # Errors
/// If the lake cannot be read, if there is no such entry, or if the result cannot be printed.
pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result {
    let (lake, runtime) = arguments.which.open()?;
    let entries = runtime.block_on(async {
        let (from, to) = if let Some(number) = arguments.number {
            (number, number + 1)
        } else {
            let next = lake.load().await.map_err(Failure::operational)?.next_number();
            (next.saturating_sub(arguments.last).max(1), next)
        };
        let mut entries = Vec::new();
        for number in from..to {
            match lake.read_entry(number).await.map_err(Failure::operational)? {
                Some(entry) => entries.push(entry),
                None if arguments.number.is_some() => {
                    return Err(Failure::usage(format!("there is no log entry {number}: not written yet, or pruned")));
                }
                None => {}
            }
        }
        Ok(entries)
    })?;
    for entry in &entries {
        if arguments.json {
            serde_json::to_writer(&mut *out, entry).map_err(Failure::operational)?;
            writeln!(out)?;
        } else if arguments.number.is_some() {
            serde_json::to_writer_pretty(&mut *out, entry).map_err(Failure::operational)?;
            writeln!(out)?;
        } else {
            line(entry, out)?;
        }
    }
    Ok(())
}

fn line(entry: &Entry, out: &mut dyn Write) -> std::io::Result<()> {
    let records: u64 = entry.outcomes.records.values().map(crate::event::OutcomeCounts::total).sum();
    let cursors: Vec<String> =
        entry.cursors.iter().map(|cursor| format!("{} {}→{}", cursor.input, cursor.from, cursor.to)).collect();
    write!(out, "{:>8}  {}  {:<8}", entry.number, entry.written_at, format!("{:?}", entry.kind).to_lowercase())?;
    if records > 0 {
        write!(out, "  {records} records")?;
    }
    for file in &entry.files {
        write!(out, "  {}+{}", file.table, file.rows)?;
    }
    if !entry.remove.is_empty() {
        write!(out, "  {} files away", entry.remove.len())?;
    }
    if !entry.transitions.is_empty() {
        write!(out, "  {} transitions", entry.transitions.len())?;
    }
    for lost in &entry.lost {
        write!(out, "  lost {} {}→{}", lost.input, lost.from, lost.to)?;
    }
    writeln!(out, "  [{}]", cursors.join(", "))
}
