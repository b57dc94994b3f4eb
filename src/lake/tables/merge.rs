//! Several files of one table become one sorted file, whatever version of the columns they were written with.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, new_null_array};
use arrow::compute::{SortColumn, concat, interleave, lexsort_to_indices};
use arrow::datatypes::Field;
use arrow::error::ArrowError;
use bytes::Bytes;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::columns::TABLES;
use super::file::{Part, write};
use super::schema::Table;
use crate::lake::Error;

/// Rows of one batch handed to the writer.
const BATCH_ROWS: usize = 8_192;

/// Merges files of a table and date. All inputs are in memory at once: the caller bounds them.
pub(in crate::lake) fn merge(table: &str, date: &str, attempt: &str, files: Vec<Bytes>) -> Result<Part, Error> {
    let failed = |reason: String| Error::Parquet { action: "merge", table: table.to_owned(), reason };
    let table = TABLES.into_iter().find(|known| known.name == table).ok_or_else(|| failed("unknown table".to_owned()))?;
    let mut batches = Vec::new();
    for file in files {
        for batch in read(table, file).map_err(|error| failed(error.to_string()))? {
            batches.push(batch);
        }
    }
    let order = order(table, &batches).map_err(|error| failed(error.to_string()))?;
    let sorted = order.chunks(BATCH_ROWS).map(|places| {
        (0..table.columns.len())
            .map(|at| {
                let columns: Vec<&dyn arrow::array::Array> = batches.iter().map(|columns| columns[at].as_ref()).collect();
                interleave(&columns, places)
            })
            .collect()
    });
    let bytes = write(table, attempt, order.len(), sorted)?;
    Ok(Part::new(table.name, date.to_owned(), order.len(), bytes))
}

/// The columns of a table from a file of any version: by name, null where the file does not know a column.
pub(in crate::lake) fn read(table: &Table, file: Bytes) -> Result<Vec<Vec<ArrayRef>>, ArrowError> {
    read_without(table, file, &[], Ok)
}

/// The same without some columns, which are null: text can be far more than all the rest. `digest` makes of each batch what is
/// kept of it.
pub(in crate::lake) fn read_without(
    table: &Table,
    file: Bytes,
    skipped: &[&str],
    digest: impl Fn(Vec<ArrayRef>) -> Result<Vec<ArrayRef>, ArrowError>,
) -> Result<Vec<Vec<ArrayRef>>, ArrowError> {
    let builder = ParquetRecordBatchReaderBuilder::try_new(file)?.with_batch_size(BATCH_ROWS);
    let fields = builder.schema().fields();
    let wanted = (0..fields.len()).filter(|at| !skipped.contains(&fields[*at].name().as_str()));
    let projection = ProjectionMask::roots(builder.parquet_schema(), wanted);
    let mut batches = Vec::new();
    for batch in builder.with_projection(projection).build()? {
        batches.push(digest(columns(table, &batch?)?)?);
    }
    Ok(batches)
}

fn columns(table: &Table, batch: &RecordBatch) -> Result<Vec<ArrayRef>, ArrowError> {
    let wanted = table.schema();
    wanted.fields().iter().map(|field| column(field, batch)).collect()
}

fn column(field: &Field, batch: &RecordBatch) -> Result<ArrayRef, ArrowError> {
    match batch.column_by_name(field.name()) {
        Some(column) if column.data_type() == field.data_type() => Ok(Arc::clone(column)),
        Some(column) => {
            let reason = format!("column `{}` is {}, expected {}", field.name(), column.data_type(), field.data_type());
            Err(ArrowError::SchemaError(reason))
        }
        None => Ok(new_null_array(field.data_type(), batch.num_rows())),
    }
}

/// Places (batch, row) of all rows in the table's order.
fn order(table: &Table, batches: &[Vec<ArrayRef>]) -> Result<Vec<(usize, usize)>, ArrowError> {
    let places: Vec<(usize, usize)> = batches
        .iter()
        .enumerate()
        .flat_map(|(batch, columns)| (0..columns.first().map_or(0, |column| column.len())).map(move |row| (batch, row)))
        .collect();
    if places.is_empty() {
        return Ok(places);
    }
    let mut keys = Vec::new();
    for at in table.sorted_by.iter().filter_map(|name| table.position(name)) {
        let columns: Vec<&dyn arrow::array::Array> = batches.iter().map(|columns| columns[at].as_ref()).collect();
        keys.push(SortColumn { values: concat(&columns)?, options: None });
    }
    let indices = lexsort_to_indices(&keys, None)?;
    Ok(indices.values().iter().filter_map(|at| places.get(*at as usize).copied()).collect())
}
