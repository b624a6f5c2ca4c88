//! What is typed so far of a command line: the file, the run and the parameters in it, whether the line is complete or not.

use crate::cli::args::WorkflowArgs;
use crate::ledger::{Reader, RunPlace, StateFolder};
use crate::model::StepName;
use crate::spec::{self, Workflow};
use clap::{ArgMatches, Args, Command};
use std::ffi::OsString;
use std::path::PathBuf;

/// The arguments of the verb.
pub struct Typed {
    arguments: ArgMatches,
}

impl Typed {
    /// Reads the words of a command line, the program's name first. None if there is no verb among them.
    pub fn read(command: Command, words: impl IntoIterator<Item = OsString>) -> Option<Self> {
        let mut arguments = command.ignore_errors(true).try_get_matches_from(words).ok()?;
        while let Some((_, inner)) = arguments.remove_subcommand() {
            arguments = inner;
        }
        Some(Self { arguments })
    }

    /// The workflow file of a verb that takes one.
    pub fn file(&self) -> Option<PathBuf> {
        self.arguments.try_get_one::<PathBuf>("file").ok()?.cloned()
    }

    /// Where runs are kept.
    pub fn state(&self) -> Option<StateFolder> {
        Some(StateFolder(self.arguments.try_get_one::<PathBuf>("state_dir").ok()??.clone()))
    }

    /// The run of a verb that takes one.
    pub fn run(&self) -> Option<Reader> {
        let run = self.arguments.try_get_one::<String>("run").ok()??;
        // `resume name=value` leaves out the run.
        let run = if run.contains('=') { "latest" } else { run };
        Reader::open(self.state()?.find(run).ok()?).ok()
    }

    /// The workflow: of the file, or of the run.
    pub fn workflow(&self) -> Option<Workflow> {
        let file = match self.file() {
            Some(file) => file,
            None => RunPlace::of(&self.run()?.run().ok()?, &self.state()?).file(),
        };
        spec::parse(&file, &std::fs::read(&file).ok()?).ok()
    }

    /// The names of steps: those that a run has begun, or those of the file.
    pub fn steps(&self) -> Vec<StepName> {
        match self.run() {
            Some(run) => run.steps().unwrap_or_default().into_iter().map(|step| step.name).collect(),
            None => self.workflow().into_iter().flat_map(|it| it.steps).map(|step| step.name.clone()).collect(),
        }
    }

    /// The names of the parameters that have a value.
    pub fn given(&self) -> Vec<String> {
        let given = self.arguments.try_get_many::<String>("params").ok().flatten().into_iter().flatten();
        given.filter_map(|param| Some(param.split_once('=')?.0.trim_end_matches('@').to_owned())).collect()
    }
}

/// Whether a verb takes a workflow file and its parameters.
pub fn takes_workflow(verb: &Command) -> bool {
    let of_workflow = WorkflowArgs::augment_args(Command::new(""));
    let has = |id: &clap::Id| verb.get_arguments().any(|own| own.get_id() == id);
    of_workflow.get_positionals().all(|argument| has(argument.get_id()))
}
