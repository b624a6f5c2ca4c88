//! Which of a step's items an execution is about.

/// Which of a step's items an execution is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StepMode {
    /// All that have no result.
    Resume,
    /// Those that failed.
    Retry,
    /// None: the step stays as it is.
    Keep,
}
