//! From the configuration to the plain settings of each module.

use super::resolve::Secrets;
use super::sections::{Config, LogFormat};
use crate::decode::redact;
use crate::{decode, lake, telemetry};

impl Config {
    /// Settings of the lake. `writer` is the name of this process.
    #[must_use]
    pub fn lake(&self, writer: &str) -> lake::Settings {
        lake::Settings { location: self.lake.url.0.clone(), options: self.lake.options.clone(), writer: writer.to_owned() }
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
        let path = |path: &Option<std::path::PathBuf>| path.as_ref().map(|path| path.display().to_string());
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

/// Bounds beyond the address space are no bounds.
fn saturated(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
