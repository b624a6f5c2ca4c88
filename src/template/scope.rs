//! The names a template sees, and where each is looked up.

use super::json::json_to_value;
use super::names::Names;
use super::step_value::StepValue;
use crate::model::Failure;
use minijinja::value::{Enumerator, Object, ObjectRepr, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

/// Names that hold for a whole step: `params`, `env`, `run`, `steps`, named outputs, and parameters by their bare name.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// `params`
    pub params: BTreeMap<String, Value>,
    /// `env`
    pub env: BTreeMap<String, Value>,
    /// `run`: `id`, `name`, `started`
    pub run: BTreeMap<String, Value>,
    /// `steps`: the steps that have ended
    pub steps: BTreeMap<String, StepValue>,
    /// Named outputs: the name of the step each stands for
    pub outputs: BTreeMap<String, String>,
    /// `summary`: how the run ended, for `on_failure` and `finally`
    pub summary: Option<Value>,
}

impl Scope {
    /// The value of a top-level name, if there is one.
    pub fn lookup(&self, name: &str) -> Option<Value> {
        let map = |map: &BTreeMap<String, Value>| Value::from_pairs(map.iter().map(|(k, v)| (k.clone(), v.clone())));
        match name {
            "params" => Some(map(&self.params)),
            "env" => Some(map(&self.env)),
            "run" => Some(map(&self.run)),
            "steps" => Some(self.steps()),
            "summary" if self.summary.is_some() => self.summary.clone(),
            _ => match self.outputs.get(name).and_then(|step| self.steps.get(step)) {
                Some(step) => Some(step.result.get()),
                None => self.params.get(name).cloned(),
            },
        }
    }

    /// The value of `steps`.
    pub fn steps(&self) -> Value {
        Value::from_pairs(self.steps.iter().map(|(name, step)| (name.clone(), Value::from_object(step.clone()))))
    }

    /// The names there are.
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
        }
    }
}

/// `error` in `on_item_error`: prints as its message, and has `message`, `type`, `detail`, `attempts`.
#[derive(Debug, Clone)]
pub struct ErrorValue {
    /// Why the last run of the item failed.
    pub failure: Failure,
    /// How often it was run.
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

/// Names that hold for one item, before those of its step. Without an item it is the step's scope alone.
#[derive(Debug, Clone, Default)]
pub struct ItemScope {
    /// The step's names.
    pub step: Arc<Scope>,
    /// `item`: its JSON text; the batch's items as a list where the task is batched.
    pub item: Option<Vec<u8>>,
    /// `index`
    pub index: u64,
    /// `batch`: number, total, size, attempt
    pub batch: (u64, Option<u64>, usize, u32),
    /// `item_dir`: the folder for the files of the item's attempt
    pub item_dir: Option<PathBuf>,
    /// `error`
    pub error: Option<ErrorValue>,
    /// `item`, once a template has asked for it.
    pub parsed: OnceLock<Value>,
}

impl ItemScope {
    /// The scope of a step that is not about an item.
    pub fn of_step(step: Arc<Scope>) -> Self {
        Self { step, ..Self::default() }
    }

    fn item_value(&self) -> Option<Value> {
        let json = self.item.as_ref()?;
        Some(self.parsed.get_or_init(|| json_to_value(json)).clone())
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

    /// The names there are.
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
