//! Finds the Python interpreter, and what hosts the worker loop for it.

use super::cache::ask_once;
use super::packages::packages_in;
use super::probe::{Answer, Check, CheckFault};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The oldest supported CPython.
const OLDEST: (u32, u32) = (3, 10);

/// An interpreter, and where its name came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// A path, or a name to look up on `PATH`.
    pub interpreter: PathBuf,
    /// For example `VIRTUAL_ENV`.
    pub by: &'static str,
}

/// Finds the interpreter. Takes the first of `--python`, `BATCHMILL_PYTHON`, `VIRTUAL_ENV`, `CONDA_PREFIX`, `.venv` next to the
/// workflow, `.venv` in the current directory, `python3` next to this program, and `python3` on `PATH`. If that one does not
/// work, the others are not tried.
pub fn find_interpreter(given: Option<&Path>, workflow_folder: &Path) -> Found {
    let variable = |name: &'static str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let python = |folder: PathBuf| folder.join("bin/python");
    // A link that leads nowhere is there too: what it should be is better said than passed over.
    let venv_in = |folder: &Path| {
        let venv = folder.join(".venv");
        let is_there = venv.is_symlink() || python(venv.clone()).is_symlink() || python(venv.clone()).exists();
        is_there.then(|| python(venv))
    };
    let candidates = [
        (given.map(Path::to_path_buf), "--python"),
        (variable("BATCHMILL_PYTHON"), "BATCHMILL_PYTHON"),
        (variable("VIRTUAL_ENV").map(python), "VIRTUAL_ENV"),
        (variable("CONDA_PREFIX").map(python), "CONDA_PREFIX"),
        (venv_in(workflow_folder), ".venv next to the workflow"),
        (venv_in(Path::new("")), ".venv in the current directory"),
        (next_to_program(), "python3 next to batchmill"),
    ];
    let found = candidates.into_iter().find_map(|(path, by)| path.map(|interpreter| Found { interpreter, by }));
    found.unwrap_or(Found { interpreter: PathBuf::from("python3"), by: "python3 on PATH" })
}

/// The interpreter of the environment that this program is installed in. The kernel names the program itself, so this also
/// holds if it was started through a link, as pipx and `uv tool` make them. It comes late: whoever installs a tool in an
/// environment of its own wants their tasks to run in the one that they have activated.
fn next_to_program() -> Option<PathBuf> {
    let interpreter = std::env::current_exe().ok()?.with_file_name("python3");
    (interpreter.is_file() || (interpreter.is_symlink() && !interpreter.is_dir())).then_some(interpreter)
}

/// What runs the worker loop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hosting {
    /// The interpreter itself, because it has the batchmill wheel.
    Wheel,
    /// `batchmill-python`, with the packages of the interpreter's environment.
    Embedded {
        /// Path of `batchmill-python`.
        binary: PathBuf,
    },
}

/// An interpreter that can run workers.
#[derive(Debug, Clone)]
pub struct Host {
    /// Where its name came from.
    pub found: Found,
    /// `sys.executable`
    pub executable: String,
    /// For example `3.11.7`.
    pub version: String,
    /// What runs the worker loop.
    pub hosting: Hosting,
    /// Directory of the interpreter's own installation.
    base_prefix: String,
    /// Where it looks for modules.
    path: Vec<String>,
    /// For `batchmill-python`: the environment to use, as JSON.
    site: String,
}

/// Why no worker can be started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HostError {
    /// The interpreter does not exist or does not work.
    #[error("cannot use the Python interpreter `{interpreter}` (from {by}): {cause}")]
    Interpreter {
        /// Path or name.
        interpreter: String,
        /// Where the name came from.
        by: &'static str,
        /// One line.
        cause: String,
    },
    /// The interpreter is too old, or is not CPython.
    #[error(
        "the Python interpreter `{executable}` is {implementation} {version}; batchmill needs CPython 3.10 or newer"
    )]
    Unfit {
        /// `sys.executable`
        executable: String,
        /// `sys.implementation.name`
        implementation: String,
        /// Its version.
        version: String,
    },
    /// Nothing hosts the worker loop.
    #[error("CPython {version} at `{executable}` does not have the batchmill package, and {embedded}")]
    NoHost {
        /// `sys.executable`
        executable: String,
        /// Its version.
        version: String,
        /// Why `batchmill-python` cannot host it either.
        embedded: String,
    },
}

impl HostError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::Interpreter { .. } | Self::Unfit { .. } => {
                "choose another interpreter with `--python PATH` or `BATCHMILL_PYTHON`; `batchmill doctor` shows which one is found"
                    .to_owned()
            }
            Self::NoHost { .. } => self.hint_for("`--python PATH`"),
        }
    }

    /// The same where only this chooses an interpreter.
    pub fn hint_for(&self, option: &str) -> String {
        match self {
            Self::Interpreter { .. } | Self::Unfit { .. } => format!("choose another interpreter with {option}"),
            Self::NoHost { executable, .. } => {
                format!(
                    "install the batchmill wheel there (`make wheel`, then `{executable} -m pip install dist/*.whl`), or choose another \
                     interpreter with {option}"
                )
            }
        }
    }
}

