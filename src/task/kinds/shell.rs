//! `shell`: a command, with or without a shell.

use crate::measure::SlotState;
use crate::model::{Failure, FailureKind, Outcome};
use crate::spec::{self, ShellTask};
use crate::task::context::StepContext;
use crate::task::file_limit::shell_prefix;
use crate::task::foreground::{ForegroundEnd, ForegroundRun};
use crate::task::invocation::{Invocation, SpawnDefaults};
use crate::task::item_lane::{ItemLane, ItemRun, ItemTask, item_scope};
use crate::task::lane::Lane;
use crate::task::process::{self, EndedBy, Limits, ProcessEnd};
use crate::task::processes::{ATTEMPT_ID, RUN_ID};
use crate::task::program::Task;
use crate::task::shortage::shortage;
use crate::task::withdrawn::cancelled;
use crate::template::{
    CompiledTree, ItemScope, Names, RenderedCommand, ShellCommand, Template, TemplateError, compile_pairs,
};
use crate::text::CUT;
use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::{Arc, OnceLock, RwLock};
use std::time::Duration;

/// How much of a script the kernel reads to find its interpreter.
const MOST_FIRST_LINE: u64 = 256;

/// A `shell` task, compiled.
#[derive(Debug)]
pub(super) struct Shell {
    command: ShellCommand,
    working_dir: Option<Template>,
    env: Vec<(String, CompiledTree)>,
    /// Where programs were found. Searching `PATH` for every item would cost a system call per directory.
    found: RwLock<HashMap<String, PathBuf>>,
    defaults: OnceLock<SpawnDefaults>,
}

