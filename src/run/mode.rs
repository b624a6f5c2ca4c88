//! Which items of a step an execution runs.

/// Which items of a step an execution runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StepMode {
    /// All that have no result.
    Resume,
    /// Those that failed.
    Retry,
    /// None: the step stays as it is.
    Keep,
}
