//! Where runs are stored: the state folder and the folder of each run, with the paths in it and the lock.

use super::error::LedgerError;
use super::files::{create_directories, create_directory, io_error, remove_file, sync_directory, write_atomically};
use super::run_ids::time_of_next;
use super::run_path::RunPath;
use super::schema::is_without_tables;
use crate::measure::wall_clock;
use crate::model::{RunId, StepName};
use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

/// How long to wait for a lock that another process has. `flock` has no query, so [`RunFolder::is_locked`] takes a shared
/// lock for an instant: if a run is resumed at that moment, it is locked for some microseconds. The timeout is long
/// compared to that, and short for a user who is refused. (`fcntl` locks have a query, but end as soon as the process
/// closes any descriptor of the file, as a reader in the engine does; `/proc/locks` does not list the locks of other
/// containers.)
const LOCK_TIMEOUT: Duration = Duration::from_millis(500);

/// Bytes of the key of a state folder.
const KEY_SIZE: usize = 32;

/// The most bytes of the progress that a run saves.
const MOST_NOTE: u64 = 16 << 20;

/// The prefix of directories that are not runs yet, or no longer.
pub(super) const NEW: &str = ".new-";
pub(super) const TRASH: &str = ".trash-";

/// An unlocked directory older than this was left behind: creating a run takes milliseconds.
pub(super) const ABANDONED_AFTER: Duration = Duration::from_mins(10);

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
    /// Where the folders of the runs are.
    pub(super) fn runs(&self) -> RunPath {
        RunPath::new(self.0.join("runs"), 1)
    }

    /// Creates the state directory if there is none, with a file that makes git ignore it. An existing directory is the
    /// user's.
    pub(super) fn create(&self) -> Result<(), LedgerError> {
        let ignore = self.0.join(".gitignore");
        let is_new = !self.0.exists();
        create_directories(&self.runs())?;
        self.runs().check_folder()?;
        if is_new {
            fs::write(&ignore, "*\n").map_err(|source| io_error("write", &ignore, source))?;
        }
        Ok(())
    }

    /// Creates the directory of a new run of the workflow `name`. It has a temporary name until its ledger is complete.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn create_run(&self, name: &str) -> Result<RunFolder, LedgerError> {
        self.create()?;
        let others = fs::read_dir(&*self.runs()).into_iter().flatten().flatten();
        let others = others.map(|entry| RunId(entry.file_name().to_string_lossy().into_owned()));
        let started = time_of_next(wall_clock(), others);
        let fit = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_') { c } else { '-' };
        let name: String = name.chars().take(40).map(fit).collect();
        loop {
            let random = RandomState::new().hash_one(&started) % 36_u64.pow(4);
            let run = RunId(format!("{started}-{name}-{}", base36(random)));
            if self.runs().join(&run.0).exists() {
                continue;
            }
            let path = self.runs().join(&format!("{NEW}{run}")).to_path_buf();
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

    /// The key for hashing secrets, which is created when it is first needed.
    ///
    /// # Errors
    /// If it cannot be read or written.
    pub fn key(&self) -> Result<Vec<u8>, LedgerError> {
        let path = RunPath::new(self.0.join("key"), 1);
        if let Some(file) = path.open()? {
            let mut key = Vec::new();
            file.take(KEY_SIZE as u64 + 1).read_to_end(&mut key).map_err(|source| io_error("read", &path, source))?;
            if key.len() == KEY_SIZE {
                return Ok(key);
            }
        }
        self.create()?;
        let mut key = vec![0; KEY_SIZE];
        let random = File::open("/dev/urandom").and_then(|mut random| random.read_exact(&mut key));
        random.map_err(|source| io_error("read", Path::new("/dev/urandom"), source))?;
        write_atomically(&path, |out| Ok(out.write_all(&key)))?;
        Ok(key)
    }

    /// Whether this workflow file is one that a program keeps here, because it made the workflow itself.
    pub fn keeps_workflow(&self, file: &Path) -> bool {
        let inside = self.0.join("workflows");
        let is_same = |folder: &Path| folder == inside || folder.canonicalize().ok() == inside.canonicalize().ok();
        file.parent().is_some_and(|folder| folder.ends_with("workflows") && is_same(folder))
    }

    /// The folder of a run, whether it exists or not.
    pub fn run(&self, run: RunId) -> RunFolder {
        let path = self.runs().join(&run.0).to_path_buf();
        RunFolder { run, path }
    }

    /// All runs, oldest first.
    ///
    /// # Errors
    /// If the folder exists but cannot be read.
    pub fn runs_by_age(&self) -> Result<Vec<RunFolder>, LedgerError> {
        let path = self.runs();
        path.check_folder()?;
        let entries = match fs::read_dir(&*path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(io_error("read", &path, source)),
        };
        let is_run = |entry: &fs::DirEntry| {
            // A link that leads nowhere is there, and is refused later.
            let has_ledger = || fs::symlink_metadata(entry.path().join("run.db")).is_ok();
            !entry.file_name().as_encoded_bytes().starts_with(b".") && has_ledger()
        };
        let folders = entries.filter_map(Result::ok).filter(is_run);
        let mut runs: Vec<RunFolder> = folders
            .map(|entry| RunFolder { run: RunId(entry.file_name().to_string_lossy().into_owned()), path: entry.path() })
            .collect();
        runs.sort_by(|left, right| left.run.cmp(&right.run));
        Ok(runs)
    }

    /// The run that `name` means: a run id, the beginning or end of one, or `latest`.
    ///
    /// # Errors
    /// If no run or more than one matches, or if it is neither the user's nor trusted.
    pub fn find(&self, name: &str) -> Result<RunFolder, LedgerError> {
        let found = self.find_name(name)?;
        found.check()?;
        Ok(found)
    }

    fn find_name(&self, name: &str) -> Result<RunFolder, LedgerError> {
        let mut runs = self.runs_by_age()?;
        if name == "latest" {
            while runs.last().is_some_and(RunFolder::is_half_made) {
                runs.pop();
            }
            return runs.pop().ok_or_else(|| LedgerError::NoRuns(self.0.clone()));
        }
        if let Some(exact) = runs.iter().position(|folder| folder.run.0 == name) {
            return Ok(runs.swap_remove(exact));
        }
        runs.retain(|folder| folder.run.0.starts_with(name) || folder.run.0.ends_with(name));
        match (runs.len(), runs.pop()) {
            (1, Some(run)) => Ok(run),
            (0, _) => Err(LedgerError::NoSuchRun { run: name.to_owned(), state: self.0.clone() }),
            (matches, _) => Err(LedgerError::AmbiguousRun { run: name.to_owned(), matches }),
        }
    }
}

