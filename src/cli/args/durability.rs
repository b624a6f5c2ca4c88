//! What finished batches survive.

use crate::ledger;
use clap::{Args, ValueEnum};

/// How durable a commit is.
#[derive(Debug, Clone, Copy, Args)]
pub struct DurabilityArgs {
    /// What finished batches must survive
    #[arg(long, value_enum, default_value_t = Durability::Normal)]
    durability: Durability,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Durability {
    /// A crash or kill; a power failure can lose the last batches
    Normal,
    /// A power failure too; each commit waits for the disk
    Full,
}

impl From<DurabilityArgs> for ledger::Durability {
    fn from(args: DurabilityArgs) -> Self {
        match args.durability {
            Durability::Normal => Self::Normal,
            Durability::Full => Self::Full,
        }
    }
}
