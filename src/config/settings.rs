//! From the configuration to the plain settings of each module.

use std::path::PathBuf;
use std::time::Duration;

use super::resolve::Secrets;
use super::sections::{Better, Clock, Config, LogFormat, MailTls, OnLoss, Start, TextStorage};
use crate::alert::{self, render};
use crate::decode::redact;
use crate::measure::Inputs;
use crate::notify::{self, Mailer};
use crate::source::{self, dead_letter, files, kafka};
use crate::{decode, evaluate, ingest, lake, telemetry};

impl Config {
    /// Settings of the lake. `writer` is the name of this process.
    #[must_use]
    pub fn lake(&self, writer: &str) -> lake::Settings {
        lake::Settings { location: self.lake.url.0.clone(), options: self.lake.options.clone(), writer: writer.to_owned() }
    }

    /// Whole days after which rows are deleted, by table.
    #[must_use]
    pub fn retention(&self) -> lake::Retention {
        let kept = &self.lake.retention;
        let tables = [
            ("interactions", kept.interactions),
            ("feedback", kept.feedback),
            ("pipeline_events", kept.pipeline_events),
            ("metrics", kept.metrics),
            ("alert_events", kept.alert_events),
            ("rejects", kept.rejects),
        ];
        let days = |kept: Duration| u32::try_from(kept.as_secs() / 86_400).unwrap_or(u32::MAX);
        tables.into_iter().filter_map(|(table, kept)| Some((table.to_owned(), days(kept?)))).collect()
    }

    /// Bounds on what one record may hold.
    #[must_use]
    pub fn decode_limits(&self) -> decode::Limits {
        decode::Limits {
            max_bytes: saturated(self.limits.record_bytes.0),
            max_depth: saturated(self.limits.depth),
            max_contexts: saturated(self.limits.contexts),
            max_items: saturated(self.limits.items),
            max_embedding: saturated(self.limits.embedding),
            ..decode::Limits::default()
        }
    }

