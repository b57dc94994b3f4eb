//! Appends the lines of a scenario to the files that the files source follows: `topics/<topic>/<partition>.jsonl`.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::Step;

/// Writes steps below a directory.
#[derive(Debug)]
pub struct TopicWriter {
    root: PathBuf,
    files: BTreeMap<(&'static str, u32), File>,
}

impl TopicWriter {
    /// A writer for `<root>/<topic>/<partition>.jsonl`; existing files are appended to.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), files: BTreeMap::new() }
    }

    /// Appends the lines of a step, one write for each file, so that a reader sees whole minutes.
    ///
    /// # Errors
    /// When a directory or file cannot be created or written.
    pub fn write(&mut self, step: &Step) -> io::Result<()> {
        let mut texts = BTreeMap::<_, String>::new();
        for line in &step.lines {
            let text = texts.entry((line.topic, line.partition)).or_default();
            text.push_str(&line.text);
            text.push('\n');
        }
        for (key, text) in texts {
            let file = match self.files.entry(key) {
                std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
                std::collections::btree_map::Entry::Vacant(entry) => {
                    let directory = self.root.join(key.0);
                    fs::create_dir_all(&directory)?;
                    entry.insert(OpenOptions::new().create(true).append(true).open(directory.join(format!("{}.jsonl", key.1)))?)
                }
            };
            file.write_all(text.as_bytes())?;
        }
        Ok(())
    }
}
