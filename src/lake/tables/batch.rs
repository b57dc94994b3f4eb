//! The columns of one batch of a table's rows, by name.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{Float64Type, Int64Type, TimestampMicrosecondType};
use arrow::error::ArrowError;

use super::costs::Position;
use super::schema::Table;
use crate::event::Timestamp;
use crate::measure::{Dimension, Group};

/// Columns of one batch by name.
pub(in crate::lake) struct Columns<'a> {
    pub(in crate::lake) table: &'a Table,
    pub(in crate::lake) arrays: &'a [ArrayRef],
}

impl Columns<'_> {
    pub(in crate::lake) fn array(&self, name: &str) -> Result<&ArrayRef, ArrowError> {
        let found = self.table.position(name).and_then(|at| self.arrays.get(at));
        found.ok_or_else(|| ArrowError::SchemaError(format!("no column `{name}`")))
    }

    pub(in crate::lake) fn text(&self, name: &str, row: usize) -> Result<Option<&str>, ArrowError> {
        let array = self.array(name)?.as_string::<i32>();
        Ok(array.is_valid(row).then(|| array.value(row)))
    }

    pub(in crate::lake) fn integer(&self, name: &str, row: usize) -> Result<Option<i64>, ArrowError> {
        let array = self.array(name)?.as_primitive::<Int64Type>();
        Ok(array.is_valid(row).then(|| array.value(row)))
    }

    pub(in crate::lake) fn float(&self, name: &str, row: usize) -> Result<Option<f64>, ArrowError> {
        let array = self.array(name)?.as_primitive::<Float64Type>();
        Ok(array.is_valid(row).then(|| array.value(row)))
    }

    pub(in crate::lake) fn flag(&self, name: &str, row: usize) -> Result<Option<bool>, ArrowError> {
        let array = self.array(name)?.as_boolean();
        Ok(array.is_valid(row).then(|| array.value(row)))
    }

    pub(in crate::lake) fn time(&self, name: &str, row: usize) -> Result<Timestamp, ArrowError> {
        Ok(Timestamp(self.array(name)?.as_primitive::<TimestampMicrosecondType>().value(row)))
    }

    /// Where the record of the row was read.
    pub(in crate::lake) fn position(&self, row: usize) -> Result<Position, ArrowError> {
        let whole = |name: &str| self.integer(name, row).map(Option::unwrap_or_default);
        let topic = self.text("source_topic", row)?.unwrap_or_default().into();
        Ok((topic, whole("source_partition")?, whole("source_offset")?))
    }

    /// The values of some dimensions.
    pub(in crate::lake) fn group(&self, dimensions: &[Dimension], row: usize) -> Result<Group, ArrowError> {
        let mut group = Group::default();
        for dimension in dimensions {
            group.0[*dimension as usize] = self.text(dimension.as_str(), row)?.map(Arc::from);
        }
        Ok(group)
    }

    /// The group of a row of `interactions`: a request that failed has no model that answered, and counts under the one asked for.
    pub(in crate::lake) fn request_group(&self, dimensions: &[Dimension], row: usize) -> Result<Group, ArrowError> {
        let mut group = self.group(dimensions, row)?;
        let model = &mut group.0[Dimension::ResponseModel as usize];
        if model.is_none() && dimensions.contains(&Dimension::ResponseModel) {
            *model = self.text("request_model", row)?.map(Arc::from);
        }
        Ok(group)
    }
}
