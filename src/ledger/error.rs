//! What can go wrong with a run's folder.

use crate::model::{Fingerprint, RunId};
use rusqlite::ErrorCode;
use rustix::io::Errno;
use rustix::process::{Resource, getrlimit};
use std::io;
use std::path::{Path, PathBuf};

/// Trouble with the ledger.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// A file or folder.
    #[error("cannot {action} `{}`", .path.display())]
    Io {
        /// For instance `write`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The database.
    #[error("trouble with the run's ledger `{}`", .path.display())]
    Sqlite {
        /// `run.db`
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
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
        /// For instance `are cut short`.
        why: &'static str,
    },
    /// Written by a later version.
    #[error("ledger `{}` was written by a newer batchmill (schema {found}, known {known})", .path.display())]
    SchemaTooNew {
        /// `run.db`
        path: PathBuf,
        /// Its schema.
        found: u32,
        /// The newest this version knows.
        known: u32,
    },
    /// Written by a version whose ledgers are not read any more.
    #[error("ledger `{}` was written by an older batchmill (schema {found}, known {known})", .path.display())]
    SchemaTooOld {
        /// `run.db`
        path: PathBuf,
        /// Its schema.
        found: u32,
        /// The one this version knows.
        known: u32,
    },
    /// Its results have fingerprints that this version cannot compare with its own.
    #[error(
        "run `{run}` cannot be continued: {}",
        if *.version < Fingerprint::VERSION {
            format!("it was made by batchmill {made_by}, before the format of fingerprints was fixed")
        } else {
            "a newer batchmill has continued it".to_owned()
        }
    )]
    OtherFingerprints {
        /// The run.
        run: RunId,
        /// The version that made it.
        made_by: String,
        /// The version of the fingerprints.
        version: u32,
    },
    /// Another process holds the run.
    #[error("run `{0}` is held by another process")]
    Locked(String),
    /// No such run.
    #[error("there is no run `{run}` in `{}`", .state.display())]
    NoSuchRun {
        /// As asked for.
        run: String,
        /// The state folder.
        state: PathBuf,
    },
    /// No run at all.
    #[error("there are no runs in `{}`", .0.display())]
    NoRuns(PathBuf),
}

/// What is damaged.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Damage(pub String);

impl LedgerError {
    /// Tells trouble with the database apart: damage, the limit on file sizes, and the rest.
    pub(super) fn sqlite(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_path_buf();
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Io { action: "write", path, source: Errno::NOSPC.into() },
            // SQLite does not say why another write failed.
            Some(ErrorCode::SystemIoFailure) => match limited(&path) {
                Some(path) => Self::Io { action: "write", path, source: Errno::FBIG.into() },
                None => Self::Sqlite { path, source },
            },
            // Our queries fit our tables and their types as they were written, so what does not fit them was not.
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown) | None => {
                Self::damaged(path, source.to_string())
            }
            Some(_) => Self::Sqlite { path, source },
        }
    }

    pub(super) fn damaged(path: PathBuf, cause: String) -> Self {
        Self::Damaged { path, source: Damage(cause) }
    }

    /// What makes the trouble go away, where that is in the user's hands.
    pub fn remedy(&self) -> Option<&'static str> {
        match self {
            Self::Io { source, .. } => Some(match source.kind() {
                io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => "make room there",
                io::ErrorKind::FileTooLarge => "raise the limit on the size of files (`ulimit -f`)",
                io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => "check the permissions there",
                _ => "check the space and the permissions there",
            }),
            Self::Sqlite { source, .. } => Some(match source.sqlite_error_code() {
                Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => "check the permissions there",
                _ => "check the space and the permissions there",
            }),
            _ => None,
        }
    }

    /// The next thing the user can do, if there is one.
    pub fn hint(&self) -> Option<String> {
        let hint = match self {
            Self::Io { .. } | Self::Sqlite { .. } => {
                let remedy = self.remedy().unwrap_or_default();
                return Some(format!("{remedy}, or keep runs elsewhere with `--state-dir DIR`"));
            }
            Self::Damaged { .. } => {
                "results are plain files and still there, in `results/*.jsonl` beside it; `batchmill run FILE` starts anew"
            }
            Self::ResultsGone { .. } => {
                "`batchmill audit` says what is gone; `batchmill resume` runs the items again whose results are gone"
            }
            Self::SchemaTooOld { .. } => "the version that wrote it can read it; results/*.jsonl are plain files",
            Self::SchemaTooNew { .. } => "upgrade batchmill",
            Self::OtherFingerprints { version, .. } if *version > Fingerprint::VERSION => "upgrade batchmill",
            Self::OtherFingerprints { run, made_by, .. } => {
                return Some(format!(
                    "start a new run with `batchmill run FILE`; `batchmill results {run}` prints the results of this one, \
                     and batchmill {made_by} can still continue it"
                ));
            }
            Self::Locked(_) => "wait for it to end; `batchmill runs` shows what is under way",
            Self::NoSuchRun { .. } => "`batchmill runs` lists them; `latest` is the newest",
            Self::NoRuns(_) => "start one with `batchmill run FILE`, or name the folder with `--state-dir DIR`",
        };
        Some(hint.to_owned())
    }
}

/// The file of a database that has come to the limit on the size of files, if one has.
fn limited(database: &Path) -> Option<PathBuf> {
    /// More than SQLite writes at once.
    const SLACK: u64 = 64 << 10;
    let limit = getrlimit(Resource::Fsize).current?;
    let files = ["", "-wal", "-shm"].map(|end| {
        let mut path = database.as_os_str().to_owned();
        path.push(end);
        PathBuf::from(path)
    });
    files.into_iter().find(|path| path.metadata().is_ok_and(|it| it.len().saturating_add(SLACK) > limit))
}
