//! Reads what the configuration only names: secrets and certificates; looks for folders. Every absence is reported at once.

use std::fmt;
use std::path::Path;

use super::prices::load_prices;
use super::reader::Places;
use super::secret::{self, Secret};
use super::{Diagnostic, Loaded, SourceKind};
use crate::measure::Prices;

/// The content of files and variables that the configuration names.
#[derive(Clone)]
pub struct Secrets {
    /// Key of all hashes and placeholders.
    pub privacy_key: [u8; 32],
    /// Password for Kafka, if one is configured.
    pub kafka_password: Option<Secret>,
    /// Password for the mail server, if one is configured.
    pub mail_password: Option<Secret>,
    /// Certificates (PEM) that the mail server's is checked against, if they are configured.
    pub mail_authority: Option<Vec<u8>>,
    /// What tokens cost; empty if no price table is configured.
    pub prices: Prices,
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secrets").finish_non_exhaustive()
    }
}

impl Secrets {
    /// No secrets, to go on checking where some are missing.
    #[must_use]
    pub fn absent() -> Self {
        Self { privacy_key: [0; 32], kafka_password: None, mail_password: None, mail_authority: None, prices: Prices::default() }
    }
}

const KEY_FORM: &str = "64 hexadecimal characters in [privacy] key_file or in the variable that key_env names";
const KEY_REMEDY: &str = "make one with: openssl rand -hex 32; keep it as long as the lake, equal users and texts are told by it";

impl Loaded {
    /// Reads the secrets, and looks whether named files and folders are there.
    ///
    /// # Errors
    /// Everything that is not there or cannot be read.
    pub fn resolve(&self) -> Result<Secrets, Vec<Diagnostic>> {
        let mut resolver = Resolver { places: &self.places, found: Vec::new() };
        let config = &self.config;
        let privacy_key = resolver.privacy_key(config.privacy.key_file.as_deref(), &config.privacy.key_env);
        let mut kafka_password = None;
        if config.source.kind == SourceKind::Kafka {
            let kafka = &config.source.kafka;
            kafka_password = resolver.password("source.kafka", kafka.password_file.as_deref(), kafka.password_env.as_deref());
            resolver.file("source.kafka.ca_file", kafka.ca_file.as_deref());
            resolver.file("source.kafka.certificate_file", kafka.certificate_file.as_deref());
            resolver.file("source.kafka.certificate_key_file", kafka.certificate_key_file.as_deref());
        } else {
            resolver.folder("source.files.directory", Some(&config.source.files.directory));
        }
        let mail = &config.mail;
        let mail_password = resolver.password("mail", mail.password_file.as_deref(), mail.password_env.as_deref());
        let mail_authority = resolver.file("mail.ca_file", mail.ca_file.as_deref());
        resolver.folder("alerts.directory", config.alerts.directory.as_deref());
        let prices = resolver.prices(config.cost.prices_file.as_deref());
        match privacy_key {
            Some(privacy_key) if resolver.found.is_empty() => {
                Ok(Secrets { privacy_key, kafka_password, mail_password, mail_authority, prices })
            }
            _ => Err(resolver.found),
        }
    }
}

struct Resolver<'c> {
    places: &'c Places,
    found: Vec<Diagnostic>,
}

impl Resolver<'_> {
    fn mistake(&mut self, path: &str, message: String, expected: &str, remedy: &str) {
        self.found.push(self.places.mistake(path, message, expected, remedy));
    }

    fn privacy_key(&mut self, file: Option<&Path>, env: &str) -> Option<[u8; 32]> {
        let (path, read) = match file {
            Some(file) => ("privacy.key_file", secret::from_file(file)),
            None => ("privacy.key_env", secret::from_env(env)),
        };
        match read {
            Err(error) => self.mistake(path, format!("there is no privacy key: {error}"), KEY_FORM, KEY_REMEDY),
            Ok(secret) => match secret::privacy_key(&secret) {
                Some(key) => return Some(key),
                None => self.mistake(path, "the privacy key has another form".to_owned(), KEY_FORM, KEY_REMEDY),
            },
        }
        None
    }

    fn password(&mut self, section: &str, file: Option<&Path>, env: Option<&str>) -> Option<Secret> {
        let (key, read) = match (file, env) {
            (Some(file), _) => ("password_file", secret::from_file(file)),
            (None, Some(env)) => ("password_env", secret::from_env(env)),
            (None, None) => return None,
        };
        match read {
            Ok(secret) => Some(secret),
            Err(error) => {
                let path = format!("{section}.{key}");
                let message = format!("{path}: {error}");
                self.mistake(&path, message, "the password, readable by the service", "create it, or correct the name");
                None
            }
        }
    }

    fn file(&mut self, path: &str, file: Option<&Path>) -> Option<Vec<u8>> {
        let file = file?;
        match std::fs::read(file) {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                let message = format!("{path}: cannot read {}: {error}", file.display());
                self.mistake(path, message, "a file that the service may read", "correct the path or the permissions");
                None
            }
        }
    }

    fn prices(&mut self, file: Option<&Path>) -> Prices {
        let Some(file) = file else { return Prices::default() };
        if let Err(error) = std::fs::metadata(file) {
            let message = format!("cost.prices_file: cannot read {}: {error}", file.display());
            let remedy = "correct the path or the permissions; prices.example.toml shows a table";
            self.mistake("cost.prices_file", message, "a price table that the service may read", remedy);
            return Prices::default();
        }
        load_prices(file).unwrap_or_else(|found| {
            self.found.extend(found);
            Prices::default()
        })
    }

    fn folder(&mut self, path: &str, folder: Option<&Path>) {
        let Some(folder) = folder else { return };
        if let Err(error) = std::fs::read_dir(folder) {
            let message = format!("{path}: cannot read {}: {error}", folder.display());
            self.mistake(path, message, "a folder that the service may read", "create it, or correct the path or the permissions");
        }
    }
}
