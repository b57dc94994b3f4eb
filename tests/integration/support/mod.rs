//! What the integration tests start around the service, and how they wait for it.
//!
//! Everything started here ends with the test program, even if that is killed ([`guardian`]). Waiting means polling one
//! condition up to a limit ([`wait`]), or blocking on a line, a message or an exit. Ports are free ones.

#![expect(dead_code, reason = "the tests use what they need; an unused helper is no defect of the service")]

pub(crate) mod chance;
pub(crate) mod collector;
pub(crate) mod files;
pub(crate) mod guardian;
pub(crate) mod kafka;
pub(crate) mod python;
pub(crate) mod service;
pub(crate) mod setting;
pub(crate) mod smtp;
pub(crate) mod tls;
pub(crate) mod traffic;
pub(crate) mod wait;

use std::path::{Path, PathBuf};

/// The root of the project's sources.
pub(crate) fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Cargo's target folder.
pub(crate) fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the folder for temporary files is inside target").to_owned()
}

/// A new folder under `target/tmp`, removed when the value is dropped.
pub(crate) fn scratch(purpose: &str) -> tempfile::TempDir {
    std::fs::create_dir_all(env!("CARGO_TARGET_TMPDIR")).expect("target/tmp can be created");
    let dir = tempfile::Builder::new()
        .prefix(&format!("{purpose}-"))
        .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
        .expect("a folder under target/tmp can be created");
    guardian::remove_at_end(dir.path());
    dir
}

/// A port of 127.0.0.1 that nobody listens on, outside the range from which the system takes ports for outgoing
/// connections, so that it stays free while its owner is down for a restart.
pub(crate) fn free_port() -> u16 {
    for _ in 0..1000 {
        let port = fastrand::u16(15_000..32_000);
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port between 15000 and 32000");
}
