//! What a run can be told, and what it answers.

use crate::model::StepName;
use serde::{Deserialize, Serialize};
use std::num::NonZeroUsize;

/// A command for a run in progress.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case")]
pub enum Command {
    /// Start nothing until told to continue. Running items finish.
    Pause,
    /// End a pause.
    Continue,
    /// Set how many items run at a time, up to the limit of each step. The engine no longer sets it.
    Jobs {
        /// How many.
        jobs: NonZeroUsize,
    },
    /// End an item that is running. It does not run again, and it has not failed.
    Cancel {
        /// Its step.
        step: StepName,
        /// Its index.
        item: u64,
    },
    /// Leave out an item that has not begun.
    Skip {
        /// Its step.
        step: StepName,
        /// Its index.
        item: u64,
    },
    /// Run the failed items of the current step again.
    RetryFailed,
    /// Start nothing new, and end when the running items have finished.
    Stop,
    /// Tell what the run is doing.
    State,
}

/// What a run answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// It obeys.
    Done {
        /// What it does, for people.
        text: String,
    },
    /// It cannot.
    Refused {
        /// Why.
        message: String,
        /// What to do instead.
        help: Option<String>,
    },
    /// What it is doing.
    State(RunState),
}

impl Answer {
    /// The run obeys.
    pub fn done(text: impl Into<String>) -> Self {
        Self::Done { text: text.into() }
    }

    /// The run cannot do it.
    pub fn refused(message: impl Into<String>) -> Self {
        Self::Refused { message: message.into(), help: None }
    }

    /// The same with what to do instead.
    #[must_use]
    pub fn with_help(self, text: impl Into<String>) -> Self {
        match self {
            Self::Refused { message, .. } => Self::Refused { message, help: Some(text.into()) },
            other => other,
        }
    }
}

/// What a run is doing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RunState {
    /// Whether it is paused.
    pub paused: bool,
    /// Whether it starts nothing more.
    pub stopping: bool,
    /// The current step; none between two steps.
    pub step: Option<StepState>,
}

/// What a step is doing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepState {
    /// Its name.
    pub name: StepName,
    /// How many of its items may run at a time now.
    pub jobs: usize,
    /// The most that may.
    pub most_jobs: usize,
    /// Whether the engine sets the number.
    pub auto: bool,
    /// The items that are running.
    pub running: Vec<RunningItem>,
}

/// An item that is running.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunningItem {
    /// Where it runs, from 0.
    pub slot: usize,
    /// Its index.
    pub index: u64,
    /// The item as people name it, without secrets, and cut short; none if it is not at hand.
    pub item: Option<String>,
    /// For how long it has been running.
    pub seconds: f64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_and_answers_are_lines_of_json() {
        let step = StepName::new("load").unwrap();
        let commands = [
            (Command::Pause, r#"{"command":"pause"}"#),
            (Command::Jobs { jobs: NonZeroUsize::MIN }, r#"{"command":"jobs","jobs":1}"#),
            (Command::Cancel { step, item: 5 }, r#"{"command":"cancel","step":"load","item":5}"#),
            (Command::RetryFailed, r#"{"command":"retry-failed"}"#),
        ];
        for (command, json) in commands {
            assert_eq!(serde_json::to_string(&command).unwrap(), json);
            assert_eq!(serde_json::from_str::<Command>(json).unwrap(), command);
        }
        let answer = Answer::refused("no").with_help("wait");
        assert_eq!(serde_json::to_string(&answer).unwrap(), r#"{"refused":{"message":"no","help":"wait"}}"#);
        let step = StepName::new("load").unwrap();
        let item = RunningItem { slot: 1, index: 7, item: Some("a".to_owned()), seconds: 0.25 };
        let step = StepState { name: step, jobs: 1, most_jobs: 2, auto: false, running: vec![item] };
        let state = Answer::State(RunState { step: Some(step), ..RunState::default() });
        let json = r#"{"state":{"paused":false,"stopping":false,"step":{"name":"load","jobs":1,"most_jobs":2,"auto":false,"running":[{"slot":1,"index":7,"item":"a","seconds":0.25}]}}}"#;
        assert_eq!(serde_json::to_string(&state).unwrap(), json);
        assert_eq!(serde_json::from_str::<Answer>(json).unwrap(), state);
    }
}
