//! What is made from the description of the settings: the reference page, the JSON Schema and the example file.
//!
//! Pure text; tests hold the files in the repository to it.

use std::fmt::{self, Write};

use serde_json::{Value, json};
use toml::de::DeValue;

use super::describe::{Field, Section, Shape};
use super::prices::PriceTable;
use super::reader::first_line;
use super::sections::Config;

/// Values shown in the example for settings that have no default.
const EXAMPLES: &[(&str, &str)] = &[
    ("source.kafka.mechanism", "\"SCRAM-SHA-512\""),
    ("source.kafka.username", "\"groundwire\""),
    ("source.kafka.password_file", "\"/run/secrets/kafka-password\""),
    ("source.kafka.password_env", "\"KAFKA_PASSWORD\""),
    ("source.kafka.ca_file", "\"/etc/ssl/kafka-ca.pem\""),
    ("source.kafka.certificate_file", "\"/etc/groundwire/client.pem\""),
    ("source.kafka.certificate_key_file", "\"/etc/groundwire/client.key\""),
    ("lake.retention.interactions", "\"90d\""),
    ("lake.retention.rejects", "\"30d\""),
    ("time.max_ahead", "\"1h\""),
    ("privacy.key_file", "\"/run/secrets/groundwire-privacy-key\""),
    ("alerts.directory", "\"alerts\""),
    ("cost.prices_file", "\"prices.toml\""),
    ("mail.host", "\"smtp.example.com\""),
    ("mail.port", "587"),
    ("mail.ca_file", "\"/etc/ssl/mail-ca.pem\""),
    ("mail.username", "\"groundwire\""),
    ("mail.password_file", "\"/run/secrets/mail-password\""),
    ("mail.password_env", "\"MAIL_PASSWORD\""),
    ("mail.directory", "\"outbox\""),
    ("mail.runbook_url", "\"https://wiki.example.com/groundwire\""),
    ("telemetry.otlp_endpoint", "\"http://127.0.0.1:4318\""),
    ("telemetry.instance", "\"groundwire-1\""),
];

/// Tables with free keys, as they are shown commented out in the example.
const EXAMPLE_TABLES: &[(&str, &str)] = &[
    ("source.kafka.properties", "# \"client.id\" = \"groundwire\"\n"),
    ("lake.options", "# aws_region = \"eu-central-1\"\n"),
    ("privacy.patterns", "# EMPLOYEE = 'E-\\d{6}'\n"),
    (
        "feedback.registry",
        "# [feedback.registry.stars]\n# lowest = 1\n# highest = 10\n# better = \"higher\"\n# positive_from = 8\n",
    ),
];

/// A complete example, commented: every setting with its default; those without one are commented out.
#[must_use]
pub fn example() -> String {
    let mut out = String::from(
        "# Groundwire's settings, complete: every line that is not commented out states the default.\n\
         # Check a file with: groundwire check --config groundwire.toml\n\
         # Durations: \"250ms\", \"30s\", \"5m\", \"1h30m\", \"7d\". Sizes: \"64MiB\", \"900kB\". Paths start from the folder of this file.\n",
    );
    written(example_fields("", Config::FIELDS, &mut out), out)
}

/// Writing into a `String` cannot fail.
fn written(result: fmt::Result, out: String) -> String {
    match result {
        Ok(()) | Err(fmt::Error) => out,
    }
}

fn example_fields(prefix: &str, fields: &[Field], out: &mut String) -> fmt::Result {
    let (tables, values): (Vec<_>, Vec<_>) = fields.iter().partition(|field| is_table((field.shape)(), field.key));
    for field in values {
        let path = join(prefix, field.key);
        for line in field.help.lines() {
            writeln!(out, "#{line}")?;
        }
        if let Shape::Choice(words) = (field.shape)() {
            for (word, meaning) in words {
                writeln!(out, "#   {word:?}: {}", meaning.trim())?;
            }
        }
        match field.default {
            "none" => {
                let value = EXAMPLES.iter().find(|(known, _)| *known == path).map_or("\"365d\"", |(_, value)| value);
                writeln!(out, "# {} = {value}", field.key)?;
            }
            default => {
                writeln!(out, "{} = {}", field.key, one_line(default))?;
            }
        }
    }
    for field in tables {
        let path = join(prefix, field.key);
        out.push('\n');
        let shape = (field.shape)();
        let help = if let Shape::Section { help, .. } = &shape { help } else { field.help };
        for line in help.lines() {
            writeln!(out, "#{line}")?;
        }
        match shape {
            Shape::Section { fields, .. } => {
                writeln!(out, "[{path}]")?;
                example_fields(&path, fields, out)?;
            }
            Shape::Map(item) if field.default.contains('=') => example_map(&path, field.default, &item, out)?,
            Shape::Map(item) => {
                if !matches!(*item, Shape::Section { .. }) {
                    writeln!(out, "[{path}]")?;
                }
                out.push_str(EXAMPLE_TABLES.iter().find(|(known, _)| *known == path).map_or("", |(_, text)| text));
            }
            _ => out.push_str(EXAMPLE_TABLES.iter().find(|(known, _)| *known == path).map_or("", |(_, text)| text)),
        }
    }
    Ok(())
}

