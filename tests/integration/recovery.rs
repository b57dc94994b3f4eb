//! A start whose saved state cannot be read, as after a change of its format: the log says everything that the state did.

use std::fs;
use std::path::Path;

use crate::support::service::Service;
use crate::support::setting::{KEY, entries};
use crate::support::{files, scratch, service, traffic, wait};

/// Replaces every saved state of the evaluator by what no version wrote.
fn spoil(lake: &Path) -> usize {
    let snapshots: Vec<_> =
        fs::read_dir(lake.join("_groundwire/snapshots")).expect("a lake").map(|file| file.expect("a file").path()).collect();
    for snapshot in &snapshots {
        fs::write(snapshot, zstd::bulk::compress(&[255, 1, 2, 3], 1).expect("four bytes")).expect("the folder is ours");
    }
    snapshots.len()
}

#[test]
fn a_saved_state_that_cannot_be_read_is_made_anew_from_the_log() {
    let scratch = scratch("recovery");
    let folder = scratch.path();
    let config = folder.join("groundwire.toml").display().to_string();
    fs::write(&config, files::configuration("lake", &[("logs", "gateway")], "")).expect("the folder is ours");
    let lake = folder.join("lake");
    let logs: Vec<String> = traffic::gateway_logs(5, 2_000, 1, 240).into_iter().map(|made| made.value).collect();
    let (earlier, later) = logs.split_at(1_000);
    files::append(folder, "logs", 0, earlier);
    files::play(&config, wait::LIMIT);
    assert!(spoil(&lake) > 0, "the first run saved its state");
    let evaluated = entries(&lake).len();

    files::append(folder, "logs", 0, later);
    let mut second = Service::start_with(["run", "--until-drained", "--config", &config], &[KEY]);
    assert!(second.wait_exit(wait::LIMIT).success(), "{}", second.lines().join("\n"));
    second.wait_for("the whole log is folded instead");
    assert!(entries(&lake).len() > evaluated, "the second run evaluated what came");
    let verified = service::output(["verify", "--config", &config]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));

    // Where the log's beginning is gone, nothing can be made anew, and that is said.
    spoil(&lake);
    fs::write(lake.join("_groundwire/first.json"), r#"{"format":1,"number":2}"#).expect("the folder is ours");
    let mut third = Service::start_with(["run", "--until-drained", "--config", &config], &[KEY]);
    assert!(!third.wait_exit(wait::LIMIT).success(), "{}", third.lines().join("\n"));
    third.wait_for("the log begins with entry 2");
}
