//! `batchmill doctor`: what is found on this machine.

use super::exit::{Exit, Stop};
use super::{Format, State, print};
use crate::task::python::{Host, Hosting, find_interpreter};
use clap::Args;
use serde_json::json;
use std::fmt::Write;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// The Python interpreter to look at; by default the one that `run` would take
    #[arg(long, value_name = "PATH")]
    python: Option<PathBuf>,
    /// A workflow file: a `.venv` beside it counts
    file: Option<PathBuf>,
    #[command(flatten)]
    state: State,
    /// What stdout gets
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

pub(super) fn doctor(args: &DoctorArgs) -> Result<Exit, Stop> {
    let cores = std::thread::available_parallelism().map_or(1, Into::into);
    let state = &args.state.state_dir;
    let writable = state_is_writable(state);
    let folder = args.file.as_ref().and_then(|file| file.parent()).unwrap_or(Path::new(""));
    let found = find_interpreter(args.python.as_deref(), folder);
    let host = Host::settle(found, &[], &[]).map(|(host, _)| host);
    if args.format == Format::Json {
        let python = match &host {
            Ok(host) => {
                json!({ "executable": host.executable, "version": host.version, "from": host.found.by, "worker": worker(host) })
            }
            Err(error) => json!({ "error": error.to_string(), "hint": error.hint() }),
        };
        let version = env!("CARGO_PKG_VERSION");
        let state = json!({ "path": state, "writable": writable });
        print(&format!("{:#}\n", json!({ "batchmill": version, "cores": cores, "state": state, "python": python })))?;
        return Ok(if host.is_ok() && writable { Exit::Done } else { Exit::Bad });
    }
    let mut text = format!("batchmill  {}\n", env!("CARGO_PKG_VERSION"));
    let _ = writeln!(text, "cores      {cores} (affinity and cgroup quota counted in)");
    let _ = writeln!(text, "state      {} ({})", state.display(), if writable { "writable" } else { "not writable" });
    match &host {
        Ok(host) => {
            let _ = writeln!(text, "python     {} (CPython {}, from {})", host.executable, host.version, host.found.by);
            let _ = writeln!(text, "worker     {}", worker(host));
        }
        Err(error) => {
            let _ = writeln!(text, "python     not usable: {error}\nhint       {}", error.hint());
        }
    }
    print(&text)?;
    Ok(if host.is_ok() && writable { Exit::Done } else { Exit::Bad })
}

fn worker(host: &Host) -> String {
    match &host.hosting {
        Hosting::Wheel => "the interpreter itself, which has the batchmill module".to_owned(),
        Hosting::Embedded { binary } => binary.display().to_string(),
    }
}

/// Whether a run could be made there: the nearest folder that exists takes a file.
fn state_is_writable(state: &Path) -> bool {
    let here = Path::new(".");
    let existing = state.ancestors().find(|folder| folder.is_dir()).unwrap_or(here);
    let existing = if existing.as_os_str().is_empty() { here } else { existing };
    let probe = existing.join(format!(".batchmill-doctor-{}", std::process::id()));
    let writable = std::fs::File::create_new(&probe).is_ok();
    drop(std::fs::remove_file(probe));
    writable
}
