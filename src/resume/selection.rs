//! Which items an execution of a run is about.

use crate::model::ItemKey;

/// Which items an execution of a run is about.
#[derive(Debug, Clone, Default)]
pub enum ItemSelection {
    /// All that have no result yet.
    #[default]
    Left,
    /// Those that failed.
    Failed,
    /// Those that failed and are named: by index, or by the beginning of their key.
    Only(Vec<String>),
}

impl ItemSelection {
    pub(super) fn takes(&self, failed: bool, index: u64, key: ItemKey) -> bool {
        match self {
            Self::Left => true,
            Self::Failed => failed,
            Self::Only(names) => {
                let named =
                    |name: &String| name.parse() == Ok(index) || name.len() >= 4 && key.to_string().starts_with(name);
                failed && names.iter().any(named)
            }
        }
    }
}
