//! Which items an execution of a run is to run.

use crate::model::ItemKey;

/// Which items an execution of a run is to run.
#[derive(Debug, Clone, Default)]
pub enum ItemSelection {
    /// All that have no result yet.
    #[default]
    Left,
    /// Those that failed.
    Failed,
    /// Those that failed and are named, by index or by the beginning of their key.
    Only(Vec<String>),
}

impl ItemSelection {
    /// Whether it includes a failed item; the index is the one it had when it failed.
    pub fn takes(&self, index: u64, key: ItemKey) -> bool {
        match self {
            Self::Left | Self::Failed => true,
            Self::Only(names) => {
                let named =
                    |name: &String| name.parse() == Ok(index) || name.len() >= 4 && key.to_string().starts_with(name);
                names.iter().any(named)
            }
        }
    }
}
