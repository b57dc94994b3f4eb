//! Prints the scores of answers and the evidence behind them, one JSON object per line: what `tests/quality` fits and
//! measures. Input on standard input: one answer per line, see `quality::Row`.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write, stdin, stdout};

use quality::score::{Score, Scorer, Scores, Settings};
use serde_json::json;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut scorer = Scorer::new(Settings::default());
    let mut scores = Scores::default();
    let mut out = BufWriter::new(stdout().lock());
    for row in quality::rows(stdin().lock())? {
        row.score(&row.contexts(), &mut scorer, &mut scores);
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
            "verdicts": scores.sentences.iter().map(|sentence| sentence.verdict.as_str()).collect::<Vec<_>>(),
            "evidence": evidence,
        });
        writeln!(out, "{line}")?;
    }
    out.flush()?;
    Ok(())
}
