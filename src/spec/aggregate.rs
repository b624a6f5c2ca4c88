//! `aggregate` of a batch step: one value made of all its results.

use super::task::PythonTask;
use std::fmt;

/// `aggregate`
#[derive(Debug, Clone)]
pub enum Aggregate {
    /// `code`, which can use `results`, `failed` and `stats`.
    Code(PythonTask),
    /// Sums and the like, which the engine computes.
    Reductions(Reductions),
}

/// What the engine computes from the results.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reductions {
    /// `count`: whether to count the results.
    pub count: bool,
    /// `sum`, `mean`, `min` and `max`, in this order, each at most once. Empty only if `count` is true.
    pub over: Vec<(Reduction, Over)>,
    /// `group_by`
    pub group_by: Option<Over>,
}

/// A reduction of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reduction {
    /// `sum`
    Sum,
    /// `mean`
    Mean,
    /// `min`
    Min,
    /// `max`
    Max,
}

impl Reduction {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 4] = [Self::Sum, Self::Mean, Self::Min, Self::Max];

    /// The name in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Mean => "mean",
            Self::Min => "min",
            Self::Max => "max",
        }
    }
}

/// The part of each result that a reduction uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Over {
    /// `true`: the result itself.
    Result,
    /// These fields: at least one, without duplicates.
    Fields(Vec<Field>),
}

/// A field of a result. Dots separate the names of nested mappings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field(pub String);

impl Field {
    /// The names, outermost first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.split('.')
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
