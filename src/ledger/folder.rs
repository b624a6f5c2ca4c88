//! Where runs are kept.

use super::error::LedgerError;
use super::files::{create_directories, create_directory, io_error, private_file, sync_directory};
use crate::model::{RunId, StepName};
use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

/// How long a lock that somebody has is waited for. [`RunFolder::is_locked`] cannot ask without taking a shared lock for an
/// instant, because `flock` has no query, so a run that is looked at just when it is to go on is held for some microseconds.
/// Long against that, short for a person who is refused. (Locks of `fcntl` can be asked about, but they end when the process
/// closes any descriptor of the file, as a reader in the engine does; `/proc/locks` does not show those of other containers.)
const PATIENCE: Duration = Duration::from_millis(500);

/// The folder that holds all runs, `.batchmill` by default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateFolder(pub PathBuf);

/// The folder of one run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunFolder {
    /// The run.
    pub run: RunId,
    /// Its folder.
    pub path: PathBuf,
}

impl StateFolder {
    fn runs(&self) -> PathBuf {
        self.0.join("runs")
    }

    /// Makes the folder for a new run of the workflow `name`, which ignores itself for git.
    ///
    /// # Errors
    /// Where it cannot be made.
    pub fn create_run(&self, name: &str) -> Result<RunFolder, LedgerError> {
        create_directories(&self.runs())?;
        let ignore = self.0.join(".gitignore");
        if !ignore.exists() {
            fs::write(&ignore, "*\n").map_err(|source| io_error("write", &ignore, source))?;
        }
        let started = jiff::Timestamp::now().strftime("%Y%m%d-%H%M%S%3f").to_string();
        let fit = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_') { c } else { '-' };
        let name: String = name.chars().take(40).map(fit).collect();
        loop {
            let random = RandomState::new().hash_one(&started) % 36_u64.pow(4);
            let run = RunId(format!("{started}-{name}-{}", base36(random)));
            let path = self.runs().join(&run.0);
            match create_directory(&path) {
                Ok(()) => {
                    create_directory(&path.join("results"))?;
                    create_directory(&path.join("logs"))?;
                    return Ok(RunFolder { run, path });
                }
                Err(LedgerError::Io { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// All runs, oldest first.
    ///
    /// # Errors
    /// Where the folder is there but cannot be read.
    pub fn runs_by_age(&self) -> Result<Vec<RunFolder>, LedgerError> {
        let path = self.runs();
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(io_error("read", &path, source)),
        };
        let folders = entries.filter_map(Result::ok).filter(|entry| entry.path().join("run.db").exists());
        let mut runs: Vec<RunFolder> = folders
            .map(|entry| RunFolder { run: RunId(entry.file_name().to_string_lossy().into_owned()), path: entry.path() })
            .collect();
        runs.sort_by(|left, right| left.run.cmp(&right.run));
        Ok(runs)
    }

    /// The run that is called `name`: an id, the beginning or end of one that fits no other, or `latest`.
    ///
    /// # Errors
    /// Where there is none, or more than one.
    pub fn find(&self, name: &str) -> Result<RunFolder, LedgerError> {
        let mut runs = self.runs_by_age()?;
        if name == "latest" {
            return runs.pop().ok_or_else(|| LedgerError::NoRuns(self.0.clone()));
        }
        if let Some(exact) = runs.iter().position(|folder| folder.run.0 == name) {
            return Ok(runs.swap_remove(exact));
        }
        runs.retain(|folder| folder.run.0.starts_with(name) || folder.run.0.ends_with(name));
        match (runs.pop(), runs.is_empty()) {
            (Some(run), true) => Ok(run),
            _ => Err(LedgerError::NoSuchRun { run: name.to_owned(), state: self.0.clone() }),
        }
    }
}

impl RunFolder {
    /// The database.
    pub fn database(&self) -> PathBuf {
        self.path.join("run.db")
    }

    /// The results of a step.
    pub fn results(&self, step: &StepName) -> PathBuf {
        self.path.join("results").join(format!("{step}.jsonl"))
    }

    /// A copy of the results of a step in item order, as they were at a revision. No step's name has a `~` in it, so no two
    /// files of the folder are called alike.
    pub(super) fn sorted(&self, step: &StepName, revision: &str) -> PathBuf {
        self.path.join("results").join(format!("{step}~{revision}.jsonl"))
    }

    /// The aggregate of a step.
    pub(super) fn aggregate(&self, step: &StepName) -> PathBuf {
        self.path.join("results").join(format!("{step}.aggregate.json"))
    }

    /// The keys of the items that the results of a step belong to.
    pub(super) fn keys(&self, step: &StepName) -> PathBuf {
        self.path.join("results").join(format!("{step}.keys"))
    }

    /// Folder of what tasks printed.
    pub fn logs(&self) -> PathBuf {
        self.path.join("logs")
    }

    /// The log of a step.
    pub(super) fn log(&self, step: &StepName) -> PathBuf {
        self.logs().join(format!("{step}.log"))
    }

    /// Takes the run's lock: an OS lock on an open file, which ends with the process whatever happens to it.
    ///
    /// # Errors
    /// Where another process has it.
    pub(super) fn lock(&self) -> Result<File, LedgerError> {
        let path = self.path.join("lock");
        let file = private_file(&path)?;
        let patience = Instant::now() + PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(fs::TryLockError::WouldBlock) if Instant::now() < patience => thread::sleep(PATIENCE / 100),
                Err(fs::TryLockError::WouldBlock) => return Err(LedgerError::Locked(self.run.0.clone())),
                Err(fs::TryLockError::Error(source)) => return Err(io_error("lock", &path, source)),
            }
        }
    }

    /// Waits until the disk has the names of the run's files and folders.
    pub(super) fn sync_names(&self) -> Result<(), LedgerError> {
        // The run, `runs`, the state folder, and where that is.
        self.path.ancestors().take(4).try_for_each(sync_directory)
    }

    /// Deletes the run with everything in it.
    ///
    /// # Errors
    /// Where another process works on it, or it cannot be deleted.
    pub fn delete(&self) -> Result<(), LedgerError> {
        let _lock = self.lock()?;
        // The database first: without it the folder is no run, whatever else of it is left.
        let database = self.database();
        fs::remove_file(&database).map_err(|source| io_error("delete", &database, source))?;
        fs::remove_dir_all(&self.path).map_err(|source| io_error("delete", &self.path, source))
    }

    /// Whether a process works on the run.
    pub fn is_locked(&self) -> bool {
        File::open(self.path.join("lock"))
            .is_ok_and(|file| matches!(file.try_lock_shared(), Err(fs::TryLockError::WouldBlock)))
    }
}

fn base36(mut number: u64) -> String {
    let mut digits = [b'0'; 4];
    for digit in digits.iter_mut().rev() {
        *digit = b"0123456789abcdefghijklmnopqrstuvwxyz"[(number % 36) as usize];
        number /= 36;
    }
    digits.iter().map(|digit| char::from(*digit)).collect()
}
