//! The words of stored texts, in place of the texts: all that is measured of them, and far smaller.
//!
//! Where a topic keeps hashes of its texts, the column holds them; they have no words, as words have no digits.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BinaryArray};
use arrow::error::ArrowError;

use crate::lake::tables::Columns;
use crate::lake::tables::schema::Table;
use crate::measure::Vocabulary;

/// The columns of free text whose words are measured.
const TEXTS: [&str; 2] = ["prompt", "response"];

/// Puts the words of each text in its place.
pub(super) fn for_texts(table: &Table, mut arrays: Vec<ArrayRef>) -> Vec<ArrayRef> {
    for place in TEXTS.iter().filter_map(|name| table.position(name)) {
        let Some(place) = arrays.get_mut(place) else { continue };
        let Some(texts) = place.as_string_opt::<i32>() else { continue };
        let words = texts.iter().map(|text| text.and_then(Vocabulary::of).map(Vocabulary::to_bytes));
        *place = Arc::new(words.collect::<BinaryArray>());
    }
    arrays
}

/// The words of prompt and answer.
pub(super) fn of(columns: &Columns<'_>, row: usize) -> Result<[Option<Vocabulary>; 2], ArrowError> {
    let mut found = [None; TEXTS.len()];
    for (words, name) in found.iter_mut().zip(TEXTS) {
        let array = columns.array(name)?.as_binary_opt::<i32>();
        *words = array.filter(|array| array.is_valid(row)).and_then(|array| Vocabulary::from_bytes(array.value(row)));
    }
    Ok(found)
}
