//! Tasks: the inputs of each type, and a task in a mapping.

use super::key::{closed, properties, property};
use super::value::{identifier, reference};
use crate::spec::keys::{self, KeyGroup, PYTHON_KEYWORDS, RESERVED_INPUTS};
use serde_json::{Map, Value, json};

/// The types of tasks, their inputs, and of which inputs each needs one.
pub(super) fn types() -> [(&'static str, &'static KeyGroup, &'static [&'static str]); 4] {
    [
        ("shell", &keys::SHELL, &["command"]),
        ("python", &keys::PYTHON, &["code", "function", "script", "operation"]),
        ("http_request", &keys::HTTP, &["url"]),
        ("echo", &keys::ECHO, &["message"]),
    ]
}

/// Defines the inputs of each type, under its name, and `task`.
pub(super) fn define(defs: &mut Map<String, Value>) {
    for (name, group, _) in types() {
        let mut inputs = closed(group, properties(group));
        for key in keys::TASK.keys.iter().filter(|key| matches!(key.name, "retry" | "timeout")) {
            inputs["properties"][key.name] = property(&keys::TASK, key);
        }
        inputs["type"] = json!(["object", "null"]);
        defs.insert(name.to_owned(), inputs);
    }
    // All other inputs of a python task are variables.
    let refused: Vec<_> = PYTHON_KEYWORDS.iter().chain(RESERVED_INPUTS).collect();
    defs["python"]["additionalProperties"] = json!(true);
    let mut name = identifier();
    name["not"] = json!({"enum": refused});
    let extension = json!({"pattern": format!("^{}", keys::EXTENSION)});
    defs["python"]["propertyNames"] = json!({"anyOf": [name, extension]});
    defs["http_request"]["not"] = json!({"required": ["json", "body"]});
    let together = [["json", "body"], ["json", "form"], ["json", "files"], ["body", "form"], ["body", "files"]];
    defs["http_request"]["not"] = json!({"anyOf": together.map(|keys| json!({"required": keys}))});
    defs["http_request"]["dependentRequired"] = json!({"client_key": ["client_cert"]});
    defs.insert("task".to_owned(), task());
}

/// A task: one closed mapping for each type.
fn task() -> Value {
    let variants = types().into_iter().map(|(name, group, needs)| {
        let mut all = properties(&keys::TASK);
        all.extend(properties(group));
        for key in ["type", "task"] {
            // Not of all types: the description, but no other value.
            all[key].as_object_mut().expect("a property is an object").remove("enum");
            all[key]["const"] = json!(name);
            all[key]["examples"] = json!([name]);
        }
        let inputs = keys::TASK.keys.iter().find(|key| key.name == "inputs").expect("a task has inputs");
        all["inputs"] = reference(name);
        all["inputs"]["description"] = json!(inputs.doc);
        let mut variant = closed(&keys::TASK, all);
        variant["description"] = json!(format!("A `{name}` task"));
        variant["oneOf"] = json!([{"required": ["type"]}, {"required": ["task"]}]);
        let next = needs.iter().map(|key| json!({"required": [key]}));
        let inside = needs.iter().map(
            |key| json!({"required": ["inputs"], "properties": {"inputs": {"type": "object", "required": [key]}}}),
        );
        variant["anyOf"] = next.chain(inside).collect();
        if name == "python" {
            // The operands of an operation; other variables are under `inputs`.
            let operation = json!({"required": ["operation"]});
            let inside = json!({"required": ["inputs"], "properties": {"inputs": operation}});
            variant["if"] = json!({"anyOf": [operation, inside]});
            variant["else"] = json!({"properties": {"item": false, "factor": false}});
        }
        variant
    });
    json!({"anyOf": variants.collect::<Vec<_>>()})
}
