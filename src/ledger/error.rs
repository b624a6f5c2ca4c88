//! What can go wrong with a run's ledger, and what the user can do about it.

use super::refusal::Refusal;
use crate::model::{Fingerprint, RunId};
use rusqlite::ErrorCode;
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};
use std::io;
use std::path::{Path, PathBuf};

/// An error of the ledger.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// A file or directory.
    #[error("cannot {action} `{}`", .path.display())]
    Io {
        /// For instance `write`.
        action: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The database.
    #[error("cannot use the ledger `{}`", .path.display())]
    Sqlite {
        /// `run.db`
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// Its path is longer than SQLite takes.
    #[error("the path of the ledger has {length} bytes, but SQLite takes at most {most}: `{}`", .path.display())]
    LongPath {
        /// `run.db`
        path: PathBuf,
        /// The bytes of its absolute path.
        length: usize,
        /// The bytes that it may have.
        most: usize,
    },
    /// The database, or a part of it, is not what was written.
    #[error("ledger `{}` is damaged", .path.display())]
    Damaged {
        /// `run.db`
        path: PathBuf,
        /// Why.
        source: Damage,
    },
    /// A results file is not what was written.
    #[error("results in `{}` {why}", .path.display())]
    ResultsGone {
        /// The file.
        path: PathBuf,
        /// For instance `are truncated`.
        why: &'static str,
    },
    /// Something in the run's folder is there, but is not used.
    #[error("`{}` {why}", .path.display())]
    Refused {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        why: Refusal,
    },
    /// A file of the run was deleted or changed during the run.
    #[error("`{}` was {how} during the run", .path.display())]
    Gone {
        /// The file.
        path: PathBuf,
        /// For instance `deleted`.
        how: &'static str,
    },
    /// A later version wrote it.
    #[error("ledger `{}` was written by a newer batchmill (schema {found}, this version reads up to {known})", .path.display())]
    SchemaTooNew {
        /// `run.db`
        path: PathBuf,
        /// Its schema.
        found: u32,
        /// The newest schema that this version knows.
        known: u32,
    },
    /// A version whose ledgers are no longer read wrote it.
    #[error("ledger `{}` was written by an older batchmill (schema {found}, this version reads {known} and later)", .path.display())]
    SchemaTooOld {
        /// `run.db`
        path: PathBuf,
        /// Its schema.
        found: u32,
        /// The oldest schema that this version reads.
        known: u32,
    },
    /// Its results have fingerprints that this version cannot compare with its own.
    #[error(
        "cannot resume run `{run}`: {}",
        if *.version < Fingerprint::VERSION {
            format!("batchmill {made_by} started it, before fingerprints had a fixed format")
        } else {
            "a newer batchmill has worked on it".to_owned()
        }
    )]
    OtherFingerprints {
        /// The run.
        run: RunId,
        /// The version of batchmill that started it.
        made_by: String,
        /// The version of the fingerprints.
        version: u32,
    },
    /// Another process works on the run.
    #[error("run `{0}` is in use by another process")]
    Locked(String),
    /// No such run.
    #[error("no run `{run}` in `{}`", .state.display())]
    NoSuchRun {
        /// As the user wrote it.
        run: String,
        /// The state folder.
        state: PathBuf,
    },
    /// Several runs match.
    #[error("`{run}` matches {matches} runs")]
    AmbiguousRun {
        /// As the user wrote it.
        run: String,
        /// How many match.
        matches: usize,
    },
    /// No runs at all.
    #[error("no runs in `{}`", .0.display())]
    NoRuns(PathBuf),
}

/// What is damaged.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Damage(pub String);

