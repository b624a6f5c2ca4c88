//! Whole files: what is read, and what is refused in which words.

use super::*;
use crate::model::Tree;
use crate::spec::{
    Backoff, BatchSpec, Command, ItemsSpec, MaxParallel, PythonProgram, Setting, Single, StepKind, Task, TaskKind,
};
use proptest::prelude::*;
use std::time::{Duration, Instant};

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

fn read(text: &str) -> Result<Workflow, Faults> {
    parse(Path::new("flow.yaml"), text.as_bytes())
}

fn good(text: &str) -> Workflow {
    read(text).unwrap_or_else(|faults| panic!("{}", faults.render(false)))
}

/// Each fault as `line:column: message [label] (context) hint`.
fn faults(text: &str) -> Vec<String> {
    let faults = read(text).expect_err("the file has faults");
    faults.render(true);
    let show = |fault: &Fault| {
        let place = fault.span.map_or("-".to_owned(), |span| {
            let (line, column) = faults.source().line_column(span.start);
            format!("{line}:{column}")
        });
        let label = fault.label.as_ref().map_or(String::new(), |label| format!(" [{label}]"));
        let hint = fault.hint.as_ref().map_or(String::new(), |hint| format!(" ({hint})"));
        format!("{place}: {}{label}{hint}", fault.message)
    };
    faults.faults().iter().map(show).collect()
}

fn batch_of(text: &str) -> BatchSpec {
    match good(text).steps.remove(0).kind {
        StepKind::Batch(batch) => *batch,
        StepKind::Single(_) => panic!("not a batch"),
    }
}

