//! The names in scope: what templates and tasks see of a run and of earlier steps.

use crate::compile::{Prepared, template_params};
use crate::ledger::{LedgerError, Reader, RunFolder, StepReader};
use crate::model::{ResultsFile, ResultsSize, RunId, Stats, StepName};
use crate::spec::{Step, StepKind};
use crate::template::{Lazy, Scope, StepValue, StoredResults, invalid, json_or_invalid};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// The names in scope of the first step of a run that was started then.
pub fn step_scope(prepared: &Prepared, run: &RunId, started: Timestamp) -> Scope {
    let env = prepared.env.iter().map(|(name, value)| (name.clone(), value.as_str().into())).collect();
    let started = started.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let run = [("id", run.0.clone()), ("name", prepared.workflow.name.clone()), ("started", started)];
    let run = run.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect();
    Scope {
        params: template_params(&prepared.params),
        env,
        run,
        steps: BTreeMap::new(),
        outputs: BTreeMap::new(),
        summary: None,
    }
}

/// The names in scope of the first step of a run in a ledger: `run.started`, in milliseconds since 1970, stays when it is resumed.
pub(super) fn scope_of_run(prepared: &Prepared, run: &RunId, started: i64) -> Scope {
    step_scope(prepared, run, Timestamp::from_millisecond(started).unwrap_or_default())
}

/// The names in scope of a step of a run in a ledger: with the results of the steps before it.
///
/// # Errors
/// If the ledger cannot be read.
pub fn scope_before(prepared: &Prepared, folder: &RunFolder, step: &StepName) -> Result<Scope, LedgerError> {
    let reader = Reader::open(folder.clone())?;
    let mut scope = scope_of_run(prepared, &folder.run, reader.run()?.started);
    for earlier in prepared.steps.iter().take_while(|earlier| earlier.name() != step) {
        if let Some(recorded) = reader.step(earlier.name())? {
            remember(&mut scope, folder, &earlier.step, earlier.is_batch().then_some(recorded.record.stats));
        }
    }
    Ok(scope)
}

/// Adds the results of a step to a scope; `stats` are those of a batch step. Results are read when a template first asks
/// for them.
pub(super) fn remember(scope: &mut Scope, folder: &RunFolder, step: &Step, stats: Option<Stats>) {
    let (name, from) = (step.name.clone(), folder.clone());
    let result = Lazy::new(move || match read_results(&from, &name) {
        Ok(json) => json_or_invalid(&format_args!("the results of step `{name}`"), &json),
        Err(error) => invalid(format!("the results of step `{name}` cannot be read: {error}")),
    });
    let (name, from) = (step.name.clone(), folder.clone());
    let failed = Lazy::new(move || match failures_json(&from, &name) {
        Ok(failures) => {
            let json = serde_json::Value::from(failures).to_string();
            json_or_invalid(&format_args!("the failures of step `{name}`"), json.as_bytes())
        }
        Err(error) => invalid(format!("the failures of step `{name}` cannot be read: {error}")),
    });
    let batch = stats.map(|stats| {
        let stats =
            json_or_invalid(&format_args!("`stats` of step `{}`", step.name), stats.to_json().to_string().as_bytes());
        (Arc::new(failed), stats)
    });
    let stored = Arc::new(Stored::new(folder.clone(), step.name.clone()));
    let (name, from) = (step.name.clone(), folder.clone());
    let has_aggregate = matches!(&step.kind, StepKind::Batch(batch) if batch.aggregate.is_some());
    let aggregate = has_aggregate.then(|| Arc::new(Lazy::new(move || aggregate_value(&from, &name))));
    let value = StepValue { result: Arc::new(result), batch, stored, aggregate };
    scope.steps.insert(step.name.to_string(), value);
    if let Some(outputs) = &step.outputs.name {
        scope.outputs.insert(outputs.raw.clone(), step.name.to_string());
    }
}

/// The aggregate of a step, or null if it has not been computed.
fn aggregate_value(folder: &RunFolder, step: &StepName) -> minijinja::Value {
    match Reader::open(folder.clone())
        .and_then(|reader| reader.step(step)?.map(|step| step.aggregate(None)).transpose())
    {
        Ok(aggregate) => {
            let json = aggregate.flatten();
            let json = json.as_deref().map_or("null", |json| json.get());
            json_or_invalid(&format_args!("the aggregate of step `{step}`"), json.as_bytes())
        }
        Err(error) => invalid(format!("the aggregate of step `{step}` cannot be read: {error}")),
    }
}

/// The results of a step in the ledger; looked up once.
#[derive(Debug)]
struct Stored {
    folder: RunFolder,
    step: StepName,
    size: OnceLock<Result<ResultsSize, String>>,
    count: OnceLock<Result<u64, String>>,
    file: OnceLock<Result<ResultsFile, String>>,
}

impl Stored {
    fn new(folder: RunFolder, step: StepName) -> Self {
        Self { folder, step, size: OnceLock::new(), count: OnceLock::new(), file: OnceLock::new() }
    }

    fn look_up<T>(&self, look: impl FnOnce(&StepReader<'_>) -> Result<T, LedgerError>) -> Result<T, String> {
        let wrong = |why: String| format!("the results of step `{}` cannot be read: {why}", self.step);
        let found = Reader::open(self.folder.clone())
            .and_then(|reader| reader.step(&self.step)?.map(|step| look(&step)).transpose());
        match found {
            Ok(Some(found)) => Ok(found),
            Ok(None) => Err(wrong("it was not started".to_owned())),
            Err(error) => Err(wrong(match std::error::Error::source(&error) {
                Some(cause) => format!("{error}: {cause}"),
                None => error.to_string(),
            })),
        }
    }
}

impl StoredResults for Stored {
    fn size(&self) -> Result<ResultsSize, String> {
        self.size.get_or_init(|| self.look_up(|step| step.results()?.size())).clone()
    }

    fn count(&self) -> Result<u64, String> {
        let count = || {
            self.look_up(|step| {
                let results = step.results()?;
                results.check()?;
                Ok(results.size()?.count)
            })
        };
        self.count.get_or_init(count).clone()
    }

    fn file(&self) -> Result<ResultsFile, String> {
        self.file.get_or_init(|| self.look_up(|step| step.sorted_results())).clone()
    }
}

/// The results of a step as JSON text: an array, or the one value of a plain step.
pub(super) fn read_results(folder: &RunFolder, step: &StepName) -> Result<Vec<u8>, LedgerError> {
    let reader = Reader::open(folder.clone())?;
    let Some(step) = reader.step(step)? else { return Ok(b"null".to_vec()) };
    let mut results = step.results()?;
    if step.record.is_batch {
        return results.into_json_array();
    }
    Ok(results.next_block()?.unwrap_or_else(|| b"null".to_vec()))
}

/// `failed` of a batch step: `item`, `index`, `error`, `type`, `attempts` of each.
pub fn failures_json(folder: &RunFolder, step: &StepName) -> Result<Vec<serde_json::Value>, LedgerError> {
    let reader = Reader::open(folder.clone())?;
    let Some(step) = reader.step(step)? else { return Ok(Vec::new()) };
    let failure = |failure: crate::ledger::FailureRecord| {
        let item: serde_json::Value =
            serde_json::from_str(&failure.item).unwrap_or(serde_json::Value::String(failure.item));
        serde_json::json!({
            "item": item, "index": failure.index, "error": failure.message, "type": failure.class, "attempts": failure.attempts,
        })
    };
    Ok(step.failures()?.into_iter().map(failure).collect())
}
