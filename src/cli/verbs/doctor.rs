//! `batchmill doctor`: checks this machine.

use crate::cli::args::{Format, StateArgs};
use crate::cli::error::CliError;
use crate::cli::exit::Exit;
use crate::cli::stdout::{print, print_json};
use crate::task::python::{Host, HostError, Hosting, find_interpreter};
use crate::text::Printable;
use clap::Args;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// Python interpreter to check; by default the one that `run` would use
    #[arg(long, value_name = "PATH")]
    python: Option<PathBuf>,
    /// Workflow file; a `.venv` next to it is found
    file: Option<PathBuf>,
    #[command(flatten)]
    state: StateArgs,
    /// Output format
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// What the checks found.
struct Findings {
    cores: usize,
    state: PathBuf,
    writable: bool,
    host: Result<Host, HostError>,
}

impl DoctorArgs {
    /// Prints what is found.
    pub fn run(self) -> Result<Exit, CliError> {
        let folder = self.file.as_ref().and_then(|file| file.parent()).unwrap_or(Path::new(""));
        let found = find_interpreter(self.python.as_deref(), folder);
        let findings = Findings {
            cores: std::thread::available_parallelism().map_or(1, Into::into),
            writable: state_is_writable(&self.state.state_dir),
            state: self.state.state_dir,
            host: Host::settle(found, &[], &[]).map(|settled| settled.host),
        };
        match self.format {
            Format::Json => print_json(&findings.to_json())?,
            Format::Text => print(findings.to_text())?,
        }
        Ok(if findings.host.is_ok() && findings.writable { Exit::Done } else { Exit::Bad })
    }
}

impl Findings {
    fn to_json(&self) -> Value {
        let python = match &self.host {
            Ok(host) => {
                json!({ "executable": host.executable, "version": host.version, "from": host.found.by, "worker": worker(host) })
            }
            Err(error) => json!({ "error": error.to_string(), "hint": error.hint() }),
        };
        let state = json!({ "path": self.state, "writable": self.writable });
        json!({ "batchmill": env!("CARGO_PKG_VERSION"), "cores": self.cores, "state": state, "python": python })
    }

    fn to_text(&self) -> String {
        let mut text = format!("batchmill  {}\n", env!("CARGO_PKG_VERSION"));
        let _ = writeln!(text, "cores      {} (respects CPU affinity and cgroup quota)", self.cores);
        let writable = if self.writable { "writable" } else { "not writable" };
        let _ = writeln!(text, "state      {} ({writable})", Printable::path(&self.state));
        match &self.host {
            Ok(host) => {
                let executable = Printable::line(&host.executable);
                let _ = writeln!(text, "python     {executable} (CPython {}, from {})", host.version, host.found.by);
                let _ = writeln!(text, "worker     {}", worker(host));
            }
            Err(error) => {
                let _ = writeln!(text, "python     not usable: {error}\nhelp       {}", error.hint());
            }
        }
        text
    }
}

fn worker(host: &Host) -> String {
    match &host.hosting {
        Hosting::Wheel => "the interpreter itself (it has the batchmill module)".to_owned(),
        Hosting::Embedded { binary } => binary.display().to_string(),
    }
}

/// Whether a run could be created there: whether the nearest existing directory is writable.
fn state_is_writable(state: &Path) -> bool {
    let here = Path::new(".");
    let existing = state.ancestors().find(|folder| folder.is_dir()).unwrap_or(here);
    let existing = if existing.as_os_str().is_empty() { here } else { existing };
    let probe = existing.join(format!(".batchmill-doctor-{}", std::process::id()));
    let writable = std::fs::File::create_new(&probe).is_ok();
    drop(std::fs::remove_file(probe));
    writable
}
