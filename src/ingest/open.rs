//! The open epoch while it grows.

use super::epoch::{AnswerIds, Epoch, Rated};
use super::groups::EpochGroups;
use super::rows::{Interactions, Rows, Span, Symbol};
use crate::decode::Rejected;
use crate::decode::redact::Redactor;
use crate::event::{Input, Reason, Timestamp};
use crate::log::Outcomes;
use crate::measure::{Accumulator, Dimension, Fate, Ledger, PartialRow};
use crate::score::SCORER;

/// Everything the open epoch holds.
#[derive(Debug, Default)]
pub(super) struct Open {
    pub(super) rows: Rows,
    pub(super) accumulator: Accumulator,
    pub(super) groups: EpochGroups,
    pub(super) ids: Vec<AnswerIds>,
    pub(super) rated: Vec<Rated>,
    pub(super) repeats: Vec<(u128, Timestamp)>,
    outcomes: Outcomes,
    ledger: Ledger,
    /// Greatest event time accepted, over all epochs of this process.
    pub(super) newest_event: Option<Timestamp>,
    /// Last string as it came, and its symbol, by symbol column: most columns repeat from row to row.
    last: Vec<(String, Option<Symbol>)>,
    user_key: String,
    /// Bytes of text outside `interactions`.
    pub(super) other_bytes: usize,
}

impl Open {
    /// Counts a record by its fate, at the time it belongs to. An own-schema record holds one event, so both are counted together.
    pub(super) fn count(&mut self, input: Input, at: Timestamp, fate: Fate) {
        self.ledger.count(input, at, fate);
        for counts in [&mut self.outcomes.records, &mut self.outcomes.events] {
            if let Some(counts) = counts.get_mut(input.as_str()) {
                counts.add(fate.outcome());
            } else {
                counts.entry(input.as_str().to_owned()).or_default().add(fate.outcome());
            }
        }
    }

    /// Notes that an accepted event came late.
    pub(super) fn count_late(&mut self, input: Input, at: Timestamp) {
        self.ledger.count_late(input, at);
        *self.outcomes.late.entry(input.as_str().to_owned()).or_default() += 1;
    }

    /// The symbol of a user's keyed hash. The prefix keeps the name apart from equal strings in other columns.
    pub(super) fn user(&mut self, user: &str, redactor: &Redactor) -> Symbol {
        let symbols = &mut self.rows.interactions.symbols;
        self.user_key.clear();
        self.user_key.push_str("\u{0}user:");
        self.user_key.push_str(user);
        symbols.find(&self.user_key).unwrap_or_else(|| symbols.insert(&self.user_key, &redactor.hash_user(user)))
    }

    /// The symbol of a string in a symbol column, redacted.
    pub(super) fn symbol(&mut self, column: usize, raw: &str, redactor: &Redactor) -> Result<Symbol, Rejected> {
        if self.last.len() <= column {
            self.last.resize(column + 1, (String::new(), None));
        }
        if let Some((last, Some(symbol))) = self.last.get(column)
            && last == raw
        {
            return Ok(*symbol);
        }
        let symbols = &mut self.rows.interactions.symbols;
        let symbol = match symbols.find(raw) {
            Some(symbol) => symbol,
            None => symbols.insert(raw, &redactor.redact(raw).map_err(|_| redaction_failed())?),
        };
        if let Some((last, known)) = self.last.get_mut(column) {
            last.clear();
            last.push_str(raw);
            *known = Some(symbol);
        }
        Ok(symbol)
    }

    /// Stores text of a row.
    pub(super) fn text(&mut self, text: &str) -> Span {
        store(&mut self.rows.interactions, text)
    }

    /// Rough size in memory.
    pub(super) fn bytes(&self) -> usize {
        let interactions = &self.rows.interactions;
        interactions.text.len()
            + interactions.rows.len() * size_of::<super::Interaction>()
            + interactions.contexts.len() * size_of::<super::ContextRow>()
            + interactions.sentences.len() * size_of::<super::SentenceRow>()
            + self.ids.len() * size_of::<AnswerIds>()
            + self.accumulator.bytes()
            + self.ledger.bytes()
            + self.other_bytes
    }

    /// Takes the epoch out; offsets and watermarks are the caller's.
    pub(super) fn take(&mut self) -> Epoch {
        self.last.clear();
        self.other_bytes = 0;
        let size = self.rows.interactions.rows.len();
        let mut rows = std::mem::take(&mut self.rows);
        let ids = std::mem::take(&mut self.ids);
        // The next epoch is about as large.
        self.rows.interactions.rows.reserve(size);
        self.ids.reserve(size);
        let counts = self.ledger.take();
        // Records belong to no group; the last number, so that they take no place within a cap from others.
        let nobody = (!counts.is_empty())
            .then(|| self.groups.number(&[None; Dimension::ALL.len()], &mut rows.interactions.symbols, usize::MAX));
        rows.interactions.symbols.seal();
        let groups = std::mem::take(&mut self.groups).groups(&rows.interactions.symbols);
        let mut partials = self.accumulator.take(groups);
        if let Some(group) = nobody {
            let row = |(pane, measure, partial)| PartialRow { pane, group, measure, partial };
            partials.rows.extend(counts.into_iter().map(row));
            partials.rows.sort_by_key(|row| (row.pane, row.group, row.measure));
        }
        if partials.rows.iter().any(|row| row.measure.info().scored) {
            partials.scorer = Some(SCORER.into());
        }
        Epoch {
            partials,
            rows,
            ids,
            scorers: vec![SCORER.into()],
            rated: std::mem::take(&mut self.rated),
            repeats: std::mem::take(&mut self.repeats),
            outcomes: std::mem::take(&mut self.outcomes),
            ..Epoch::default()
        }
    }
}

/// Appends text to the epoch's buffer. An epoch is cut long before the buffer reaches 4 GiB.
pub(super) fn store(interactions: &mut Interactions, text: &str) -> Span {
    let start = u32::try_from(interactions.text.len()).unwrap_or(u32::MAX);
    let len = u32::try_from(text.len()).unwrap_or(0);
    interactions.text.push_str(text);
    Span::new(start, len)
}

/// Nothing of an event that could not be redacted may be kept.
pub(super) fn redaction_failed() -> Rejected {
    Rejected::new(Reason::RedactionFailed, "the text could not be redacted, so nothing of it is kept")
}
