//! The JSON Schema of workflow files, for editors. Made from the table of keys.

use super::keys::{self, Key, KeyGroup, KeyType};
use serde_json::{Map, Value, json};

/// The JSON Schema (draft 2020-12) of a workflow file.
pub fn schema() -> Value {
    let mut defs = Map::new();
    for group in keys::key_groups() {
        defs.insert(group.name.to_owned(), closed(group, &[]));
    }
    // All other inputs of a python task are variables.
    defs["python"]["additionalProperties"] = json!(true);
    for group in [&keys::PYTHON, &keys::SHELL, &keys::HTTP, &keys::ECHO] {
        add_settings(&mut defs[group.name]);
    }
    for (name, required) in [("range", "stop"), ("batch", "items")] {
        defs[name]["required"] = json!([required]);
    }
    defs["batch"]["required"] = json!(["items", "task"]);
    defs["outputs"]["minProperties"] = json!(1);
    // One source. The options for rows are next to it.
    defs["items"]["oneOf"] = keys::SOURCES.names().map(|name| json!({"required": [name]})).collect();
    let options = [&keys::ROWS, &keys::SQL].map(properties).into_iter().flatten();
    defs["items"]["properties"].as_object_mut().expect("`closed` makes an object").extend(options);
    defs.insert("task".to_owned(), task());
    defs.insert("step".to_owned(), step());
    defs.insert("duration".to_owned(), duration());
    defs.insert("template".to_owned(), json!({"type": "string", "pattern": "\\{\\{|\\{%"}));
    let mut root = closed(&keys::WORKFLOW, &["steps"]);
    defs.remove("workflow");
    root["$schema"] = json!("https://json-schema.org/draft/2020-12/schema");
    root["title"] = json!("batchmill workflow");
    root["$defs"] = Value::Object(defs);
    root
}

fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/$defs/{name}")})
}

fn closed(group: &KeyGroup, required: &[&str]) -> Value {
    let mut object = json!({
        "type": "object",
        "description": group.doc,
        "properties": properties(group),
        "additionalProperties": false,
    });
    if !required.is_empty() {
        object["required"] = json!(required);
    }
    object
}

fn properties(group: &KeyGroup) -> Map<String, Value> {
    group.keys.iter().map(|key| (key.name.to_owned(), property(key))).collect()
}

fn property(key: &Key) -> Value {
    let mut value = key_type(key.key_type);
    value["description"] = match key.default {
        Some(default) => json!(format!("{}. Default: {default}", key.doc)),
        None => json!(key.doc),
    };
    value
}

fn key_type(key_type: KeyType) -> Value {
    let scalar = json!({"type": ["string", "number", "boolean"]});
    match key_type {
        KeyType::Any => json!({}),
        KeyType::Text | KeyType::Word => json!({"type": "string"}),
        KeyType::PlainBool => json!({"type": "boolean"}),
        KeyType::PlainCount => json!({"type": "integer", "minimum": 1}),
        KeyType::Bool => or_template(json!({"type": "boolean"})),
        KeyType::Count => or_template(json!({"type": "integer", "minimum": 1})),
        KeyType::Integer => or_template(json!({"type": "integer"})),
        KeyType::CountOrAuto => json!({"anyOf": [
            {"type": "integer", "minimum": 1}, {"const": "auto"}, reference("template"),
        ]}),
        KeyType::Duration => reference("duration"),
        KeyType::Rate => json!({"anyOf": [
            {"type": "number", "exclusiveMinimum": 0}, {"type": "string", "pattern": "^\\s*[0-9.]+\\s*/\\s*[smh]\\s*$"},
        ]}),
        KeyType::Share => json!({"type": "number", "minimum": 0, "maximum": 1}),
        KeyType::Types => json!({"anyOf": [
            {"const": "infer"}, {"type": "object", "additionalProperties": {"enum": keys::KINDS}},
        ]}),
        KeyType::Header => json!({"anyOf": [{"type": "boolean"}, {"type": "array", "items": {"type": "string"}}]}),
        KeyType::Tolerance => json!({"anyOf": [
            {"type": "integer", "minimum": 0}, {"type": "string", "pattern": "^\\s*[0-9.]+\\s*%\\s*$"}, reference("template"),
        ]}),
        KeyType::Size => json!({"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string"}]}),
        KeyType::RetryOn => one_or_list(json!({"type": ["string", "integer"]})),
        KeyType::Aggregate => json!({"anyOf": [{"type": "string"}, reference("aggregate")]}),
        KeyType::Fields => json!({"anyOf": [
            {"type": "string"}, {"const": true}, {"type": "array", "items": {"type": "string"}, "minItems": 1},
        ]}),
        KeyType::OneOf(words) => json!({"enum": words}),
        KeyType::Texts => json!({"type": "array", "items": {"type": "string"}}),
        KeyType::TextOrTexts => {
            json!({"anyOf": [{"type": "string"}, {"type": "array", "items": scalar, "minItems": 1}]})
        }
        KeyType::Scalars => json!({"type": ["object", "null"], "additionalProperties": scalar}),
        KeyType::Mapping => json!({"type": ["object", "null"]}),
        KeyType::List => json!({"type": "array"}),
        KeyType::Items => json!({"anyOf": [
            {"type": "array"}, reference("template"), {"type": "string", "pattern": "^\\s*\\$\\("}, reference("items"),
        ]}),
        KeyType::Retry => json!({"anyOf": [{"type": "integer", "minimum": 1}, reference("retry")]}),
        KeyType::Range => json!({"anyOf": [
            {"type": "integer"}, reference("template"), reference("range"),
            {"type": "array", "minItems": 1, "maxItems": 3},
        ]}),
        KeyType::Auth => reference("auth"),
        KeyType::Outputs => json!({"anyOf": [{"type": "string"}, reference("outputs")]}),
        KeyType::Params => json!({
            "type": ["object", "null"],
            "additionalProperties": {"anyOf": [scalar, reference("param")]},
        }),
        KeyType::Steps => json!({"anyOf": [
            {"type": "array", "minItems": 1, "items": reference("step")},
            {"type": "object", "minProperties": 1, "additionalProperties": reference("step")},
        ]}),
        KeyType::Task => reference("task"),
    }
}

