//! The `interactions` table: many rows, so this is a hot path.
//!
//! Rows are wide and lie row by row; columns are filled a block of rows at a time, so that a block stays in the cache while
//! all columns read it.

use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanArray, BooleanBuilder, Date32Array, DictionaryArray, Float64Array, Float64Builder, Int32Array, Int32Builder,
    Int64Builder, ListArray, ListBuilder, StringArray, StringBuilder, StructArray, TimestampMicrosecondBuilder, new_null_array,
};
use arrow::buffer::{NullBuffer, OffsetBuffer};
use arrow::datatypes::{DataType, Field};
use arrow::error::ArrowError;

use super::columns::INTERACTIONS;
use super::file::{Part, write};
use super::schema::{Kind, fields};
use crate::event::Timestamp;
use crate::ingest::{
    ContextRow, FLOAT_COLUMNS, INTEGER_COLUMNS, Interaction, Interactions, REFERENCE_COLUMNS, SCORE_COLUMNS, SYMBOL_COLUMNS,
    SafetyRow, SentenceRow, Span, Symbol, TEXT_COLUMNS, column,
};
use crate::lake::Error;

/// Rows of one batch handed to the writer.
const BATCH_ROWS: usize = 16_384;
/// Text of one batch, about: rows with prompts and passages come in smaller batches, so that they do not lie in memory twice.
const BATCH_BYTES: usize = 8 << 20;
/// Rows that the columns read at a time: 256 rows of some 700 bytes fit a second-level cache.
const BLOCK_ROWS: usize = 256;
/// Scores are stored in billionths.
const BILLION: f64 = 1e9;
/// Place of the tenant among the symbols.
const TENANT: usize = column(&SYMBOL_COLUMNS, "tenant");

/// The files of an epoch's interactions.
pub(super) fn encode(rows: &Interactions, attempt: &str) -> Result<Vec<Part>, Error> {
    let order = order(rows);
    let symbols: ArrayRef = Arc::new(rows.symbols.iter().map(|text| Some(&**text)).collect::<StringArray>());
    let bytes_per_row = rows.text.len() / rows.rows.len().max(1) + 1;
    let batch_rows = (BATCH_BYTES / bytes_per_row).clamp(BLOCK_ROWS, BATCH_ROWS);
    let mut parts = Vec::new();
    for day in order.chunk_by(|a, b| a.days == b.days) {
        let Some(first) = day.first() else { continue };
        let source = Source { rows, symbols: &symbols, days: first.days, attempt };
        let batches = day.chunks(batch_rows).map(|places| source.batch(places));
        let bytes = write(&INTERACTIONS, attempt, day.len(), batches)?;
        parts.push(Part::new(INTERACTIONS.name, Timestamp(i64::from(first.days) * Timestamp::DAY_US).date(), day.len(), bytes));
    }
    Ok(parts)
}

/// Sort key of a row, and where the row is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    days: i32,
    tenant: u32,
    time: i64,
    at: u32,
}

/// Rows by date, tenant and time.
#[expect(
    clippy::cast_possible_truncation,
    reason = "spans and symbols of an epoch are 32 bits wide, so its rows are fewer than 2^32"
)]
fn order(rows: &Interactions) -> Vec<Place> {
    let mut tenants: Vec<Symbol> = rows.rows.iter().filter_map(|row| row.symbols[TENANT]).collect();
    tenants.sort_unstable();
    tenants.dedup();
    tenants.sort_by_key(|symbol| rows.symbols.get(*symbol));
    let mut ranks = vec![0_u32; rows.symbols.len() + 1];
    for (rank, symbol) in tenants.iter().enumerate() {
        ranks[symbol.0.get() as usize] = rank as u32 + 1;
    }
    let place = |(at, row): (usize, &Interaction)| Place {
        days: row.event_time.days(),
        tenant: row.symbols[TENANT].map_or(0, |symbol| ranks[symbol.0.get() as usize]),
        time: row.event_time.0,
        at: at as u32,
    };
    let mut order: Vec<Place> = rows.rows.iter().enumerate().map(place).collect();
    order.sort_unstable();
    order
}

struct Source<'a> {
    rows: &'a Interactions,
    symbols: &'a ArrayRef,
    days: i32,
    attempt: &'a str,
}

/// Builders of one batch, in the order of the columns of [`Interaction`].
struct Builders {
    times: TimestampMicrosecondBuilder,
    symbols: Vec<Int32Builder>,
    texts: Vec<StringBuilder>,
    integers: Vec<Int64Builder>,
    floats: Vec<Float64Builder>,
    scores: Vec<Float64Builder>,
    refusal: BooleanBuilder,
}

