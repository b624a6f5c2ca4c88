//! Whole files: what is read, and what is refused in which words.

use super::parse;
use crate::model::Tree;
use crate::spec::{
    Backoff, BatchSize, BatchSpec, Command, Diagnostic, Diagnostics, ItemsSpec, MaxParallel, PythonProgram, Setting,
    Single, StepKind, Style, Task, TaskKind, Workflow,
};
use std::path::Path;
use std::time::Duration;

mod dialect;
mod reference;
mod refused;
mod survived;

const EXAMPLES: [(&str, &str); 9] = [
    ("basic", include_str!("../testdata/basic.yaml")),
    ("configuration", include_str!("../testdata/configuration.yaml")),
    ("items", include_str!("../testdata/items.yaml")),
    ("parallel", include_str!("../testdata/parallel.yaml")),
    ("errors", include_str!("../testdata/errors.yaml")),
    ("files", include_str!("../testdata/files.yaml")),
    ("requests", include_str!("../testdata/requests.yaml")),
    ("records", include_str!("../testdata/records.yaml")),
    ("database", include_str!("../testdata/database.yaml")),
];

fn read(text: &str) -> Result<Workflow, Diagnostics> {
    parse(Path::new("flow.yaml"), text.as_bytes())
}

fn good(text: &str) -> Workflow {
    read(text).unwrap_or_else(|errors| panic!("{}", errors.render(Style::Plain)))
}

/// Each error as `line:column: message [label]`.
fn errors(text: &str) -> Vec<String> {
    let errors = read(text).expect_err("the file has errors");
    errors.render(Style::Colored);
    let show = |error: &Diagnostic| {
        let place = error.span.map_or("-".to_owned(), |span| {
            let (line, column) = errors.source().line_column(span.start);
            format!("{line}:{column}")
        });
        let label = error.label.as_ref().map_or(String::new(), |label| format!(" [{label}]"));
        format!("{place}: {}{label}", error.message)
    };
    errors.errors().iter().map(show).collect()
}

fn batch_of(text: &str) -> BatchSpec {
    match &good(text).steps[0].kind {
        StepKind::Batch(batch) => (**batch).clone(),
        StepKind::Single(_) => panic!("not a batch"),
    }
}

fn single_of(text: &str) -> Single {
    match &good(text).steps[0].kind {
        StepKind::Single(single) => single.clone(),
        StepKind::Batch(_) => panic!("not a single step"),
    }
}

/// A batch step with the given lines among its inputs.
fn with_inputs(lines: &[&str]) -> String {
    let lines: String = lines.iter().map(|line| format!("      {line}\n")).collect();
    format!("steps:\n  - name: a\n    task: batch\n    inputs:\n{lines}")
}

fn with_items(items: &str) -> String {
    with_inputs(&[items, "task: {type: echo, message: hi}"])
}

fn python_of(task: &Task) -> &crate::spec::PythonTask {
    match &task.kind {
        TaskKind::Python(python) => python,
        other => panic!("not python: {other:?}"),
    }
}

#[test]
fn every_example_of_the_document_parses() {
    for (name, text) in EXAMPLES {
        assert!(!good(text).steps.is_empty(), "{name}");
    }
}

#[test]
fn examples_parse_with_byte_order_mark_and_windows_line_ends() {
    for (_, text) in EXAMPLES {
        good(&format!("\u{feff}{}", text.replace('\n', "\r\n")));
    }
}

#[test]
fn a_python_step_with_for_each_is_a_batch_of_single_items() {
    let flow = good(EXAMPLES[0].1);
    assert_eq!(flow.name, "flow");
    assert!(flow.params.is_none());
    let step = &flow.steps[1];
    assert_eq!(step.name.as_str(), "process_batches");
    let StepKind::Batch(batch) = &step.kind else { panic!("not a batch") };
    assert!(matches!(&batch.items, ItemsSpec::Template(text) if text.raw == "{{ steps.split_into_batches.result }}"));
    assert!(matches!(batch.batch_size, Setting::Fixed(BatchSize::Exactly(size)) if size.get() == 1));
    assert_eq!((batch.retry.max_attempts.get(), batch.retry.delay), (3, Duration::from_secs(5)));
    let python = python_of(&batch.task);
    assert!(matches!(&python.program, PythonProgram::Operation { name, .. } if name == "multiply"));
    let names: Vec<&str> = python.inputs.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["item", "factor"]);
}

