//! Why something cannot be used.

use serde::{Deserialize, Serialize};

/// Why nothing can run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// One line.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}
