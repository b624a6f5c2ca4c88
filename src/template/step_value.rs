//! What a template sees of an earlier step.

use crate::model::{ResultsFile, ResultsSize};
use minijinja::value::{Enumerator, Object, ObjectRepr, Value, ValueKind};
use minijinja::{Error, ErrorKind};
use std::fmt::{self, Debug};
use std::sync::{Arc, OnceLock};

/// A value computed when a template first uses it, such as the results of an earlier step.
pub struct Lazy {
    make: Box<dyn Fn() -> Value + Send + Sync>,
    made: OnceLock<Value>,
}

impl Lazy {
    /// A value that `make` computes, at most once.
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

/// The value of `steps.<name>`: `result` and `path`; for a batch step also `results`, `failed`, `stats` and, if the step has
/// one, `aggregate`.
#[derive(Debug, Clone)]
pub struct StepValue {
    /// `result`: the value of a plain step, or the list of results of a batch step.
    pub result: Arc<Lazy>,
    /// `failed` and `stats`, if it is a batch step.
    pub batch: Option<(Arc<Lazy>, Value)>,
    /// The same results on disk.
    pub stored: Arc<dyn StoredResults>,
    /// `aggregate`
    pub aggregate: Option<Arc<Lazy>>,
}

impl StepValue {
    /// `result`, and the value of the name that `outputs` gives it.
    pub(super) fn results(&self) -> Value {
        let count = self.batch.as_ref().and_then(|_| usize::try_from(self.stored.count().ok()?).ok());
        match count {
            Some(count) => Value::from_object(ResultsList { list: Arc::clone(&self.result), count }),
            // Or the error that says why they cannot be read.
            None => self.result.get(),
        }
    }

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
            ("result", _) | ("results", Some(_)) => Some(self.results()),
            ("failed", Some((failed, _))) => Some(failed.get()),
            ("stats", Some((_, stats))) => Some(stats.clone()),
            ("path", _) => Some(self.path()),
            ("aggregate", _) => self.aggregate.as_ref().map(|aggregate| aggregate.get()),
            _ => None,
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        // Without `path`: serialising a step must not write a file.
        match (&self.batch, &self.aggregate) {
            (Some(_), Some(_)) => Enumerator::Str(&["result", "results", "failed", "stats", "aggregate"]),
            (Some(_), None) => Enumerator::Str(&["result", "results", "failed", "stats"]),
            (None, _) => Enumerator::Str(&["result"]),
        }
    }
}

/// The results of a batch step: a list whose length is known before it is read.
#[derive(Debug)]
struct ResultsList {
    list: Arc<Lazy>,
    count: usize,
}

impl Object for ResultsList {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let list = self.list.get();
        if list.kind() == ValueKind::Invalid {
            // They could be counted, but not be read: each of them is the error.
            return Some(list);
        }
        list.get_item(key).ok().filter(|value| !value.is_undefined())
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.count)
    }
}

/// The results of a batch step on disk.
pub trait StoredResults: Debug + Send + Sync {
    /// Their size.
    ///
    /// # Errors
    /// If they cannot be read.
    fn size(&self) -> Result<ResultsSize, String>;

    /// How many there are, once all of them were found to be what was written.
    ///
    /// # Errors
    /// If they cannot be read.
    fn count(&self) -> Result<u64, String>;

    /// A file with the results in item order. Writes it first if necessary.
    ///
    /// # Errors
    /// If they cannot be read or the file cannot be written.
    fn file(&self) -> Result<ResultsFile, String>;
}
