//! Prints the scores of answers and the evidence behind them, one JSON object per line: what `tests/quality` fits and
//! measures.
//!
//! Input on standard input, per line: `{"id", "question": string or null, "contexts": [string], "response"}`.

use std::collections::BTreeMap;
use std::io::{BufRead, BufWriter, Write, stdin, stdout};

use groundwire::score::{Answer, Context, Score, Scorer, Scores, Settings};
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize)]
struct Row {
    id: String,
    question: Option<String>,
    contexts: Vec<String>,
    response: String,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut scorer = Scorer::new(Settings::default());
    let mut scores = Scores::default();
    let mut out = BufWriter::new(stdout().lock());
    for line in stdin().lock().lines() {
        let row: Row = serde_json::from_str(&line?)?;
        let contexts: Vec<Context<'_>> = row.contexts.iter().map(|text| Context { id: None, text }).collect();
        scorer.score(&Answer { prompt: row.question.as_deref(), response: Some(&row.response), contexts: &contexts }, &mut scores);
        let share = |score: Option<Score>| score.map(Score::share);
        let evidence: Vec<BTreeMap<&str, f32>> =
            scorer.evidence().iter().map(|found| found.named().into_iter().collect()).collect();
        let line = json!({
            "id": row.id,
            "state": scores.state.as_str(),
            "groundedness": share(scores.groundedness),
            "answer_relevance": share(scores.answer_relevance),
            "context_relevance": share(scores.context_relevance),
            "utilizations": scores.contexts.iter().map(|context| share(context.utilization)).collect::<Vec<_>>(),
            "length": scores.answer_length_tokens,
            "evidence": evidence,
        });
        writeln!(out, "{line}")?;
    }
    out.flush()?;
    Ok(())
}
