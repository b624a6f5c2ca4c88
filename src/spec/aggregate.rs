//! `aggregate` of a batch step: what is made of all its results.

use super::task::PythonTask;
use std::fmt;

/// `aggregate`
#[derive(Debug, Clone)]
pub enum Aggregate {
    /// `code`, which sees `results`, `failed` and `stats`.
    Code(PythonTask),
    /// Sums and the like, computed by the engine.
    Reductions(Reductions),
}

/// What is computed over the results.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reductions {
    /// `count`: how many results there are.
    pub count: bool,
    /// `sum`, `mean`, `min` and `max`, in this order, each at most once. Empty only where `count` is true.
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
    /// All there are, in the order in which they are shown.
    pub const ALL: [Self; 4] = [Self::Sum, Self::Mean, Self::Min, Self::Max];

    /// As it is written in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Mean => "mean",
            Self::Min => "min",
            Self::Max => "max",
        }
    }
}

/// What of each result a reduction is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Over {
    /// `true`: the result itself.
    Result,
    /// These fields; none twice, and at least one.
    Fields(Vec<Field>),
}

/// A field of a result: names of mappings inside each other, with dots between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field(pub String);

impl Field {
    /// The names, from the outermost.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.split('.')
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
