//! Scores from the stored text, against the stored scores.
//!
//! Only rows whose text is stored and whose scorer is the one of this program; what was scored is the redacted text, which is
//! what is stored.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::error::ArrowError;

use crate::ingest::{SCORE_COLUMNS, compared};
use crate::lake::tables::Columns;
use crate::lake::tables::columns::INTERACTIONS;
use crate::measure::billionths;
use crate::score::{Answer, Context, SCORER, Score, Scorer, Scores, Settings};

/// Scores answers again and compares.
pub(super) struct Rescorer {
    scorer: Scorer,
    scores: Scores,
    rescored: u64,
}

impl Default for Rescorer {
    fn default() -> Self {
        Self { scorer: Scorer::new(Settings::default()), scores: Scores::default(), rescored: 0 }
    }
}

impl Rescorer {
    pub(super) fn rescored(&self) -> u64 {
        self.rescored
    }

    pub(super) fn check(
        &mut self,
        arrays: &[ArrayRef],
        place: &str,
        problems: &mut Vec<(String, String)>,
    ) -> Result<(), ArrowError> {
        let columns = Columns { table: &INTERACTIONS, arrays };
        for row in 0..columns.array("event_time")?.len() {
            let response = columns.text("response", row)?;
            if response.is_none() || columns.text("scorer", row)? != Some(SCORER) {
                continue;
            }
            let lists = columns.array("contexts")?.as_list::<i32>();
            let found = lists.is_valid(row).then(|| lists.value(row));
            let mut contexts = Vec::new();
            if let Some(texts) = found.as_ref().and_then(|found| found.as_struct().column_by_name("text")?.as_string_opt::<i32>()) {
                contexts.extend(texts.iter().map(|text| Context { id: None, text: text.unwrap_or_default() }));
            }
            let answer = Answer { prompt: columns.text("prompt", row)?, response, contexts: &contexts };
            self.scorer.score(&answer, &mut self.scores);
            self.rescored += 1;
            let again = [
                self.scores.groundedness,
                self.scores.sentence_support,
                self.scores.answer_relevance,
                self.scores.context_relevance,
                self.scores.context_precision_at_k,
                self.scores.utilization,
                self.scores.completeness,
            ];
            let state = columns.text("state", row)?;
            let request = columns.text("request_id", row)?.unwrap_or_default();
            if state != Some(self.scores.state.as_str()) {
                problems.push((
                    format!("{place}, request `{request}`"),
                    format!("state {}, stored {state:?}", self.scores.state.as_str()),
                ));
            }
            if let Some(reference) = columns.text("reference", row)? {
                let again = compared(response.unwrap_or_default(), reference);
                let stored = super::expected::compared(&columns, row)?;
                if stored != again {
                    problems.push((
                        format!("{place}, request `{request}`"),
                        format!("comparison with the reference {again:?}, stored {stored:?}"),
                    ));
                }
            }
            for (name, again) in SCORE_COLUMNS.into_iter().zip(again) {
                let stored = columns.float(name, row)?.map(billionths);
                let again = again.map(|Score(billionths)| billionths);
                if stored != again {
                    problems
                        .push((format!("{place}, request `{request}`"), format!("{name} {again:?} billionths, stored {stored:?}")));
                }
            }
        }
        Ok(())
    }
}