impl Builders {
    fn new(rows: usize) -> Self {
        let floats = |columns: usize| (0..columns).map(|_| Float64Builder::with_capacity(rows)).collect();
        Self {
            times: TimestampMicrosecondBuilder::with_capacity(rows),
            symbols: SYMBOL_COLUMNS.iter().map(|_| Int32Builder::with_capacity(rows)).collect(),
            texts: TEXT_COLUMNS.iter().map(|_| StringBuilder::with_capacity(rows, 0)).collect(),
            integers: INTEGER_COLUMNS.iter().map(|_| Int64Builder::with_capacity(rows)).collect(),
            floats: floats(FLOAT_COLUMNS.len()),
            scores: floats(SCORE_COLUMNS.len()),
            refusal: BooleanBuilder::with_capacity(rows),
        }
    }

    #[expect(clippy::cast_possible_wrap, reason = "an epoch has fewer than 2^31 symbols")]
    fn push(&mut self, block: &[&Interaction], text: &str) {
        for row in block {
            self.times.append_value(row.event_time.0);
            self.refusal.append_option(row.refusal);
        }
        for (at, builder) in self.symbols.iter_mut().enumerate() {
            for row in block {
                builder.append_option(row.symbols[at].map(|symbol| symbol.0.get() as i32 - 1));
            }
        }
        for (at, builder) in self.texts.iter_mut().enumerate() {
            for row in block {
                builder.append_option(row.texts[at].map(|span| span.of(text)));
            }
        }
        for (at, builder) in self.integers.iter_mut().enumerate() {
            for row in block {
                builder.append_option(row.integers.get(at));
            }
        }
        for (at, builder) in self.floats.iter_mut().enumerate() {
            for row in block {
                builder.append_option(row.floats.get(at));
            }
        }
        for (at, builder) in self.scores.iter_mut().enumerate() {
            for row in block {
                builder.append_option(row.scores.get(at).map(score));
            }
        }
    }
}

impl Source<'_> {
    /// The columns of some rows.
    fn batch(&self, places: &[Place]) -> Result<Vec<ArrayRef>, ArrowError> {
        let mut builders = Builders::new(places.len());
        let rows: Vec<&Interaction> = places.iter().filter_map(|place| self.rows.rows.get(place.at as usize)).collect();
        for block in rows.chunks(BLOCK_ROWS) {
            builders.push(block, &self.rows.text);
        }
        INTERACTIONS.columns.iter().map(|column| self.column(column.name, &mut builders, &rows)).collect()
    }

    /// Finishes one column by its name.
    fn column(&self, name: &str, builders: &mut Builders, rows: &[&Interaction]) -> Result<ArrayRef, ArrowError> {
        let at = |names: &[&str]| names.iter().position(|other| *other == name);
        if let Some(at) = at(&SYMBOL_COLUMNS) {
            return Ok(Arc::new(DictionaryArray::try_new(builders.symbols[at].finish(), Arc::clone(self.symbols))?));
        }
        if let Some(at) = at(&TEXT_COLUMNS) {
            return Ok(Arc::new(builders.texts[at].finish()));
        }
        if let Some(at) = at(&INTEGER_COLUMNS) {
            return Ok(Arc::new(builders.integers[at].finish()));
        }
        if let Some(at) = at(&FLOAT_COLUMNS) {
            return Ok(Arc::new(builders.floats[at].finish()));
        }
        if let Some(at) = at(&SCORE_COLUMNS) {
            return Ok(Arc::new(builders.scores[at].finish()));
        }
        match name {
            "event_time" => Ok(Arc::new(builders.times.finish().with_timezone("UTC"))),
            "event_date" => Ok(Arc::new(Date32Array::from_value(self.days, rows.len()))),
            "refusal" => Ok(Arc::new(builders.refusal.finish())),
            "contexts" => list(name, rows, |row| row.contexts, &self.rows.contexts, |picked| self.contexts(picked)),
            "sentences" => list(name, rows, |row| row.sentences, &self.rows.sentences, sentences),
            "safety" => list(name, rows, |row| row.safety, &self.rows.safety, |picked| self.safety(picked)),
            "log_entry_id" => constant(self.attempt, rows.len()),
            _ => self.compared(name, rows),
        }
    }

    /// A column of comparisons with references. Where no row has one, nothing is looked at row by row.
    fn compared(&self, name: &str, rows: &[&Interaction]) -> Result<ArrayRef, ArrowError> {
        let unknown = || ArrowError::SchemaError(format!("no source for column `{name}`"));
        let kind = INTERACTIONS.position(name).map(|at| INTERACTIONS.columns[at].kind).ok_or_else(unknown)?;
        if self.rows.compared.is_empty() {
            return Ok(new_null_array(&kind.arrow(), rows.len()));
        }
        let found = rows.iter().map(|row| self.rows.compared.get(row.compared?.get() as usize - 1));
        if let Some(at) = REFERENCE_COLUMNS.iter().position(|known| *known == name) {
            return Ok(Arc::new(found.map(|found| found?.scores[at].map(score)).collect::<Float64Array>()));
        }
        match name {
            "exact_match" => Ok(Arc::new(found.map(|found| found.map(|found| found.is_exact)).collect::<BooleanArray>())),
            "bleu_counts" => {
                let mut lists = ListBuilder::new(Int64Builder::new());
                for found in found {
                    for number in found.iter().flat_map(|found| found.bleu.numbers()) {
                        lists.values().append_value(i64::try_from(number).unwrap_or(i64::MAX));
                    }
                    lists.append(found.is_some());
                }
                Ok(Arc::new(lists.finish()))
            }
            _ => Err(unknown()),
        }
    }

    fn contexts(&self, picked: &[&ContextRow]) -> Vec<ArrayRef> {
        let text = |span: Option<Span>| span.map(|span| span.of(&self.rows.text));
        vec![
            Arc::new(picked.iter().map(|row| text(row.id)).collect::<StringArray>()),
            Arc::new(picked.iter().map(|row| text(row.text)).collect::<StringArray>()),
            Arc::new(picked.iter().map(|row| row.score).collect::<Float64Array>()),
            Arc::new(picked.iter().map(|row| self.symbol(row.source)).collect::<StringArray>()),
            Arc::new(picked.iter().map(|row| row.rank).collect::<arrow::array::Int64Array>()),
            Arc::new(picked.iter().map(|row| row.relevance.map(score)).collect::<Float64Array>()),
            Arc::new(picked.iter().map(|row| row.utilization.map(score)).collect::<Float64Array>()),
        ]
    }

    fn safety(&self, picked: &[&SafetyRow]) -> Vec<ArrayRef> {
        vec![
            Arc::new(picked.iter().map(|row| self.symbol(Some(row.category))).collect::<StringArray>()),
            Arc::new(picked.iter().map(|row| self.symbol(row.severity)).collect::<StringArray>()),
            Arc::new(picked.iter().map(|row| row.filtered).collect::<BooleanArray>()),
            Arc::new(picked.iter().map(|row| row.detected).collect::<BooleanArray>()),
            Arc::new(picked.iter().map(|row| row.stage).collect::<StringArray>()),
        ]
    }

    fn symbol(&self, symbol: Option<Symbol>) -> Option<&str> {
        symbol.map(|symbol| &**self.rows.symbols.get(symbol))
    }
}

