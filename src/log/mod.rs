//! The commit log: what an entry says, when it is valid, and what is true after it.
//!
//! Pure: reading and writing entries is `lake`'s work.

mod checkpoint;
mod entry;
mod fold;

pub use checkpoint::{Checkpoint, Hint};
pub use entry::{Cursor, Entry, File, Health, InputHealth, Kind, Lost, Outcomes};
pub use fold::{EVALUATE, Fenced, Fold, KEEP, LiveFile, RECOMPUTE};

/// Version of the entry's and the checkpoint's format that this program writes, and the newest it reads.
pub const FORMAT: u32 = 1;
