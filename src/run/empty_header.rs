//! The columns of an output file without rows, where the items tell them.

use crate::model::{Form, Include, Tree};
use crate::sources::Source;
use crate::spec::{PythonProgram, Step, StepKind, Task, TaskKind};

/// The columns that the file of a step would have if there were items: those of the items, if the task gives them back, and
/// those of `include`. None if they depend on what the task would do.
pub(super) fn columns_without_rows(step: &Step, include: &[Include], source: &dyn Source) -> Option<Vec<String>> {
    let StepKind::Batch(batch) = &step.kind else { return None };
    let forms = source.forms();
    let form = forms.iter().find_map(|form| match form {
        Form::Csv(form) => Some(form),
        _ => None,
    })?;
    let of_item = || form.columns.iter().map(|column| column.name.clone());
    let mut columns = Vec::new();
    for what in include {
        match what {
            Include::Item => columns.extend(of_item()),
            Include::Index => columns.push("index".to_owned()),
            Include::Attempts => columns.push("attempts".to_owned()),
            Include::Error => columns.push("error".to_owned()),
        }
    }
    if columns.is_empty() && gives_items_back(&batch.task) {
        columns.extend(of_item());
    }
    (!columns.is_empty()).then_some(columns)
}

fn gives_items_back(task: &Task) -> bool {
    match &task.kind {
        TaskKind::Echo(echo) => {
            let Tree::Text(text) = &echo.message else { return false };
            let inner = text.raw.trim().strip_prefix("{{").and_then(|text| text.strip_suffix("}}"));
            inner.is_some_and(|name| name.trim() == "item")
        }
        TaskKind::Python(task) => {
            matches!(&task.program, PythonProgram::Code(code) if code.raw.trim() == "return item")
        }
        _ => false,
    }
}
