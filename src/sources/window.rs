//! `skip` and `limit`: which of all rows a source gives.

use super::error::SourceError;
use super::settings::resolve;
use crate::spec::RowsSpec;
use crate::template::ItemScope;
use std::sync::Arc;

/// Which rows a source gives, counted over all files.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RowWindow {
    /// How many rows are skipped first.
    pub(crate) skip: u64,
    /// How many rows are given at most.
    pub(crate) limit: u64,
}

impl RowWindow {
    /// All rows.
    pub(super) const ALL: Self = Self { skip: 0, limit: u64::MAX };

    /// The window that `skip` and `limit` ask for.
    pub(super) fn of(spec: &RowsSpec, scope: &Arc<ItemScope>) -> Result<Self, SourceError> {
        let limit = match &spec.limit {
            Some(limit) => resolve("limit", limit, scope).map_err(SourceError::invalid)?.get() as u64,
            None => u64::MAX,
        };
        let skip = match &spec.skip {
            Some(skip) => {
                let skip = resolve("skip", skip, scope).map_err(SourceError::invalid)?;
                u64::try_from(skip).map_err(|_| SourceError::invalid("`skip` must not be negative"))?
            }
            None => 0,
        };
        Ok(Self { skip, limit })
    }
}