/// The entries of a default table, each as a table of its own, with the other settings of an entry in comments.
fn example_map(path: &str, default: &str, item: &Shape, out: &mut String) -> fmt::Result {
    let Ok(parsed) = DeValue::parse(default) else { return Ok(()) };
    let (DeValue::Table(entries), Shape::Section { fields, .. }) = (parsed.get_ref(), item) else { return Ok(()) };
    for field in *fields {
        writeln!(out, "#   {}: {}", field.key, first_line(field.help))?;
        if let Shape::Choice(words) = (field.shape)() {
            let words: Vec<_> =
                words.iter().map(|(word, meaning)| format!("{word:?} ({})", meaning.trim().trim_end_matches('.'))).collect();
            writeln!(out, "#     {}", words.join(", "))?;
        }
    }
    for (name, entry) in entries {
        writeln!(out, "[{path}.{}]", name.get_ref())?;
        for field in *fields {
            let value = entry.get_ref().get(field.key).and_then(|value| value.get_ref().as_str().map(|text| format!("{text:?}")));
            writeln!(out, "{} = {}", field.key, value.unwrap_or_else(|| field.default.to_owned()))?;
        }
    }
    Ok(())
}

fn is_table(shape: Shape, key: &str) -> bool {
    match shape {
        Shape::Section { .. } | Shape::Map(_) => true,
        Shape::List(item) => matches!(*item, Shape::Section { .. }) && !key.is_empty(),
        _ => false,
    }
}

