//! Reads a TOML table by its description and collects every mistake with its place.
//!
//! A value that is wrong is reported and left out; reading goes on, so that one run shows all mistakes. Values of unknown
//! keys are never shown: they may be secrets under a mistyped name.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::describe::{Field, Setting};
use super::diagnostic::{Diagnostic, Severity, Source};

/// Where a value stands.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Full name, for example `lake.epoch_interval`.
    pub(super) path: String,
    /// Least and greatest value, as they would be written.
    pub(super) bounds: Option<(&'static str, &'static str)>,
}

impl Place {
    /// The place of a key of the table at this place.
    pub(super) fn child(&self, key: &str, bounds: Option<(&'static str, &'static str)>) -> Self {
        let bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-');
        let key = if bare { key.to_owned() } else { format!("{key:?}") };
        let path = if self.path.is_empty() { key } else { format!("{}.{key}", self.path) };
        Self { path, bounds }
    }
}

/// Where the settings stand that a file sets.
#[derive(Clone, Debug)]
pub(super) struct Places {
    file: String,
    positions: BTreeMap<String, (usize, usize)>,
}

impl Places {
    /// A mistake about a setting that was read without one.
    pub(super) fn mistake(&self, path: &str, message: String, expected: &str, remedy: &str) -> Diagnostic {
        let mut diagnostic = Diagnostic::of_file(&self.file, message, expected, remedy);
        path.clone_into(&mut diagnostic.key);
        if let Some((line, column)) = self.positions.get(path) {
            diagnostic.line = *line;
            diagnostic.column = *column;
        }
        diagnostic
    }
}

/// The file being read, and what was wrong with it so far.
pub(super) struct Reader<'t> {
    source: Source<'t>,
    /// Folder that relative paths start from.
    pub(super) base: &'t Path,
    /// All keys of the whole description with their full names, to find a key that is in the wrong table.
    known: Vec<(&'static str, String)>,
    /// Spans of the keys that are present, by full name.
    spans: BTreeMap<String, Range<usize>>,
    /// Reading a default, which has no place in the file.
    in_default: usize,
    /// Missing keys are not reported: the file could not be read whole.
    pub(super) incomplete: bool,
    /// Mistakes and warnings so far.
    pub(super) found: Vec<Diagnostic>,
}

