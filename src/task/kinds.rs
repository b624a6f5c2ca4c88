//! The task types: a file or a directory each.

pub(super) mod echo;
pub(super) mod http;
pub mod python;
pub(super) mod shell;
