//! Why a source gives no items.

use crate::database::DatabaseError;
use crate::template::TemplateError;
use std::fmt;
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
    #[error("invalid pattern `{pattern}`: {cause}")]
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
    #[error("{0} is not valid UTF-8")]
    NotUtf8(String),
    /// A query failed.
    #[error("cannot query {database}: {error}")]
    Database {
        /// The database.
        database: String,
        /// Why.
        error: ErrorText,
    },
    /// The item at this index is not the one that was compared with the finished items.
    #[error("the source changed while the run was being resumed, at item {0}")]
    Changed(u64),
    /// The source can be read only once, and had to be read again.
    #[error("the items come from a stream, which cannot be read again to compare it with the finished items")]
    ReadOnce,
    /// The run was stopped while the source waited for items.
    #[error("interrupted while waiting for items")]
    Stopped,
    /// A setting of the source is wrong, or its files do not fit the settings.
    #[error("{0}")]
    Invalid(ErrorText),
}

impl SourceError {
    /// A setting of the source is wrong, or its files do not fit the settings.
    pub(super) fn invalid(error: impl Into<ErrorText>) -> Self {
        Self::Invalid(error.into())
    }

    /// What the user can do about it, if known.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Database { error, .. } | Self::Invalid(error) => error.help.clone(),
            Self::Changed(_) => Some("resume again; if the items come from a query, add `ORDER BY`".to_owned()),
            Self::ReadOnce => Some("start a new run; to be able to resume, read the items from a file".to_owned()),
            _ => None,
        }
    }
}

/// A message, and what to do about it if that is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorText {
    message: String,
    help: Option<String>,
}

impl ErrorText {
    /// The same with what to do about it. It must not contain values that may be secret, because it is not masked.
    #[must_use]
    pub(super) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same about a file.
    pub(super) fn in_file(self, file: &str) -> Self {
        Self { message: format!("cannot read `{file}`: {}", self.message), ..self }
    }

    /// Message and help on one line.
    pub(super) fn one_line(&self) -> String {
        match &self.help {
            Some(help) => format!("{}; {help}", self.message),
            None => self.message.clone(),
        }
    }
}

impl fmt::Display for ErrorText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl From<String> for ErrorText {
    fn from(message: String) -> Self {
        Self { message, help: None }
    }
}

impl From<&str> for ErrorText {
    fn from(message: &str) -> Self {
        Self::from(message.to_owned())
    }
}

impl From<DatabaseError> for ErrorText {
    fn from(error: DatabaseError) -> Self {
        Self { message: error.message, help: error.help }
    }
}
