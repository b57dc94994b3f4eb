//! The command line: one file per command, and what all of them share (exit codes, where output goes).
//!
//! A command parses nothing itself and decides nothing: it calls the modules and prints.

mod alerts;
mod check;
mod demo;
mod lake;
mod log;
mod recompute;
mod run;
mod score;
mod verify;
mod views;

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// All went well.
pub const OK: u8 = 0;
/// The command worked and found something wrong with what it looked at.
pub const FINDINGS: u8 = 1;
/// The configuration or the command line is wrong.
pub const USAGE: u8 = 64;
/// A broker, store, mail server or disk did not do what it should.
pub const OPERATIONAL: u8 = 70;

/// Why a command stopped, with its exit code.
#[derive(Debug)]
pub struct Failure {
    /// One of [`FINDINGS`], [`USAGE`], [`OPERATIONAL`].
    pub code: u8,
    /// What to print on standard error; empty if everything has been said.
    pub message: String,
}

impl Failure {
    /// The configuration or the command line is wrong.
    pub fn usage(message: impl Display) -> Self {
        Self { code: USAGE, message: message.to_string() }
    }

    /// Something outside the program did not do what it should.
    pub fn operational(message: impl Display) -> Self {
        Self { code: OPERATIONAL, message: message.to_string() }
    }

    /// The command found something wrong, and has said so.
    #[must_use]
    pub const fn findings() -> Self {
        Self { code: FINDINGS, message: String::new() }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::operational(error)
    }
}

/// What a command returns.
pub type Result<T = ()> = std::result::Result<T, Failure>;

/// Monitoring and feedback for generative-AI workloads: Kafka in, scores, Parquet and alerts out.
#[derive(Debug, Parser)]
#[command(name = "groundwire", version, arg_required_else_help = true, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str =
    "Exit codes: 0 all well, 1 findings (check, verify, alerts check), 64 configuration or usage, 70 broker, store or mail failed";

#[derive(Debug, Subcommand)]
enum Command {
    #[command(about = "Check alert rules, and send a test mail", long_about = alerts::ABOUT)]
    Alerts(alerts::Arguments),
    #[command(about = "Check the configuration, the rules and the connections", long_about = check::ABOUT)]
    Check(check::Arguments),
    #[command(about = "Play a simulated company's bad day and show what is found", long_about = demo::ABOUT)]
    Demo(demo::Arguments),
    #[command(about = "Score answers from a file, one JSON object per line", long_about = score::ABOUT)]
    Score(score::Arguments),
    #[command(about = "Price stored requests again by another price table", long_about = recompute::ABOUT)]
    Recompute(recompute::Arguments),
    #[command(about = "Run the service", long_about = run::ABOUT)]
    Run(run::Arguments),
    #[command(about = "Check a lake against its log, and its numbers against its rows", long_about = verify::ABOUT)]
    Verify(verify::Arguments),
    #[command(about = "Print views over the lake for DuckDB or Polars", long_about = views::ABOUT)]
    Views(views::Arguments),
    #[command(about = "Show entries of the commit log", long_about = log::ABOUT)]
    Log(log::Arguments),
}

/// Parses the command line, runs the command and turns its result into an exit code.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let code = if error.use_stderr() { USAGE } else { OK };
            return if error.print().is_ok() { ExitCode::from(code) } else { ExitCode::from(OPERATIONAL) };
        }
    };
    match dispatch(cli.command, &mut io::stdout().lock()) {
        Ok(()) => ExitCode::from(OK),
        Err(failure) => {
            if !failure.message.is_empty() && writeln!(io::stderr(), "groundwire: {}", failure.message).is_err() {
                return ExitCode::from(OPERATIONAL);
            }
            ExitCode::from(failure.code)
        }
    }
}

fn dispatch(command: Command, out: &mut dyn Write) -> Result {
    match command {
        Command::Alerts(arguments) => alerts::run(&arguments, out),
        Command::Check(arguments) => check::run(&arguments, out),
        Command::Demo(arguments) => demo::run(&arguments, out),
        Command::Score(arguments) => score::run(&arguments, out),
        Command::Recompute(arguments) => recompute::run(&arguments, out),
        Command::Run(arguments) => run::run(&arguments, out),
        Command::Verify(arguments) => verify::run(&arguments, out),
        Command::Views(arguments) => views::run(&arguments, out),
        Command::Log(arguments) => log::run(&arguments, out),
    }
}
