//! Steps. The type of a step decides which `inputs` it has.

use super::key::{closed, properties, property};
use super::task::types;
use super::value::reference;
use crate::spec::keys;
use serde_json::{Map, Value, json};

/// Defines `step`, and `batch`, the inputs of a batch step.
pub(super) fn define(defs: &mut Map<String, Value>) {
    let mut batch = closed(&keys::BATCH, properties(&keys::BATCH));
    batch["required"] = json!(["items", "task"]);
    defs.insert("batch".to_owned(), batch);
    defs.insert("step".to_owned(), step());
}

fn step() -> Value {
    let mut all = properties(&keys::STEP);
    // Next to `for_each`.
    let mut options = Map::new();
    for key in
        keys::BATCH.keys.iter().filter(|key| !matches!(key.name, "items" | "task" | "retry" | "timeout" | "seed"))
    {
        all.insert(key.name.to_owned(), property(&keys::BATCH, key));
        options.insert(key.name.to_owned(), json!(false));
    }
    let says = |name: &str| {
        let says = |key: &str| json!({"properties": {key: {"const": name}}, "required": [key]});
        json!({"anyOf": [says("task"), says("type")]})
    };
    let tasks = types().into_iter().map(|(name, _, needs)| {
        let needs: Vec<Value> = needs.iter().map(|key| json!({"required": [key]})).collect();
        let mut inputs = reference(name);
        inputs["type"] = json!("object");
        inputs["oneOf"] = json!(needs);
        json!({"if": says(name), "then": {"properties": {"inputs": inputs}, "required": ["inputs"]}})
    });
    let batch = json!({
        "if": says("batch"),
        "then": {"properties": {"inputs": reference("batch"), "for_each": false}, "required": ["inputs"]},
    });
    let rules: Vec<Value> = tasks
        .chain([batch, json!({"if": {"not": {"required": ["for_each"]}}, "then": {"properties": options}})])
        .collect();
    let mut step = closed(&keys::STEP, all);
    step["oneOf"] = json!([{"required": ["type"]}, {"required": ["task"]}]);
    step["allOf"] = json!(rules);
    step
}