fn sentences(picked: &[&SentenceRow]) -> Vec<ArrayRef> {
    vec![
        Arc::new(picked.iter().map(|row| i64::from(row.start)).collect::<arrow::array::Int64Array>()),
        Arc::new(picked.iter().map(|row| i64::from(row.end)).collect::<arrow::array::Int64Array>()),
        Arc::new(picked.iter().map(|row| Some(row.verdict)).collect::<StringArray>()),
    ]
}

/// A list column of structs; a row without items is null.
fn list<Item>(
    name: &str,
    rows: &[&Interaction],
    range: impl Fn(&Interaction) -> (u32, u32),
    items: &[Item],
    build: impl Fn(&[&Item]) -> Vec<ArrayRef>,
) -> Result<ArrayRef, ArrowError> {
    let Some(Kind::Structs(columns)) = INTERACTIONS.position(name).map(|at| INTERACTIONS.columns[at].kind) else {
        return Err(ArrowError::SchemaError(format!("`{name}` is no list of structs")));
    };
    let ranges = rows.iter().map(|row| {
        let (from, to) = range(row);
        items.get(from as usize..to as usize).unwrap_or_default()
    });
    let nulls: NullBuffer = ranges.clone().map(|items| !items.is_empty()).collect::<Vec<bool>>().into();
    let offsets = OffsetBuffer::from_lengths(ranges.clone().map(<[Item]>::len));
    let picked: Vec<&Item> = ranges.flatten().collect();
    let fields = fields(columns);
    let structs = StructArray::try_new(fields.clone(), build(&picked), None)?;
    let item = Arc::new(Field::new_list_field(DataType::Struct(fields), true));
    Ok(Arc::new(ListArray::try_new(item, offsets, Arc::new(structs), Some(nulls))?))
}

/// A string column with one value.
pub(super) fn constant(value: &str, rows: usize) -> Result<ArrayRef, ArrowError> {
    let keys = Int32Array::from_value(0, rows);
    Ok(Arc::new(DictionaryArray::try_new(keys, Arc::new(StringArray::from(vec![value])))?))
}

fn score(billionths: i64) -> f64 {
    billionths as f64 / BILLION
}
