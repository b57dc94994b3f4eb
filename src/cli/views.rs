//! `groundwire views`: prints view definitions for a query engine.

use std::io::Write;

use clap::{Args, ValueEnum};

use super::lake::Which;
use super::{Failure, Result};
use crate::lake::views;

/// Arguments of `groundwire views`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// The engine to print for
    #[arg(long, value_enum)]
    engine: Engine,
}

/// The engines.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Engine {
    /// SQL for `DuckDB`
    Duckdb,
    /// A Python module for Polars
    Polars,
}

/// Help with an example first.
pub(super) const ABOUT: &str = "groundwire views --engine duckdb --lake ./groundwire-data > lake.sql && duckdb -init lake.sql\n\n\
    Prints views over the lake's tables: all columns whatever version a file was written with, the latest revision of metrics and \
    feedback, and up to when each topic is complete";

/// Runs the command.
///
/// # Errors
/// If the lake cannot be read or the result cannot be printed.
pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result {
    let location = arguments.which.settings()?.location;
    let (lake, runtime) = arguments.which.open()?;
    let fold = runtime.block_on(lake.load()).map_err(Failure::operational)?;
    // The views are used from elsewhere than here.
    let location = if location.contains("://") {
        location
    } else {
        std::path::absolute(&location).map_err(Failure::operational)?.display().to_string()
    };
    let engine = match arguments.engine {
        Engine::Duckdb => views::Engine::Duckdb,
        Engine::Polars => views::Engine::Polars,
    };
    Ok(out.write_all(views::print(engine, &location, &fold).as_bytes())?)
}
