//! The keys of `resources`.

use super::key::{KeyGroup, KeyType, key};

/// `resources`.
pub static RESOURCES: KeyGroup = KeyGroup {
    name: "resources",
    doc: "What each batch that runs needs of its machine",
    keys: &[
        key("cpus", KeyType::Amount, None, "Cores"),
        key("memory", KeyType::Size, None, "Memory, for example `8GB`"),
        key("gpus", KeyType::Amount, None, "GPUs"),
        key("custom", KeyType::Amounts, None, "Other resources, by the names that the cluster gives them"),
    ],
};