/// An interpreter, and what it found.
pub struct Settled {
    /// The interpreter.
    pub host: Host,
    /// What is wrong.
    pub faults: Vec<CheckFault>,
    /// What may be wrong.
    pub doubts: Vec<CheckFault>,
}

impl Host {
    /// Asks the interpreter for its version and paths, has it run `checks`, and decides what hosts the worker.
    ///
    /// # Errors
    /// If this interpreter cannot run workers.
    pub fn settle(found: Found, import_path: &[String], checks: &[Check]) -> Result<Settled, HostError> {
        let answer = ask_once(&found.interpreter, import_path, checks);
        let answer = answer.map_err(|cause| HostError::Interpreter {
            interpreter: found.interpreter.display().to_string(),
            by: found.by,
            cause,
        })?;
        if answer.implementation != "cpython" || minor(&answer.version).is_none_or(|version| version < OLDEST) {
            let Answer { executable, implementation, version, .. } = answer;
            return Err(HostError::Unfit { executable, implementation, version });
        }
        let hosting = match embedded_version() {
            _ if answer.wheel => Hosting::Wheel,
            Ok((binary, version)) if minor(&version) == minor(&answer.version) => Hosting::Embedded { binary },
            other => {
                let embedded = match other {
                    Ok((_, version)) => format!("`batchmill-python` is built for CPython {version}"),
                    Err(cause) => cause,
                };
                return Err(HostError::NoHost { executable: answer.executable, version: answer.version, embedded });
            }
        };
        let site = json!({
            "executable": answer.executable, "prefix": answer.prefix, "base_prefix": answer.base_prefix,
            "exec_prefix": answer.exec_prefix, "path": answer.path, "site_packages": answer.site_packages,
            "user_site": answer.user_site,
        });
        let host = Self {
            found,
            executable: answer.executable,
            version: answer.version,
            hosting,
            base_prefix: answer.base_prefix,
            path: answer.path,
            site: site.to_string(),
        };
        Ok(Settled { host, faults: answer.faults, doubts: answer.doubts })
    }

    /// The interpreter of a client, which has the batchmill package and need not be asked.
    pub fn of_client(interpreter: &str, version: &str) -> Self {
        Self {
            found: Found { interpreter: PathBuf::from(interpreter), by: "the client" },
            executable: interpreter.to_owned(),
            version: version.to_owned(),
            hosting: Hosting::Wheel,
            base_prefix: String::new(),
            path: Vec::new(),
            site: String::new(),
        }
    }

    /// The versions of the packages that it can import, by name.
    pub fn packages(&self) -> BTreeMap<String, String> {
        packages_in(&self.path)
    }

    /// The command that starts a worker. The caller sets its descriptors.
    pub(super) fn command(&self) -> Command {
        let mut command = self.bare_command();
        if self.hosting == Hosting::Wheel {
            command.arg("worker");
        }
        command
    }

    /// The command that runs the job in this file in the foreground.
    pub(super) fn foreground_command(&self, job: &Path) -> Command {
        let mut command = self.bare_command();
        command.arg("foreground").arg(job);
        command
    }

    fn bare_command(&self) -> Command {
        match &self.hosting {
            Hosting::Wheel => {
                let mut command = Command::new(&self.executable);
                command.args(["-m", "batchmill"]);
                command
            }
            Hosting::Embedded { binary } => {
                let mut command = Command::new(binary);
                command.env("PYTHONHOME", &self.base_prefix).env("BATCHMILL_PYTHON_SITE", &self.site);
                command
            }
        }
    }
}

/// Major and minor version.
fn minor(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// `batchmill-python` in the directory of this program, and the CPython version it was built for. Both are built together, so
/// there is no need to ask it. One from another build is detected by the `Hello` of its worker.
fn embedded_version() -> Result<(PathBuf, String), String> {
    let binary = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join("batchmill-python")));
    let binary = binary.filter(|binary| binary.exists()).ok_or("`batchmill-python` is not next to `batchmill`")?;
    if let Some(version) = option_env!("BATCHMILL_CPYTHON") {
        return Ok((binary, version.to_owned()));
    }
    let output = Command::new(&binary).arg("--version").output();
    let output = output.map_err(|error| format!("`{}` does not start: {error}", binary.display()))?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let version = printed.split_once("(CPython ").and_then(|(_, rest)| rest.split([')', ' ', '+']).next());
    match version {
        Some(version) => Ok((binary, version.to_owned())),
        None => {
            let stderr = String::from_utf8_lossy(&output.stderr);
            Err(format!("`{}` does not start: {}", binary.display(), stderr.lines().next_back().unwrap_or("no output")))
        }
    }
}
