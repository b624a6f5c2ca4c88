//! The command of an item: compiled once, built and run for each.

use super::long_value::{LONGEST_VARIABLE, LongValue};
use super::outcome::{start_failure, succeeded};
use super::stdin::Stdin;
use crate::measure::SlotState;
use crate::model::{Failure, FailureKind, Text};
use crate::spec::{self, MemorySize, ShellProgram, ShellTask};
use crate::task::context::StepContext;
use crate::task::file_limit::shell_prefix;
use crate::task::invocation::{Invocation, SpawnDefaults};
use crate::task::item_lane::ItemRun;
use crate::task::process::{self, Limits, ProcessEnd};
use crate::task::processes::{ATTEMPT_ID, RUN_ID};
use crate::task::shortage::shortage;
use crate::template::{
    CompiledTree, ItemScope, Names, RenderedCommand, ShellCommand, Template, TemplateError, compile_pairs,
};
use std::collections::HashMap;
use std::ffi::OsString;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, RwLock};

/// A `shell` task, compiled.
#[derive(Debug)]
pub(in crate::task::kinds) struct Shell {
    command: ShellCommand,
    working_dir: Option<Template>,
    env: Vec<(String, CompiledTree)>,
    /// What runs a command line, and its options.
    shell: Vec<String>,
    /// Whether that is a shell.
    quotes_as_sh: bool,
    pub(super) stdin: Option<Stdin>,
    /// `max_memory` in bytes.
    max_memory: Option<u64>,
    /// Where programs were found. Searching `PATH` for every item would cost a system call per directory.
    found: RwLock<HashMap<String, PathBuf>>,
    defaults: OnceLock<SpawnDefaults>,
}

impl Shell {
    pub(in crate::task::kinds) fn compile(task: &ShellTask) -> Result<Self, Vec<TemplateError>> {
        let command = match &task.command {
            spec::Command::Line(line) => command_line(line, task.shell.as_ref()).map_err(|error| vec![error]),
            spec::Command::Argv(words) => ShellCommand::compile_argv(words),
        };
        let working_dir = task.working_dir.as_ref().map(Template::compile).transpose().map_err(|error| vec![error]);
        let stdin = task.stdin.as_ref().map(Stdin::compile).transpose();
        let shell = task.shell.clone().unwrap_or_else(|| ShellProgram::named("sh"));
        match (command, working_dir, compile_pairs(&task.env), stdin) {
            (Ok(command), Ok(working_dir), Ok(env), Ok(stdin)) => Ok(Self {
                command,
                working_dir,
                env,
                quotes_as_sh: shell.quotes_as_sh(),
                shell: shell.0,
                stdin,
                max_memory: task.max_memory.map(|MemorySize(bytes)| bytes),
                found: RwLock::default(),
                defaults: OnceLock::new(),
            }),
            // All of them, so that one look at the file is enough.
            (command, working_dir, env, stdin) => {
                let errors = [command.err(), working_dir.err(), env.err(), stdin.err()];
                Err(errors.into_iter().flatten().flatten().collect())
            }
        }
    }

    /// The errors in its templates.
    pub(super) fn errors(&self, names: &Names) -> Vec<TemplateError> {
        let mut errors = self.command.check(names);
        errors.extend(self.working_dir.iter().flat_map(|template| template.check(names)));
        errors.extend(self.env.iter().flat_map(|(_, tree)| tree.check(names)));
        if let Some(Stdin::Text(text)) = &self.stdin {
            errors.extend(text.check(names));
        }
        errors
    }

