//! Exit codes.

use crate::model::Status;
use crate::run::StoppedBy;
use std::process::ExitCode;

/// The table of exit codes, for the end of `--help`.
pub const EXIT_CODES: &str = "Exit codes:
  0         success
  1         finished, but some items failed (`inspect`: odd files found;
            `audit`: problems found)
  2         invalid file, option, template or environment; nothing ran
  3         stopped early by a failure
  4         a step has no items
  5         another process is using the run
  6         out of time; `resume` continues
  129, 130, 143  interrupted by SIGHUP, Ctrl-C or SIGTERM";

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Everything succeeded.
    Done,
    /// Finished; some items failed, some files are odd, or `audit` found problems.
    SomeFailed,
    /// Bad input or environment; nothing ran.
    Bad,
    /// Stopped early.
    Stopped,
    /// No items.
    Empty,
    /// Another process is using the run.
    Held,
    /// Stopped from outside: by a signal, or by a time limit.
    Interrupted(StoppedBy),
}

impl Exit {
    pub fn code(self) -> ExitCode {
        ExitCode::from(self.number())
    }

    /// The code as a number.
    pub fn number(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::SomeFailed => 1,
            Self::Bad => 2,
            Self::Stopped => 3,
            Self::Empty => 4,
            Self::Held => 5,
            Self::Interrupted(by) => by.exit_code(),
        }
    }

    /// The code for what was stopped from outside; by Ctrl-C if nothing else is known.
    pub fn interrupted(by: Option<StoppedBy>) -> Self {
        Self::Interrupted(by.unwrap_or(StoppedBy::Signal(2)))
    }

    /// The code for a run with this status; `by` is what stopped it from outside, if anything did.
    pub fn of(status: Status, by: Option<StoppedBy>) -> Self {
        match status {
            Status::Succeeded => Self::Done,
            Status::Partial => Self::SomeFailed,
            Status::Failed => Self::Stopped,
            Status::Empty => Self::Empty,
            Status::Interrupted | Status::Running => Self::interrupted(by),
        }
    }
}