fn one_or_list(value: Value) -> Value {
    json!({"anyOf": [value, {"type": "array", "items": value, "minItems": 1}]})
}

fn or_template(value: Value) -> Value {
    json!({"anyOf": [value, reference("template")]})
}

fn duration() -> Value {
    json!({"anyOf": [
        {"type": "number", "minimum": 0},
        {"type": "string", "pattern": "^\\s*[0-9.]+\\s*(ms|s|m|h|d)\\s*$"},
        reference("template"),
    ]})
}

/// `retry` and `timeout` are allowed among the inputs of every task.
fn add_settings(group: &mut Value) {
    for key in keys::TASK.keys.iter().filter(|key| matches!(key.name, "retry" | "timeout")) {
        group["properties"][key.name] = property(key);
    }
}

fn groups_by_type() -> [(&'static str, &'static KeyGroup); 4] {
    [("shell", &keys::SHELL), ("python", &keys::PYTHON), ("http_request", &keys::HTTP), ("echo", &keys::ECHO)]
}

/// A task: one closed object for each type.
fn task() -> Value {
    let variants: Vec<Value> = groups_by_type()
        .into_iter()
        .map(|(name, group)| {
            let mut all = properties(&keys::TASK);
            all.extend(properties(group));
            all["type"] = json!({"const": name});
            all["task"] = json!({"const": name});
            all["inputs"] = reference(group.name);
            json!({
                "type": "object",
                "description": format!("A `{name}` task"),
                "properties": all,
                "additionalProperties": false,
                "oneOf": [{"required": ["type"]}, {"required": ["task"]}],
            })
        })
        .collect();
    json!({"description": keys::TASK.doc, "anyOf": variants})
}

/// A step. Its type decides which `inputs` it has.
fn step() -> Value {
    let mut all = properties(&keys::STEP);
    for key in keys::BATCH.keys.iter().filter(|key| !matches!(key.name, "items" | "task")) {
        all.entry(key.name).or_insert_with(|| property(key));
    }
    let rules: Vec<Value> = groups_by_type()
        .into_iter()
        .chain([("batch", &keys::BATCH)])
        .map(|(name, group)| {
            let says = |key: &str| json!({"properties": {key: {"const": name}}, "required": [key]});
            json!({
                "if": {"anyOf": [says("task"), says("type")]},
                "then": {"properties": {"inputs": reference(group.name)}},
            })
        })
        .collect();
    json!({
        "type": "object",
        "description": keys::STEP.doc,
        "properties": all,
        "additionalProperties": false,
        "oneOf": [{"required": ["type"]}, {"required": ["task"]}],
        "allOf": rules,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn references(value: &Value, out: &mut Vec<String>) {
        match value {
            Value::Object(map) => {
                if let Some(Value::String(name)) = map.get("$ref") {
                    out.push(name.trim_start_matches("#/$defs/").to_owned());
                }
                map.values().for_each(|value| references(value, out));
            }
            Value::Array(list) => list.iter().for_each(|value| references(value, out)),
            _ => {}
        }
    }

    #[test]
    fn every_reference_has_a_definition() {
        let schema = schema();
        let mut names = Vec::new();
        references(&schema, &mut names);
        assert!(names.len() > 20);
        for name in names {
            assert!(schema["$defs"].get(&name).is_some(), "{name}");
        }
    }

    #[test]
    fn every_key_is_in_the_schema() {
        let text = schema().to_string();
        for group in keys::key_groups() {
            for key in group.keys {
                assert!(text.contains(&format!("\"{}\":", key.name)), "{}.{}", group.name, key.name);
            }
        }
    }
}
