//! Families of metrics: one entry of `schemas/metrics.yaml` with `each: [family]` stands for one metric per member.
//!
//! `{key}` in any of the entry's strings is replaced by the member's value of that key. Nothing else is computed.

use std::collections::BTreeMap;

use serde_json::Value;

/// What is different about a member.
pub(super) type Member = BTreeMap<String, String>;

/// The name of an entry, for mistakes.
pub(super) fn name(entry: &Value) -> String {
    entry.get("name").and_then(Value::as_str).unwrap_or("without a name").to_owned()
}

/// The entries that one stands for. One that names an unknown family stays as it is and is refused later.
pub(super) fn members(mut entry: Value, families: &BTreeMap<String, Vec<Member>>) -> Vec<Value> {
    let named: Option<Vec<&Vec<Member>>> = entry
        .get("each")
        .and_then(Value::as_array)
        .and_then(|names| names.iter().map(|name| families.get(name.as_str()?)).collect());
    let Some(named) = named else { return vec![entry] };
    if let Some(fields) = entry.as_object_mut() {
        fields.remove("each");
    }
    named.into_iter().flatten().map(|member| filled(&entry, member)).collect()
}

fn filled(entry: &Value, member: &Member) -> Value {
    match entry {
        Value::String(text) => {
            Value::String(member.iter().fold(text.clone(), |text, (key, value)| text.replace(&format!("{{{key}}}"), value)))
        }
        Value::Array(all) => all.iter().map(|one| filled(one, member)).collect(),
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), filled(value, member))).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) => entry.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_entry_stands_for_every_member_of_its_families() {
        let member = |name: &str| Member::from([("name".to_owned(), name.to_owned())]);
        let families = BTreeMap::from([("a".to_owned(), vec![member("x"), member("y")]), ("b".to_owned(), vec![member("z")])]);
        let found =
            members(json!({"name": "m.{name}", "each": ["a", "b"], "value": {"of": ["{name}"]}, "range": [0, null]}), &families);
        let names: Vec<String> = found.iter().map(name).collect();
        assert_eq!(names, ["m.x", "m.y", "m.z"]);
        assert_eq!(found[2], json!({"name": "m.z", "value": {"of": ["z"]}, "range": [0, null]}));
        let unknown = json!({"name": "m", "each": ["c"]});
        assert_eq!(members(unknown.clone(), &families), [unknown]);
    }
}
