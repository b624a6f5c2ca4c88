//! What can go wrong with a run's folder.

use std::io;
use std::path::PathBuf;

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

impl LedgerError {
    /// The next thing the user can do, if there is one.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Io { .. } | Self::Sqlite { .. } => {
                Some("check the space and the permissions there, or keep runs elsewhere with `--state-dir DIR`")
            }
            Self::SchemaTooNew { .. } => Some("upgrade batchmill"),
            Self::Locked(_) => Some("wait for it to end; `batchmill runs` shows what is under way"),
            Self::NoSuchRun { .. } => Some("`batchmill runs` lists them; `latest` is the newest"),
            Self::NoRuns(_) => Some("start one with `batchmill run FILE`, or name the folder with `--state-dir DIR`"),
        }
    }
}