    /// The program's file, as `execvp` would find it. If there is none, the system reports that at the start.
    fn find(&self, program: &str) -> PathBuf {
        if program.contains('/') {
            return PathBuf::from(program);
        }
        if let Some(found) = self.found.read().ok().and_then(|found| found.get(program).cloned()) {
            return found;
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        let mut files = std::env::split_paths(&path).map(|folder| folder.join(program));
        let Some(found) = files.find(|file| is_executable(file)) else {
            return PathBuf::from(program);
        };
        if let Ok(mut cache) = self.found.write() {
            cache.insert(program.to_owned(), found.clone());
        }
        found
    }

    /// The command of an item, or of a batch.
    ///
    /// # Errors
    /// If a template fails, or `working_dir` is not a directory.
    pub(super) fn build(&self, scope: &Arc<ItemScope>, context: &StepContext) -> Result<Invocation, Failure> {
        let own_path =
            self.env.iter().any(|(name, _)| name == "PATH") || context.host.env.iter().any(|(name, _)| name == "PATH");
        // If the workflow sets `PATH`, the program is looked up there.
        let file = |program: &str| if own_path { PathBuf::from(program) } else { self.find(program) };
        let mut invocation = match self.command.render(scope)? {
            RenderedCommand::Argv(words) => {
                let program = words.first().expect("a command has a program: checked in `spec`");
                let (file, words) = limited(file(program), words);
                Invocation::new(file, words)
            }
            RenderedCommand::Script { script, variables } => self.script(&file(&self.shell[0]), script, variables)?,
        };
        let mut set = |name: &str, value: OsString| invocation.variables.push((name.to_owned(), value));
        set(RUN_ID, (&context.run.0).into());
        if let Some(item) = &scope.item {
            // Linux allows 128 KiB per variable. A longer item is left out: otherwise the command could not start.
            if item.len() < 128 << 10 {
                set("BATCHMILL_ITEM", item_text(item).into());
            }
            set("BATCHMILL_INDEX", scope.index.to_string().into());
        }
        if let Some(folder) = &scope.item_dir {
            set("BATCHMILL_ITEM_DIR", folder.into());
        }
        set("BATCHMILL_ATTEMPT", scope.batch.3.max(1).to_string().into());
        for (name, tree) in &self.env {
            set(name, tree.string(scope)?.into());
        }
        invocation.folder = self.working_dir.as_ref().map(|folder| folder.string(scope)).transpose()?;
        if let Some(folder) = invocation.folder.as_ref().filter(|folder| !Path::new(folder).is_dir()) {
            let message = format!("`working_dir` is not a directory: `{folder}`");
            return Err(Failure::new(FailureKind::Start, "Start", message).permanent());
        }
        if let Some(Stdin::Text(text)) = &self.stdin {
            invocation.read(text.string(scope)?.as_bytes())?;
        }
        Ok(invocation)
    }

    /// A script for the shell. Values that are too long for a variable of the environment become variables of the script.
    fn script(&self, shell: &Path, script: String, variables: Vec<(String, String)>) -> Result<Invocation, Failure> {
        let (long, short): (Vec<_>, Vec<_>) =
            variables.into_iter().partition(|(_, value)| value.len() > LONGEST_VARIABLE);
        let long = long.iter().map(|(name, value)| LongValue::new(name, value)).collect::<Result<Vec<_>, _>>()?;
        let limit = shell_prefix().filter(|_| self.quotes_as_sh).unwrap_or_default();
        let script = [limit].into_iter().chain(long.iter().map(LongValue::assignment)).chain([script]).collect();
        let words = self.shell.iter().cloned().chain([script]).collect();
        let mut invocation = Invocation::new(shell.to_owned(), words);
        invocation.variables = short.into_iter().map(|(name, value)| (name, value.into())).collect();
        invocation.held = long.into_iter().map(LongValue::into_file).collect();
        Ok(invocation)
    }

    /// Runs a command to its end, whatever that is.
    ///
    /// # Errors
    /// If it cannot be started, or did not succeed.
    pub(super) fn follow(&self, mut command: Invocation, item: &ItemRun<'_>) -> Result<ProcessEnd, Failure> {
        let ItemRun { context, timeout, recall, guard, clock, log, .. } = *item;
        // Last, so that the workflow does not set it.
        command.variables.extend(guard.map(|guard| (ATTEMPT_ID.to_owned(), guard.begin().into())));
        let stderr = |text: &[u8]| log("stderr", String::from_utf8_lossy(text).into_owned());
        let limits = Limits {
            timeout,
            kill: &context.cancel.kill,
            recall: Some(recall),
            guard,
            most_output: process::MOST_OUTPUT,
            most_memory: self.max_memory,
            stdout: None,
            stderr: Some(&stderr),
        };
        let start = || {
            clock.enter(SlotState::Start);
            let started = command.start(self.defaults(context)?, &context.host.env);
            clock.enter(SlotState::Task);
            started
        };
        let ended = process::follow(start, &limits);
        clock.enter(SlotState::Receive);
        let ended = ended.map_err(|error| match shortage(&error) {
            Some(short) => short.of(&format!("cannot start `{}`", command.file.display())),
            None => start_failure(&command.file, &error),
        })?;
        if let Some(holder) = &ended.held_by {
            let still = format!("the command has exited, but {holder} still has its output open");
            log("warning", format!("{still}; whatever it prints later is lost\n"));
        }
        let succeeded = succeeded(&ended, timeout, self.max_memory, &context.host.secrets);
        // If the command succeeds, its stdout is the result.
        if succeeded.is_err() && !ended.stdout.is_empty() {
            log("stdout", String::from_utf8_lossy(process::logged(&ended.stdout)).into_owned());
        }
        succeeded.map(|()| ended)
    }

    /// What its commands have in common, prepared with the first of them.
    fn defaults(&self, context: &StepContext) -> io::Result<&SpawnDefaults> {
        if let Some(made) = self.defaults.get() {
            return Ok(made);
        }
        let made = SpawnDefaults::new(&context.host.env)?;
        Ok(self.defaults.get_or_init(|| made))
    }
}

fn is_executable(file: &Path) -> bool {
    file.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// A program and its words, started by a shell if its limit of open files has to be lowered first. A program that cannot be
/// started is left as it is: its error says more than that of the shell.
fn limited(file: PathBuf, words: Vec<String>) -> (PathBuf, Vec<String>) {
    let limit = shell_prefix().filter(|_| file.is_absolute() && is_executable(&file));
    let (Some(limit), Some(path)) = (limit, file.to_str()) else { return (file, words) };
    let begin = ["/bin/sh", "-c", &format!("{limit}exec \"$0\" \"$@\""), path].map(str::to_owned);
    (PathBuf::from("/bin/sh"), begin.into_iter().chain(words.into_iter().skip(1)).collect())
}

/// The item as text: a string as it is, any other value as JSON. NUL is removed, because a variable cannot contain it.
fn item_text(json: &[u8]) -> String {
    let string = if json.starts_with(b"\"") { serde_json::from_slice(json).ok() } else { None };
    let text: String = string.unwrap_or_else(|| String::from_utf8_lossy(json).into_owned());
    if text.contains('\0') { text.replace('\0', "") } else { text }
}

/// A command line, for this shell if the workflow names one.
fn command_line(line: &Text, shell: Option<&ShellProgram>) -> Result<ShellCommand, TemplateError> {
    match shell {
        None => ShellCommand::compile(line),
        Some(shell) if shell.quotes_as_sh() => ShellCommand::compile_script(line),
        Some(shell) => ShellCommand::compile_foreign(line, shell.program()),
    }
}
