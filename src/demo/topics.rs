//! Appends the lines of a scenario to the files that the files source follows: `topics/<topic>/<partition>.jsonl`.
//!
//! A writer that is given a scenario from its first step leaves out what an earlier writer has written, to the byte, so a
//! demo that was stopped goes on where it stopped.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::Step;

/// Writes steps below a directory.
#[derive(Debug)]
pub struct TopicWriter {
    root: PathBuf,
    partitions: BTreeMap<(&'static str, u32), Partition>,
}

/// A file and how far it is.
#[derive(Debug)]
struct Partition {
    file: File,
    /// Bytes of the file that an earlier writer has written and that have not been passed yet.
    ahead: u64,
    /// Bytes of the lines so far.
    length: u64,
}

impl TopicWriter {
    /// A writer for `<root>/<topic>/<partition>.jsonl`.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), partitions: BTreeMap::new() }
    }

    /// Appends the lines of the next step, one write for each file; `false` if all of them were there.
    ///
    /// # Errors
    /// When a directory or file cannot be created or written.
    pub fn write(&mut self, step: &Step) -> io::Result<bool> {
        let mut texts = BTreeMap::<_, Vec<u8>>::new();
        for line in &step.lines {
            let text = texts.entry((line.topic, line.partition)).or_default();
            text.extend_from_slice(line.text.as_bytes());
            text.push(b'\n');
        }
        let mut wrote = false;
        for (key, text) in texts {
            if !self.partitions.contains_key(&key) {
                let partition = open(&self.root, key)?;
                self.partitions.insert(key, partition);
            }
            let Some(partition) = self.partitions.get_mut(&key) else { continue };
            let skipped = partition.ahead.min(text.len() as u64);
            partition.ahead -= skipped;
            partition.length += text.len() as u64;
            if let Some(new) = usize::try_from(skipped).ok().and_then(|skipped| text.get(skipped..)).filter(|new| !new.is_empty()) {
                partition.file.write_all(new)?;
                wrote = true;
            }
        }
        Ok(wrote)
    }

    /// Bytes of each partition so far, by `topic/partition`: where a reader stands that has read everything.
    #[must_use]
    pub fn lengths(&self) -> BTreeMap<String, u64> {
        self.partitions.iter().map(|((topic, number), partition)| (format!("{topic}/{number}"), partition.length)).collect()
    }
}

fn open(root: &Path, (topic, number): (&str, u32)) -> io::Result<Partition> {
    let directory = root.join(topic);
    fs::create_dir_all(&directory)?;
    let file = OpenOptions::new().create(true).append(true).open(directory.join(format!("{number}.jsonl")))?;
    let ahead = file.metadata()?.len();
    Ok(Partition { file, ahead, length: 0 })
}
