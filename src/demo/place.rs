//! The demo's directory: settings that a person can use again, the topics, the lake and the mail.
//!
//! A directory that the demo did not make is never touched.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::Scenario;
use crate::event::Timestamp;

/// Why the directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Somebody else's directory.
    #[error("{path} is not empty and was not made by the demo; name another directory with --dir")]
    Foreign {
        /// The directory.
        path: PathBuf,
    },
    /// The file that says which scenario is played here is damaged.
    #[error("{path} cannot be read as a scenario ({problem}); start over with --fresh")]
    Scenario {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: serde_json::Error,
    },
    /// The file system did not do what it should.
    #[error("cannot use {path}: {source}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// The file system's words.
        source: io::Error,
    },
}

/// What is in the scenario's file.
#[derive(Serialize, Deserialize)]
struct Played {
    seed: u64,
    start: Timestamp,
}

/// The demo's directory.
#[derive(Clone, Debug)]
pub struct Place {
    root: PathBuf,
}

impl Place {
    /// A directory, which need not exist.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Settings for `groundwire run --config`.
    #[must_use]
    pub fn config(&self) -> PathBuf {
        self.root.join("groundwire.toml")
    }

    /// Where the simulated company writes.
    #[must_use]
    pub fn topics(&self) -> PathBuf {
        self.root.join("topics")
    }

    /// Parquet and commit log.
    #[must_use]
    pub fn lake(&self) -> PathBuf {
        self.root.join("lake")
    }

    /// The mails.
    #[must_use]
    pub fn mail(&self) -> PathBuf {
        self.root.join("mail")
    }

    fn key(&self) -> PathBuf {
        self.root.join("privacy.key")
    }

    fn scenario(&self) -> PathBuf {
        self.root.join("scenario.json")
    }

    /// The scenario that is played here, if one is.
    ///
    /// # Errors
    /// If the directory is somebody else's or cannot be read.
    pub fn played(&self) -> Result<Option<Scenario>, Error> {
        let path = self.scenario();
        match fs::read(&path) {
            Ok(text) => {
                let played: Played = serde_json::from_slice(&text).map_err(|problem| Error::Scenario { path, problem })?;
                Ok(Some(Scenario::new(played.seed, played.start.0)))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if self.is_empty()? {
                    Ok(None)
                } else {
                    Err(Error::Foreign { path: self.root.clone() })
                }
            }
            Err(source) => Err(Error::Io { path, source }),
        }
    }

    fn is_empty(&self) -> Result<bool, Error> {
        match fs::read_dir(&self.root) {
            Ok(mut entries) => Ok(entries.next().is_none()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(true),
            Err(source) => Err(Error::Io { path: self.root.clone(), source }),
        }
    }

    /// Makes the directory for a scenario, with settings and a privacy key. What is there already is left as it is, so that
    /// an interrupted start can be repeated and changed settings stay changed.
    ///
    /// # Errors
    /// When something cannot be written.
    pub fn prepare(&self, scenario: &Scenario, key: [u8; 32]) -> Result<(), Error> {
        let make = |path: PathBuf| fs::create_dir_all(&path).map_err(|source| Error::Io { path, source });
        make(self.root.clone())?;
        let played = Played { seed: scenario.seed, start: Timestamp(scenario.start_us) };
        let played = serde_json::to_string(&played).map_err(|problem| Error::Scenario { path: self.scenario(), problem })?;
        // First: from now on the directory is the demo's.
        write_once(self.scenario(), &(played + "\n"))?;
        make(self.topics())?;
        make(self.mail())?;
        make(self.lake())?;
        let key: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
        write_once(self.key(), &(key + "\n"))?;
        write_once(self.config(), SETTINGS)
    }

    /// Removes what the demo has made here, and nothing else.
    ///
    /// # Errors
    /// If the directory is somebody else's or something cannot be removed.
    pub fn clear(&self) -> Result<(), Error> {
        match self.played() {
            Ok(None) => return Ok(()),
            Err(error @ (Error::Foreign { .. } | Error::Io { .. })) => return Err(error),
            Ok(Some(_)) | Err(Error::Scenario { .. }) => {}
        }
        for path in [self.topics(), self.lake(), self.mail()] {
            ignore_absent(fs::remove_dir_all(&path), path)?;
        }
        // The scenario's file goes last: a clearing that was interrupted can be repeated.
        for path in [self.config(), self.key(), self.scenario()] {
            ignore_absent(fs::remove_file(&path), path)?;
        }
        Ok(())
    }

    /// Names of the mails, in order.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub fn mails(&self) -> Result<Vec<String>, Error> {
        let fail = |source| Error::Io { path: self.mail(), source };
        let mut names = Vec::new();
        for entry in fs::read_dir(self.mail()).map_err(fail)? {
            let path = entry.map_err(fail)?.path();
            if path.extension().is_some_and(|extension| extension == "eml") {
                names.extend(path.file_name().map(|name| name.to_string_lossy().into_owned()));
            }
        }
        names.sort_unstable();
        Ok(names)
    }
}

