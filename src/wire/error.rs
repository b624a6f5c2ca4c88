//! What can go wrong on a connection.

use std::io;

/// Why a message cannot be sent or received.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The connection failed, or closed in the middle of a frame.
    #[error("lost the connection")]
    Io(#[from] io::Error),
    /// The data is not a valid frame.
    #[error("invalid frame: {0}")]
    Invalid(&'static str),
    /// A JSON payload is not valid.
    #[error("invalid payload")]
    Json(#[from] serde_json::Error),
}
