//! Passes the results of earlier steps to a worker: as JSON, or as a file if they are large.

use crate::model::{Failure, FailureKind};
use crate::template::{CompiledTree, ItemScope, Scope, StepValue, value_to_json};
use crate::wire::{Small, Stored, StoredTarget};
use minijinja::Value;
use serde_json::value::RawValue;
use std::sync::Arc;

/// The members of a step that hold all of its results.
const RESULTS: [&str; 2] = ["result", "results"];

/// How large results of a step reach a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LargeResults {
    /// The worker reads them from their file.
    ByFile,
    /// They are sent as JSON, like any other value.
    Inline,
}

/// Writes values as JSON, and collects which of them the worker reads from a file instead.
#[derive(Default)]
pub(super) struct Writer {
    pub(super) stored: Vec<Stored>,
    pub(super) small: Vec<Small>,
    /// Whether the code may make data frames of results, for which it needs their file.
    pub(super) makes_frames: bool,
}

impl Writer {
    /// Inputs by name as a JSON object. An input that is just the large results of a step goes to `stored` instead.
    pub(super) fn inputs<'a>(
        &mut self,
        inputs: impl IntoIterator<Item = &'a (String, CompiledTree)>,
        scope: &Arc<ItemScope>,
        large: LargeResults,
    ) -> Result<Vec<u8>, Failure> {
        let mut object = Object::new();
        for (name, tree) in inputs {
            let results = tree.results_name().filter(|_| large == LargeResults::ByFile);
            if let Some(step) = results.as_ref().and_then(|name| name.of(&scope.step)) {
                let target = StoredTarget::Input(name.clone());
                if let Some(stored) = store(step, target.clone())? {
                    self.stored.push(stored);
                    continue;
                }
                self.note_small(step, target)?;
            }
            tree.write_json(scope, object.key(name)?)?;
        }
        Ok(object.end())
    }

    /// `steps` as a JSON object with these members of each step. Large results go to `stored` instead.
    pub(super) fn steps(&mut self, scope: &Scope, members: &[&str]) -> Result<Vec<u8>, Failure> {
        let mut object = Object::new();
        for (name, step) in &scope.steps {
            let stored = if step.batch.is_some() { store(step, StoredTarget::Step(name.clone()))? } else { None };
            let members = members.iter().filter(|member| stored.is_none() || !RESULTS.contains(member));
            let mut value = Object::new();
            for member in members {
                let found = Value::from_object(step.clone()).get_attr(member).ok().filter(|it| !it.is_undefined());
                if let Some(found) = found {
                    value.key(member)?.extend(value_to_json(&found).map_err(|message| unwritable(&message))?);
                }
            }
            if stored.is_none() {
                self.note_small(step, StoredTarget::Step(name.clone()))?;
            }
            self.stored.extend(stored);
            object.key(name)?.extend(value.end());
        }
        Ok(object.end())
    }
}

impl Writer {
    /// Notes that a list is the results of a step, if it is a batch step.
    fn note_small(&mut self, step: &StepValue, target: StoredTarget) -> Result<(), Failure> {
        if step.batch.is_none() {
            return Ok(());
        }
        let path = if self.makes_frames {
            let file = step.stored.file().map_err(|message| unwritable(&message))?;
            file.path.to_str().map(str::to_owned)
        } else {
            None
        };
        let count = step.stored.size().map_err(|message| unwritable(&message))?.count;
        self.small.push(Small { target, path, count });
        Ok(())
    }
}

/// The file with the results of a batch step, if they are large. `None` too if its path is not UTF-8, which a message needs.
fn store(step: &StepValue, target: StoredTarget) -> Result<Option<Stored>, Failure> {
    if !step.stored.size().map_err(|message| unwritable(&message))?.is_large() {
        return Ok(None);
    }
    let file = step.stored.file().map_err(|message| unwritable(&message))?;
    Ok(file.path.to_str().map(|path| Stored { target, path: path.to_owned(), count: file.count }))
}

/// A JSON object under construction.
struct Object(Vec<u8>);

impl Object {
    fn new() -> Self {
        Self(vec![b'{'])
    }

    /// Writes a key. Append its value to the returned buffer.
    fn key(&mut self, name: &str) -> Result<&mut Vec<u8>, Failure> {
        if self.0.len() > 1 {
            self.0.push(b',');
        }
        serde_json::to_writer(&mut self.0, name).map_err(|error| unwritable(&error.to_string()))?;
        self.0.push(b':');
        Ok(&mut self.0)
    }

    fn end(mut self) -> Vec<u8> {
        self.0.push(b'}');
        self.0
    }
}

/// The failure of a value that cannot be sent.
pub(super) fn unwritable(message: &str) -> Failure {
    Failure::new(FailureKind::Template, "TemplateError", message.to_owned())
}

/// JSON text to send as it is.
pub(super) fn raw(json: Vec<u8>) -> Result<Box<RawValue>, Failure> {
    let text = String::from_utf8(json).map_err(|error| unwritable(&error.to_string()))?;
    RawValue::from_string(text).map_err(|error| unwritable(&error.to_string()))
}