#[test]
fn an_operation_takes_the_item_where_none_is_given() {
    let batch = batch_of("steps: {a: {type: python, for_each: [1], inputs: {operation: add, factor: 2}}}");
    assert!(matches!(&python_of(&batch.task).inputs[0].1, Tree::Text(text) if text.raw == "{{ item }}"));
}

#[test]
fn an_unquoted_template_is_a_string_with_its_place() {
    let text = EXAMPLES[7].1;
    let batch = batch_of(text);
    let ItemsSpec::Template(items) = &batch.items else { panic!("not a template") };
    assert_eq!(items.raw, "{{ input_records }}");
    assert_eq!(&text[items.span.start..items.span.end], "{{ input_records }}");
}

#[test]
fn unquoted_templates_work_with_filters_brackets_and_text_behind() {
    let raw = |value: &str| match batch_of(&with_items(&format!("items: {value}"))).items {
        ItemsSpec::Template(text) => text.raw,
        other => panic!("{other:?}"),
    };
    for value in [
        "{{ steps.a.result[0] | default(\"x\") }}",
        "{{ a }}/{{ b }}.csv",
        "{{ {'a': [1, 2]}['a'] }}",
        "{{ 'ä: #' }}ö",
        "{% if a %}{{ b }}{% endif %}",
    ] {
        assert_eq!(raw(value), value);
    }
    assert_eq!(raw("{{ a }}  # a comment"), "{{ a }}");
    let batch = batch_of(&with_items("items: [{{ a }}, x-{{ b }}, {k: {{ c }}}]"));
    let ItemsSpec::List(list) = batch.items else { panic!("not a list") };
    assert_eq!(
        crate::spec::node::to_json(&Tree::List(list)),
        serde_json::json!(["{{ a }}", "x-{{ b }}", {"k": "{{ c }}"}])
    );
}

#[test]
fn every_form_of_items_is_read() {
    let items = |value: &str| batch_of(&with_items(&format!("items: {value}"))).items;
    assert!(matches!(items("[]"), ItemsSpec::List(list) if list.is_empty()));
    assert!(matches!(items("$(ls data/*.csv)"), ItemsSpec::Command(text) if text.raw == "ls data/*.csv"));
    assert!(matches!(items("\"$(echo $(date) ')')\""), ItemsSpec::Command(text) if text.raw == "echo $(date) ')'"));
    assert!(matches!(items("{command: 'seq 3'}"), ItemsSpec::Command(text) if text.raw == "seq 3"));
    assert!(matches!(items("{glob: '*.csv'}"), ItemsSpec::Glob(list) if list.len() == 1));
    assert!(matches!(items("{glob: ['*.csv', '*.tsv']}"), ItemsSpec::Glob(list) if list.len() == 2));
    assert!(matches!(items("{lines: a.txt}"), ItemsSpec::Lines(text) if text.raw == "a.txt"));
    let range = |value: &str| match items(value) {
        ItemsSpec::Range { start: Setting::Fixed(a), stop: Setting::Fixed(b), step: Setting::Fixed(c) } => (a, b, c),
        other => panic!("{other:?}"),
    };
    assert_eq!(range("{range: 10}"), (0, 10, 1));
    assert_eq!(range("{range: [2, 10]}"), (2, 10, 1));
    assert_eq!(range("{range: [10, 0, -2]}"), (10, 0, -2));
    assert_eq!(range("{range: {start: 1, stop: 5, step: 2}}"), (1, 5, 2));
    assert!(matches!(items("{range: {{ n }}}"), ItemsSpec::Range { stop: Setting::Template(_), .. }));
}

