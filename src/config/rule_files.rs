//! Reads the rule files that the configuration names, and reports their mistakes like its own.

use std::path::Path;

use super::{Config, Diagnostic, Severity};
use crate::alert::{self, Rules, Vocabulary};
use crate::measure::Registry;

impl Config {
    /// Reads and checks all rules: the files `*.yaml` and `*.yml` of the folder, or the rules that come with the program.
    ///
    /// # Errors
    /// All mistakes in all files.
    pub fn rules(&self) -> Result<Rules, Vec<Diagnostic>> {
        let files = self.rule_files()?;
        let registry = Registry::builtin().map_err(|error| {
            let remedy = "this is a fault of the program; report it";
            vec![Diagnostic::of_file("schemas/metrics.yaml", error.to_string(), "a sound registry of metrics", remedy)]
        })?;
        Rules::parse(&files, &Vocabulary::of(&registry), self.recipients())
            .map_err(|mistakes| mistakes.into_iter().map(Diagnostic::from).collect())
    }

    /// Name and text of the rule files: those of the configured folder, or those that come with the program.
    ///
    /// # Errors
    /// Everything that cannot be read.
    pub fn rule_files(&self) -> Result<Vec<(String, String)>, Vec<Diagnostic>> {
        self.alerts.directory.as_deref().map_or_else(|| Ok(alert::shipped()), read_folder)
    }
}

/// The rule files of a folder, in the order of their names.
fn read_folder(folder: &Path) -> Result<Vec<(String, String)>, Vec<Diagnostic>> {
    let unreadable = |path: &Path, error: std::io::Error| {
        let message = format!("cannot read the rules: {error}");
        let remedy = "correct [alerts] directory, or the permissions";
        Diagnostic::of_file(&path.display().to_string(), message, "YAML files in UTF-8 that the service may read", remedy)
    };
    let entries = std::fs::read_dir(folder).map_err(|error| vec![unreadable(folder, error)])?;
    let mut files = Vec::new();
    let mut found = Vec::new();
    for entry in entries {
        let path = match entry {
            Ok(entry) => entry.path(),
            Err(error) => {
                found.push(unreadable(folder, error));
                continue;
            }
        };
        if !path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
            continue;
        }
        match std::fs::read_to_string(&path) {
            Ok(text) => files.push((path.display().to_string(), text)),
            Err(error) => found.push(unreadable(&path, error)),
        }
    }
    if files.is_empty() && found.is_empty() {
        let message = "the folder of rules holds no .yaml file".to_owned();
        let remedy = "add rules, or remove [alerts] directory to use those that come with the program";
        found.push(Diagnostic::of_file(&folder.display().to_string(), message, "at least one file *.yaml", remedy));
    }
    files.sort();
    if found.is_empty() { Ok(files) } else { Err(found) }
}

impl From<alert::Diagnostic> for Diagnostic {
    fn from(mistake: alert::Diagnostic) -> Self {
        let start = mistake.column.saturating_sub(1);
        Self {
            severity: Severity::Mistake,
            file: mistake.file,
            line: mistake.line,
            column: mistake.column,
            key: String::new(),
            message: mistake.message,
            expected: mistake.expected,
            remedy: String::new(),
            snippet: Some((mistake.snippet, start..start + mistake.width)),
        }
    }
}
