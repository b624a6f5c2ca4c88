//! Exit codes.

use crate::model::Status;
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
  130, 143  interrupted by Ctrl-C or SIGTERM";

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
    /// Ended by this signal.
    Interrupted(i32),
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
            Self::Interrupted(signal) => u8::try_from(128 + signal).unwrap_or(130),
        }
    }

    /// The code for a run with this status; `signal` is the signal that interrupted it, if any.
    pub fn of(status: Status, signal: Option<i32>) -> Self {
        match status {
            Status::Succeeded => Self::Done,
            Status::Partial => Self::SomeFailed,
            Status::Failed => Self::Stopped,
            Status::Empty => Self::Empty,
            Status::Interrupted | Status::Running => Self::Interrupted(signal.unwrap_or(2)),
        }
    }
}
