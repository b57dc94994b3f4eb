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

/// The entries that one stands for.
pub(super) fn members(mut entry: Value, families: &BTreeMap<String, Vec<Member>>) -> Result<Vec<Value>, String> {
    let Some(each) = entry.as_object_mut().and_then(|fields| fields.remove("each")) else { return Ok(vec![entry]) };
    let mut members = Vec::new();
    for name in each.as_array().into_iter().flatten().map(|name| name.as_str().unwrap_or_default()) {
        let family = families.get(name).ok_or_else(|| format!("unknown family {name:?}; `families` holds them"))?;
        members.extend(family.iter().map(|member| filled(&entry, member)));
    }
    Ok(members)
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
            members(json!({"name": "m.{name}", "each": ["a", "b"], "value": {"of": ["{name}"]}, "range": [0, null]}), &families)
                .unwrap();
        let names: Vec<String> = found.iter().map(name).collect();
        assert_eq!(names, ["m.x", "m.y", "m.z"]);
        assert_eq!(found[2], json!({"name": "m.z", "value": {"of": ["z"]}, "range": [0, null]}));
        assert!(members(json!({"name": "m", "each": ["c"]}), &families).unwrap_err().contains("unknown family \"c\""));
    }
}
