//! `$(command)`: each line that a shell command prints is an item. The command finishes first, so that a command that fails is
//! an error before any item runs. A line that names a file, such as those of `$(ls *.csv)`, is also identified by the file's
//! size and modification time.

use super::error::SourceError;
use super::host::RunCommand;
use super::lines;
use super::list::List;
use crate::model::Text;
use crate::template::{ItemScope, ShellCommand, Words};
use std::process::{Command, Stdio};
use std::sync::Arc;

pub(super) fn open(
    text: &Text,
    scope: &Arc<ItemScope>,
    env: &[(String, String)],
    run: &RunCommand<'_>,
) -> Result<List, SourceError> {
    let failed = |how: String| SourceError::Command { command: text.raw.trim().to_owned(), how };
    let mut command = match ShellCommand::compile(text)?.render(scope)? {
        Words::Argv(words) => {
            let (program, arguments) = words.split_first().ok_or_else(|| failed("is empty".to_owned()))?;
            let mut command = Command::new(program);
            command.args(arguments);
            command
        }
        Words::Script { script, variables } => {
            let mut command = Command::new("/bin/sh");
            command.arg("-c").arg(script).envs(variables);
            command
        }
    };
    let env = env.iter().map(|(name, value)| (name, value));
    let output = run(command.envs(env).stdin(Stdio::null()));
    let output = output.map_err(|error| failed(format!("could not be started: {error}")))?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        let last_line = stderr.lines().rev().find(|line| !line.trim().is_empty());
        let last_line = last_line.map_or(String::new(), |line| format!(": {}", line.trim()));
        return Err(failed(format!("failed with {}{last_line}", output.status)));
    }
    let items = output.stdout.split(|byte| *byte == b'\n').enumerate();
    let items = items.filter_map(|(number, line)| lines::item(line, number + 1, &text.raw).transpose());
    items.collect::<Result<_, _>>().map(List::of_files)
}
