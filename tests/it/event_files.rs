//! The events of every `run`, `resume` and `retry` that a sandbox starts: each is checked against the schema that users are
//! promised, so no event of the suite is left out, and none needs a test of its own.
//!
//! The validator knows the keywords that the schema uses, and refuses a schema with any other. A crate for all of JSON Schema
//! would bring a URL parser, Unicode tables and a regex engine for these.

use crate::support::repository;
use serde_json::Value;
use std::cell::Cell;
use std::ffi::OsString;
use std::fs;
use std::sync::LazyLock;
use tempfile::TempDir;

static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let text = fs::read_to_string(repository().join("src/report/events.schema.json")).unwrap();
    serde_json::from_str(&text).unwrap()
});

/// Files of events beside a sandbox, one for each execution. They are checked when the sandbox is gone.
pub struct EventFiles {
    folder: TempDir,
    count: Cell<usize>,
}

impl Default for EventFiles {
    fn default() -> Self {
        Self { folder: TempDir::new().unwrap(), count: Cell::new(0) }
    }
}

impl EventFiles {
    /// What these arguments need in addition to write events, unless they say themselves where to.
    pub fn arguments(&self, arguments: &[&str]) -> Vec<OsString> {
        let is_execution = matches!(arguments.first(), Some(&("run" | "resume" | "retry")));
        if !is_execution || arguments.iter().any(|it| ["--events", "--dry-run", "--help"].contains(it)) {
            return Vec::new();
        }
        self.count.set(self.count.get() + 1);
        vec!["--events".into(), self.folder.path().join(self.count.get().to_string()).into()]
    }
}

impl Drop for EventFiles {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        for number in 1..=self.count.get() {
            // What was refused, or killed at once, has none.
            check_events(&fs::read_to_string(self.folder.path().join(number.to_string())).unwrap_or_default());
        }
    }
}

/// Checks each line. The last one may be cut off by a kill.
#[track_caller]
pub fn check_events(text: &str) {
    for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
        let event = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        check(&event, &SCHEMA).unwrap_or_else(|error| panic!("{error}\n{line}"));
    }
}

/// Whether a value fits a schema, or where it does not.
pub fn check(value: &Value, schema: &Value) -> Result<(), String> {
    for (keyword, rule) in schema.as_object().expect("a schema is an object") {
        let fits = match keyword.as_str() {
            "$schema" | "$defs" | "title" | "description" => true,
            "$ref" => {
                let path = rule.as_str().unwrap().strip_prefix('#').unwrap();
                check(value, SCHEMA.pointer(path).unwrap_or_else(|| panic!("nothing at {path}")))?;
                true
            }
            "oneOf" => {
                one_of(value, rule.as_array().unwrap())?;
                true
            }
            "type" => match rule {
                Value::Array(types) => types.iter().any(|it| is(value, it)),
                one => is(value, one),
            },
            "const" => value == rule,
            "enum" => rule.as_array().unwrap().contains(value),
            "minimum" => value.as_f64().is_none_or(|it| it >= rule.as_f64().unwrap()),
            "items" => {
                value.as_array().into_iter().flatten().try_for_each(|it| check(it, rule))?;
                true
            }
            "required" => rule.as_array().unwrap().iter().all(|key| value.get(key.as_str().unwrap()).is_some()),
            "properties" => {
                let rules = rule.as_object().unwrap().iter();
                rules
                    .filter_map(|(key, rule)| Some((value.get(key)?, rule)))
                    .try_for_each(|(it, rule)| check(it, rule))?;
                true
            }
            "additionalProperties" => {
                let known = |key: &String| schema.get("properties").is_some_and(|known| known.get(key).is_some());
                let mut others = value.as_object().into_iter().flatten().filter(|(key, _)| !known(key));
                match rule {
                    Value::Bool(false) => others.next().is_none(),
                    rule => {
                        others.try_for_each(|(_, it)| check(it, rule))?;
                        true
                    }
                }
            }
            other => panic!("the validator does not know the keyword `{other}`"),
        };
        if !fits {
            return Err(format!("`{keyword}: {rule}` does not fit {value}"));
        }
    }
    Ok(())
}

fn one_of(value: &Value, rules: &[Value]) -> Result<(), String> {
    let (fits, errors): (Vec<_>, Vec<_>) = rules.iter().map(|rule| check(value, rule)).partition(Result::is_ok);
    let errors: Vec<_> = errors.into_iter().filter_map(Result::err).collect();
    if fits.len() == 1 { Ok(()) } else { Err(format!("fits {} of {rules:?}: {errors:#?}", fits.len())) }
}

fn is(value: &Value, name: &Value) -> bool {
    match name.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "string" => value.is_string(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        other => panic!("the validator does not know the type `{other}`"),
    }
}
