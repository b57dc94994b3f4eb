//! The configuration: `groundwire.toml`, read whole, every mistake reported at once with its place and remedy.
//!
//! Unknown keys are refused. Secrets are named, never written: a file or an environment variable holds them. Relative
//! paths start from the folder of the file. What each setting does stands in `sections.rs`, from which the reference page,
//! the JSON Schema and the example are made (`reference.rs`). No layering and no overrides: the file says everything.

mod describe;
mod diagnostic;
mod pinned;
mod prices;
mod reader;
pub mod reference;
mod resolve;
mod rule_files;
mod rules;
pub mod secret;
mod sections;
mod settings;
mod value;

use std::path::Path;

use toml::de::DeTable;

pub use diagnostic::{Diagnostic, Severity};
pub use prices::{Price, PriceTable, load_prices, parse_prices};
pub use resolve::Secrets;
pub use sections::*;
pub use value::{Day, Location, Size};

use describe::{Field, Section, Shape};
use reader::{Place, Places, Reader};

/// A configuration that can be used, and what may still be unwise about it.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// What is allowed, but probably not meant.
    pub warnings: Vec<Diagnostic>,
    places: Places,
}

/// Largest configuration that is read.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// Reads a file.
///
/// # Errors
/// All mistakes, in the order of the file.
pub fn load(path: &Path) -> Result<Loaded, Vec<Diagnostic>> {
    let file = path.display().to_string();
    let of_file =
        |message: String| vec![Diagnostic::of_file(&file, message, "a readable file in UTF-8", "name it with --config FILE")];
    let size = std::fs::metadata(path).map_err(|error| of_file(format!("cannot read the configuration: {error}")))?.len();
    if size > MAX_BYTES {
        return Err(of_file(format!("the configuration has {size} bytes, more than {MAX_BYTES}")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| of_file(format!("cannot read the configuration: {error}")))?;
    parse(&file, &text, path.parent().unwrap_or_else(|| Path::new("")))
}

/// Reads the text of a file. Touches nothing else: whether named files and variables exist is not asked here.
///
/// # Errors
/// All mistakes, in the order of the file.
pub fn parse(file: &str, text: &str, base: &Path) -> Result<Loaded, Vec<Diagnostic>> {
    let mut reader = Reader::new(file, text, base, known_keys());
    let (table, errors) = DeTable::parse_recoverable(text);
    reader.incomplete = !errors.is_empty();
    for error in &errors {
        reader.syntax_error(error);
    }
    let root = Place { path: String::new(), bounds: None };
    let config = Config::read_table(&mut reader, &root, table.get_ref()).map(complete);
    if let Some(config) = &config {
        rules::check(config, &mut reader);
    }
    let places = reader.places();
    let mut found = reader.found;
    found.sort_by_key(|diagnostic| (diagnostic.line, diagnostic.column));
    found.dedup();
    match config {
        Some(config) if found.iter().all(|diagnostic| diagnostic.severity == Severity::Warning) => {
            Ok(Loaded { config, warnings: found, places })
        }
        _ => Err(found),
    }
}

/// Adds what is known without being configured.
fn complete(mut config: Config) -> Config {
    for (name, entry) in rules::known_feedback() {
        config.feedback.registry.entry(name.to_owned()).or_insert(entry);
    }
    config
}

impl Config {
    /// All defaults, with paths relative to `base`.
    ///
    /// # Errors
    /// Never in practice: a test reads the defaults.
    pub fn defaults(base: &Path) -> Result<Self, Vec<Diagnostic>> {
        parse("defaults", "", base).map(|loaded| loaded.config)
    }

    /// Whether any topic keeps texts.
    #[must_use]
    pub fn keeps_texts(&self) -> bool {
        rules::keeps_texts(self)
    }
}

/// All keys of the description with their full names.
fn known_keys() -> Vec<(&'static str, String)> {
    let mut keys = Vec::new();
    collect_keys("", Config::FIELDS, &mut keys);
    keys
}

fn collect_keys(prefix: &str, fields: &'static [Field], keys: &mut Vec<(&'static str, String)>) {
    for field in fields {
        let path = if prefix.is_empty() { field.key.to_owned() } else { format!("{prefix}.{}", field.key) };
        match (field.shape)() {
            Shape::Section { fields, .. } => collect_keys(&path, fields, keys),
            Shape::Map(item) => {
                if let Shape::Section { fields, .. } = *item {
                    collect_keys(&format!("{path}.<name>"), fields, keys);
                }
            }
            _ => {}
        }
        keys.push((field.key, path));
    }
}

#[cfg(test)]
mod tests;
