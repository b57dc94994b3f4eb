//! What stored rows say of answers whose right one is known: comparisons with references, labels.

use arrow::array::{Array, AsArray};
use arrow::datatypes::Int64Type;
use arrow::error::ArrowError;

use crate::ingest::REFERENCE_COLUMNS;
use crate::lake::tables::Columns;
use crate::measure::classification::Classified;
use crate::measure::{BleuCounts, Compared, billionths};

/// The comparison with a reference; `None` where there was none.
pub(super) fn compared(columns: &Columns<'_>, row: usize) -> Result<Option<Compared>, ArrowError> {
    let lists = columns.array("bleu_counts")?.as_list::<i32>();
    if !lists.is_valid(row) {
        return Ok(None);
    }
    let counts = lists.value(row);
    let numbers: Vec<u64> = counts
        .as_primitive::<Int64Type>()
        .iter()
        .map(|number| number.and_then(|number| u64::try_from(number).ok()).unwrap_or(0))
        .collect();
    let numbers = numbers.try_into().map_err(|numbers: Vec<u64>| {
        ArrowError::SchemaError(format!("column `bleu_counts` has {} numbers in row {row}, expected 9", numbers.len()))
    })?;
    let mut scores = [None; REFERENCE_COLUMNS.len()];
    for (score, name) in scores.iter_mut().zip(REFERENCE_COLUMNS) {
        *score = columns.float(name, row)?.map(billionths);
    }
    let is_exact = columns.flag("exact_match", row)?.unwrap_or(false);
    Ok(Some(Compared { bleu: BleuCounts::from_numbers(numbers), scores, is_exact }))
}

/// What the label says; `None` where there is none.
pub(super) fn classified(columns: &Columns<'_>, row: usize) -> Result<Option<Classified>, ArrowError> {
    let Some(label) = columns.text("label", row)? else { return Ok(None) };
    Ok(Some(Classified::read(label, columns.text("prediction", row)?, columns.text("probability", row)?)))
}
