//! `docs/data-dictionary.md`, made from the column list.

use std::fmt::Write;

use super::SCHEMA_VERSION;
use super::columns::TABLES;
use super::schema::{Column, Kind};

/// The data dictionary as Markdown.
#[must_use]
pub fn markdown() -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _written = write(&mut out);
    out
}

fn write(out: &mut String) -> std::fmt::Result {
    writeln!(out, "# Data dictionary\n")?;
    writeln!(
        out,
        "Made from the column list in `src/lake/tables/columns.rs`; run the tests with `GROUNDWIRE_UPDATE_DOCS=1` to make it anew.\n"
    )?;
    writeln!(
        out,
        "Files: `<table>/v{SCHEMA_VERSION}/date=YYYY-MM-DD/<name>.parquet`, zstd. The folder's date is the event date in UTC; the same \
         date is the column `event_date` (for `metrics` the date of `window_start`, for `rejects` of `time`). Within a version, columns \
         are only added, at the end: read with `union_by_name` (DuckDB) or a given schema (Polars), as the views of `groundwire views` \
         do. Unit and meaning of each column are also in the files (field metadata); the footer names table, schema version, producer \
         version and log entry.\n"
    )?;
    writeln!(out, "Null means unknown or not applicable, never zero. A list without items is null.")?;
    for table in TABLES {
        writeln!(out, "\n## {}\n\n{} Sorted by {}.\n", table.name, table.about, table.sorted_by.join(", "))?;
        writeln!(out, "| column | type | unit | null | meaning |\n|---|---|---|---|---|")?;
        for column in table.columns {
            row(out, "", column)?;
            if let Kind::Structs(fields) = column.kind {
                for field in fields {
                    row(out, &format!("{}[].", column.name), field)?;
                }
            }
        }
    }
    Ok(())
}

fn row(out: &mut String, prefix: &str, column: &Column) -> std::fmt::Result {
    let null = if column.nullable { "yes" } else { "" };
    let about = column.about.replace('|', "\\|");
    writeln!(out, "| `{prefix}{}` | {} | {} | {null} | {about} |", column.name, column.kind.as_str(), column.unit)
}
