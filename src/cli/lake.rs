//! Which lake a command reads: the one of `--lake`, or the one of the configuration.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;

use super::{Failure, Result};
use crate::config::{self, Config, Loaded, Secrets};
use crate::evaluate::Reference;
use crate::ingest::FeedbackScale;
use crate::lake::{Lake, Settings};

/// Name of a command that only reads.
const READER: &str = "reader";

/// Where the lake is.
#[derive(Debug, Args)]
pub(super) struct Which {
    /// The lake: a folder, or a URL with s3://, az:// or gs://; otherwise the one of the configuration
    #[arg(long, value_name = "LAKE")]
    lake: Option<String>,
    /// The configuration that names the lake
    #[arg(long, value_name = "FILE", default_value = "groundwire.toml", conflicts_with = "lake")]
    config: PathBuf,
}

impl Which {
    /// Settings to read the lake with.
    pub(super) fn settings(&self) -> Result<Settings> {
        match &self.lake {
            Some(location) => Ok(Settings { location: location.clone(), writer: READER.to_owned(), ..Settings::default() }),
            None => Ok(self.configuration()?.config.lake(READER)),
        }
    }

    /// What the scores of feedback mean: by the configuration, or by its defaults where only the lake is named.
    pub(super) fn feedback(&self) -> Result<BTreeMap<String, FeedbackScale>> {
        Ok(self.configuration_or_defaults()?.ingest(&Secrets::absent()).feedback)
    }

    /// The configuration, or its defaults where only the lake is named.
    pub(super) fn configuration_or_defaults(&self) -> Result<Config> {
        match self.lake {
            Some(_) => Config::defaults(Path::new(".")).map_err(|_| Failure::usage("name a configuration with --config")),
            None => Ok(self.configuration()?.config),
        }
    }

    /// What drift is measured against: by the configuration, or by its defaults where only the lake is named.
    pub(super) fn reference(&self) -> Result<Reference> {
        let Some(config) = self.lake.is_none().then(|| self.configuration()).transpose()? else { return Ok(Reference::default()) };
        config
            .config
            .reference()
            .map_err(|findings| Failure::usage(findings.iter().map(ToString::to_string).collect::<String>().trim_end()))
    }

    fn configuration(&self) -> Result<Loaded> {
        config::load(&self.config).map_err(|findings| {
            let findings: Vec<String> = findings.iter().map(ToString::to_string).collect();
            Failure::usage(format!("{}; or name the lake with --lake", findings.join("\n").trim_end()))
        })
    }

    /// Opens the lake to read, on a runtime for its calls.
    pub(super) fn open(&self) -> Result<(Lake, tokio::runtime::Runtime)> {
        let lake = Lake::open_to_read(&self.settings()?).map_err(Failure::usage)?;
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        Ok((lake, runtime.map_err(Failure::operational)?))
    }
}