impl<'t> Reader<'t> {
    pub(super) fn new(file: &'t str, text: &'t str, base: &'t Path, known: Vec<(&'static str, String)>) -> Self {
        Self {
            source: Source { file, text },
            base,
            known,
            spans: BTreeMap::new(),
            in_default: 0,
            incomplete: false,
            found: Vec::new(),
        }
    }

    /// Reads one setting of a table: the value given, or the default.
    pub(super) fn field<T: Setting>(&mut self, place: &Place, table: &DeTable<'_>, field: Option<&Field>) -> Option<T> {
        let field = field?;
        let child = place.child(field.key, field.bounds);
        if let Some((key, value)) = table.get_key_value(field.key) {
            if self.in_default == 0 {
                self.spans.insert(child.path.clone(), if value.span().is_empty() { key.span() } else { value.span() });
            }
            if let Some(value) = T::read(self, &child, value) {
                return Some(value);
            }
            // The mistake is reported. Going on with the default lets the rules between settings be checked all the same.
        }
        match field.default {
            "none" => T::absent(),
            "required" => {
                if !self.incomplete && !table.contains_key(field.key) {
                    let message = format!("{} is missing", child.path);
                    let remedy = format!("add {} = …: {}", field.key, first_line(field.help));
                    self.report(&place.path, Severity::Mistake, message, String::new(), remedy);
                }
                None
            }
            default => {
                let value = DeValue::parse(default).ok()?;
                self.in_default += 1;
                let read = T::read(self, &child, &value);
                self.in_default -= 1;
                read
            }
        }
    }

    /// Reports the keys that the description does not know.
    pub(super) fn refuse_unknown_keys(&mut self, place: &Place, table: &DeTable<'_>, fields: &[Field]) {
        for key in table.keys() {
            let name: &str = key.get_ref();
            if fields.iter().any(|field| field.key == name) {
                continue;
            }
            let path = place.child(name, None).path;
            let secret = format!("{name}_file");
            let (message, expected, remedy) = if fields.iter().any(|field| field.key == secret) {
                (
                    format!("{path} would put a secret into the configuration"),
                    format!("{name}_file or {name}_env"),
                    format!(
                        "put the secret into a file that only the service may read and name it with {name}_file, or into an environment variable and name that with {name}_env"
                    ),
                )
            } else {
                let remedy = self.suggestion(name, &path, fields);
                let mut keys: Vec<_> = fields.iter().map(|field| field.key).collect();
                keys.sort_unstable();
                (format!("{path} is not a setting"), format!("one of {}", keys.join(", ")), remedy)
            };
            self.report_at(&key.span(), key.span().end, path, Severity::Mistake, message, expected, remedy);
        }
    }

    fn suggestion(&self, name: &str, path: &str, fields: &[Field]) -> String {
        let here = nearest(name, fields.iter().map(|field| field.key));
        if let Some(nearest) = here {
            return format!("did you mean {nearest}?");
        }
        if path.starts_with("source.topics.") {
            return "a topic whose name holds dots needs quotes: [source.topics.\"a.b\"]".to_owned();
        }
        match self.known.iter().find(|(key, full)| *key == name && full != path) {
            Some((_, full)) => format!("it belongs elsewhere: {full}"),
            None => "remove it; docs/configuration.md lists all settings".to_owned(),
        }
    }

    /// Reports a value of the wrong TOML type.
    pub(super) fn wrong_type<T>(&mut self, place: &Place, value: &Spanned<DeValue<'_>>, expected: &str, remedy: &str) -> Option<T> {
        let message = format!("{} is {}", place.path, shown(value.get_ref()));
        self.mistake(place, value, message, expected, remedy)
    }

    /// Reports a value that is wrong.
    pub(super) fn mistake<T>(
        &mut self,
        place: &Place,
        value: &Spanned<DeValue<'_>>,
        message: String,
        expected: &str,
        remedy: &str,
    ) -> Option<T> {
        let span = value.span();
        let visible = if secret_like(&place.path) { span.start } else { usize::MAX };
        self.report_at(&span, visible, place.path.clone(), Severity::Mistake, message, expected.to_owned(), remedy.to_owned());
        None
    }

    /// Reads one of several words.
    pub(super) fn choice<T: Copy>(&mut self, place: &Place, value: &Spanned<DeValue<'_>>, words: &[(&str, T)]) -> Option<T> {
        let expected = format!("one of {}", words.iter().map(|(word, _)| format!("{word:?}")).collect::<Vec<_>>().join(", "));
        let DeValue::String(text) = value.get_ref() else {
            return self.wrong_type(place, value, &expected, "write one of these words in quotes");
        };
        if let Some((_, found)) = words.iter().find(|(word, _)| *word == text.as_ref()) {
            return Some(*found);
        }
        let remedy = nearest(text, words.iter().map(|(word, _)| *word))
            .map_or_else(|| "choose one of these words".to_owned(), |word| format!("did you mean {word:?}?"));
        self.wrong_type(place, value, &expected, &remedy)
    }

    /// Whether the file itself sets this setting.
    pub(super) fn is_set(&self, path: &str) -> bool {
        self.spans.contains_key(path)
    }

    /// Reports something about a setting by its full name; points at the setting if it is in the file. Silent if the
    /// setting's own value was wrong already.
    pub(super) fn report(
        &mut self,
        path: &str,
        severity: Severity,
        message: impl Into<String>,
        expected: impl Into<String>,
        remedy: impl Into<String>,
    ) {
        if self.found.iter().any(|earlier| earlier.key == path && earlier.severity == Severity::Mistake) {
            return;
        }
        // A setting that is absent is reported at the nearest table that is present.
        let mut present = path;
        let span = loop {
            if let Some(span) = self.spans.get(present) {
                break Some(span.clone());
            }
            match present.rsplit_once('.') {
                Some((parent, _)) => present = parent,
                None => break None,
            }
        };
        let (message, expected, remedy) = (message.into(), expected.into(), remedy.into());
        if let Some(span) = span {
            let visible = if secret_like(path) { span.start } else { usize::MAX };
            self.report_at(&span, visible, path.to_owned(), severity, message, expected, remedy);
        } else {
            let mut diagnostic = Diagnostic::of_file(self.source.file, message, &expected, &remedy);
            diagnostic.severity = severity;
            path.clone_into(&mut diagnostic.key);
            self.found.push(diagnostic);
        }
    }

    /// Remembers where a value stands, for later reports by name.
    pub(super) fn remember(&mut self, place: &Place, value: &Spanned<DeValue<'_>>) {
        if self.in_default == 0 {
            self.spans.insert(place.path.clone(), value.span());
        }
    }

    /// Where each setting that is present stands, for reports after reading.
    pub(super) fn places(&self) -> Places {
        let positions = self.spans.iter().map(|(path, span)| (path.clone(), self.source.position(span.start)));
        Places { file: self.source.file.to_owned(), positions: positions.collect() }
    }

    /// Reports what the TOML parser found.
    pub(super) fn syntax_error(&mut self, error: &toml::de::Error) {
        let span = error.span().unwrap_or(0..0);
        let line_start = self.source.text.get(..span.start).and_then(|t| t.rfind('\n')).map_or(0, |at| at + 1);
        let line = self.source.text.get(line_start..).unwrap_or_default().lines().next().unwrap_or_default();
        // A broken line may hold a secret, so only its key is shown, and nothing of a line without one.
        let visible = line_start + line.find('=').unwrap_or_default();
        let message = error.message().lines().collect::<Vec<_>>().join("; ");
        self.report_at(
            &span,
            visible,
            String::new(),
            Severity::Mistake,
            format!("not TOML: {message}"),
            String::new(),
            "correct the syntax; strings need quotes, tables are written [name]".to_owned(),
        );
    }

    #[expect(clippy::too_many_arguments, reason = "the parts of a diagnostic, in order; private")]
    fn report_at(
        &mut self,
        span: &Range<usize>,
        visible_to: usize,
        key: String,
        severity: Severity,
        message: String,
        expected: String,
        remedy: String,
    ) {
        let (line, column) = self.source.position(span.start);
        let snippet = self.source.snippet(span, visible_to);
        let file = self.source.file.to_owned();
        self.found.push(Diagnostic { severity, file, line, column, key, message, expected, remedy, snippet });
    }
}

