//! The commit log: what an entry says, when it is valid, and what is true after it.
//!
//! Pure: reading and writing entries is `lake`'s work.

mod entry;

pub use entry::{Cursor, Entry, File, Health, InputHealth, Kind, Lost, Outcomes};
