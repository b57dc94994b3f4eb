//! The `groundwire` program: parse, load, start.

fn main() {}