fn single_of(text: &str) -> Single {
    match good(text).steps.remove(0).kind {
        StepKind::Single(single) => single,
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
    let mut flow = good(EXAMPLES[0].1);
    assert_eq!(flow.name, "flow");
    assert!(flow.params.is_none());
    let step = flow.steps.remove(1);
    assert_eq!(step.name.as_str(), "process_batches");
    let StepKind::Batch(batch) = step.kind else { panic!("not a batch") };
    assert!(matches!(&batch.items, ItemsSpec::Template(text) if text.raw == "{{ steps.split_into_batches.result }}"));
    assert!(matches!(batch.batch_size, Setting::Fixed(size) if size.get() == 1));
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
        crate::spec::tree::to_json(&Tree::List(list)),
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
fn all_faults_of_a_file_are_reported_at_once() {
    let text = "nam: x\nsteps:\n  - name: a\n    task: batch\n    inputs:\n      items: word\n      max_paralel: 3\n      \
                batch_size: ten\n      max_parallel: 0\n      parallel: yes\n      task: {type: shel, command: x}\n  - task: echo\n";
    assert_eq!(faults(text), [""; 0]);
}

#[test]
fn faults_of_steps() {
    for text in [
        "steps: []",
        "steps: 4",
        "stepss: []",
        "{}",
        "steps: [x]",
        "steps: {a: {type: echo}, a: {type: echo}}",
        "steps: [{name: a, task: echo, inputs: {message: 1}}, {name: a, task: echo, inputs: {message: 1}}]",
        "steps: {a b: {type: echo, inputs: {message: 1}}}",
        "steps: {a: {type: echo, task: echo, inputs: {message: 1}}}",
        "steps: {a: {type: echo, inputs: {message: 1}, outputs: item}}",
        "steps: {a: {type: echo, inputs: {message: 1}, outputs: a-b}}",
        "steps: {a: {type: echo, inputs: {message: 1}, outputs: o}, b: {type: echo, inputs: {message: 1}, outputs: o}}",
        "steps: {a: {type: echo, message: 1}}",
        "steps: {a: {type: echo, parallel: true, inputs: {message: 1}}}",
        "steps: {a: {type: batch, parallel: true, inputs: {items: [], task: {type: echo, message: 1}}}}",
        "steps: {a: {type: batch}}",
        "steps: {a: {type: batch, for_each: [1], inputs: {}}}",
        "steps: {a: {inputs: {message: 1}}}",
        "steps: {a: }",
        "finally: []\nsteps: {a: {type: echo, inputs: {message: 1}, outputs: {name: x}}}",
    ] {
        println!("{text}\n    {}", faults(text).join("\n    "));
    }
    panic!();
}

#[test]
fn faults_of_tasks() {
    for task in [
        "type: batch",
        "type: echo, mesage: 1",
        "type: echo, message: 1, inputs: {message: 2}",
        "type: shell",
        "type: shell, command: []",
        "type: shell, command: 5",
        "type: shell, command: x, colour: red",
        "type: shell, command: x, env: {A: [1]}",
        "type: shell, command: x, retry: {max_attempts: 0, max_delay: 3, backoff: expo, delay: -1}",
        "type: shell, command: x, timeout: 0",
        "type: shell, command: x, timeout: soon",
        "type: python",
        "type: python, cod: x",
        "type: python, code: x, script: y",
        "type: python, function: nocolon",
        "type: python, operation: multiplied, factor: 1",
        "type: python, operation: add",
        "type: python, code: x, factor: 3",
        "type: python, code: x, inputs: {class: 1, index: 2, a-b: 3}",
        "type: http_request",
        "type: http_request, url: 5",
        "type: http_request, url: x, json: 1, body: y, method: 'G T', rate_limit: fast, auth: {user: x}",
        "type: http_request, url: x, rate_limit: '{{ x }}', params: {a: {b: c}}",
    ] {
        println!("{task}\n    {}", faults(&with_inputs(&["items: []", &format!("task: {{{task}}}")])).join("\n    "));
    }
    for lines in [
        ["items: 5", "task: echo"],
        ["items: {glob: x, range: 3}", "task: {type: echo, message: 1}"],
        ["items: {csv: x}", "task: {type: echo, message: 1}"],
        ["items: {files: x}", "task: {type: echo, message: 1}"],
        ["items: {range: [1, 2, 0]}", "task: {type: echo, message: 1}"],
        ["items: {range: {start: 1}}", "task: {type: echo, message: 1}"],
        ["items: $(a) $(b)", "task: {type: echo, message: 1}"],
        ["batch_size: auto", "max_failures: 3"],
        ["on_item_error: {type: echo, message: 1, retry: 3}", "queue_size: -1"],
    ] {
        println!("{lines:?}\n    {}", faults(&with_inputs(&lines)).join("\n    "));
    }
    panic!();
}

#[test]
fn faults_of_yaml() {
    for text in [
        "",
        "# nothing\n",
        "---\n",
        "- a\n",
        "word",
        "a: 1\n---\nb: 2\n",
        "a: 1\n\tb: 2\n",
        "a:\n\t- b\n",
        "a: b: c\n",
        "a: [1, 2\nb: 3\n",
        "a: {b: 1\n",
        "a: \"x\n",
        "a: 1\n b: 2\n",
        "a:\n  - 1\n b: 2\n",
        "a: *x\n",
        "a: @x\n",
        "a: %x\n",
        "a: `x`\n",
        "a: \"\\q\"\n",
        "a: {{ b }\n",
        "a: .inf\n",
        "a: !thing x\n",
        "? [a]\n: b\n",
        "a: &x [*x]\n",
        "steps:\n  a\n  b: 1\n",
        "a: \"x\" y\n",
        "a: 1\na: 2\n",
        "<<: 3\n",
    ] {
        println!("{text:?}\n    {}", faults(text).join("\n    "));
    }
    panic!();
}

#[test]
fn bytes_that_are_no_text_are_refused() {
    let refused = |bytes: &[u8]| parse(Path::new("f.yaml"), bytes).unwrap_err().to_string();
    assert_eq!(refused(b"a: \xff\n"), "f.yaml:1:4: the file is not UTF-8 text");
    assert_eq!(refused(b"a: 1\nb: \0\n"), "f.yaml:2:4: the file has a NUL byte in it");
    assert_eq!(refused(&vec![b' '; 65 << 20]), "f.yaml: the file is too large: 65 MiB, at most 64 MiB");
}

#[test]
fn an_alias_bomb_is_refused_at_once() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..30 {
        let alias = format!("*a{}", level - 1);
        text.push_str(&format!("a{level}: &a{level} [{}]\n", vec![alias; 10].join(", ")));
    }
    let start = Instant::now();
    assert!(faults(&text)[0].contains("more than 1,000,000 values"));
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

#[test]
fn deep_nesting_is_refused() {
    assert!(faults(&format!("a: {}", "[".repeat(100_000)))[0].contains("nested"));
    assert!(faults(&format!("a: {}{}", "[".repeat(120), "]".repeat(120)))[0].contains("nested"));
    let block: String = (0..200).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    assert!(faults(&block)[0].contains("nested"));
}

/// Reads the bytes, and renders what is wrong with them.
fn survive(bytes: &[u8]) {
    if let Err(faults) = parse(Path::new("f.yaml"), bytes) {
        let text = &faults.source().text;
        for span in faults.faults().iter().filter_map(|fault| fault.span) {
            assert!(text.get(..span.start).is_some() && span.start <= span.end, "{span:?}");
        }
        faults.render(false);
    }
}

proptest! {
    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        survive(&bytes);
    }

    #[test]
    fn any_yaml_characters_are_survived(text in "[-a:{}\\[\\]\"'|>&*!%#?, \n\r\tä0.$()~<@`\\\\]{0,80}") {
        survive(text.as_bytes());
    }

    #[test]
    fn mutations_of_a_good_file_are_survived(
        which in 0..EXAMPLES.len(),
        edits in proptest::collection::vec((any::<prop::sample::Index>(), 0..3_u8, any::<u8>()), 1..6),
    ) {
        let mut bytes = EXAMPLES[which].1.as_bytes().to_vec();
        for (at, kind, byte) in edits {
            let at = at.index(bytes.len());
            match kind {
                0 => bytes[at] = byte,
                1 => bytes.insert(at, b"-:{}[]\"'|>&*!%#?, \n\t"[byte as usize % 20]),
                _ => drop(bytes.remove(at)),
            }
        }
        survive(&bytes);
    }
}