impl RunFolder {
    /// Gives the directory of a new run its final name: from now on it is a run.
    pub(super) fn complete(mut self) -> Result<Self, LedgerError> {
        let path = self.path.with_file_name(&self.run.0);
        fs::rename(&self.path, &path).map_err(|source| io_error("create directory", &path, source))?;
        self.path = path;
        Ok(self)
    }

    /// Whether its creation was interrupted, so that it is empty. This version creates no such runs, but older ones did.
    pub fn is_half_made(&self) -> bool {
        let is_empty = |folder: RunPath| match fs::read_dir(&*folder) {
            Ok(mut entries) => entries.next().is_none(),
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
        is_empty(self.results_folder()) && !self.is_locked() && is_without_tables(&self.database())
    }

    /// The folder as what it holds is seen.
    fn inside(&self) -> RunPath {
        RunPath::new(self.path.clone(), 2)
    }

    /// The database.
    pub fn database(&self) -> RunPath {
        self.inside().join("run.db")
    }

    /// The folder with results and keys.
    pub(super) fn results_folder(&self) -> RunPath {
        self.inside().join("results")
    }

    /// The results of a step.
    pub fn results(&self, step: &StepName) -> RunPath {
        self.results_folder().join(&format!("{step}.jsonl"))
    }

    /// The aggregate of a step.
    pub(super) fn aggregate(&self, step: &StepName) -> RunPath {
        self.results_folder().join(&format!("{step}.aggregate.json"))
    }

    /// The keys of the items that the results of a step belong to.
    pub(super) fn keys(&self, step: &StepName) -> RunPath {
        self.results_folder().join(&format!("{step}.keys"))
    }

    /// The hashes of the rows that a step has read.
    pub(super) fn row_hashes(&self, step: &StepName) -> RunPath {
        self.results_folder().join(&format!("{step}.rows"))
    }

    /// The report that the run wrote before its closing steps, if one of them wanted it.
    pub fn report(&self) -> RunPath {
        self.inside().join("report.html")
    }

    /// The progress that a run saves about its current step.
    fn note(&self) -> RunPath {
        self.inside().join("progress.json")
    }

    /// That progress, if it can be read.
    pub fn read_note(&self) -> Option<Vec<u8>> {
        self.note().read(MOST_NOTE).ok()?
    }

    /// Saves that progress; none deletes it. It is written under one other name, so whoever is killed leaves one file at most.
    ///
    /// # Errors
    /// If it cannot be written. It is not missed then.
    pub fn keep_note(&self, note: Option<&[u8]>) -> Result<(), LedgerError> {
        let (path, new) = (self.note(), self.inside().join("progress.new"));
        // Whatever is there, it is not what is written to.
        remove_file(&new)?;
        let Some(note) = note else { return remove_file(&path) };
        new.append()?.write_all(note).map_err(|source| io_error("write", &new, source))?;
        fs::rename(&*new, &*path).map_err(|source| io_error("write", &path, source))
    }

    /// The metrics file of a run, which `--metrics-addr` serves.
    pub fn metrics(&self) -> RunPath {
        self.inside().join("metrics.prom")
    }

    /// The folder with what tasks printed.
    pub fn logs(&self) -> RunPath {
        self.inside().join("logs")
    }

    /// The log of a step.
    pub(super) fn log(&self, step: &StepName) -> RunPath {
        self.logs().join(&format!("{step}.log"))
    }

    /// Where the items of a step get their directories.
    pub fn items(&self, step: &StepName) -> RunPath {
        self.inside().join("items").join(step.as_str())
    }

    /// Takes the run's lock: an OS lock on an open file, which ends with the process, however that ends.
    ///
    /// # Errors
    /// If another process has it.
    pub(super) fn lock(&self) -> Result<File, LedgerError> {
        let path = self.inside().join("lock");
        let file = path.append()?;
        let deadline = Instant::now() + LOCK_TIMEOUT;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(file),
                Err(fs::TryLockError::WouldBlock) if Instant::now() < deadline => thread::sleep(LOCK_TIMEOUT / 100),
                Err(fs::TryLockError::WouldBlock) => return Err(LedgerError::Locked(self.run.0.clone())),
                Err(fs::TryLockError::Error(source)) => return Err(io_error("lock", &path, source)),
            }
        }
    }

    /// Waits until the names of the run's files and folders are on disk.
    pub(super) fn sync_names(&self) -> Result<(), LedgerError> {
        // The run, `runs`, the state folder, and its parent.
        self.path.ancestors().take(4).try_for_each(sync_directory)
    }

    /// Checks that the run is the user's, or trusted, and that all of it is in this folder.
    ///
    /// # Errors
    /// If it is not.
    pub fn check(&self) -> Result<(), LedgerError> {
        self.inside().check_folder()?;
        ["results", "logs", "items"].iter().try_for_each(|name| self.inside().join(name).check_folder())
    }

    /// Deletes the run and everything in it.
    ///
    /// # Errors
    /// If another process works on it, or it cannot be deleted.
    pub fn delete(&self) -> Result<(), LedgerError> {
        let _lock = self.lock()?;
        // No run has such a name, so the next cleanup deletes whatever an interrupted deletion leaves behind.
        let random = RandomState::new().hash_one(&self.run.0);
        let trash = self.path.with_file_name(format!("{TRASH}{}-{random:016x}", self.run));
        fs::rename(&self.path, &trash).map_err(|source| io_error("delete", &self.path, source))?;
        fs::remove_dir_all(&trash).map_err(|source| io_error("delete", &trash, source))
    }

    /// Whether a process works on the run.
    pub fn is_locked(&self) -> bool {
        let lock = self.inside().join("lock").open();
        lock.is_ok_and(|it| it.is_some_and(|it| matches!(it.try_lock_shared(), Err(fs::TryLockError::WouldBlock))))
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
