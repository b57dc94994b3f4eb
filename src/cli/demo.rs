//! `groundwire demo`: plays the scenario of `crate::demo` into the files that the ordinary service follows, waits until it has
//! taken in and judged everything, and says what it found.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use tokio::sync::oneshot;

use super::run::mistaken;
use super::{Failure, Result};
use crate::config::{self, Loaded, LogLevel, Secrets};
use crate::demo::{self, Chronicle, Emphasis, Facts, Place, Scenario, TopicWriter, Verdict};
use crate::event::Timestamp;
use crate::lake::Lake;
use crate::log::{EVALUATE, Fold};
use crate::runtime::{self, Handle, Until, assemble, clock};
use crate::telemetry::{self, Telemetry};

/// Wall time for one minute of event time.
const MINUTE_TAKES: Duration = Duration::from_millis(60);
/// How often the log is looked at while the service catches up.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Time for the last signals to be exported.
const EXPORT: Duration = Duration::from_secs(1);
const STOPPED: &str = "the demo was stopped; the same command goes on with it";

/// Arguments of `groundwire demo`.
#[derive(Debug, Args)]
#[command(after_help = AGAIN)]
pub(super) struct Arguments {
    /// Directory for settings, topics, lake and mail
    #[arg(long, default_value = "groundwire-data")]
    dir: PathBuf,
    /// End after the summary; the exit code is 1 if an incident was not found or a rule fired without one
    #[arg(long)]
    exit: bool,
    /// Start over in a directory that holds a demo
    #[arg(long)]
    fresh: bool,
    /// Seed of the traffic: another seed is another day
    #[arg(long, default_value_t = demo::DEFAULT_SEED)]
    seed: u64,
}

/// Help with an example first.
pub(super) const ABOUT: &str = "groundwire demo\n\n\
    Plays six and a half hours of a company's traffic, with five things that go wrong, through the ordinary service in about half \
    a minute; then says what was found and when, and where the mail and the Parquet are. Needs nothing but a directory";

const AGAIN: &str = "A demo that was stopped goes on where it stopped; one that was played to its end is summed up again.\n\
    Exit codes: 0 all well, 1 with --exit an incident was not found or a rule fired without one, 64 the directory cannot be used";

/// Runs the command.
///
/// # Errors
/// If the directory is somebody else's, the service fails, or (with `--exit`) the findings are not what was injected.
pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> Result {
    let place = Place::new(&arguments.dir);
    if arguments.fresh {
        place.clear().map_err(of_place)?;
    }
    let earlier = place.played().map_err(of_place)?;
    let scenario = earlier.unwrap_or_else(|| Scenario::ending_at(arguments.seed, clock::wall().0));
    telemetry::install_tls_provider();
    place.prepare(&scenario, privacy_key()?).map_err(of_place)?;
    let mut loaded = config::load(&place.config()).map_err(|mistakes| mistaken(&mistakes))?;
    // Two demos do not dispute a port, and log lines do not disturb the bar.
    loaded.config.http.listen.set_port(0);
    loaded.config.telemetry.log_level = LogLevel::Warn;
    let secrets = loaded.resolve().map_err(|missing| mistaken(&missing))?;
    match earlier {
        None => writeln!(out, "A day at Larkfield, who make kitchen appliances, is played into {}", arguments.dir.display())?,
        Some(_) => writeln!(out, "{} holds a demo: going on with it (--fresh starts over)", arguments.dir.display())?,
    }
    let telemetry = Telemetry::new();
    let settings = loaded.config.telemetry(&assemble::instance(&loaded.config));
    let guard = telemetry::start(&settings, &telemetry).map_err(Failure::usage)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let clean = runtime.block_on(Box::pin(play(arguments, place, scenario, (&loaded, &secrets), telemetry, out)));
    guard.shutdown(EXPORT);
    runtime.shutdown_timeout(Duration::from_secs(1));
    if clean? || !arguments.exit { Ok(()) } else { Err(Failure::findings()) }
}

/// Where the player has come to.
struct Player {
    place: Place,
    scenario: Scenario,
    lake: Lake,
    fold: Fold,
    chronicle: Chronicle,
    progress: ProgressBar,
}

