//! From the configuration and its secrets to the things the tasks work with.

use std::sync::Arc;

use super::clock;
use super::ingesting::{MakeDeadLetters, MakeSource, Plan};
use super::taker::Cutting;
use super::{Error, Until};
use crate::config::{self, Config, Secrets, SourceKind};
use crate::decode::redact::Redactor;
use crate::event::Timestamp;
use crate::measure::Registry;
use crate::score;
use crate::source::Source;
use crate::source::dead_letter::DeadLetters;
use crate::source::files::FileSource;
use crate::source::kafka::KafkaSource;
use crate::{evaluate, evaluator};

/// Name of this process: configured, or the host's.
#[must_use]
pub fn instance(config: &Config) -> String {
    let of_host = || std::fs::read_to_string("/proc/sys/kernel/hostname").ok().map(|name| name.trim().to_owned());
    config.telemetry.instance.clone().or_else(of_host).filter(|name| !name.is_empty()).unwrap_or_else(|| "groundwire".to_owned())
}

/// Name by which log entries tell processes apart that live at the same time.
#[must_use]
pub fn writer(config: &Config) -> String {
    format!("{}/{}", instance(config), std::process::id())
}

/// Which clock decides.
#[must_use]
pub const fn clock(config: &Config) -> clock::Kind {
    match config.time.clock {
        config::Clock::Wall => clock::Kind::Wall,
        config::Clock::Events => clock::Kind::Events,
    }
}

/// What ingest sessions are built from.
pub(super) fn plan(config: &Config, secrets: &Secrets, until: Until) -> Result<Plan, Error> {
    let source: MakeSource = match config.source.kind {
        SourceKind::Kafka => {
            let settings = config.kafka(secrets);
            Arc::new(move |positions, before_revoke| {
                KafkaSource::new(settings.clone(), positions, before_revoke).map(|source| Box::new(source) as Box<dyn Source>)
            })
        }
        SourceKind::Files => {
            let settings = config.files();
            Arc::new(move |positions, _| Ok(Box::new(FileSource::new(settings.clone(), positions)) as Box<dyn Source>))
        }
    };
    let dead_letters: MakeDeadLetters = {
        let settings = config.dead_letters(secrets);
        Arc::new(move || settings.clone().map(DeadLetters::new).transpose())
    };
    // Files that do not grow end the service when they are read.
    let complete = config.source.kind == SourceKind::Files && !config.source.files.follow;
    Ok(Plan {
        ingest: config.ingest(secrets),
        redactor: Redactor::new(&config.redact(secrets)).map_err(Error::Pattern)?,
        score: score::Settings::default(),
        cutting: Cutting {
            interval: config.lake.epoch_interval,
            max_bytes: usize::try_from(config.lake.epoch_bytes.0).unwrap_or(usize::MAX),
            tick: config.lake.tick_interval,
            max_ahead_us: micros(config.time.pause_ahead),
            until: if complete { Until::Drained } else { until },
        },
        source,
        dead_letters,
    })
}

/// Settings of the evaluator. Without a way to send mail nobody is told, and alerts are rows only.
pub(super) fn evaluator(config: &Config, registry: Arc<Registry>) -> Result<evaluator::Settings, Error> {
    let reference = config.reference().map_err(|mistakes| Error::Reference(mistakes.iter().map(ToString::to_string).collect()))?;
    let sends = config.mail.directory.is_some() || config.mail.host.is_some();
    Ok(evaluator::Settings {
        evaluate: evaluate::Settings { reference, ..config.evaluate() },
        registry,
        recipients: if sends { config.recipients() } else { crate::alert::Recipients::default() },
        give_up_us: micros(config.mail.give_up_after),
    })
}

/// Whole microseconds of a duration.
pub(super) fn micros(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// Where the event clock stands before the first event.
pub(super) const BEGINNING: Timestamp = Timestamp(0);
