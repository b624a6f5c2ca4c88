//! Why a source gives no items.

use crate::template::TemplateError;
use std::io;
use std::path::PathBuf;

/// Why a source cannot be opened or read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A template failed.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A template gave something other than a list.
    #[error("`{template}` is {found}, not a list of items")]
    NotAList {
        /// The template.
        template: String,
        /// What it gave.
        found: &'static str,
    },
    /// A command failed.
    #[error("command `{command}` {how}")]
    Command {
        /// The command.
        command: String,
        /// How, with the end of its stderr.
        how: String,
    },
    /// A pattern is wrong.
    #[error("bad pattern `{pattern}`: {cause}")]
    Pattern {
        /// The pattern.
        pattern: String,
        /// Why.
        cause: String,
    },
    /// A file cannot be read.
    #[error("cannot read `{}`: {source}", .path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line or name is not UTF-8.
    #[error("{0} is not UTF-8")]
    NotUtf8(String),
    /// A database gives no rows.
    #[error("no rows from {database}: {cause}")]
    Database {
        /// The database.
        database: String,
        /// The database's own message.
        cause: String,
    },
    /// The items differ from those that were compared with the finished ones.
    #[error("its items have changed since they were compared with what is done, at item {0}; {1}")]
    Changed(u64, &'static str),
    /// The source can be read only once, and had to be read again.
    #[error("its items can be read only once, so they cannot be compared with what is done")]
    ReadOnce,
    /// The run was stopped while the source waited for items.
    #[error("interrupted while waiting for items")]
    Stopped,
    /// A setting of the source is wrong.
    #[error("{0}")]
    Setting(String),
    /// The columns of the files do not fit together, or do not fit the settings.
    #[error("{message}")]
    Columns {
        /// Why.
        message: String,
        /// The delimiter that the files seem to use.
        delimiter: Option<char>,
    },
}

impl SourceError {
    /// What to do about it, if that is known.
    pub fn hint(&self) -> Option<String> {
        let Self::Columns { delimiter: Some(delimiter), .. } = self else { return None };
        let written = if *delimiter == '\t' { "tab".to_owned() } else { format!("'{delimiter}'") };
        Some(format!("all files have one column: is `delimiter: {written}` missing?"))
    }
}