/// The value as it may be shown in a message: short, and never a table's content.
pub(super) fn shown(value: &DeValue<'_>) -> String {
    let text = match value {
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(time) => time.to_string(),
        DeValue::Array(_) => return "a list".to_owned(),
        DeValue::Table(_) => return "a table".to_owned(),
    };
    if text.chars().count() > 60 { format!("{}…", text.chars().take(60).collect::<String>()) } else { text }
}

/// First line of a help text.
pub(super) fn first_line(help: &str) -> &str {
    help.trim().lines().next().unwrap_or_default().trim()
}

/// Names under which people put secrets.
pub(super) fn secret_like(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let last = name.rsplit('.').next().unwrap_or_default();
    let is_reference = last.ends_with("_file") || last.ends_with("_env");
    !is_reference
        && ["password", "secret", "token", "credential", "access_key", "account_key", "sas_key"]
            .iter()
            .any(|word| name.contains(word))
}

/// The nearest of some words, if it is near enough to be a slip.
pub(super) fn nearest<'w>(name: &str, words: impl Iterator<Item = &'w str>) -> Option<&'w str> {
    let limit = ((name.chars().count() + 1) / 3).clamp(1, 3);
    words
        .map(|word| (edit_distance(&name.to_lowercase(), word), word))
        .filter(|(distance, word)| *distance <= limit || (name.len() >= 4 && (word.starts_with(name) || name.starts_with(word))))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// Levenshtein distance. Names longer than 64 characters are no slips of ours.
fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    if a.len() > 64 || b.len() > 64 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, to) in row.iter_mut().skip(1).zip(&b) {
            let above = *cell;
            *cell = (diagonal + usize::from(from != *to)).min(above + 1).min(left + 1);
            diagonal = above;
            left = *cell;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

impl fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("file", &self.source.file).field("found", &self.found.len()).finish_non_exhaustive()
    }
}