impl Shell {
    pub(super) fn compile(task: &ShellTask) -> Result<Self, Vec<TemplateError>> {
        let command = match &task.command {
            spec::Command::Line(line) => ShellCommand::compile(line).map_err(|error| vec![error]),
            spec::Command::Argv(words) => ShellCommand::compile_argv(words),
        };
        let working_dir = task.working_dir.as_ref().map(Template::compile).transpose().map_err(|error| vec![error]);
        match (command, working_dir, compile_pairs(&task.env)) {
            (Ok(command), Ok(working_dir), Ok(env)) => {
                Ok(Self { command, working_dir, env, found: RwLock::default(), defaults: OnceLock::new() })
            }
            // All of them, so that one look at the file is enough.
            (command, working_dir, env) => {
                let errors = [command.err(), working_dir.err(), env.err()];
                Err(errors.into_iter().flatten().flatten().collect())
            }
        }
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

    /// The command of one item.
    ///
    /// # Errors
    /// If a template fails, or `working_dir` is not a directory.
    fn build(&self, scope: &Arc<ItemScope>, context: &StepContext) -> Result<Invocation, Failure> {
        let own_path =
            self.env.iter().any(|(name, _)| name == "PATH") || context.host.env.iter().any(|(name, _)| name == "PATH");
        let (file, words, mut variables) = match self.command.render(scope)? {
            RenderedCommand::Argv(words) => {
                let program = words.first().expect("a command has a program: checked in `spec`");
                // If the workflow sets `PATH`, the program is looked up there.
                let file = if own_path { PathBuf::from(program) } else { self.find(program) };
                let (file, words) = limited(file, words);
                (file, words, Vec::new())
            }
            RenderedCommand::Script { script, variables } => {
                let variables = variables.into_iter().map(|(name, value)| (name, value.into())).collect();
                let script = shell_prefix().unwrap_or_default() + &script;
                (PathBuf::from("/bin/sh"), vec!["/bin/sh".to_owned(), "-c".to_owned(), script], variables)
            }
        };
        let mut set = |name: &str, value: OsString| variables.push((name.to_owned(), value));
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
        let folder = self.working_dir.as_ref().map(|folder| folder.string(scope)).transpose()?;
        if let Some(folder) = folder.as_ref().filter(|folder| !Path::new(folder).is_dir()) {
            let message = format!("`working_dir` is not a directory: `{folder}`");
            return Err(Failure::new(FailureKind::Start, "Start", message).permanent());
        }
        Ok(Invocation { file, words, variables, folder })
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

impl Task for Shell {
    fn type_name(&self) -> &'static str {
        "shell"
    }

    fn check(&self, names: &Names) -> Vec<TemplateError> {
        let mut errors = self.command.check(names);
        errors.extend(self.working_dir.iter().flat_map(|template| template.check(names)));
        errors.extend(self.env.iter().flat_map(|(_, tree)| tree.check(names)));
        errors
    }

    fn lane(self: Arc<Self>, context: StepContext, slot: usize) -> Box<dyn Lane> {
        Box::new(ItemLane::new(self, context, slot))
    }

    fn foreground(self: Arc<Self>, run: &ForegroundRun<'_>) -> Result<ForegroundEnd, Failure> {
        let item_dir = run.fresh_item_dir()?;
        let mut scope = item_scope(run.context, run.batch, 0, &run.frame())?;
        scope.item_dir = item_dir;
        let command = self.build(&Arc::new(scope), run.context)?;
        ForegroundEnd::of(command.command(&run.context.host.env).status())
    }

    fn starts_processes(&self) -> bool {
        true
    }
}

impl ItemTask for Shell {
    fn run(&self, item: &ItemRun<'_>) -> Outcome {
        let ItemRun { scope, context, timeout, recall, guard, clock, log } = *item;
        let mut command = self.build(scope, context)?;
        // Last, so that the workflow does not set it.
        command.variables.extend(guard.map(|guard| (ATTEMPT_ID.to_owned(), guard.begin().into())));
        let stderr = |text: &[u8]| log("stderr", String::from_utf8_lossy(text).into_owned());
        let limits = Limits {
            timeout,
            kill: &context.cancel.kill,
            recall: Some(recall),
            guard,
            most_output: process::MOST_OUTPUT,
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
        match ended {
            Ok(ended) => {
                if let Some(holder) = &ended.held_by {
                    let still = format!("the command has exited, but {holder} still has its output open");
                    log("warning", format!("{still}; whatever it prints later is lost\n"));
                }
                let outcome = outcome(&ended, timeout);
                // If the command succeeds, its stdout is the result.
                if outcome.is_err() && !ended.stdout.is_empty() {
                    log("stdout", String::from_utf8_lossy(process::logged(&ended.stdout)).into_owned());
                }
                outcome
            }
            Err(error) => Err(shortage(&error)
                .map(|short| short.of(&format!("cannot start `{}`", command.file.display())))
                .unwrap_or_else(|| start_failure(&command.file, &error))),
        }
    }
}

/// The interpreter that the first line of a script asks for, with its arguments.
fn interpreter_of(script: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(script).ok()?.take(MOST_FIRST_LINE).read_to_end(&mut bytes).ok()?;
    let line = bytes.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    Some(String::from_utf8_lossy(line).trim_start().to_owned())
}

fn start_failure(program: &Path, error: &io::Error) -> Failure {
    let shown = program.display();
    let message = match error.kind() {
        io::ErrorKind::NotFound => match interpreter_of(program) {
            Some(line) if line.ends_with('\r') => {
                let line = line.trim_end();
                format!(
                    "cannot start `{shown}`: its lines end as on Windows, so it asks for the interpreter `{line}\\r`; convert it: `sed -i 's/\\r$//' {shown}`"
                )
            }
            Some(line) => {
                format!("cannot start `{shown}`: its first line asks for the interpreter `{line}`, which is not there")
            }
            None => format!("command not found: `{shown}`"),
        },
        io::ErrorKind::PermissionDenied => format!("not executable: `{shown}`"),
        io::ErrorKind::ArgumentListTooLong => {
            "the command line is too long for the system; pass large items in a file".to_owned()
        }
        io::ErrorKind::InvalidInput => "a command cannot contain a NUL byte".to_owned(),
        _ => format!("cannot start `{shown}`: {error}"),
    };
    // A command that does not exist will not appear by itself.
    Failure::new(FailureKind::Start, "Start", message).permanent()
}

fn outcome(ended: &ProcessEnd, timeout: Option<Duration>) -> Outcome {
    let stderr = text(&ended.stderr);
    match ended.by {
        EndedBy::Itself if ended.status.success() => {
            let value = serde_json::json!({ "stdout": text(&ended.stdout), "stderr": stderr, "exit_code": 0 });
            Ok(value.to_string().into_bytes())
        }
        EndedBy::Itself => {
            let last = stderr.lines().rev().find(|line| !line.trim().is_empty());
            let last = last.map_or(String::new(), |line| format!(": {}", line.trim()));
            let message = format!("command {}{last}", describe(ended.status));
            let failure =
                Failure::new(FailureKind::ExitStatus, "ExitStatus", message).with_detail(both(&stderr, &ended.stdout));
            Err(failure.with_code(ended.status.code()))
        }
        EndedBy::Timeout => {
            let message = format!("took longer than {:?}", timeout.unwrap_or_default());
            Err(Failure::new(FailureKind::Timeout, "Timeout", message).with_detail(both(&stderr, &ended.stdout)))
        }
        EndedBy::Recall => Err(cancelled().with_detail(both(&stderr, &ended.stdout))),
        EndedBy::Interrupt => Err(Failure::new(FailureKind::Interrupted, "Interrupted", "the run was cancelled")),
        EndedBy::Flood => {
            let most = process::MOST_OUTPUT >> 20;
            let message = format!("command printed more than {most} MiB; write the output to a file instead");
            Err(Failure::new(FailureKind::Start, "OutputTooLong", message).permanent())
        }
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with status {code}"),
        (None, Some(signal)) => format!("was killed by signal {signal}"),
        (None, None) => "ended".to_owned(),
    }
}

/// Output as text without trailing newlines, as in `$(..)`.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches(['\n', '\r']).to_owned()
}

/// The last lines of both streams of a command that failed.
fn both(stderr: &str, stdout: &[u8]) -> String {
    let (stderr, stdout) = (tail(stderr), tail(&text(stdout)));
    match (stderr.is_empty(), stdout.is_empty()) {
        (_, true) => stderr,
        (true, false) => format!("stdout: {stdout}"),
        (false, false) => format!("{stderr}\nstdout: {stdout}"),
    }
}

/// The last 4,096 bytes of a text, cut at a character, with a mark where it was cut.
fn tail(text: &str) -> String {
    let from = text.len().saturating_sub(4096);
    let from = (from..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
    if from == 0 { text.to_owned() } else { format!("{CUT}{}", &text[from..]) }
}