impl LedgerError {
    /// Sorts an error of SQLite: a full disk, the limit on file sizes, damage, or anything else.
    pub(super) fn sqlite(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_path_buf();
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Io { action: "write", path, source: Errno::NOSPC.into() },
            // SQLite does not say why another write failed.
            Some(ErrorCode::SystemIoFailure) => match at_size_limit(&path) {
                Some(path) => Self::Io { action: "write", path, source: Errno::FBIG.into() },
                None => Self::Sqlite { path, source },
            },
            // Our queries match our tables and their types, so what does not match was not written by us.
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown) | None => {
                Self::damaged(path, source.to_string())
            }
            Some(_) => Self::Sqlite { path, source },
        }
    }

    pub(super) fn damaged(path: PathBuf, cause: String) -> Self {
        Self::Damaged { path, source: Damage(cause) }
    }

    /// What removes the cause, if that is in the user's hands.
    pub fn remedy(&self) -> Option<&'static str> {
        if self.lacks_files() {
            return None;
        }
        match self {
            Self::Io { source, .. } => Some(match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "free some disk space",
                io::ErrorKind::FileTooLarge => "raise the file size limit (`ulimit -f`)",
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => "check the permissions",
                _ => "check disk space and permissions",
            }),
            Self::Sqlite { source, .. } => Some(match source.sqlite_error_code() {
                Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => "check the permissions",
                _ => "check disk space and permissions",
            }),
            _ => None,
        }
    }

    /// Whether the folder or the file that it needs is gone, whatever the system calls that.
    fn lacks_files(&self) -> bool {
        /// SQLite meets the end of its write-ahead log too early.
        const SHORT_READ: i32 = 522;
        let (path, is_missing) = match self {
            Self::Io { path, source, .. } => (path, source.kind() == io::ErrorKind::NotFound),
            Self::Sqlite { path, .. } => (path, true),
            _ => return false,
        };
        let deleted = |folder: &Path| !folder.as_os_str().is_empty() && !folder.exists();
        let sqlite = if let Self::Sqlite { source, .. } = self { source.sqlite_error() } else { None };
        is_missing && path.parent().is_some_and(deleted)
            || sqlite.is_some_and(|error| error.extended_code == SHORT_READ)
    }

    /// What the user can do next, if there is anything.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            error if error.lacks_files() => {
                "a file or directory that it needs was deleted; start a new run with `batchmill run FILE`"
            }
            Self::Gone { .. } => {
                "its content is lost; `batchmill audit` checks what is left of the run, `batchmill run FILE` starts a new one"
            }
            Self::Io { .. } | Self::Sqlite { .. } => {
                let remedy = self.remedy().unwrap_or_default();
                return Some(format!("{remedy}, or store runs elsewhere with `--state-dir DIR`"));
            }
            Self::LongPath { .. } => "store runs in a directory with a shorter path, with `--state-dir DIR`",
            Self::Damaged { .. } => {
                "start a new run with `batchmill run FILE`; the results so far are in the plain files `results/*.jsonl` next to \
                 the ledger"
            }
            Self::ResultsGone { .. } => {
                "`batchmill audit` lists the affected items, and `batchmill resume` runs them again"
            }
            Self::SchemaTooOld { .. } => {
                "use the version of batchmill that wrote it, or read the plain files `results/*.jsonl` next to the ledger"
            }
            Self::Refused { why, .. } => return Some(why.hint()),
            Self::SchemaTooNew { .. } => "upgrade batchmill",
            Self::OtherFingerprints { version, .. } if *version > Fingerprint::VERSION => "upgrade batchmill",
            Self::OtherFingerprints { run, made_by, .. } => {
                return Some(format!(
                    "start a new run with `batchmill run FILE`; `batchmill results {run}` still prints the results of this one. \
                     Only batchmill {made_by} can resume it"
                ));
            }
            Self::Locked(_) => "wait until it finishes; `batchmill runs` shows which runs are running",
            Self::NoSuchRun { .. } => "list the runs with `batchmill runs`, or use `latest` for the newest one",
            Self::AmbiguousRun { .. } => "add more of the run ID; list the runs with `batchmill runs`",
            Self::NoRuns(_) => "start one with `batchmill run FILE`, or set the directory with `--state-dir DIR`",
        };
        Some(hint.to_owned())
    }
}

/// The file of a database that has reached the limit on file sizes, if one has.
fn at_size_limit(database: &Path) -> Option<PathBuf> {
    /// More than SQLite writes at a time.
    const SLACK: u64 = 64 << 10;
    let limit = getrlimit(Resource::Fsize).current?;
    let files = ["", "-wal", "-shm"].map(|end| {
        let mut path = database.as_os_str().to_owned();
        path.push(end);
        PathBuf::from(path)
    });
    files.into_iter().find(|path| path.metadata().is_ok_and(|it| it.len().saturating_add(SLACK) > limit))
}
