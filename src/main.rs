//! The `groundwire` program: parse, load, start.

use std::process::ExitCode;

fn main() -> ExitCode {
    groundwire::cli::main()
}