#[test]
fn for_each_takes_the_forms_of_items_and_the_keys_of_a_batch() {
    let batch = batch_of(
        "steps:\n  a:\n    type: shell\n    for_each: {range: 3}\n    max_parallel: 2\n    batch_size: {{ size }}\n    \
         continue_on_error: true\n    inputs: {command: [echo, 1, \"{{ item }}\"]}\n",
    );
    assert!(matches!(batch.items, ItemsSpec::Range { .. }));
    assert!(matches!(batch.max_parallel, Some(Setting::Fixed(MaxParallel::Exactly(n))) if n.get() == 2));
    assert!(matches!(batch.batch_size, Setting::Template(_)));
    assert!(matches!(batch.continue_on_error, Setting::Fixed(true)));
    let TaskKind::Shell(shell) = batch.task.kind else { panic!("not shell") };
    assert!(matches!(shell.command, Command::Argv(list) if list[1].raw == "1"));
}

#[test]
fn the_nearest_retry_and_timeout_win() {
    let batch = batch_of(
        "steps:\n  - name: a\n    task: batch\n    retry: 9\n    timeout: 9\n    inputs:\n      items: [1]\n      \
         retry: {max_attempts: 5, backoff: linear}\n      timeout: 2m\n      \
         task: {type: echo, message: hi, retry: {delay: 0}}\n",
    );
    assert_eq!((batch.retry.max_attempts.get(), batch.retry.delay), (3, Duration::ZERO));
    assert!(matches!(batch.timeout, Some(Setting::Fixed(timeout)) if timeout == Duration::from_secs(120)));
    let single = single_of("steps: {a: {type: echo, retry: 4, inputs: {message: hi, timeout: 500ms}}}");
    assert_eq!((single.retry.max_attempts.get(), single.retry.backoff), (4, Backoff::Fixed));
    assert!(matches!(single.timeout, Some(Setting::Fixed(timeout)) if timeout == Duration::from_millis(500)));
}

#[test]
fn anchors_aliases_and_merge_keys_work() {
    let flow = good(
        "steps:\n  a: &base\n    type: shell\n    retry: 2\n    inputs: {command: a}\n  b:\n    <<: *base\n    \
         inputs: {command: b}\n",
    );
    let StepKind::Single(single) = &flow.steps[1].kind else { panic!("not single") };
    assert_eq!(single.retry.max_attempts.get(), 2);
    assert!(
        matches!(&single.task.kind, TaskKind::Shell(shell) if matches!(&shell.command, Command::Line(text) if text.raw == "b"))
    );
}

#[test]
fn params_are_typed_or_plain_defaults() {
    let flow = good(
        "params:\n  workers: 4\n  file: {type: string, description: a file}\n  any:\nenv: {A: 1, B: \"{{ x }}\"}\n\
         secrets: [TOKEN]\nsteps: {a: {type: echo, inputs: {message: {a: [1]}}}}\n",
    );
    let params = flow.params.unwrap();
    let shown: Vec<_> =
        params.iter().map(|param| (param.name.as_str(), param.required, param.kind.is_some())).collect();
    assert_eq!(shown, [("workers", false, false), ("file", true, true), ("any", true, false)]);
    assert_eq!(params[0].default_json(), Some(serde_json::json!(4)));
    assert_eq!((flow.env.len(), flow.secrets[0].raw.as_str()), (2, "TOKEN"));
}

#[test]
fn a_block_scalar_spans_from_its_indicator_to_its_last_line() {
    let text =
        "steps:\n  a:\n    type: python\n    inputs:\n      code: |\n        x = 'ä'\n        return x\n    retry: 2\n";
    let single = single_of(text);
    let PythonProgram::Code(code) = &python_of(&single.task).program else { panic!("no code") };
    assert_eq!(&text[code.span.start..code.span.end], "|\n        x = 'ä'\n        return x");
    assert_eq!(code.raw, "x = 'ä'\nreturn x\n");
}
