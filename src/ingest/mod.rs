//! From records to an epoch: decode, redact, score, join, measure, in one pass and without I/O.

mod epoch;
mod rows;

pub use epoch::{AnswerIds, Epoch};
pub use rows::{
    ContextRow, FLOAT_COLUMNS, FeedbackRow, INTEGER_COLUMNS, Interaction, Interactions, PipelineRow, RejectRow, Rows,
    SCORE_COLUMNS, SYMBOL_COLUMNS, SafetyRow, SentenceRow, Span, Symbol, Symbols, TEXT_COLUMNS, column,
};
