//! All groups of keys.

use super::key::KeyGroup;
use super::reductions::AGGREGATE;
use super::resources::RESOURCES;
use super::row_keys::{ROWS, SAVED_ROWS, SQL};
use super::table::{
    AUTH, BATCH, ECHO, HTTP, OUTPUTS, PARAM, PYTHON, RANGE, RETRY, SHELL, SOURCES, STDIN, STEP, TASK, WORKFLOW,
};

/// Every group of keys.
pub fn key_groups() -> [&'static KeyGroup; 20] {
    [
        &WORKFLOW,
        &PARAM,
        &STEP,
        &OUTPUTS,
        &BATCH,
        &AGGREGATE,
        &SOURCES,
        &ROWS,
        &SQL,
        &RANGE,
        &TASK,
        &RETRY,
        &SHELL,
        &STDIN,
        &PYTHON,
        &HTTP,
        &AUTH,
        &ECHO,
        &SAVED_ROWS,
        &RESOURCES,
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_a_line_of_documentation() {
        for group in key_groups() {
            for key in group.keys {
                assert!(!key.doc.is_empty() && !key.doc.ends_with('.') && !key.doc.contains('\n'), "{}", key.name);
            }
        }
    }
}
