//! What the scorer names of the project's `measure`.

#[path = "../../../src/measure/bleu.rs"]
mod bleu;
pub use bleu::BleuCounts;
