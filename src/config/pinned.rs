//! Reads the file of values that drift is measured against, where they are pinned.

use std::sync::Arc;

use super::{Config, Diagnostic, DriftReference};
use crate::evaluate::{Pinned, Reference};
use crate::measure::Registry;

impl Config {
    /// What drift is measured against.
    ///
    /// # Errors
    /// If the values are to be pinned and the file is not named, cannot be read, or holds something else.
    pub fn reference(&self) -> Result<Reference, Vec<Diagnostic>> {
        match self.measure.drift_reference {
            DriftReference::Trailing => Ok(Reference::Trailing),
            DriftReference::SameHours => Ok(Reference::SameHours),
            DriftReference::Pinned => self.pinned().map(|pinned| Reference::Pinned(Arc::new(pinned))),
        }
    }

    fn pinned(&self) -> Result<Pinned, Vec<Diagnostic>> {
        let remedy = "correct [measure] drift_pinned, or choose another drift_reference";
        let wanted = "a file of rows of drift.*.psi of the metrics table, one JSON object a line";
        let Some(path) = &self.measure.drift_pinned else {
            let message = "drift_reference is \"pinned\", but drift_pinned names no file".to_owned();
            return Err(vec![Diagnostic::of_file("groundwire.toml", message, wanted, remedy)]);
        };
        let wrong = |message: String| vec![Diagnostic::of_file(&path.display().to_string(), message, wanted, remedy)];
        let text = std::fs::read_to_string(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
        let registry = Registry::builtin().map_err(|error| wrong(error.to_string()))?;
        Pinned::parse(&text, &registry).map_err(|error| wrong(error.to_string()))
    }
}
