//! The figures of a run.

use super::step::StepFigures;
use crate::ledger::{CommandRecord, LedgerError, Reader};
use crate::measure::wall_clock;
use crate::model::Status;
use serde::Serialize;
use serde_json::Value;

/// What the ledger says about a run. Times are in seconds, points in time are RFC 3339 in UTC.
#[derive(Debug, Clone, Serialize)]
// More than 12 fields: each is a different fact.
pub struct Figures {
    /// Its ID.
    pub run: String,
    /// The name of the workflow.
    pub workflow: String,
    /// The workflow file, and the directory in which the run was started.
    pub file: String,
    /// The directory in which the run was started.
    pub directory: String,
    /// How it is going, or how it ended.
    pub status: Status,
    /// When it started.
    pub started: String,
    /// When it ended.
    pub finished: Option<String>,
    /// The time of all its executions together, without the time between them.
    pub seconds: f64,
    /// Its starts and resumes.
    pub executions: Vec<ExecutionFigures>,
    /// What the user has told it while it ran.
    pub commands: Vec<CommandFigures>,
    /// Its parameters, secrets masked.
    pub params: Value,
    /// The machine of the last execution, if it was recorded.
    pub machine: Value,
    /// The text of the workflow file in the last execution, secrets masked.
    pub source: Option<String>,
    /// The steps that were started.
    pub steps: Vec<StepFigures>,
}

/// One start or resume.
#[derive(Debug, Clone, Serialize)]
pub struct ExecutionFigures {
    /// Its number, from 1.
    pub number: i64,
    /// When it started.
    pub started: String,
    /// When it ended; none if it was killed, or goes on.
    pub finished: Option<String>,
}

/// A command that the run has obeyed.
#[derive(Debug, Clone, Serialize)]
pub struct CommandFigures {
    /// When.
    pub at: String,
    /// As it is typed after `ctl`.
    pub command: String,
    /// What the run has answered.
    pub answer: String,
}

impl Figures {
    /// Reads the figures of a run.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    pub fn read(reader: &Reader) -> Result<Self, LedgerError> {
        let (record, executions) = (reader.run()?, reader.executions()?);
        let read = |step| StepFigures::read(&reader.open_step(step), &record.folder);
        let steps = reader.steps()?.into_iter().map(read).collect::<Result<Vec<_>, _>>()?;
        let now = wall_clock().as_millisecond();
        let is_running = record.status == Status::Running;
        let last = executions.len();
        let took = executions.iter().enumerate().map(|(at, execution)| {
            // Nothing records when an execution was killed.
            let end = execution.finished.or_else(|| (is_running && at + 1 == last).then_some(now));
            end.map_or(0, |end| end.saturating_sub(execution.started))
        });
        let seconds = took.sum::<i64>().max(0) as f64 / 1000.0;
        let commands = reader.commands()?.into_iter().map(|CommandRecord { at, command, answer, .. }| CommandFigures {
            at: moment(at),
            command,
            answer,
        });
        let json = |text: &str| serde_json::from_str(text).unwrap_or(Value::Null);
        Ok(Self {
            run: reader.folder().run.0.clone(),
            workflow: record.workflow,
            file: record.path.display().to_string(),
            directory: record.folder.display().to_string(),
            status: record.status,
            started: moment(record.started),
            finished: record.finished.filter(|_| !is_running).map(moment),
            seconds,
            params: json(&record.params),
            machine: executions.last().and_then(|it| it.machine.as_deref()).map_or(Value::Null, json),
            source: executions.last().and_then(|it| it.source.clone()),
            executions: executions
                .into_iter()
                .map(|it| ExecutionFigures {
                    number: it.number,
                    started: moment(it.started),
                    finished: it.finished.map(moment),
                })
                .collect(),
            commands: commands.collect(),
            steps,
        })
    }

    /// The figures of a run that has ended like this but for its closing steps. One of these asks for them; none is among
    /// them.
    pub fn before_closing(mut self, status: Status, closing: &[&str]) -> Self {
        self.status = status;
        self.finished = Some(moment(wall_clock().as_millisecond()));
        self.steps.retain(|step| !closing.contains(&&*step.name));
        self
    }

    /// The number of items that the user has cancelled or skipped.
    pub(super) fn cancelled(&self) -> u64 {
        self.steps.iter().map(|step| step.counts.cancelled).sum()
    }

    /// The number of items that succeeded or failed, and of those that failed.
    pub(super) fn outcomes(&self) -> (u64, u64) {
        let sum = |part: fn(&StepFigures) -> u64| self.steps.iter().map(part).sum::<u64>();
        (sum(|step| step.counts.succeeded + step.counts.failed), sum(|step| step.counts.failed))
    }
}

/// A point in time: milliseconds since 1970 as RFC 3339.
fn moment(milliseconds: i64) -> String {
    jiff::Timestamp::from_millisecond(milliseconds).map_or_else(|_| String::new(), |time| time.to_string())
}
