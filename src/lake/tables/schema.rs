//! The columns of every table: names, types, units and meaning.
//!
//! One list makes the Arrow schema, the writer's encodings and the data dictionary, so they cannot disagree. Within a
//! version, columns are only ever added at the end.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Fields, Schema, SchemaRef, TimeUnit};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;

/// Rows of a row group: what `DuckDB` reads best (its own row group).
const ROW_GROUP_ROWS: usize = 122_880;
/// False positives of a bloom filter.
const BLOOM_FPP: f64 = 0.01;
/// Bytes of a dictionary beyond which the writer goes on without one.
const DICTIONARY_BYTES: usize = 256 * 1024;

/// What a column holds, and so how it is written.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Microseconds since 1970, UTC.
    Time,
    /// Date in UTC.
    Date,
    /// 64-bit signed integer.
    Integer,
    /// 64-bit float.
    Float,
    /// Yes or no.
    Flag,
    /// A string that repeats: dictionary encoded.
    Symbol,
    /// A string of its own per row, with a bloom filter.
    Key,
    /// A string of its own per row.
    Text,
    /// List of 64-bit integers.
    Integers,
    /// List of 64-bit floats.
    Floats,
    /// List of structs.
    Structs(&'static [Column]),
}

/// One column.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Column {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether a value may be unknown.
    pub nullable: bool,
    /// Unit, empty where there is none.
    pub unit: &'static str,
    /// What it means.
    pub about: &'static str,
}

/// One table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Table {
    /// Its name and folder.
    pub name: &'static str,
    /// What a row is.
    pub about: &'static str,
    /// Columns that the rows of a file are sorted by.
    pub sorted_by: &'static [&'static str],
    /// Its columns.
    pub columns: &'static [Column],
}

/// A column that may be unknown.
pub(super) const fn maybe(name: &'static str, kind: Kind, unit: &'static str, about: &'static str) -> Column {
    Column { name, kind, nullable: true, unit, about }
}

/// A column that always has a value.
pub(super) const fn always(name: &'static str, kind: Kind, unit: &'static str, about: &'static str) -> Column {
    Column { name, kind, nullable: false, unit, about }
}

impl Kind {
    /// The Arrow type.
    #[must_use]
    pub fn arrow(self) -> DataType {
        match self {
            Self::Time => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Date => DataType::Date32,
            Self::Integer => DataType::Int64,
            Self::Float => DataType::Float64,
            Self::Flag => DataType::Boolean,
            Self::Symbol | Self::Key | Self::Text => DataType::Utf8,
            Self::Integers => DataType::List(item(DataType::Int64)),
            Self::Floats => DataType::List(item(DataType::Float64)),
            Self::Structs(columns) => DataType::List(item(DataType::Struct(fields(columns)))),
        }
    }

    /// The type as the data dictionary names it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Time => "timestamp (µs, UTC)",
            Self::Date => "date",
            Self::Integer => "int64",
            Self::Float => "float64",
            Self::Flag => "boolean",
            Self::Symbol | Self::Key | Self::Text => "string",
            Self::Integers => "list of int64",
            Self::Floats => "list of float64",
            Self::Structs(_) => "list of struct",
        }
    }
}

fn item(data_type: DataType) -> Arc<Field> {
    // "item" nullable is what Arrow's builders make.
    Arc::new(Field::new_list_field(data_type, true))
}

/// Fields of a list of columns, with unit and meaning in their metadata.
pub(super) fn fields(columns: &[Column]) -> Fields {
    columns
        .iter()
        .map(|column| {
            let mut metadata = HashMap::from([("description".to_owned(), column.about.to_owned())]);
            if !column.unit.is_empty() {
                metadata.insert("unit".to_owned(), column.unit.to_owned());
            }
            Field::new(column.name, column.kind.arrow(), column.nullable).with_metadata(metadata)
        })
        .collect()
}

impl Table {
    /// The Arrow schema as readers see it.
    #[must_use]
    pub fn schema(&self) -> SchemaRef {
        Arc::new(Schema::new(fields(self.columns)))
    }

    /// Place of a column.
    pub(in crate::lake) fn position(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// How a file of at most so many rows is written by an attempt.
    pub(super) fn properties(&self, attempt: &str, rows: usize) -> WriterProperties {
        let footer = [
            ("groundwire.table", self.name.to_owned()),
            ("groundwire.schema_version", super::SCHEMA_VERSION.to_string()),
            ("groundwire.producer_version", env!("CARGO_PKG_VERSION").to_owned()),
            ("groundwire.log_entry_id", attempt.to_owned()),
        ];
        let footer = footer.into_iter().map(|(key, value)| KeyValue { key: key.to_owned(), value: Some(value) }).collect();
        let mut properties = WriterProperties::builder()
            .set_created_by(concat!("groundwire ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
            .set_dictionary_enabled(false)
            .set_dictionary_page_size_limit(DICTIONARY_BYTES)
            .set_statistics_enabled(EnabledStatistics::None)
            .set_key_value_metadata(Some(footer));
        for column in self.columns {
            let path = ColumnPath::from(column.name);
            let sorted = self.sorted_by.contains(&column.name);
            // Pages are skipped by the columns that the rows are sorted by; for other numbers the range of a row group will do, and for
            // other strings a range says next to nothing.
            let statistics = if sorted { EnabledStatistics::Page } else { EnabledStatistics::Chunk };
            properties = match column.kind {
                Kind::Time | Kind::Integer => properties
                    .set_column_encoding(path.clone(), Encoding::DELTA_BINARY_PACKED)
                    .set_column_statistics_enabled(path, statistics),
                Kind::Float => properties.set_column_statistics_enabled(path, statistics),
                Kind::Date | Kind::Symbol => {
                    properties.set_column_dictionary_enabled(path.clone(), true).set_column_statistics_enabled(path, statistics)
                }
                Kind::Key => properties
                    .set_column_bloom_filter_enabled(path.clone(), true)
                    .set_column_bloom_filter_fpp(path.clone(), BLOOM_FPP)
                    .set_column_bloom_filter_max_ndv(path, rows.min(ROW_GROUP_ROWS) as u64),
                Kind::Structs(columns) => nested(properties, column.name, columns),
                Kind::Flag | Kind::Text | Kind::Integers | Kind::Floats => properties,
            };
        }
        properties.build()
    }
}

type Builder = parquet::file::properties::WriterPropertiesBuilder;

fn nested(mut properties: Builder, list: &str, columns: &[Column]) -> Builder {
    for column in columns.iter().filter(|column| column.kind == Kind::Symbol) {
        let path = ColumnPath::new(vec![list.to_owned(), "list".into(), "item".into(), column.name.into()]);
        properties = properties.set_column_dictionary_enabled(path, true);
    }
    properties
}
