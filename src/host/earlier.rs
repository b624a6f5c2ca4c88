//! The names in scope, and the results of earlier steps, as they arrive.

use crate::compile::template_params;
use crate::model::{ResultsFile, ResultsSize};
use crate::template::{Lazy, Scope, StepValue, StoredResults, invalid, json_or_invalid};
use crate::wire::{HostFile, HostScope, HostStep};
use serde_json::value::RawValue;
use std::sync::Arc;

/// The scope that an engine has sent.
pub(super) fn scope_of(sent: HostScope) -> Scope {
    let HostScope { params, env, run, steps, outputs } = sent;
    let texts = |texts: std::collections::BTreeMap<String, String>| {
        texts.into_iter().map(|(name, value)| (name, value.into())).collect()
    };
    Scope {
        params: template_params(&params),
        env: texts(env),
        run: texts(run),
        steps: steps.into_iter().map(|(name, step)| (name.clone(), step_value(&name, step))).collect(),
        outputs,
        summary: None,
    }
}

fn step_value(name: &str, step: HostStep) -> StepValue {
    let HostStep { result, batch, file, aggregate } = step;
    let result = match (result, file.clone()) {
        (Some(json), _) => lazy(name, json),
        (None, Some(file)) => {
            let name = name.to_owned();
            Lazy::new(move || match lines_of(&file) {
                Ok(json) => json_or_invalid(&format_args!("the results of step `{name}`"), &json),
                Err(error) => invalid(format!("the results of step `{name}` cannot be read: {error}")),
            })
        }
        (None, None) => Lazy::new(|| ().into()),
    };
    StepValue {
        result: Arc::new(result),
        batch: batch.map(|(failed, stats)| (Arc::new(lazy(name, failed)), lazy(name, stats).get())),
        stored: Arc::new(SentResults(file)),
        aggregate: aggregate.map(|json| Arc::new(lazy(name, json))),
    }
}

fn lazy(name: &str, json: Box<RawValue>) -> Lazy {
    let name = name.to_owned();
    Lazy::new(move || json_or_invalid(&format_args!("step `{name}`"), json.get().as_bytes()))
}

/// The lines of a file as a JSON array.
fn lines_of(file: &HostFile) -> std::io::Result<Vec<u8>> {
    let mut json = std::fs::read(&file.path)?;
    if json.ends_with(b"\n") {
        json.pop();
    }
    json.iter_mut().filter(|byte| **byte == b'\n').for_each(|byte| *byte = b',');
    Ok([b"[", json.as_slice(), b"]"].concat())
}

/// The results of a batch step in the file that the engine has named.
#[derive(Debug)]
struct SentResults(Option<HostFile>);

impl StoredResults for SentResults {
    fn size(&self) -> Result<ResultsSize, String> {
        let file = self.0.as_ref();
        Ok(file.map_or(ResultsSize { count: 0, bytes: 0 }, |it| ResultsSize { count: it.count, bytes: it.bytes }))
    }

    fn count(&self) -> Result<u64, String> {
        let Some(file) = &self.0 else { return Err("its results are not in a file".to_owned()) };
        match std::fs::metadata(&file.path) {
            Ok(data) if data.len() == file.bytes => Ok(file.count),
            Ok(_) => Err(format!("`{}` has changed", file.path.display())),
            Err(error) => Err(format!("cannot read `{}`: {error}", file.path.display())),
        }
    }

    fn file(&self) -> Result<ResultsFile, String> {
        let file = self.0.as_ref().ok_or("its results are not in a file")?;
        Ok(ResultsFile { path: file.path.clone(), count: file.count })
    }
}