/// Writes a file unless it exists.
fn write_once(path: PathBuf, text: &str) -> Result<(), Error> {
    match OpenOptions::new().write(true).create_new(true).open(&path).and_then(|mut file| file.write_all(text.as_bytes())) {
        Err(source) if source.kind() != io::ErrorKind::AlreadyExists => Err(Error::Io { path, source }),
        _ => Ok(()),
    }
}

fn ignore_absent(result: io::Result<()>, path: PathBuf) -> Result<(), Error> {
    match result {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(Error::Io { path, source }),
        _ => Ok(()),
    }
}

/// The demo's settings. Relative paths start from the folder of the file.
const SETTINGS: &str = r#"# Written by `groundwire demo`. Use it again, or change it and look what happens:
#   groundwire run --config groundwire.toml

[source]
kind = "files"

[source.files]
directory = "topics"

[lake]
url = "lake"
# Often, since an hour passes in a few seconds.
epoch_interval = "500ms"

[time]
# The traffic is played faster than it happened, so its own times decide.
clock = "events"

[privacy]
key_file = "privacy.key"

[mail]
# Mail is written to files instead of being sent.
directory = "mail"
from = "groundwire@larkfield.example"

[mail.recipients]
page = ["on-call@larkfield.example"]
ticket = ["ai-platform@larkfield.example"]
info = ["ai-platform@larkfield.example"]
"#;

#[cfg(test)]
mod tests {
    use super::{Error, Place, Scenario};

    #[test]
    fn a_directory_is_prepared_once_and_remembers_its_scenario() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::new(&directory.path().join("demo"));
        assert!(place.played().unwrap().is_none());
        let scenario = Scenario::new(7, 1_780_000_020_000_000);
        place.prepare(&scenario, [0xab; 32]).unwrap();
        let played = place.played().unwrap().unwrap();
        assert_eq!((played.seed, played.start_us), (7, scenario.start_us));
        assert_eq!(std::fs::read_to_string(place.key()).unwrap(), "ab".repeat(32) + "\n");
        assert!(place.mails().unwrap().is_empty());

        std::fs::write(place.config(), "changed").unwrap();
        std::fs::remove_file(place.key()).unwrap();
        place.prepare(&scenario, [0xcd; 32]).unwrap();
        assert_eq!(std::fs::read_to_string(place.config()).unwrap(), "changed");
        assert_eq!(std::fs::read_to_string(place.key()).unwrap(), "cd".repeat(32) + "\n");
    }

    #[test]
    fn the_settings_are_accepted_without_a_warning() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::new(directory.path());
        place.prepare(&Scenario::new(7, 0), [0; 32]).unwrap();
        let loaded = crate::config::load(&place.config()).unwrap();
        assert_eq!(loaded.warnings, []);
        assert_eq!(loaded.config.source.files.directory, place.topics());
        assert_eq!(loaded.config.mail.directory, Some(place.mail()));
    }

    #[test]
    fn clearing_removes_the_demo_and_leaves_what_others_put_there() {
        let directory = tempfile::tempdir().unwrap();
        let place = Place::new(directory.path());
        place.prepare(&Scenario::new(7, 0), [0; 32]).unwrap();
        std::fs::write(directory.path().join("notes.txt"), "mine").unwrap();
        place.clear().unwrap();
        let left: Vec<_> = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["notes.txt"]);
        assert!(matches!(place.played(), Err(Error::Foreign { .. })));
        assert!(matches!(place.clear(), Err(Error::Foreign { .. })));
    }
}
