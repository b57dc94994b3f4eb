//! `groundwire alerts`: check rule files, and see whether mail arrives.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::{Failure, Result};
use crate::alert::{self, Diagnostic, Recipients, Rules, SendOutcome, Severity, Vocabulary, render};
use crate::config;
use crate::event::Timestamp;
use crate::measure::Registry;

/// Arguments of `groundwire alerts`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(about = "Check rule files", long_about = CHECK)]
    Check(Check),
    #[command(about = "Send a test mail to every recipient", long_about = SEND_TEST)]
    SendTest(SendTest),
}

/// Help with an example first.
pub(super) const ABOUT: &str = "groundwire alerts check alerts/\n\nChecks alert rules, and sends a test mail";

const CHECK: &str = "groundwire alerts check alerts/\n\n\
    Reads rule files as the service would and reports every mistake of every file with its place and what would be right.\n\
    Changes nothing and connects to nothing";

const SEND_TEST: &str = "groundwire alerts send-test --config groundwire.toml\n\n\
    Goes the whole way of a mail, from rendering to the mail server, for every recipient, and prints what the server said";

#[derive(Debug, Args)]
struct Check {
    /// Rule files, or folders of them. Without: the folder `alerts` if there is one, else the rules that come with the program
    #[arg(value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct SendTest {
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = "groundwire.toml")]
    config: PathBuf,
    /// Only the recipients of this severity
    #[arg(long, value_name = "SEVERITY")]
    severity: Option<SeverityArgument>,
    /// Print one JSON object instead of text
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum SeverityArgument {
    Page,
    Ticket,
    Info,
}

/// Runs the command.
///
/// # Errors
/// If the command line or the configuration is wrong, if something was found, or if mail did not arrive.
pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result {
    match &arguments.command {
        Command::Check(check) => run_check(check, out),
        Command::SendTest(test) => run_send_test(test, out),
    }
}

fn run_check(arguments: &Check, out: &mut dyn Write) -> Result {
    let (files, from) = read_files(&arguments.paths)?;
    let registry = Registry::builtin().map_err(Failure::operational)?;
    let checked = Rules::parse(&files, &Vocabulary::of(&registry), Recipients::default());
    if arguments.json {
        print_json(&checked, files.len(), out)?;
    } else {
        print_text(&checked, &from, out)?;
    }
    if checked.is_ok() { Ok(()) } else { Err(Failure::findings()) }
}

fn print_json(checked: &std::result::Result<Rules, Vec<Diagnostic>>, files: usize, out: &mut dyn Write) -> io::Result<()> {
    let empty = Vec::new();
    let (rules, findings) = match checked {
        Ok(rules) => (rules.rules.as_slice(), &empty),
        Err(findings) => ([].as_slice(), findings),
    };
    let rules: Vec<_> = rules
        .iter()
        .map(|rule| json!({ "alert": rule.name, "severity": rule.severity.as_str(), "metric": rule.query.metric, "place": rule.place }))
        .collect();
    writeln!(out, "{}", json!({ "ok": checked.is_ok(), "files": files, "rules": rules, "findings": findings }))
}

fn print_text(checked: &std::result::Result<Rules, Vec<Diagnostic>>, from: &str, out: &mut dyn Write) -> io::Result<()> {
    match checked {
        Ok(rules) => {
            for rule in &rules.rules {
                writeln!(out, "ok  {:<20} {}", rule.name, rule.describe())?;
            }
            match rules.rules.len() {
                1 => writeln!(out, "1 rule in {from}, no mistake"),
                many => writeln!(out, "{many} rules in {from}, no mistake"),
            }
        }
        Err(mistakes) => {
            for mistake in mistakes {
                writeln!(out, "{mistake}")?;
            }
            match mistakes.len() {
                1 => writeln!(out, "1 mistake in {from}"),
                many => writeln!(out, "{many} mistakes in {from}"),
            }
        }
    }
}

