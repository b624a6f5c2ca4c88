//! Errors that end the program, and how they are shown.

use super::exit::Exit;
use crate::compile::PrepareError;
use crate::ledger::LedgerError;
use crate::run::EngineError;
use crate::spec::{Diagnostics, Style};
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

/// An error that ends the program.
#[derive(Debug)]
pub struct CliError {
    exit: Exit,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    /// Errors with a place in a workflow file.
    Diagnostics(Diagnostics),
    /// Anything else, with what to type.
    Other(anyhow::Error, Option<String>),
}

impl CliError {
    /// An error that ends the program with this exit code.
    pub fn new(exit: Exit, error: impl Into<anyhow::Error>) -> Self {
        Self { exit, kind: Kind::Other(error.into(), None) }
    }

    /// Bad input that has no place in a workflow file.
    pub fn bad(message: impl Into<String>) -> Self {
        Self::new(Exit::Bad, anyhow::Error::msg(message.into()))
    }

    /// Errors with a place in a workflow file.
    pub fn diagnostics(exit: Exit, diagnostics: Diagnostics) -> Self {
        Self { exit, kind: Kind::Diagnostics(diagnostics) }
    }

    /// Says what the user can type.
    pub fn help(mut self, text: impl Into<String>) -> Self {
        if let Kind::Other(_, help) = &mut self.kind {
            *help = Some(text.into());
        }
        self
    }

    /// Prints it to stderr.
    pub fn report(self) -> ExitCode {
        let text = match &self.kind {
            Kind::Diagnostics(diagnostics) => {
                let colored = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
                diagnostics.render(if colored { Style::Colored } else { Style::Plain })
            }
            Kind::Other(error, help) => {
                let causes: String = error.chain().skip(1).map(|cause| format!("\n  cause: {cause}")).collect();
                let help = help.as_ref().map_or(String::new(), |help| format!("hint: {help}\n"));
                format!("error: {error}{causes}\n{help}")
            }
        };
        // With stderr gone there is nobody left to tell; the exit code still does.
        drop(io::stderr().write_all(text.as_bytes()));
        self.exit.code()
    }
}

impl From<Diagnostics> for CliError {
    fn from(diagnostics: Diagnostics) -> Self {
        Self::diagnostics(Exit::Bad, diagnostics)
    }
}

impl From<PrepareError> for CliError {
    fn from(error: PrepareError) -> Self {
        match error {
            PrepareError::Diagnostics(diagnostics) => diagnostics.into(),
            PrepareError::Host(error) => {
                let help = error.hint();
                Self::new(Exit::Bad, error).help(help)
            }
        }
    }
}

impl From<LedgerError> for CliError {
    fn from(error: LedgerError) -> Self {
        let exit = if matches!(error, LedgerError::Locked(_)) { Exit::Held } else { Exit::Bad };
        let help = error.hint();
        let error = Self::new(exit, error);
        match help {
            Some(help) => error.help(help),
            None => error,
        }
    }
}

/// What stops a run in the middle. What is in the ledger by then stays.
impl From<EngineError> for CliError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Start(error) => error.into(),
            EngineError::Ledger(error) => {
                let remedy = error.remedy();
                let error = Self::from(error);
                let exit = if error.exit == Exit::Bad { Exit::Stopped } else { error.exit };
                let error = Self { exit, ..error };
                match remedy {
                    Some(remedy) => error.help(format!(
                        "what was done is kept: {remedy}, then `batchmill resume` goes on with the rest"
                    )),
                    None => error,
                }
            }
            error @ EngineError::Guard(_) => {
                Self::new(Exit::Bad, error).help("check the limits that were set: `ulimit -a` shows them")
            }
            error => Self::new(Exit::Stopped, error),
        }
    }
}