/// Runs the service and the player side by side. Says whether the findings are what was injected.
async fn play(
    arguments: &Arguments,
    place: Place,
    scenario: Scenario,
    (loaded, secrets): (&Loaded, &Secrets),
    telemetry: Telemetry,
    out: &mut dyn Write,
) -> Result<bool> {
    let began = clock::wall();
    let config = &loaded.config;
    let lake = Lake::open_to_read(&config.lake(&assemble::writer(config))).map_err(Failure::operational)?;
    let progress = progress(&scenario);
    let mut player = Player { place, scenario, lake, fold: Fold::default(), chronicle: Chronicle::default(), progress };
    let (started, handle) = oneshot::channel();
    // If nobody waits for the handle any more, the player has failed, and the service ends with it.
    let mut service = Box::pin(runtime::run(config, secrets, Until::Told, telemetry, |handle| drop(started.send(handle))));
    let handle = tokio::select! {
        ended = &mut service => return ended.map_err(failed).and_then(|()| Err(Failure::operational(STOPPED))),
        played = player.play(handle, out) => played?,
    };
    let played = Duration::from_micros(clock::wall().0.saturating_sub(began.0).unsigned_abs());
    if arguments.exit {
        handle.shutdown.request();
        service.as_mut().await.map_err(failed)?;
        player.look(out).await?;
    }
    let facts = player.facts(played)?;
    let emphasis = if io::stdout().is_terminal() { Emphasis::Terminal } else { Emphasis::None };
    write!(out, "{}", demo::render(&facts, emphasis))?;
    if !arguments.exit {
        writeln!(out, "The service goes on and shows itself at http://{}/ (Ctrl-C ends it).", handle.address)?;
        out.flush()?;
        service.await.map_err(failed)?;
    }
    Ok(facts.verdict.is_clean())
}

fn failed(error: runtime::Error) -> Failure {
    if error.is_configuration() { Failure::usage(error) } else { Failure::operational(error) }
}

impl Player {
    /// Writes the scenario minute by minute, then waits until the log holds all of it and what follows from it.
    async fn play(&mut self, started: oneshot::Receiver<Handle>, out: &mut dyn Write) -> Result<Handle> {
        let handle = started.await.map_err(|_| Failure::operational("the service ended before it began"))?;
        let mut writer = TopicWriter::new(&self.place.topics());
        for step in self.scenario.steps() {
            if writer.write(&step)? {
                tokio::time::sleep(MINUTE_TAKES).await;
            }
            self.progress.set_position(u64::from(step.minute) + 1);
            self.look(out).await?;
        }
        self.progress.set_message("catching up");
        let lengths = writer.lengths();
        while !self.is_complete(&lengths) {
            tokio::time::sleep(LOOK_EVERY).await;
            self.look(out).await?;
        }
        self.progress.finish_and_clear();
        Ok(handle)
    }

    /// Reads what is new in the log, and says what has fired.
    async fn look(&mut self, out: &mut dyn Write) -> Result {
        for entry in self.lake.refresh(&mut self.fold).await.map_err(Failure::operational)? {
            let new = self.chronicle.read(&entry);
            let alarms = self.chronicle.alarms();
            for alarm in alarms.iter().skip(alarms.len() - new) {
                let at = Timestamp(alarm.fired_us).to_string();
                let app = alarm.app.as_deref().unwrap_or("all applications");
                let line = format!("  {}  {} fires for {app}", at.get(11..16).unwrap_or_default(), alarm.rule);
                self.progress.suspend(|| writeln!(out, "{line}"))?;
            }
        }
        Ok(())
    }

    /// Everything written has been read, judged and told.
    fn is_complete(&self, lengths: &BTreeMap<String, u64>) -> bool {
        let is_read = |(input, length): (&String, &u64)| self.fold.end(input).is_some_and(|end| end.unsigned_abs() >= *length);
        lengths.iter().all(is_read)
            && self.fold.cursor(EVALUATE) >= self.chronicle.last_ingest()
            && !self.chronicle.mail_is_under_way()
    }

    fn facts(&self, played: Duration) -> Result<Facts> {
        let events = &self.fold.outcomes().events;
        let accepted = ["gateway", "feedback", "pipeline"].map(|input| events.get(input).map_or(0, |counts| counts.accepted));
        let records = &self.fold.outcomes().records;
        Ok(Facts {
            verdict: Verdict::new(&self.scenario, self.chronicle.alarms().to_vec()),
            minutes: self.scenario.minutes(),
            played,
            accepted,
            duplicates: events.values().map(|counts| counts.duplicate).sum(),
            rejected: records.values().flat_map(|counts| counts.rejected.values()).sum(),
            lake: self.place.lake().display().to_string(),
            mail: self.place.mail().display().to_string(),
            mails: self.place.mails().map_err(of_place)?,
            config: self.place.config().display().to_string(),
        })
    }
}

/// A bar on standard error; nothing if that is not a terminal.
fn progress(scenario: &Scenario) -> ProgressBar {
    let bar = ProgressBar::new(u64::from(scenario.minutes()));
    let style = ProgressStyle::with_template("  {bar:40} minute {pos} of {len} {msg}");
    // The template is a constant; the default style is fine too.
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

/// 32 random bytes: the key under which the demo hides user ids.
fn privacy_key() -> Result<[u8; 32]> {
    let mut key = [0; 32];
    let random = rustls::crypto::ring::default_provider().secure_random;
    random.fill(&mut key).map_err(|_| Failure::operational("the system gives no random numbers"))?;
    Ok(key)
}

fn of_place(error: demo::Error) -> Failure {
    match error {
        demo::Error::Foreign { .. } | demo::Error::Scenario { .. } => Failure::usage(error),
        demo::Error::Io { .. } => Failure::operational(error),
    }
}
