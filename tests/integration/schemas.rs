//! The JSON Schemas of the events, judged by a validator of other people: what is accepted here is valid, what is rejected is
//! not, wherever JSON Schema can tell.

use crate::support::python;

/// Validates every example by its schema; prints those about which schema and folder disagree.
const VALIDATE: &str = r#"
import json, pathlib, jsonschema
wrong = []
count = 0
# What a schema cannot say: text that is not JSON, keys that repeat, depth, and a time's zone (a format, not a type).
beyond = ("invalid_json", "duplicate_key", "too_deep", "invalid_field-time_without_zone")
for path in sorted(pathlib.Path("schemas").glob("*.v1.schema.json")):
    schema = json.loads(path.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    folder = pathlib.Path("schemas/examples") / path.name.removesuffix(".schema.json")
    for example in sorted(folder.rglob("*.json")):
        if example.name.startswith(beyond):
            continue
        valid = validator.is_valid(json.loads(example.read_text()))
        if valid == (example.parent.name == "rejected"):
            wrong.append(str(example))
        count += 1
print(json.dumps({"wrong": wrong, "count": count}))
"#;

#[test]
fn examples_are_valid_exactly_where_they_are_accepted() {
    let judged = python::json(VALIDATE, &[]);
    assert_eq!(judged["wrong"], serde_json::json!([]));
    assert!(judged["count"].as_u64() > Some(20), "{judged}");
}
