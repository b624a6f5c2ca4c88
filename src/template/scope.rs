//! The names that a template sees, and how each is looked up.

use super::json::json_or_invalid;
use super::names::Names;
use super::step_value::StepValue;
use crate::model::Failure;
use minijinja::value::{Enumerator, Object, ObjectRepr, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

/// The names for a whole step: `params`, `env`, `run`, `steps`, named outputs, and parameters by their bare name.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// `params`
    pub params: BTreeMap<String, Value>,
    /// `env`
    pub env: BTreeMap<String, Value>,
    /// `run`: `id`, `name`, `started`
    pub run: BTreeMap<String, Value>,
    /// `steps`: the steps that have finished
    pub steps: BTreeMap<String, StepValue>,
    /// Named outputs, and the step that each refers to
    pub outputs: BTreeMap<String, String>,
    /// `summary`: how the run ended, for `on_failure` and `finally`
    pub summary: Option<Value>,
}

impl Scope {
    /// The value of a top-level name, if it is defined.
    pub fn lookup(self: &Arc<Self>, name: &str) -> Option<Value> {
        match name {
            "params" => Some(self.members(Group::Params)),
            "env" => Some(self.members(Group::Env)),
            "run" => Some(self.members(Group::Run)),
            "steps" => Some(self.steps()),
            "summary" if self.summary.is_some() => self.summary.clone(),
            _ => match self.outputs.get(name).and_then(|step| self.steps.get(step)) {
                Some(step) => Some(step.results()),
                None => self.params.get(name).cloned(),
            },
        }
    }

    /// The value of `steps`.
    pub fn steps(self: &Arc<Self>) -> Value {
        self.members(Group::Steps)
    }

    fn members(self: &Arc<Self>, group: Group) -> Value {
        Value::from_object(Members { scope: Arc::clone(self), group })
    }

    /// The names that are defined.
    pub fn names(&self) -> Names {
        let keys = |map: &BTreeMap<String, Value>| map.keys().cloned().collect();
        Names {
            item: false,
            item_dir: false,
            error: false,
            summary: self.summary.is_some(),
            params: Some(keys(&self.params)),
            env: keys(&self.env),
            steps: self.steps.keys().cloned().collect(),
            aggregates: self
                .steps
                .iter()
                .filter(|(_, it)| it.aggregate.is_some())
                .map(|(name, _)| name.clone())
                .collect(),
            outputs: self.outputs.keys().cloned().collect(),
            ..Names::default()
        }
    }
}

/// The names of a scope that have members.
#[derive(Debug, Clone, Copy)]
enum Group {
    Params,
    Env,
    Run,
    Steps,
}

/// `params`, `env`, `run` or `steps`. Looks members up in the scope, so that using one of thousands copies only that one.
#[derive(Debug)]
struct Members {
    scope: Arc<Scope>,
    group: Group,
}

impl Members {
    fn map(&self) -> Option<&BTreeMap<String, Value>> {
        match self.group {
            Group::Params => Some(&self.scope.params),
            Group::Env => Some(&self.scope.env),
            Group::Run => Some(&self.scope.run),
            Group::Steps => None,
        }
    }
}

impl Object for Members {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let key = key.as_str()?;
        match self.map() {
            Some(map) => map.get(key).cloned(),
            None => self.scope.steps.get(key).cloned().map(Value::from_object),
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(match self.map() {
            Some(map) => map.keys().map(|key| Value::from(key.as_str())).collect(),
            None => self.scope.steps.keys().map(|key| Value::from(key.as_str())).collect(),
        })
    }
}

/// `error` in `on_item_error`: prints as its message, with the members `message`, `type`, `detail` and `attempts`.
#[derive(Debug, Clone)]
pub struct ErrorValue {
    /// Why the last attempt failed.
    pub failure: Failure,
    /// The number of attempts.
    pub attempts: u32,
}

impl Object for ErrorValue {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str()? {
            "message" => Some(Value::from(self.failure.message.clone())),
            "type" => Some(Value::from(self.failure.class.clone())),
            "detail" => Some(Value::from(self.failure.detail.clone().unwrap_or_default())),
            "attempts" => Some(Value::from(self.attempts)),
            _ => None,
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Str(&["message", "type", "detail", "attempts"])
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.failure.message)
    }
}

/// The names for one item, which hide those of its step. Without an item, just the names of the step.
#[derive(Debug, Clone, Default)]
pub struct ItemScope {
    /// The step's names.
    pub step: Arc<Scope>,
    /// `item` as JSON text; the list of the batch's items if the task is batched.
    pub item: Option<Vec<u8>>,
    /// `index`
    pub index: u64,
    /// `batch`: number, total, size, attempt
    pub batch: (u64, Option<u64>, usize, u32),
    /// `item_dir`: the directory for files of this attempt
    pub item_dir: Option<PathBuf>,
    /// `error`
    pub error: Option<ErrorValue>,
    /// `item`, once a template has used it.
    pub parsed: OnceLock<Value>,
}

impl ItemScope {
    /// The scope of a step without an item.
    pub fn of_step(step: Arc<Scope>) -> Self {
        Self { step, ..Self::default() }
    }

    fn item_value(&self) -> Option<Value> {
        let json = self.item.as_ref()?;
        Some(self.parsed.get_or_init(|| json_or_invalid(&"`item`", json)).clone())
    }

    fn batch_value(&self) -> Value {
        let (number, total, size, attempt) = self.batch;
        Value::from_pairs([
            ("item", self.item_value().unwrap_or_default()),
            ("index", Value::from(self.index)),
            ("total", total.map_or(Value::from(()), Value::from)),
            ("number", Value::from(number)),
            ("size", Value::from(size)),
            ("attempt", Value::from(attempt)),
        ])
    }

    /// The names that are defined.
    pub fn names(&self) -> Names {
        Names {
            item: self.item.is_some(),
            item_dir: self.item_dir.is_some(),
            error: self.error.is_some(),
            ..self.step.names()
        }
    }
}

impl Object for ItemScope {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match key.as_str()? {
            "item" if self.item.is_some() => self.item_value(),
            "index" if self.item.is_some() => Some(Value::from(self.index)),
            "batch" if self.item.is_some() => Some(self.batch_value()),
            "item_dir" if self.item_dir.is_some() => {
                self.item_dir.as_ref().map(|path| Value::from(path.display().to_string()))
            }
            "error" if self.error.is_some() => self.error.clone().map(Value::from_object),
            name => self.step.lookup(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Text;
    use crate::template::Template;

    #[test]
    fn params_are_a_mapping_without_being_copied() {
        let params = [("a", 1), ("b", 2)].map(|(name, value)| (name.to_owned(), Value::from(value))).into();
        let scope = Arc::new(ItemScope::of_step(Arc::new(Scope { params, ..Scope::default() })));
        let rendered = |raw: &str| Template::compile(&Text::new(raw)).unwrap().string(&scope).unwrap();
        assert_eq!(rendered("{{ params.b }} {{ params['a'] }} {{ b }}"), "2 1 2");
        assert_eq!(
            rendered("{{ params | length }} {{ 'a' in params }} {{ params | tojson }}"),
            r#"2 true {"a":1,"b":2}"#
        );
        assert_eq!(rendered("{% for key, value in params | items %}{{ key }}={{ value }};{% endfor %}"), "a=1;b=2;");
        assert_eq!(rendered("{{ params }}"), r#"{"a":1,"b":2}"#);
        assert_eq!(rendered("{{ params.c | default('none') }}"), "none");
    }
}
