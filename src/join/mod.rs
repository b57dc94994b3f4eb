//! What this process remembers of recent answers: enough to drop a producer's repeats and to match feedback to its answer.
//!
//! Memory only, bounded by time and by bytes. What it forgets is not lost: the keeper matches late feedback from the id
//! files in the log. Nothing here decides what is stored.

mod duplicates;
mod id;
mod recent;

pub use duplicates::Duplicates;
pub use id::{IdHash, IdHasher, IdKind};
pub use recent::{Answer, Recent, Scored};
