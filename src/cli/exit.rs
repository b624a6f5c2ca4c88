//! Exit codes, and how errors are shown.

use crate::compile::PrepareError;
use crate::ledger::LedgerError;
use crate::model::Status;
use crate::run::EngineError;
use crate::spec::{Diagnostics, Style};
use std::io::Write;
use std::process::ExitCode;

/// For the end of `--help`.
pub(super) const HELP: &str = "Exit codes:
  0  all done
  1  finished, but some items failed; inspect: a file stands out
  2  bad file, flag or template, or surroundings that do not fit: nothing was run
  3  stopped early by a failure
  4  a step has no items
  5  another process holds the run
  130, 143  interrupted by Ctrl-C or SIGTERM";

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// Everything succeeded.
    Done,
    /// Finished; some items failed, or files stand out.
    SomeFailed,
    /// Bad input or surroundings; nothing was run.
    Bad,
    /// Stopped early.
    Stopped,
    /// No items.
    Empty,
    /// Somebody else has the run.
    Held,
    /// Ended by this signal.
    Interrupted(i32),
}

impl Exit {
    pub(super) fn code(self) -> ExitCode {
        ExitCode::from(match self {
            Self::Done => 0,
            Self::SomeFailed => 1,
            Self::Bad => 2,
            Self::Stopped => 3,
            Self::Empty => 4,
            Self::Held => 5,
            Self::Interrupted(signal) => u8::try_from(128 + signal).unwrap_or(130),
        })
    }

    /// The code for a run that ended so; `signal` is the one that came, if one did.
    pub(super) fn of(status: Status, signal: Option<i32>) -> Self {
        match status {
            Status::Succeeded => Self::Done,
            Status::Partial => Self::SomeFailed,
            Status::Failed => Self::Stopped,
            Status::Empty => Self::Empty,
            Status::Interrupted | Status::Running => Self::Interrupted(signal.unwrap_or(2)),
        }
    }
}

/// An error that ends the program.
#[derive(Debug)]
pub(super) struct Stop {
    exit: Exit,
    what: What,
}

#[derive(Debug)]
enum What {
    Diagnostics(Diagnostics),
    Error(anyhow::Error, Option<String>),
}

impl Stop {
    pub(super) fn new(exit: Exit, error: anyhow::Error) -> Self {
        Self { exit, what: What::Error(error, None) }
    }

    /// Bad input that has no place in a workflow file.
    pub(super) fn bad(message: impl Into<String>) -> Self {
        Self::new(Exit::Bad, anyhow::Error::msg(message.into()))
    }

    pub(super) fn hint(mut self, text: impl Into<String>) -> Self {
        if let What::Error(_, hint) = &mut self.what {
            *hint = Some(text.into());
        }
        self
    }

    pub(super) fn faults(exit: Exit, faults: Diagnostics) -> Self {
        Self { exit, what: What::Diagnostics(faults) }
    }

    /// Prints it to stderr.
    pub(super) fn report(self, color: bool) -> ExitCode {
        let text = match &self.what {
            What::Diagnostics(faults) => faults.render(if color { Style::Colored } else { Style::Plain }),
            What::Error(error, hint) => {
                let causes: String = error.chain().skip(1).map(|cause| format!("\n  cause: {cause}")).collect();
                let hint = hint.as_ref().map_or(String::new(), |hint| format!("hint: {hint}\n"));
                format!("error: {error}{causes}\n{hint}")
            }
        };
        // With stderr gone there is nobody left to tell; the exit code still does.
        drop(std::io::stderr().write_all(text.as_bytes()));
        self.exit.code()
    }
}

impl From<Diagnostics> for Stop {
    fn from(faults: Diagnostics) -> Self {
        Self::faults(Exit::Bad, faults)
    }
}

impl From<PrepareError> for Stop {
    fn from(error: PrepareError) -> Self {
        match error {
            PrepareError::Diagnostics(faults) => faults.into(),
            PrepareError::Host(error) => {
                let hint = error.hint();
                Self::new(Exit::Bad, error.into()).hint(hint)
            }
        }
    }
}

impl From<LedgerError> for Stop {
    fn from(error: LedgerError) -> Self {
        let exit = if matches!(error, LedgerError::Locked(_)) { Exit::Held } else { Exit::Bad };
        let hint = error.hint();
        let stop = Self::new(exit, error.into());
        match hint {
            Some(hint) => stop.hint(hint),
            None => stop,
        }
    }
}

/// Trouble in the middle of a run. What is in the ledger by then stays.
impl From<EngineError> for Stop {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Start(error) => error.into(),
            EngineError::Ledger(error) => {
                let remedy = error.remedy();
                let stop = Self::from(error);
                let exit = if stop.exit == Exit::Bad { Exit::Stopped } else { stop.exit };
                let stop = Self { exit, ..stop };
                match remedy {
                    Some(remedy) => stop.hint(format!(
                        "what was done is kept: {remedy}, then `batchmill resume` goes on with the rest"
                    )),
                    None => stop,
                }
            }
            error @ EngineError::Guard(_) => {
                Self::new(Exit::Bad, error.into()).hint("check the limits that were set: `ulimit -a` shows them")
            }
            error => Self::new(Exit::Stopped, error.into()),
        }
    }
}
