//! The `groundwire` program: parse, load, start.

use std::process::ExitCode;

/// An epoch is allocated on one thread, encoded on a second and freed on a third, thirty megabytes at a time. This allocator
/// hands such memory to the next epoch; the system's keeps it apart for each thread.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    groundwire::cli::main()
}
