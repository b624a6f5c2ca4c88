//! `aggregate` of a batch step: one value made of all its results.

use super::field::Field;
use super::task::PythonTask;

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
    /// The others, in the order of [`Reduction::ALL`], each at most once. Empty only if `count` is true.
    pub over: Vec<(Reduction, Over)>,
    /// `group_by`
    pub group_by: Option<Over>,
    /// `at`: the shares of `quantiles`, from 0 to 1, as they are shown.
    pub at: Vec<String>,
    /// `top_size`: how many values `top` shows.
    pub top_size: usize,
}

/// A reduction of the values of a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reduction {
    /// `sum`
    Sum,
    /// `mean`
    Mean,
    /// `std`
    Std,
    /// `min`
    Min,
    /// `max`
    Max,
    /// `quantiles`
    Quantiles,
    /// `distinct`
    Distinct,
    /// `top`
    Top,
    /// `first`
    First,
    /// `last`
    Last,
}

impl Reduction {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 10] = [
        Self::Sum,
        Self::Mean,
        Self::Std,
        Self::Min,
        Self::Max,
        Self::Quantiles,
        Self::Distinct,
        Self::Top,
        Self::First,
        Self::Last,
    ];

    /// The name in the file.
    pub fn name(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::Mean => "mean",
            Self::Std => "std",
            Self::Min => "min",
            Self::Max => "max",
            Self::Quantiles => "quantiles",
            Self::Distinct => "distinct",
            Self::Top => "top",
            Self::First => "first",
            Self::Last => "last",
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
