//! The program of a call of a client: a function or a class that the engine never opens.

use std::num::NonZeroUsize;

/// What a client wants to call.
#[derive(Debug, Clone)]
pub struct PickledProgram {
    /// The file with the function, which the client keeps open.
    pub path: String,
    /// The working folder.
    pub folder: Option<String>,
    /// Where to look for modules.
    pub search_path: Vec<String>,
    /// The most memory that a worker may use for an item, in bytes.
    pub max_memory: Option<u64>,
    /// After how many items a worker is replaced.
    pub max_items_per_worker: Option<NonZeroUsize>,
}