    /// Properties of librdkafka that say where the brokers are and how to connect: everything that is configured.
    #[must_use]
    pub fn kafka_client(&self, secrets: &Secrets) -> Vec<(String, String)> {
        let kafka = &self.source.kafka;
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let own = [
            ("bootstrap.servers", Some(kafka.brokers.join(","))),
            ("security.protocol", Some(kafka.protocol.as_str().to_owned())),
            ("sasl.mechanism", kafka.mechanism.map(|mechanism| mechanism.as_str().to_owned())),
            ("sasl.username", kafka.username.clone()),
            ("sasl.password", secrets.kafka_password.as_ref().map(|password| password.expose().to_owned())),
            ("ssl.ca.location", path(&kafka.ca_file)),
            ("ssl.certificate.location", path(&kafka.certificate_file)),
            ("ssl.key.location", path(&kafka.certificate_key_file)),
        ];
        let configured = kafka.properties.iter().map(|(name, value)| (name.clone(), value.clone()));
        own.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).chain(configured).collect()
    }

    /// Names of the topics to read.
    #[must_use]
    pub fn topics(&self) -> Vec<String> {
        self.source.topics.keys().cloned().collect()
    }

    /// Settings of the Kafka source.
    #[must_use]
    pub fn kafka(&self, secrets: &Secrets) -> kafka::Settings {
        kafka::Settings {
            start: self.start(),
            on_loss: self.on_loss(),
            max_value_bytes: saturated(self.limits.record_bytes.0),
            ..kafka::Settings::new(self.kafka_client(secrets), self.source.kafka.group.clone(), self.topics())
        }
    }

    /// Settings of the files source.
    #[must_use]
    pub fn files(&self) -> files::Settings {
        files::Settings {
            growth: if self.source.files.follow { files::Growth::Follow } else { files::Growth::Complete },
            start: self.start(),
            on_loss: self.on_loss(),
            max_value_bytes: saturated(self.limits.record_bytes.0),
            ..files::Settings::new(self.source.files.directory.clone(), self.topics())
        }
    }

    /// Settings of the dead-letter topic, if refused records go there.
    #[must_use]
    pub fn dead_letters(&self, secrets: &Secrets) -> Option<dead_letter::Settings> {
        let wanted = self.dead_letter.enabled && self.source.kind == super::SourceKind::Kafka;
        wanted.then(|| dead_letter::Settings {
            max_bytes: saturated(self.dead_letter.max_bytes.0),
            ..dead_letter::Settings::new(self.kafka_client(secrets), self.dead_letter.topic.clone())
        })
    }

    fn start(&self) -> source::Start {
        match self.source.start {
            Start::Beginning => source::Start::Beginning,
            Start::End => source::Start::End,
        }
    }

    fn on_loss(&self) -> source::OnLoss {
        match self.source.on_loss {
            OnLoss::Stop => source::OnLoss::Stop,
            OnLoss::Continue => source::OnLoss::Continue,
        }
    }

    /// Settings of ingest.
    #[must_use]
    pub fn ingest(&self, secrets: &Secrets) -> ingest::Settings {
        let topics = self.source.topics.iter().map(|(name, topic)| {
            let text = match topic.text {
                TextStorage::Full => ingest::TextStorage::Full,
                TextStorage::Hash => ingest::TextStorage::Hash,
                TextStorage::None => ingest::TextStorage::None,
            };
            (name.clone(), ingest::Topic { input: topic.input, text })
        });
        let feedback = self.feedback.registry.iter().map(|(name, entry)| {
            let positive = match entry.better {
                Better::Higher => ingest::Positive::From(entry.positive_from),
                Better::Lower => ingest::Positive::UpTo(entry.positive_from),
            };
            (name.clone(), ingest::FeedbackScale { lowest: entry.lowest, highest: entry.highest, positive })
        });
        let lateness = micros(self.time.lateness);
        ingest::Settings {
            topics: topics.collect(),
            limits: self.decode_limits(),
            lateness_us: [lateness, lateness, micros(self.time.pipeline_lateness)],
            max_ahead_of_record_us: micros(self.time.record_skew),
            max_ahead_of_clock_us: self.time.max_ahead.map(micros),
            dedup_window_us: micros(self.join.dedup_window),
            dedup_capacity: saturated(self.join.dedup_ids),
            recent_capacity: saturated(self.join.recent_answers),
            group_by: self.measure.group_by.clone(),
            groups_per_tenant: saturated(self.measure.groups_per_tenant),
            feedback: feedback.collect(),
            prices: secrets.prices.clone(),
            key: secrets.privacy_key,
        }
    }

    /// Settings of the evaluator.
    #[must_use]
    pub fn evaluate(&self) -> evaluate::Settings {
        let usual = evaluate::Settings::default();
        // A topic that may carry any input holds all of them back.
        let topics = self.source.topics.iter().map(|(name, topic)| (name.clone(), topic.input.map_or(Inputs::ALL, Inputs::of)));
        evaluate::Settings {
            topics: topics.collect(),
            stuck_after_us: if self.time.clock == Clock::Events { None } else { usual.stuck_after_us },
            groups_per_tenant: saturated(self.measure.groups_per_tenant),
            closed_bytes_max: saturated(self.limits.window_memory.0),
            ..usual
        }
    }

    /// Who is told of alerts. A folder of mail needs no addresses.
    #[must_use]
    pub fn recipients(&self) -> alert::Recipients {
        let to = &self.mail.recipients;
        if self.mail.directory.is_some() && to.page.is_empty() && to.ticket.is_empty() && to.info.is_empty() {
            return alert::Recipients::everything_to("inbox@localhost");
        }
        alert::Recipients { page: to.page.clone(), ticket: to.ticket.clone(), info: to.info.clone() }
    }

    /// Settings of the mails' text.
    #[must_use]
    pub fn render(&self) -> render::Settings {
        render::Settings {
            from: self.mail.from.clone(),
            lake: self.lake.url.0.clone(),
            runbooks: self.mail.runbook_url.clone().unwrap_or_default(),
        }
    }

    /// Where mail goes; `None` if it goes nowhere.
    ///
    /// # Errors
    /// If the sender's address or the certificates cannot be used.
    pub fn mailer(&self, secrets: &Secrets) -> Result<Option<Mailer>, notify::Error> {
        let mail = &self.mail;
        if let Some(folder) = &mail.directory {
            return Ok(Some(Mailer::Directory(notify::Directory::new(folder.clone()))));
        }
        let Some(host) = &mail.host else { return Ok(None) };
        let (tls, usual_port) = match mail.tls {
            MailTls::Starttls => (notify::Tls::StartTls, 587),
            MailTls::Implicit => (notify::Tls::Implicit, 465),
        };
        let password = secrets.mail_password.as_ref().map(|password| password.expose().to_owned());
        let settings = notify::Settings {
            host: host.clone(),
            port: mail.port.unwrap_or(usual_port),
            tls,
            ca_pem: secrets.mail_authority.clone(),
            credentials: mail.username.clone().zip(password),
            from: mail.from.clone(),
            timeout: mail.timeout,
        };
        Ok(Some(Mailer::Smtp(notify::Smtp::new(settings)?)))
    }

    /// Settings of redaction.
    #[must_use]
    pub fn redact(&self, secrets: &Secrets) -> redact::Settings {
        let patterns = self.privacy.patterns.iter();
        redact::Settings {
            key: secrets.privacy_key,
            patterns: patterns.map(|(name, regex)| redact::Pattern { name: name.clone(), regex: regex.clone() }).collect(),
        }
    }

    /// Settings of log lines and exports. `instance` is the name of this process.
    #[must_use]
    pub fn telemetry(&self, instance: &str) -> telemetry::Settings {
        telemetry::Settings {
            endpoint: self.telemetry.otlp_endpoint.clone(),
            interval: self.telemetry.otlp_interval,
            instance: instance.to_owned(),
            format: match self.telemetry.log_format {
                LogFormat::Text => telemetry::Format::Text,
                LogFormat::Json => telemetry::Format::Json,
            },
            level: self.telemetry.log_level.as_str(),
        }
    }
}

/// Durations are bounded far below the 292,000 years that fit.
fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// Bounds beyond the address space are no bounds.
fn saturated(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
