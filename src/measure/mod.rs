//! What is measured and how it adds up: the registry of metrics, and partial aggregates that merge exactly in any order.
//!
//! Sums are integers, so equal events give equal rows however they were cut into epochs. Publishing (windows, intervals,
//! quantiles) is `evaluate`'s work, not this module's.

mod group;
mod partial;

pub use group::{DIMENSIONS, Dimension, Group};
pub use partial::{Measure, Partial, PartialRow, PartialSet};
