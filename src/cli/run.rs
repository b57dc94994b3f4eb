//! `groundwire run`: the service.

use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{Failure, Result};
use crate::config::{self, Diagnostic};
use crate::runtime::{self, Until, assemble};
use crate::telemetry::{self, Telemetry};

/// Arguments of `groundwire run`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = "groundwire.toml")]
    config: PathBuf,
    /// End when everything in the partitions that this process is assigned has been read, committed and evaluated
    #[arg(long)]
    until_drained: bool,
}

/// Help with an example first.
pub(super) const ABOUT: &str = "groundwire run --config groundwire.toml\n\n\
    Runs the service: reads the topics, scores and measures, writes Parquet, sends alerts. SIGTERM ends it in order, SIGHUP reads \
    the alert rules again. Log lines go to standard error";

/// Threads that encode files and write them. Each keeps memory of the largest epoch it has encoded.
const BLOCKING_THREADS: usize = 4;

/// Time for the last signals to be exported.
const EXPORT: Duration = Duration::from_secs(1);

/// Runs the command.
///
/// # Errors
/// If the configuration is wrong, or if the service cannot go on.
pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result {
    let loaded = config::load(&arguments.config).map_err(|mistakes| mistaken(&mistakes))?;
    let secrets = loaded.resolve().map_err(|missing| mistaken(&missing))?;
    let config = &loaded.config;
    let until = if arguments.until_drained { Until::Drained } else { Until::Told };
    let telemetry = Telemetry::new();
    let guard = telemetry::start(&config.telemetry(&assemble::instance(config)), &telemetry).map_err(Failure::usage)?;
    for warning in &loaded.warnings {
        tracing::warn!(setting = warning.key, "{}", warning.message);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().max_blocking_threads(BLOCKING_THREADS).enable_all().build()?;
    let result = runtime.block_on(Box::pin(runtime::run(config, &secrets, until, telemetry, |_| ())));
    guard.shutdown(EXPORT);
    // Threads that wait for a broker or a store must not hold up the end.
    runtime.shutdown_timeout(Duration::from_secs(1));
    out.flush()?;
    result.map_err(|error| if error.is_configuration() { Failure::usage(error) } else { Failure::operational(error) })
}

/// All mistakes, one after the other.
pub(super) fn mistaken(mistakes: &[Diagnostic]) -> Failure {
    Failure::usage(format!(
        "the configuration cannot be used\n{}",
        mistakes.iter().map(ToString::to_string).collect::<String>().trim_end()
    ))
}
