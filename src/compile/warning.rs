//! What may be wrong with a workflow that is valid.

use crate::text::Printable;
use std::fmt;

/// Something that may be wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning {
    /// How much it matters.
    pub level: Level,
    /// The workflow file, or a script.
    pub file: String,
    /// The line in it, from 1.
    pub line: usize,
    /// What may be wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// How much a warning matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// It may be an error.
    Warning,
    /// It is good to know.
    Note,
}

impl Level {
    /// As text.
    pub fn name(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Note => "note",
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = Printable::line(&self.file);
        write!(f, "{}: {file}:{}: {}", self.level.name(), self.line, self.message)?;
        self.help.iter().try_for_each(|help| write!(f, "; {help}"))
    }
}
