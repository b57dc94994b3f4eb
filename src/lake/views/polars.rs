//! Views for Polars: a Python module with one lazy frame per table.

use std::fmt::Write;

use super::{FEEDBACK_KEY, POSITION, REPRICED, Views, revisions};
use crate::lake::tables::schema::{Column, Kind, Table};

const FEEDBACK_KEY_EXPRESSION: &str =
    "pl.coalesce(\"feedback_id\", pl.concat_str(\"source_topic\", \"source_partition\", \"source_offset\", separator=\"/\"))";

pub(super) fn print(lake: &Views<'_>) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _written = write(&mut out, lake);
    out
}

fn write(out: &mut String, lake: &Views<'_>) -> std::fmt::Result {
    writeln!(out, "\"\"\"Lazy frames over the lake at {}, as of log entry {}.", lake.location, lake.last_entry())?;
    writeln!(
        out,
        "\nFilter on `date` (the folder) to read only those days; `event_date` is the same date inside the files.\n\"\"\"\n"
    )?;
    writeln!(out, "from datetime import datetime, timezone\n\nimport polars as pl\n")?;
    writeln!(out, "LAKE = {}\n", quoted(lake.location))?;
    writeln!(out, "SCHEMAS = {{")?;
    for (table, _) in lake.tables() {
        writeln!(out, "    {}: {{", quoted(table.name))?;
        for column in table.columns {
            writeln!(out, "        {}: {},", quoted(column.name), python(column.kind))?;
        }
        writeln!(out, "    }},")?;
    }
    writeln!(out, "}}\n\n")?;
    out.push_str(SCAN);
    for (table, present) in lake.tables() {
        let scan = if present { "scan" } else { "nothing" };
        let source = format!("{scan}({})", quoted(table.name));
        writeln!(out, "\n# {}", table.about)?;
        match revisions(table.name) {
            Some((key, order)) => latest(out, table, &source, &key, order)?,
            None if lake.is_repriced(table) => repriced(out, table, &source)?,
            None => writeln!(out, "{} = {source}", table.name)?,
        }
    }
    writeln!(out, "\n# Up to when all events of a topic had come when this was printed.\ncomplete_through = {{")?;
    for (topic, time) in lake.complete_through() {
        writeln!(out, "    {}: datetime.fromtimestamp({} / 1_000_000, timezone.utc),", quoted(topic), time.0)?;
    }
    writeln!(out, "}}")
}

/// Hive columns are typed here: Polars would guess. Files of other versions may lack columns or have more.
const SCAN: &str = r#"def scan(table):
    return pl.scan_parquet(
        f"{LAKE}/{table}/v1/*/*.parquet",
        schema=SCHEMAS[table],
        hive_schema={"date": pl.Date},
        missing_columns="insert",
        extra_columns="ignore",
    )


def nothing(table):
    return pl.LazyFrame(schema=SCHEMAS[table] | {"date": pl.Date})


"#;

fn latest(out: &mut String, table: &Table, source: &str, key: &[&'static str], order: &[&str]) -> std::fmt::Result {
    let key: Vec<String> = key.iter().map(|name| expression(name)).collect();
    let order: Vec<String> = order.iter().map(|name| quoted(name)).collect();
    writeln!(out, "{}_revisions = {source}", table.name)?;
    writeln!(
        out,
        "{name} = (\n    {name}_revisions.sort({}, nulls_last=False)\n    .with_columns(_newest=pl.int_range(pl.len()).reverse().over({}))\n    .filter(pl.col(\"_newest\") == 0)\n    .drop(\"_newest\")\n)",
        order.join(", "),
        key.join(", "),
        name = table.name
    )
}

/// The recorded rows with the latest costs in place of theirs.
fn repriced(out: &mut String, table: &Table, source: &str) -> std::fmt::Result {
    let name = table.name;
    let position = POSITION.map(quoted).join(", ");
    let columns = REPRICED.map(quoted).join(", ");
    writeln!(out, "{name}_recorded = {source}")?;
    writeln!(
        out,
        "{name} = (\n    {name}_recorded.join(\n        costs.select({position}, pl.col({columns}).name.prefix(\"_\"), _repriced=pl.lit(True)),\n        on=[{position}],\n        how=\"left\",\n    )\n    .with_columns(pl.when(\"_repriced\").then(pl.col(\"_\" + name)).otherwise(pl.col(name)).alias(name) for name in [{columns}])\n    .drop([\"_\" + name for name in [{columns}]] + [\"_repriced\"])\n)"
    )
}

fn python(kind: Kind) -> String {
    match kind {
        Kind::Time => "pl.Datetime(\"us\", \"UTC\")".to_owned(),
        Kind::Date => "pl.Date".to_owned(),
        Kind::Integer => "pl.Int64".to_owned(),
        Kind::Float => "pl.Float64".to_owned(),
        Kind::Flag => "pl.Boolean".to_owned(),
        Kind::Symbol | Kind::Key | Kind::Text => "pl.String".to_owned(),
        Kind::Integers => "pl.List(pl.Int64)".to_owned(),
        Kind::Floats => "pl.List(pl.Float64)".to_owned(),
        Kind::Structs(columns) => {
            let field = |column: &Column| format!("{}: {}", quoted(column.name), python(column.kind));
            format!("pl.List(pl.Struct({{{}}}))", columns.iter().map(field).collect::<Vec<_>>().join(", "))
        }
    }
}

fn expression(name: &'static str) -> String {
    if name == FEEDBACK_KEY { FEEDBACK_KEY_EXPRESSION.to_owned() } else { quoted(name) }
}

/// A Python string literal: JSON's escapes are Python's.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
