//! `seed`: the random numbers of Python code.

use super::section::Field;
use crate::spec::diagnostic::{Diagnostic, ErrorList};
use crate::spec::setting::Setting;
use crate::spec::workflow::StepKind;

/// The value of `seed`.
pub(super) struct SeedField {
    setting: Option<Setting<i64>>,
    /// The error if no task of the step is one of Python.
    without_python: Diagnostic,
}

impl SeedField {
    pub fn read(field: &Field<'_>, errors: &mut ErrorList) -> Self {
        let error = field.error("requires a Python task");
        let help = "to make a command repeatable, pass it a number, for example `--seed {{ index }}`";
        Self { setting: field.setting(errors), without_python: error.help(help) }
    }

    /// Seeds the Python tasks of a step that have no seed yet.
    pub fn apply(self, kind: &mut StepKind, errors: &mut ErrorList) {
        if kind.python_tasks().next().is_none() {
            errors.push(self.without_python);
        } else if let Some(seed) = self.setting {
            kind.default_seed(&seed);
        }
    }
}