/// Name and text of every rule file that is meant, and what to call them together.
fn read_files(paths: &[PathBuf]) -> Result<(Vec<(String, String)>, String)> {
    let usual = [PathBuf::from("alerts")];
    let paths = match paths {
        [] if usual[0].is_dir() => &usual,
        [] => return Ok((alert::shipped(), "the rules that come with the program".to_owned())),
        given => given,
    };
    let mut files = Vec::new();
    for path in paths {
        let unreadable = |error: io::Error| Failure::usage(format!("cannot read {}: {error}", path.display()));
        if path.is_dir() {
            let mut found: Vec<PathBuf> = fs::read_dir(path)
                .map_err(unreadable)?
                .map(|entry| entry.map(|entry| entry.path()))
                .collect::<io::Result<_>>()
                .map_err(unreadable)?;
            found.retain(|file| file.is_file() && file.extension().is_some_and(|end| end == "yaml" || end == "yml"));
            found.sort();
            for file in &found {
                files.push(read_file(file)?);
            }
        } else {
            files.push(read_file(path)?);
        }
    }
    let names: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
    Ok((files, names.join(", ")))
}

fn read_file(path: &Path) -> Result<(String, String)> {
    let text = fs::read_to_string(path).map_err(|error| Failure::usage(format!("cannot read {}: {error}", path.display())))?;
    Ok((path.display().to_string(), text))
}

fn run_send_test(arguments: &SendTest, out: &mut dyn Write) -> Result {
    let said =
        |found: Vec<config::Diagnostic>| Failure::usage(found.iter().map(ToString::to_string).collect::<String>().trim_end());
    let loaded = config::load(&arguments.config).map_err(said)?;
    let secrets = loaded.resolve().map_err(said)?;
    crate::telemetry::install_tls_provider();
    let mailer = loaded.config.mailer(&secrets).map_err(Failure::usage)?;
    let Some(mailer) = mailer else {
        return Err(Failure::usage("no mail is set up: name mail.host and mail.recipients, or mail.directory"));
    };
    let severities = match arguments.severity {
        Some(SeverityArgument::Page) => vec![Severity::Page],
        Some(SeverityArgument::Ticket) => vec![Severity::Ticket],
        Some(SeverityArgument::Info) => vec![Severity::Info],
        None => Severity::ALL.to_vec(),
    };
    let recipients = loaded.config.recipients();
    let now = now();
    let settings = loaded.config.render();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(Failure::operational)?;
    let (mut results, mut failed) = (Vec::new(), 0);
    for severity in severities {
        let to = recipients.of(severity);
        let mail = render(&alert::test_notification(severity, to.clone(), now), &settings);
        for recipient in to {
            let outcome = runtime.block_on(mailer.send(&mail, &recipient));
            let (word, reply) = match &outcome {
                SendOutcome::Sent(reply) => ("sent", reply),
                SendOutcome::Retry(reply) => ("failed", reply),
                SendOutcome::Refused(reply) => ("refused", reply),
            };
            failed += usize::from(!matches!(outcome, SendOutcome::Sent(_)));
            if !arguments.json {
                writeln!(out, "{word:<8} {:<7} {recipient}: {reply}", severity.as_str())?;
            }
            results.push(json!({ "severity": severity.as_str(), "recipient": recipient, "result": word, "reply": reply }));
        }
    }
    if arguments.json {
        writeln!(out, "{}", json!({ "ok": failed == 0 && !results.is_empty(), "results": results }))?;
    }
    match (results.len(), failed) {
        (0, _) => Err(Failure::usage("no recipient: name some in mail.recipients")),
        (_, 0) => Ok(()),
        (all, failed) => Err(Failure::operational(format!("{failed} of {all} mails did not arrive"))),
    }
}

#[expect(clippy::disallowed_methods, reason = "a mail sent by hand is dated when it is sent")]
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
