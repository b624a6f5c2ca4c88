//! Whose runs are read and continued: those of the user. A run names a workflow and an interpreter that `resume` starts, so a run
//! that another user has left in a shared folder could make you run anything.

use super::error::LedgerError;
use super::refusal::{Refusal, TRUST};
use rustix::process::geteuid;
use std::path::Path;

/// Checks that what belongs to `owner` is the user's, or that the state folder it is in is trusted. Root may be called by `sudo` for
/// a user.
pub(super) fn check(owner: u32, path: &Path, state: &Path) -> Result<(), LedgerError> {
    let user = geteuid();
    let caller = || std::env::var("SUDO_UID").ok()?.parse::<u32>().ok();
    if owner == user.as_raw() || user.is_root() && caller() == Some(owner) || is_trusted(state) {
        return Ok(());
    }
    let state = state.canonicalize().unwrap_or_else(|_| state.to_path_buf());
    let why = Refusal::Foreign { owner, user: user.as_raw(), state };
    Err(LedgerError::Refused { path: path.to_path_buf(), why })
}

fn is_trusted(state: &Path) -> bool {
    let Some((trusted, state)) = std::env::var_os(TRUST).zip(state.canonicalize().ok()) else { return false };
    std::env::split_paths(&trusted)
        .filter(|path| path.is_absolute())
        .filter_map(|path| path.canonicalize().ok())
        .any(|path| state.starts_with(path))
}
