//! The names a template sees, and where each is looked up.

use super::compiled::json_to_value;
use super::stored::StoredResults;
use crate::model::Failure;
use minijinja::value::{Enumerator, Object, ObjectRepr, Value};
use minijinja::{Error, ErrorKind};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

/// A value that is made when a template first asks for it, such as the results of an earlier step.
pub struct Lazy {
    make: Box<dyn Fn() -> Value + Send + Sync>,
    made: OnceLock<Value>,
}

impl Lazy {
    /// A value that `make` makes, at most once.
    pub fn new(make: impl Fn() -> Value + Send + Sync + 'static) -> Self {
        Self { make: Box::new(make), made: OnceLock::new() }
    }

    /// The value.
    pub fn get(&self) -> Value {
        self.made.get_or_init(|| (self.make)()).clone()
    }
}

impl fmt::Debug for Lazy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lazy").field(&self.made).finish()
    }
}

/// What `steps.<name>` is: `result` and `path`; of a batch step `results`, `failed` and `stats` too, and `aggregate` where it
/// has one.
#[derive(Debug, Clone)]
pub struct StepValue {
    /// `result`: of a plain step its value; of a batch step the list of results.
    pub result: Arc<Lazy>,
    /// `failed` and `stats` of a batch step.
    pub batch: Option<(Arc<Lazy>, Value)>,
    /// The same results where they are kept.
    pub stored: Arc<dyn StoredResults>,
    /// `aggregate`
    pub aggregate: Option<Arc<Lazy>>,
}

impl StepValue {
    /// `path`: a file with the results in item order.
    fn path(&self) -> Value {
        match self.stored.file() {
            Ok(file) => Value::from(file.path.display().to_string()),
            Err(message) => Value::from(Error::new(ErrorKind::InvalidOperation, message)),
        }
    }
}

impl Object for StepValue {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match (key.as_str()?, &self.batch) {
            ("result", _) | ("results", Some(_)) => Some(self.result.get()),
            ("failed", Some((failed, _))) => Some(failed.get()),
            ("stats", Some((_, stats))) => Some(stats.clone()),
            ("path", _) => Some(self.path()),
            ("aggregate", _) => self.aggregate.as_ref().map(|aggregate| aggregate.get()),
            _ => None,
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        // `path` is not among them: who writes down all that is known of a step asks for no file.
        match (&self.batch, &self.aggregate) {
            (Some(_), Some(_)) => Enumerator::Str(&["result", "results", "failed", "stats", "aggregate"]),
            (Some(_), None) => Enumerator::Str(&["result", "results", "failed", "stats"]),
            (None, _) => Enumerator::Str(&["result"]),
        }
    }
}

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

/// Which names there will be at a place of the workflow, to check templates before anything runs.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// Whether there is an item: `item`, `index`, `batch`.
    pub item: bool,
    /// Whether there is `item_dir`.
    pub item_dir: bool,
    /// Whether there is `error`.
    pub error: bool,
    /// Whether there is `summary`.
    pub summary: bool,
    /// The parameters; `None` where the workflow takes any.
    pub params: Option<Vec<String>>,
    /// Environment variables.
    pub env: Vec<String>,
    /// Earlier steps.
    pub steps: Vec<String>,
    /// Those of them that have an aggregate.
    pub aggregates: Vec<String>,
    /// Outputs of earlier steps.
    pub outputs: Vec<String>,
}

impl Names {
    /// What is wrong with a dotted name that a template uses; `None` if nothing is known to be.
    pub fn error(&self, name: &str) -> Option<String> {
        let mut parts = name.split('.');
        let root = parts.next().unwrap_or_default();
        let member = parts.next();
        match (root, member) {
            ("item" | "index" | "batch", _) if self.item => None,
            ("item_dir", _) if self.item_dir => None,
            ("error", _) if self.error => None,
            ("summary", _) if self.summary => None,
            ("params", Some(member)) => match &self.params {
                Some(params) if !params.iter().any(|param| param == member) => Some(missing("params", member, params)),
                _ => None,
            },
            ("env", Some(member)) if !self.env.iter().any(|name| name == member) => {
                Some(format!("environment variable `{member}` is not set"))
            }
            ("steps", Some(member)) if !self.steps.iter().any(|step| step == member) => {
                Some(missing("steps", member, &self.steps))
            }
            ("steps", Some(member))
                if parts.next() == Some("aggregate") && !self.aggregates.iter().any(|step| step == member) =>
            {
                Some(format!("step `{member}` has no `aggregate`"))
            }
            ("params" | "env" | "steps" | "run", _) => None,
            _ if self.outputs.iter().any(|output| output == root) => None,
            _ if self.params.as_ref().is_none_or(|params| params.iter().any(|param| param == root)) => None,
            _ => Some(format!("`{root}` is not defined; names here are {}", self.list())),
        }
    }

    /// The names as a sentence part: `batch`, `env`, `index`, ...
    pub fn list(&self) -> String {
        let mut names: Vec<&str> = vec!["env", "params", "run", "steps"];
        names.extend(self.item.then_some(["batch", "index", "item"]).into_iter().flatten());
        names.extend(self.item_dir.then_some("item_dir"));
        names.extend(self.error.then_some("error"));
        names.extend(self.summary.then_some("summary"));
        names.extend(self.outputs.iter().map(String::as_str));
        names.extend(self.params.iter().flatten().map(String::as_str));
        names.sort_unstable();
        names.dedup();
        quoted(&names)
    }
}

fn missing(of: &str, member: &str, there_are: &[String]) -> String {
    if there_are.is_empty() {
        return format!("`{of}.{member}` is not defined; `{of}` is empty here");
    }
    let names: Vec<&str> = there_are.iter().map(String::as_str).collect();
    format!("`{of}.{member}` is not defined; `{of}` has {}", quoted(&names))
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
