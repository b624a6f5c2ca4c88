//! The schema of a key, and of a mapping of keys: descriptions, defaults and examples.

use super::value::value;
use crate::spec::keys::{self, DefaultValue, Key, KeyGroup};
use crate::spec::yaml;
use serde_json::{Map, Value, json};

/// A mapping with these keys and no others.
pub(super) fn closed(group: &KeyGroup, properties: Map<String, Value>) -> Value {
    json!({
        "type": "object",
        "description": group.doc,
        "properties": properties,
        "patternProperties": {format!("^{}", keys::EXTENSION): true},
        "additionalProperties": false,
    })
}

/// The keys of a group.
pub(super) fn properties(group: &KeyGroup) -> Map<String, Value> {
    group.keys.iter().map(|key| (key.name.to_owned(), property(group, key))).collect()
}

/// A key: its values, and what editors show of it.
pub(super) fn property(group: &KeyGroup, key: &Key) -> Value {
    let mut property = value(key.key_type);
    property["description"] = match key.default {
        Some(default) => json!(format!("{}. Default: {}", key.doc, default.text())),
        None => json!(key.doc),
    };
    // VS Code shows the backticks of the other one as they are.
    property["markdownDescription"] = property["description"].clone();
    if let Some(DefaultValue::Value(text)) = key.default {
        property["default"] = serde_json::from_str(text).unwrap_or_else(|_| json!(text));
    }
    let examples = keys::examples(group.name, key.name).iter();
    let parsed = examples.filter_map(|text| yaml::value(text).ok()?.map(|node| node.to_json()));
    property["examples"] = parsed.collect();
    property
}
