//! A service that reads topics from files, without a broker: its configuration, its records, and a run to their end.

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use super::service::Service;
use super::setting::KEY;

/// A configuration whose paths start from its own folder: `topics` is read to its end, by event time, into a lake of this name.
/// Each topic comes with its input; `more` are further sections.
pub(crate) fn configuration(lake: &str, topics: &[(&str, &str)], more: &str) -> String {
    let mut text = "[source]\nkind = \"files\"\n[source.files]\ndirectory = \"topics\"\nfollow = false\n".to_owned();
    for (topic, input) in topics {
        writeln!(text, "[source.topics.{topic}]\ninput = \"{input}\"").expect("writing to a string");
    }
    write!(
        text,
        "[lake]\nurl = \"{lake}\"\nepoch_interval = \"100ms\"\n[time]\nclock = \"events\"\n[http]\nlisten = \"127.0.0.1:0\"\n[mail]\n\
         directory = \"mail\"\n{more}"
    )
    .expect("writing to a string");
    text
}

/// Appends records to a partition of a topic below a folder.
pub(crate) fn append(folder: &Path, topic: &str, partition: usize, lines: &[String]) {
    let topic = folder.join("topics").join(topic);
    std::fs::create_dir_all(&topic).expect("the folder is ours");
    let file = topic.join(format!("{partition}.jsonl"));
    let mut file = std::fs::OpenOptions::new().create(true).append(true).open(file).expect("the folder is ours");
    for line in lines {
        writeln!(file, "{line}").expect("the folder is ours");
    }
}

/// Runs the service to the end of its input, which it must reach within a limit.
pub(crate) fn play(config: &str, limit: Duration) {
    let mut service = Service::start_with(["run", "--until-drained", "--config", config], &[KEY]);
    assert!(service.wait_exit(limit).success(), "{}", service.lines().join("\n"));
}
