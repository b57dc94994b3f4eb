//! The project's scorer by itself, from its own sources, and the answers it is measured with.

use std::io::BufRead;

use serde::Deserialize;

pub mod measure;
#[path = "../../../src/score/mod.rs"]
pub mod score;

/// One answer; as JSON: `{"id", "question": string or null, "contexts": [string], "response"}`.
#[derive(Deserialize)]
pub struct Row {
    pub id: String,
    pub question: Option<String>,
    pub contexts: Vec<String>,
    pub response: String,
}

impl Row {
    /// Scores the answer into `out`.
    pub fn score(&self, contexts: &[score::Context<'_>], scorer: &mut score::Scorer, out: &mut score::Scores) {
        scorer.score(&score::Answer { prompt: self.question.as_deref(), response: Some(&self.response), contexts }, out);
    }

    /// The contexts as the scorer takes them.
    pub fn contexts(&self) -> Vec<score::Context<'_>> {
        self.contexts.iter().map(|text| score::Context { id: None, text }).collect()
    }
}

/// The answers in JSON lines.
pub fn rows(lines: impl BufRead) -> Result<Vec<Row>, Box<dyn std::error::Error>> {
    lines.lines().map(|line| Ok(serde_json::from_str(&line?)?)).collect()
}
