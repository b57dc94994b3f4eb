//! Runs Python in the virtual environment of the tests (`target/venv`, made by `make setup`): DuckDB, Polars, pyarrow.

use std::process::Command;

/// Runs a script with arguments and parses what it prints as JSON.
pub(crate) fn json(script: &str, arguments: &[&str]) -> serde_json::Value {
    let text = run(script, arguments);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("the script's output is not JSON ({error}): {text}"))
}

/// The same in another environment: a folder of `target`.
pub(crate) fn json_in(environment: &str, script: &str, arguments: &[&str]) -> serde_json::Value {
    let text = run_in(environment, script, arguments);
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("the script's output is not JSON ({error}): {text}"))
}

/// Runs a script with arguments and hands back what it prints.
pub(crate) fn run(script: &str, arguments: &[&str]) -> String {
    run_in("venv", script, arguments)
}

fn run_in(environment: &str, script: &str, arguments: &[&str]) -> String {
    let python = super::target().join(environment).join("bin/python");
    assert!(python.is_file(), "{} is missing, which the tests run Python with: run `make setup` once", python.display());
    let output = Command::new(&python)
        .arg("-c")
        .arg(script)
        .args(arguments)
        .current_dir(super::project())
        .output()
        .expect("python can be started");
    assert!(
        output.status.success(),
        "the script failed ({}); if a module is missing, run `make setup`:\n{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).expect("python prints UTF-8")
}
