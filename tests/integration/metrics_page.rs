//! `docs/metrics.md` says what `schemas/metrics.yaml` says.

use std::path::Path;

use groundwire::measure::{Registry, reference};

#[test]
fn the_page_of_metrics_is_made_from_the_registry() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    let text = reference::markdown(&Registry::builtin().expect("the shipped registry is sound"));
    if std::env::var_os("GROUNDWIRE_UPDATE_DOCS").is_some() {
        std::fs::write(&file, &text).expect("docs can be written");
    }
    let current = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(current == text, "docs/metrics.md is stale: run the tests once with GROUNDWIRE_UPDATE_DOCS=1");
}
