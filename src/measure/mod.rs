//! What is measured and how it adds up: the registry of metrics, and partial aggregates that merge exactly in any order.
//!
//! Sums are integers, so equal events give equal rows however they were cut into epochs. Publishing (windows, intervals,
//! quantiles) is `evaluate`'s work, not this module's.

mod accumulate;
mod answered;
pub mod auroc;
mod bleu;
pub mod classification;
mod composed;
mod cost;
mod embedding;
pub(crate) mod encode;
mod expected;
mod family;
mod group;
mod histogram;
pub mod ledger;
pub mod measures;
mod observe;
mod partial;
pub mod reference;
pub mod registry;
mod safety;
mod status;
mod vocabulary;
mod window;

pub use accumulate::{Accumulator, CellsAt};
pub use answered::{AnswerFeedback, FEEDBACK_HORIZON_US, hundredths, is_human};
pub use bleu::{BLEU_ORDERS, BleuCounts};
pub use composed::{ClassScore, Composed, Composition};
pub use cost::{Price, Priceable, Prices, STANDARD, UsdPerMillion, tier_name};
pub use embedding::{COMPONENTS, Embedding, mean};
pub use encode::Error;
pub use expected::{Compared, REFERENCE_SCORES, observe_classified};
pub use group::{DIMENSIONS, Dimension, Group, VERSION_MARK};
pub use histogram::{Category, Edges, HistogramSum, add_bins, less_bins, quantile, quantiles};
pub use ledger::{Fate, Ledger};
pub use measures::MeasureInfo;
pub use observe::{Answer, AnswerState, CostStatus, EndedRun, Polarity, SCORES, billionths, micros_from_ms, observe_feedback};
pub use partial::{Measure, Partial, PartialRow, PartialSet};
pub use registry::{Direction, Field, Inputs, Metric, Registry, Signal};
pub use safety::observe_safety;
pub use status::{StatusClass, classify, status_class};
pub use vocabulary::{BUCKETS, Vocabulary};
pub use window::Window;
