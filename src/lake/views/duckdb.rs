//! Views for `DuckDB`.

use std::fmt::Write;

use super::{FEEDBACK_KEY, POSITION, REPRICED, Views, revisions};
use crate::lake::tables::schema::{Column, Kind, Table};

const FEEDBACK_KEY_SQL: &str = "coalesce(feedback_id, concat_ws('/', source_topic, source_partition, source_offset))";

pub(super) fn print(lake: &Views<'_>) -> String {
    let mut out = String::new();
    // Writing to a string cannot fail.
    let _written = write(&mut out, lake);
    out
}

fn write(out: &mut String, lake: &Views<'_>) -> std::fmt::Result {
    writeln!(out, "-- Views over the lake at {}, as of log entry {}.", lake.location, lake.last_entry())?;
    writeln!(out, "-- Filter on \"date\" (the folder) to read only those days; event_date is the same date inside the files.")?;
    if let Some((scheme, _)) = lake.location.split_once("://") {
        let extension = if scheme == "az" { "azure" } else { "httpfs" };
        writeln!(out, "INSTALL {extension};\nLOAD {extension};")?;
    }
    for (table, present) in lake.tables() {
        let source = if present { files(lake.location, table) } else { nothing(table) };
        match revisions(table.name) {
            Some((key, order)) => {
                let key: Vec<String> = key.into_iter().map(column).collect();
                let order: Vec<String> = order.iter().map(|name| format!("{} DESC", column(name))).collect();
                view(out, &format!("{}_revisions", table.name), "every revision", &source)?;
                let latest = format!(
                    "SELECT * FROM {}_revisions\nQUALIFY row_number() OVER (PARTITION BY {} ORDER BY {}) = 1",
                    table.name,
                    key.join(", "),
                    order.join(", ")
                );
                view(out, table.name, &format!("{} The latest revision only.", table.about), &latest)?;
            }
            None if lake.is_repriced(table) => {
                view(out, &format!("{}_recorded", table.name), "with costs as they were recorded", &source)?;
                view(out, table.name, &format!("{} Costs by the latest price table.", table.about), &repriced(table))?;
            }
            None => view(out, table.name, table.about, &source)?,
        }
    }
    let topics = lake.complete_through();
    let rows: Vec<String> = topics.iter().map(|(topic, time)| format!("({}, TIMESTAMPTZ '{time}')", quoted(topic))).collect();
    let complete = if rows.is_empty() {
        "SELECT NULL::VARCHAR AS source_topic, NULL::TIMESTAMPTZ AS complete_through WHERE false".to_owned()
    } else {
        format!("SELECT * FROM (VALUES {}) AS t (source_topic, complete_through)", rows.join(", "))
    };
    view(out, "complete_through", "Up to when all events of a topic had come when these views were printed.", &complete)
}

/// The recorded rows with the latest costs in place of theirs.
fn repriced(table: &Table) -> String {
    let latest = |name: &str| format!("CASE WHEN costs.revision IS NULL THEN recorded.{name} ELSE costs.{name} END AS {name}");
    let same = |name: &str| format!("recorded.{name} = costs.{name}");
    format!(
        "SELECT recorded.* REPLACE ({})\nFROM {}_recorded AS recorded LEFT JOIN costs ON {}",
        REPRICED.map(latest).join(", "),
        table.name,
        POSITION.map(same).join(" AND ")
    )
}

fn view(out: &mut String, name: &str, about: &str, select: &str) -> std::fmt::Result {
    writeln!(out, "\nCREATE OR REPLACE VIEW {name} AS\n{select};\nCOMMENT ON VIEW {name} IS {};", quoted(about))
}

fn files(location: &str, table: &Table) -> String {
    let glob = quoted(&format!("{location}/{}/v1/*/*.parquet", table.name));
    format!("SELECT * FROM read_parquet({glob}, hive_partitioning = true, union_by_name = true)")
}

/// No rows, with the table's columns and types.
fn nothing(table: &Table) -> String {
    let mut columns: Vec<String> =
        table.columns.iter().map(|column| format!("NULL::{} AS \"{}\"", sql(column.kind), column.name)).collect();
    columns.push("NULL::DATE AS date".to_owned());
    format!("SELECT {} WHERE false", columns.join(", "))
}

fn sql(kind: Kind) -> String {
    match kind {
        Kind::Time => "TIMESTAMPTZ".to_owned(),
        Kind::Date => "DATE".to_owned(),
        Kind::Integer => "BIGINT".to_owned(),
        Kind::Float => "DOUBLE".to_owned(),
        Kind::Flag => "BOOLEAN".to_owned(),
        Kind::Symbol | Kind::Key | Kind::Text => "VARCHAR".to_owned(),
        Kind::Integers => "BIGINT[]".to_owned(),
        Kind::Floats => "DOUBLE[]".to_owned(),
        Kind::Structs(columns) => {
            let field = |column: &Column| format!("\"{}\" {}", column.name, sql(column.kind));
            format!("STRUCT({})[]", columns.iter().map(field).collect::<Vec<_>>().join(", "))
        }
    }
}

fn column(name: &'static str) -> String {
    if name == FEEDBACK_KEY { FEEDBACK_KEY_SQL.to_owned() } else { format!("\"{name}\"") }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
