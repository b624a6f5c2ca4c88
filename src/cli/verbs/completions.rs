//! `batchmill completions`: what makes a shell complete.

use crate::cli::completers::{SHELLS, VARIABLE};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::stdout::print_data;
use clap::{Args, ValueEnum};
use std::path::{Path, absolute};

const SET_UP: &str = "Set up:
  bash  echo 'source <(batchmill completions bash)' >> ~/.bashrc
  zsh   echo 'source <(batchmill completions zsh)' >> ~/.zshrc, below `compinit`
  fish  echo 'batchmill completions fish | source' > ~/.config/fish/completions/batchmill.fish";

/// Arguments of `completions`.
#[derive(Debug, Args)]
#[command(after_help = SET_UP)]
pub struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// How the script for zsh describes everything but directories.
const DESCRIBED: &str = "[[ -n $other ]] && _describe -V 'values' other\n";

/// The same, without a space behind `name=`.
const DESCRIBED_WITHOUT_SPACE: &str = "local -a names=(${(M)other:#*=(|:*)})
        other=(${other:#*=(|:*)})
        [[ -n $names ]] && _describe -V 'values' names -S ''
        [[ -n $other ]] && _describe -V 'values' other\n";

impl CompletionsArgs {
    /// Prints the script.
    pub fn run(self) -> Result<Exit, CliError> {
        let name = match self.shell {
            Shell::Bash => "bash",
            Shell::Zsh => "zsh",
            Shell::Fish => "fish",
        };
        let shell = SHELLS.completer(name).expect("these shells are in the list");
        let mut script = Vec::new();
        let written = shell.write_registration(VARIABLE, "batchmill", "batchmill", &program(), &mut script);
        written.map_err(|error| CliError::of(Exit::Stopped, &error))?;
        let script = String::from_utf8_lossy(&script).replace(DESCRIBED, DESCRIBED_WITHOUT_SPACE);
        print_data(script.as_bytes())?;
        Ok(Exit::Done)
    }
}

/// The program that the shell will ask: this one, found by its name if it was started so, for then an update replaces it.
fn program() -> String {
    let called = std::env::args_os().next().unwrap_or_else(|| "batchmill".into());
    let called = Path::new(&called);
    let path = if called.components().count() > 1 { absolute(called).ok() } else { None };
    path.as_deref().unwrap_or(called).to_string_lossy().into_owned()
}
