//! One Parquet file from column arrays.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch};
use arrow::datatypes::{Field, Schema};
use arrow::error::ArrowError;
use bytes::Bytes;
use parquet::arrow::ArrowWriter;
use sha2::{Digest, Sha256};

use super::schema::Table;
use crate::lake::Error;

/// One file that is ready to be staged.
#[derive(Debug)]
pub(in crate::lake) struct Part {
    /// Table.
    pub table: &'static str,
    /// Event date; empty for internal objects.
    pub date: String,
    /// Rows.
    pub rows: u64,
    /// The file.
    pub bytes: Bytes,
    /// Its SHA-256, lowercase hex.
    pub sha256: String,
}

impl Part {
    pub(super) fn new(table: &'static str, date: String, rows: usize, bytes: Vec<u8>) -> Self {
        let sha256 = sha256(&bytes);
        Self { table, date, rows: rows as u64, bytes: bytes.into(), sha256 }
    }
}

/// SHA-256 as the log writes it.
pub(in crate::lake) fn sha256(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        // Writing to a string cannot fail.
        let _written = write!(hex, "{byte:02x}");
    }
    hex
}

/// Writes a file of a table. Each batch has the table's columns in order; a string column may come as a dictionary array.
pub(in crate::lake) fn write(
    table: &Table,
    attempt: &str,
    rows: usize,
    batches: impl Iterator<Item = Result<Vec<ArrayRef>, ArrowError>>,
) -> Result<Vec<u8>, Error> {
    let failed = |reason: String| Error::Parquet { action: "encode", table: table.name.to_owned(), reason };
    let mut writer = ArrowWriter::try_new(Vec::new(), table.schema(), Some(table.properties(attempt, rows)))
        .map_err(|error| failed(error.to_string()))?;
    for arrays in batches {
        let batch = arrays.and_then(|arrays| batch(table, arrays)).map_err(|error| failed(error.to_string()))?;
        writer.write(&batch).map_err(|error| failed(error.to_string()))?;
    }
    writer.into_inner().map_err(|error| failed(error.to_string()))
}

fn batch(table: &Table, arrays: Vec<ArrayRef>) -> Result<RecordBatch, ArrowError> {
    let fields: Vec<Field> = table
        .columns
        .iter()
        .zip(&arrays)
        .map(|(column, array)| Field::new(column.name, array.data_type().clone(), column.nullable))
        .collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
}
