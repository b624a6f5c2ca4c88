//! What a step reads of earlier ones.

use crate::model::StepName;

/// An earlier step that a task reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// The step.
    pub name: StepName,
    /// Whether its aggregate may be read too.
    pub aggregate: bool,
}
