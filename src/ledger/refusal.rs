//! Why something in a run's folder is not used, although it is there.

use std::path::PathBuf;

/// Directories whose runs are trusted, whoever they belong to: absolute paths, with `:` between them.
pub(super) const TRUST: &str = "BATCHMILL_TRUST";

/// Why something in a run's folder is not used.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// It leads elsewhere.
    #[error("is a symbolic link")]
    Link,
    /// It is this instead of a file.
    #[error("is a {0}, not a regular file")]
    NotAFile(&'static str),
    /// It belongs to another user.
    #[error("belongs to user {owner}, and you are user {user}")]
    Foreign {
        /// Whose it is.
        owner: u32,
        /// Who runs.
        user: u32,
        /// The state folder.
        state: PathBuf,
    },
}

impl Refusal {
    /// What the user can do.
    pub(super) fn hint(&self) -> String {
        match self {
            Self::Link => {
                "what it leads to may not be part of the run, so it is not followed; move the files themselves there. \
                 The state directory as a whole may be a link"
                    .to_owned()
            }
            Self::NotAFile(_) => {
                "batchmill did not make it, so the run may come from somebody else; delete it, or start a new run with \
                 `batchmill run FILE`"
                    .to_owned()
            }
            Self::Foreign { state, .. } => format!(
                "whoever can write to a run decides what `batchmill resume` starts; if you trust its owner, set \
                 `{TRUST}={}`",
                state.display()
            ),
        }
    }
}
