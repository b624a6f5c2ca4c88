//! The object that `--format json` prints at the end of a run.

use super::error::CliError;
use crate::ledger::{Reader, StepReader};
use crate::model::{RunId, Status};
use crate::run::{RunEnd, failures_json};
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use serde_json::{Value, json};

/// With more results than this, only their file is named.
const MOST_RESULTS: u64 = 1000;

/// The end of a run. An aggregate is shown as it was written, with all digits of its numbers.
#[derive(Serialize)]
pub struct RunJson {
    run_id: RunId,
    status: Status,
    #[serde(serialize_with = "as_map")]
    steps: Vec<(String, StepJson)>,
}

#[derive(Serialize)]
struct StepJson {
    #[serde(flatten)]
    step: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    aggregate: Option<Box<RawValue>>,
}

fn as_map<S: Serializer>(steps: &[(String, StepJson)], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(steps.iter().map(|(name, step)| (name, step)))
}

impl RunJson {
    /// Reads it from the ledger of a run that has ended.
    pub fn of(end: &RunEnd) -> Result<Self, CliError> {
        let reader = Reader::open(end.folder.clone())?;
        let steps: Result<Vec<_>, CliError> = reader
            .steps()?
            .into_iter()
            .map(|record| Ok((record.name.to_string(), step_json(&reader, reader.open_step(record))?)))
            .collect();
        Ok(Self { run_id: end.summary.run.clone(), status: end.summary.status, steps: steps? })
    }
}

fn step_json(reader: &Reader, recorded: StepReader) -> Result<StepJson, CliError> {
    let (record, aggregate) = (&recorded.record, recorded.aggregate(None)?);
    let failed = failures_json(reader.folder(), &record.name)?;
    let mut step = json!({ "status": record.status, "stats": record.stats.to_json(), "failed": failed });
    if let Some(failure) = &record.failure {
        step["error"] = json!({ "type": failure.class, "message": failure.message });
    }
    let mut results = recorded.results()?;
    if !record.is_batch {
        let line = results.next_block()?.unwrap_or_else(|| b"null".to_vec());
        step["result"] = serde_json::from_slice(&line).unwrap_or_default();
    } else if results.count() > MOST_RESULTS {
        step["results_path"] = json!(&*reader.folder().results(&record.name));
    } else {
        step["results"] = serde_json::from_slice(&results.into_json_array()?).unwrap_or_default();
    }
    Ok(StepJson { step, aggregate })
}