fn join(prefix: &str, key: &str) -> String {
    if prefix.is_empty() { key.to_owned() } else { format!("{prefix}.{key}") }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The reference page, in Markdown.
#[must_use]
pub fn markdown() -> String {
    let mut out = String::from(
        "# Configuration\n\n\
         <!-- Made from the description of the settings in src/config/sections.rs; a test keeps it current. -->\n\n\
         One TOML file says everything: `groundwire run --config groundwire.toml`. `groundwire check` reads it and reports every\n\
         mistake at once, with its place and what to do; unknown keys are refused. A complete example with all defaults is\n\
         `groundwire.example.toml`; `schemas/groundwire.schema.json` lets editors complete and check it.\n\n\
         * Durations are written `\"250ms\"`, `\"30s\"`, `\"5m\"`, `\"1h30m\"`, `\"7d\"`; sizes `\"64MiB\"`, `\"900kB\"`; prices in US dollars per million tokens.\n\
         * Relative paths start from the folder of the file.\n\
         * Secrets are never written into the file: `…_file` names a file that holds one, `…_env` an environment variable.\n\n",
    );
    let result = Config::FIELDS.iter().try_for_each(|field| markdown_table(field.key, &(field.shape)(), field.help, &mut out));
    out.push_str(
        "# The price table\n\nThe file that `[cost] prices_file` names; docs/cost.md says how a request finds its row.\n\n",
    );
    let result = result.and_then(|()| {
        PriceTable::FIELDS.iter().try_for_each(|field| markdown_table(field.key, &(field.shape)(), field.help, &mut out))
    });
    let mut out = written(result, out);
    out.truncate(out.trim_end().len());
    out.push('\n');
    out
}

fn markdown_table(path: &str, shape: &Shape, field_help: &str, out: &mut String) -> fmt::Result {
    let (heading, item) = match shape {
        Shape::Map(item) => (format!("{path}.<name>"), &**item),
        Shape::List(item) => (format!("[{path}]"), &**item),
        other => (path.to_owned(), other),
    };
    let Shape::Section { help, fields } = item else { return Ok(()) };
    writeln!(out, "## `[{heading}]`\n\n{}", help.lines().map(str::trim).collect::<Vec<_>>().join(" "))?;
    if !matches!(shape, Shape::Section { .. }) {
        writeln!(out, "\n{}", field_help.lines().map(str::trim).collect::<Vec<_>>().join(" "))?;
    }
    let values: Vec<_> = fields.iter().filter(|field| !matches!((field.shape)(), Shape::Section { .. })).collect();
    if !values.is_empty() {
        out.push_str("\n| setting | takes | default | what it does |\n|---|---|---|---|\n");
    }
    for field in &values {
        let default = match field.default {
            "none" => "–".to_owned(),
            "required" => "required".to_owned(),
            default if default.len() > 100 => "see the example".to_owned(),
            default => format!("`{}`", one_line(default)),
        };
        let mut text = field.help.lines().map(str::trim).collect::<Vec<_>>().join(" ");
        if let Shape::Choice(words) = (field.shape)() {
            for (word, meaning) in words {
                write!(text, "<br>`\"{word}\"`: {}", meaning.trim())?;
            }
        }
        writeln!(out, "| `{}` | {} | {default} | {} |", field.key, takes(field), text.replace('|', "\\|"))?;
    }
    out.push('\n');
    for field in *fields {
        markdown_table(&join(path, field.key), &(field.shape)(), field.help, out)?;
    }
    Ok(())
}

fn takes(field: &Field) -> String {
    let kind = kind((field.shape)());
    match field.bounds {
        Some((least, greatest)) => {
            format!("{kind}, {} to {}", least.trim_matches('"').replace('_', " "), greatest.trim_matches('"').replace('_', " "))
        }
        None => kind,
    }
}

fn kind(shape: Shape) -> String {
    match shape {
        Shape::Text { form, .. } => form.to_owned(),
        Shape::Integer => "whole number".to_owned(),
        Shape::Number => "number".to_owned(),
        Shape::Flag => "true or false".to_owned(),
        Shape::Choice(_) => "one of".to_owned(),
        Shape::List(item) => match *item {
            Shape::Choice(words) => {
                format!("list of {}", words.iter().map(|(word, _)| format!("`\"{word}\"`")).collect::<Vec<_>>().join(", "))
            }
            item => format!("list of {}", kind(item)),
        },
        Shape::Map(item) => format!("table of name = {}", kind(*item)),
        Shape::Section { .. } => "table".to_owned(),
    }
}

/// The JSON Schema (draft 2020-12).
#[must_use]
pub fn json_schema() -> String {
    schema("groundwire.toml", section_schema("Groundwire's configuration, groundwire.toml", Config::FIELDS))
}

/// The JSON Schema of price tables.
#[must_use]
pub fn prices_schema() -> String {
    schema("prices.toml", section_schema("A price table", PriceTable::FIELDS))
}

fn schema(title: &str, mut schema: Value) -> String {
    if let Some(root) = schema.as_object_mut() {
        root.insert("$schema".into(), json!("https://json-schema.org/draft/2020-12/schema"));
        root.insert("title".into(), json!(title));
    }
    // Serialising a `Value` cannot fail.
    let mut text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text.push('\n');
    text
}

fn section_schema(help: &str, fields: &[Field]) -> Value {
    let properties: serde_json::Map<_, _> = fields.iter().map(|field| (field.key.to_owned(), field_schema(field))).collect();
    let required: Vec<_> = fields.iter().filter(|field| field.default == "required").map(|field| field.key).collect();
    let mut schema =
        json!({ "type": "object", "description": help.trim(), "properties": properties, "additionalProperties": false });
    if let (false, Some(object)) = (required.is_empty(), schema.as_object_mut()) {
        object.insert("required".into(), json!(required));
    }
    schema
}

fn field_schema(field: &Field) -> Value {
    let mut schema = shape_schema((field.shape)());
    let Some(object) = schema.as_object_mut() else { return schema };
    if object.get("description").is_none() {
        object.insert("description".into(), json!(field.help.lines().map(str::trim).collect::<Vec<_>>().join(" ")));
    }
    let default = DeValue::parse(field.default).ok().and_then(|value| plain(value.get_ref()));
    if let Some(default) = default {
        object.insert("default".into(), default);
    }
    let bound = |text: &str| text.replace('_', "").parse::<serde_json::Number>().ok();
    if let Some((Some(least), Some(greatest))) = field.bounds.map(|(least, greatest)| (bound(least), bound(greatest))) {
        object.insert("minimum".into(), json!(least));
        object.insert("maximum".into(), json!(greatest));
    }
    schema
}

/// A default as JSON; tables state theirs in their own settings.
fn plain(value: &DeValue<'_>) -> Option<Value> {
    match value {
        DeValue::String(text) => Some(json!(text)),
        DeValue::Integer(number) => number.as_str().replace('_', "").parse::<i64>().ok().map(Value::from),
        DeValue::Float(number) => number.as_str().parse::<f64>().ok().map(Value::from),
        DeValue::Boolean(flag) => Some(json!(flag)),
        DeValue::Array(items) => items.iter().map(|item| plain(item.get_ref())).collect::<Option<Vec<_>>>().map(Value::from),
        DeValue::Datetime(_) | DeValue::Table(_) => None,
    }
}

fn shape_schema(shape: Shape) -> Value {
    match shape {
        Shape::Text { form: "a duration", .. } => json!({ "type": "string", "pattern": "^\\s*([0-9]+(ms|s|m|h|d))+\\s*$" }),
        Shape::Text { form: "a size", .. } => {
            json!({ "type": "string", "pattern": "^\\s*[0-9]+ *(B|kB|KB|KiB|MB|MiB|GB|GiB)\\s*$" })
        }
        Shape::Text { form: "a day", .. } => json!({ "type": "string", "format": "date" }),
        Shape::Text { example: "", .. } => json!({ "type": "string", "minLength": 1 }),
        Shape::Text { example, .. } => json!({ "type": "string", "minLength": 1, "examples": [example] }),
        Shape::Integer => json!({ "type": "integer", "minimum": 0 }),
        Shape::Number => json!({ "type": "number" }),
        Shape::Flag => json!({ "type": "boolean" }),
        Shape::Choice(words) => json!({ "enum": words.iter().map(|(word, _)| *word).collect::<Vec<_>>() }),
        Shape::List(item) => json!({ "type": "array", "items": shape_schema(*item) }),
        Shape::Map(item) => json!({ "type": "object", "additionalProperties": shape_schema(*item) }),
        Shape::Section { help, fields } => section_schema(help, fields),
    }
}
