//! What later steps see of the results of earlier ones: a list, a sequence over a file, a path, items.

use crate::support::Sandbox;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::PermissionsExt;

/// A step `rows` of 3,000 records, whose first result is the last one in the file: its item fails once.
const ROWS: &str = "
steps:
  - name: rows
    task: batch
    inputs:
      items: {range: 3000}
      batch_size: 100
      retry: {max_attempts: 2, delay: 0}
      task:
        type: python
        code: |
          if item == 0 and batch.attempt == 1:
              raise ValueError('not yet')
          return {'n': item, 'square': item * item, **({'odd': True} if item % 2 else {})}
    outputs: rows
";

/// The result of a plain python step behind `ROWS`, by its code.
fn seen_by(code: &str) -> Value {
    let code: String = code.lines().map(|line| format!("        {line}\n")).collect();
    let sandbox = Sandbox::with(&format!("{ROWS}  - name: look\n    task: python\n    inputs:\n      code: |\n{code}"));
    sandbox.run(&[]).exits_with(0);
    sandbox.results("look").remove(0)
}

#[test]
fn many_results_are_read_from_a_file_in_item_order() {
    let seen = seen_by(
        "rows = steps.rows.result
import collections.abc
return [
    isinstance(rows, collections.abc.Sequence), isinstance(rows, list), len(rows), bool(rows),
    rows[0], rows[-1].square, rows[1500]['n'], [row.n for row in rows[5:8]], rows[2999:0:-1499], rows[5:5],
    [row.n for row in rows[::1000]], sum(row.n for row in rows), next(reversed(rows)).n,
    [row.n for row in reversed(rows)] == list(range(2999, -1, -1)),
    rows == list(rows), rows == rows.to_list()[1:], rows == steps.rows.results, rows.index(rows[700]), rows[3] in rows,
    repr(rows),
]",
    );
    let row = |n: u64| {
        let mut row = json!({"n": n, "square": n * n});
        if n % 2 == 1 {
            row["odd"] = json!(true);
        }
        row
    };
    let repr = "<3,000 results: {'n': 0, 'square': 0}, {'n': 1, 'square': 1, 'odd': True}, {'n': 2, 'square': 4}, ...>";
    assert_eq!(
        seen,
        json!([
            true,
            false,
            3000,
            true,
            row(0),
            2999 * 2999,
            1500,
            [5, 6, 7],
            [row(2999), row(1500), row(1)],
            [],
            [0, 1000, 2000],
            4_498_500,
            2999,
            true,
            true,
            false,
            true,
            700,
            true,
            repr,
        ])
    );
}

#[test]
fn a_result_that_is_not_there_is_an_index_error_that_counts() {
    let seen = seen_by(
        "said = []
for key in (3000, -3001, 'a'):
    try:
        steps.rows.result[key]
    except (IndexError, TypeError) as error:
        said.append(f'{type(error).__name__}: {error}')
try:
    steps.rows.result[0] = 1
except TypeError as error:
    said.append(str(error))
return said",
    );
    let said = [
        "IndexError: result index 3000 out of range: there are 3,000 results",
        "IndexError: result index -3001 out of range: there are 3,000 results",
        "TypeError: result indices must be integers or slices, not str",
        "'Results' object does not support item assignment",
    ];
    assert_eq!(seen, json!(said));
}

#[test]
fn many_results_can_be_pickled_into_a_process_that_is_no_worker() {
    let seen = seen_by(
        "import pickle, subprocess, sys
bytes = pickle.dumps(steps.rows.result)
same = pickle.loads(bytes)
code = '''
import pickle, sys
rows = pickle.load(sys.stdin.buffer)
assert pickle.loads(pickle.dumps(rows)) == rows
print(type(rows).__name__, len(rows), rows[-1].n)
'''
told = subprocess.run([sys.executable, '-c', code], input=bytes, capture_output=True, check=True).stdout.decode()
return [type(same) is type(steps.rows.result), same == steps.rows.result, told.strip()]",
    );
    assert_eq!(seen, json!([true, true, "Results 3000 2999"]));
}

#[test]
fn many_results_become_a_data_frame() {
    let seen = seen_by(
        "frame = steps.rows.result.to_pandas()
return [list(frame.columns), len(frame), int(frame['square'].sum()), int(frame['odd'].notna().sum())]",
    );
    assert_eq!(seen, json!([["n", "square", "odd"], 3000, 8_995_500_500_u64, 1500]));
}

#[test]
fn a_library_that_is_not_there_is_named_with_the_way_out() {
    let seen = seen_by(
        "import sys
said = []
for name in ('pandas', 'polars', 'pyarrow'):
    sys.modules[name] = None
    try:
        getattr(steps.rows.result, 'to_' + name.replace('pyarrow', 'arrow'))()
    except ImportError as error:
        said.append(str(error).replace(sys.executable, 'PYTHON'))
return said",
    );
    let said = |method: &str, name: &str| {
        format!(
            "`{method}()` requires {name}, which PYTHON does not have; install it there, or iterate over the results"
        )
    };
    let said = [said("to_pandas", "pandas"), said("to_polars", "polars"), said("to_arrow", "pyarrow")];
    assert_eq!(seen, json!(said));
}

#[test]
fn few_results_are_a_list() {
    let sandbox = Sandbox::with(
        "
steps:
  - {name: few, task: python, for_each: {range: 1000}, inputs: {code: return item}}
  - {name: look, task: python, inputs: {code: 'return [isinstance(steps.few.result, list), isinstance(rows, list)]', inputs_: 1}}
"
        .replace("inputs_: 1", "rows: '{{ steps.few.result }}'")
        .as_str(),
    );
    sandbox.run(&[]).exits_with(0);
    assert_eq!(sandbox.results("look"), [json!([true, true])]);
}

#[test]
fn few_results_of_many_bytes_are_read_from_their_file() {
    let sandbox = Sandbox::with(
        "
steps:
  - {name: large, task: python, for_each: [1, 2], inputs: {code: 'return str(item) * 600_000'}}
  - name: look
    task: python
    inputs:
      code: |
        rows = steps.large.result
        return [type(rows).__name__, [len(row) for row in rows], rows[1][0], rows.to_pandas().shape]
",
    );
    sandbox.run(&[]).exits_with(0);
    assert_eq!(sandbox.results("look"), [json!(["Results", [600_000, 600_000], "2", [2, 1]])]);
}

#[test]
fn results_go_on_as_an_input_and_as_a_result() {
    let sandbox = Sandbox::with(&format!(
        "{ROWS}  - name: pass
    task: python
    inputs:
      code: return rows
      rows: '{{{{ rows }}}}'
  - name: part
    for_each: [0, 1]
    task: python
    inputs:
      code: |
        return [type(rows).__name__, type(rows[item]).__name__, inputs.rows is rows, len(nested['rows'])]
      rows: '{{{{ steps[\"rows\"].results }}}}'
      nested: {{rows: '{{{{ rows }}}}'}}
  - name: all
    task: batch
    inputs:
      items: [{{a: 1}}, {{a: 2}}]
      batch_size: 2
      task: {{type: python, code: 'return steps.rows.result'}}
"
    ));
    sandbox.run(&[]).exits_with(0);
    let passed = sandbox.results("pass").remove(0);
    assert_eq!(passed.as_array().unwrap().len(), 3000);
    assert_eq!(passed[2999], json!({"n": 2999, "square": 2999 * 2999, "odd": true}));
    assert_eq!(sandbox.results("part"), vec![json!(["Results", "dict", true, 3000]); 2]);
    assert_eq!(sandbox.results("all").len(), 3000, "what a batched task returns is its list of results");
}

#[test]
fn a_function_and_one_item_in_the_foreground_get_many_results_too() {
    let sandbox = Sandbox::with(&format!(
        "{ROWS}  - name: call
    for_each: [5, 9999]
    continue_on_error: true
    task: python
    inputs: {{function: 'mine:nth', rows: '{{{{ rows }}}}'}}
"
    ));
    let sandbox = sandbox.file("mine.py", "def nth(item, rows):\n    return rows[item]\n");
    sandbox.run(&[]).exits_with(1);
    assert_eq!(sandbox.results("call"), [json!({"n": 5, "square": 25, "odd": true})]);
    let ended = sandbox.batchmill(&["repro", "latest", "1"]);
    ended.says(&["IndexError: result index 9999 out of range: there are 3,000 results"]);
}

#[test]
fn the_path_of_results_is_there_for_templates_commands_and_code() {
    let sandbox = Sandbox::with(&format!(
        "{ROWS}  - {{name: one, task: echo, inputs: {{message: {{a: 1}}}}}}
  - {{name: head, task: shell, inputs: {{command: 'head -n1 {{{{ steps.rows.path }}}}; cat {{{{ steps.one.path }}}}'}}}}
  - {{name: path, task: echo, inputs: {{message: '{{{{ steps.rows.path }}}}'}}}}
  - {{name: code, task: python, inputs: {{code: 'return [steps.rows.path, open(steps.one.path).read()]'}}}}
"
    ));
    sandbox.run(&[]).exits_with(0);
    let head = sandbox.results("head").remove(0);
    assert_eq!(head["stdout"], "{\"n\":0,\"square\":0}\n{\"a\":1}");
    let path = sandbox.results("path").remove(0);
    let path = path.as_str().unwrap();
    assert_eq!(sandbox.results("code"), [json!([path, "{\"a\":1}\n"])]);
    assert!(path.starts_with('/') && path.ends_with(".jsonl"), "{path}");
    assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_to_string(path).unwrap().lines().count(), 3000);
}

#[test]
fn results_that_stand_in_order_are_not_copied_and_a_copy_follows_what_changes() {
    let workflow = |items: &str| {
        format!(
            "steps:
  - {{name: rows, task: echo, for_each: {items}, inputs: {{message: '{{{{ item }}}}'}}}}
  - {{name: all, task: shell, inputs: {{command: 'cat {{{{ steps.rows.path }}}} # {{{{ steps.rows.path | name }}}}'}}}}
"
        )
    };
    let said = |sandbox: &Sandbox| sandbox.results("all")[0]["stdout"].as_str().unwrap().to_owned();
    let copies = |sandbox: &Sandbox| {
        let mut names = Vec::new();
        for run in fs::read_dir(sandbox.path().join(".batchmill/runs")).unwrap() {
            let files = fs::read_dir(run.unwrap().path().join("results")).unwrap();
            names.extend(files.map(|file| file.unwrap().file_name().into_string().unwrap()));
        }
        names.into_iter().filter(|name| name.contains('~')).collect::<Vec<_>>()
    };
    let sandbox = Sandbox::with(&workflow("[a, b, c]"));
    sandbox.run(&[]).exits_with(0);
    assert_eq!(said(&sandbox), "\"a\"\n\"b\"\n\"c\"");
    assert!(copies(&sandbox).is_empty());
    let sandbox = sandbox.file("workflow.yaml", workflow("[c, x, a]"));
    sandbox.batchmill(&["resume"]).exits_with(0);
    assert_eq!(said(&sandbox), "\"c\"\n\"x\"\n\"a\"");
    let first = copies(&sandbox);
    assert_eq!(first.len(), 1);
    let sandbox = sandbox.file("workflow.yaml", workflow("[a, c, x]"));
    sandbox.batchmill(&["resume"]).exits_with(0);
    assert_eq!(said(&sandbox), "\"a\"\n\"c\"\n\"x\"");
    let second = copies(&sandbox);
    assert!(second.len() == 1 && second != first, "{second:?}");
}

#[test]
fn a_later_batch_takes_its_items_from_the_file() {
    let sandbox = Sandbox::with(&format!(
        "{ROWS}  - {{name: again, task: python, for_each: '{{{{ rows }}}}', batch_size: 50, inputs: {{code: 'return [r[\"n\"] for r in item]'}}}}
  - name: exact
    task: python
    for_each: [0]
    inputs: {{code: 'return [123456789012345678901234567890, 1.0, \"\\u00e9\"]'}}
  - {{name: same, task: python, for_each: '{{{{ steps.exact.result }}}}', inputs: {{code: 'return [item[0] + 1, item[1:]]'}}}}
"
    ));
    sandbox.run(&[]).exits_with(0).says(&["step again: 3,000 items"]);
    let again: Vec<u64> = sandbox.results("again").iter().map(|n| n.as_u64().unwrap()).collect();
    assert_eq!(again, (0..3000).collect::<Vec<_>>());
    let same = sandbox.batchmill(&["results", "--step", "same"]).exits_with(0).stdout;
    assert_eq!(same, "[123456789012345678901234567891,[1.0,\"é\"]]\n");
    sandbox.batchmill(&["resume"]).exits_with(0).says(&["again: 0 of 3,000 items will run"]);
    sandbox.batchmill(&["plan", "workflow.yaml", "--resume"]).exits_with(0);
}

#[test]
fn a_template_sees_results_as_a_list_like_any_other() {
    let look = "{{ xs | length }} {{ xs[0] }} {{ xs[-1] }} {{ xs[1:] }} {{ xs == ['a', 'b', 'c'] }} {{ 'b' in xs }} {{ xs | join('-') }} \
                {{ xs is sequence }} {{ xs | tojson }} {{ xs }} {% for x in xs %}{{ loop.last }} {{ x }} {% endfor %}\
                {{ xs[3] | default('none') }} {{ xs | reverse | first }} {{ xs + ['d'] }} {{ xs | sort | max }} {{ [xs] | tojson }} \
                {{ xs < ['b'] }} {{ 'some' if xs else 'none' }} {{ 'some' if steps.none.result else 'none' }}";
    let sandbox = Sandbox::with(&format!(
        "
steps:
  - {{name: some, task: batch, inputs: {{items: [a, b, c], task: {{type: echo, message: '{{{{ item }}}}'}}}}, outputs: xs}}
  - {{name: none, task: batch, inputs: {{items: {{range: 0}}, allow_empty: true, task: {{type: echo, message: x}}}}}}
  - {{name: look, task: echo, inputs: {{message: \"{look}\"}}}}
  - {{name: literal, task: echo, inputs: {{message: \"{{% set xs = ['a', 'b', 'c'] %}}{look}\"}}}}
"
    ));
    sandbox.run(&[]).exits_with(0);
    let seen = sandbox.results("look");
    assert_eq!(seen, sandbox.results("literal"));
    assert!(seen[0].as_str().unwrap().starts_with("3 a c "), "{seen:?}");
}

#[test]
fn even_the_length_of_damaged_results_is_an_error() {
    let sandbox = Sandbox::with(
        "
steps:
  - {name: first, task: batch, inputs: {items: [a, b, c], task: {type: echo, message: '{{ item }}'}}, outputs: xs}
  - {name: damage, task: shell, inputs: {command: 'sed -i s/b/z/ .batchmill/runs/*/results/first.jsonl'}}
  - {name: look, task: echo, inputs: {message: '{{ xs | length }}'}}
",
    );
    let stderr = sandbox.run(&[]).exits_with(3).stderr;
    assert!(stderr.contains("results/first.jsonl` do not match their checksum"), "{stderr}");
}

#[test]
fn results_that_can_be_counted_but_not_read_are_an_error_wherever_one_is_used() {
    // A template reads lists that are nested 120 deep; the list of results is one more.
    let deep = "x = 1\nfor _ in range(120):\n    x = [x]\nreturn x";
    let uses = [
        "{{ xs | select | list | length }}",
        "{{ xs | first | default('none') }}",
        "{{ xs[0] is defined }}",
        "{{ 1 in xs }}",
        "{{ xs | map(attribute='bad', default=0) | list }}",
        "{% for x in xs if x is defined %}B{% endfor %}",
        "{{ xs }}",
    ];
    for used in uses {
        let sandbox = Sandbox::with(&format!(
            "
steps:
  - {{name: first, task: batch, inputs: {{items: [1, 2], task: {{type: python, code: \"{}\"}}}}, outputs: xs}}
  - {{name: look, task: echo, inputs: {{message: \"{used}\"}}}}
",
            deep.replace('\n', "\\n")
        ));
        let stderr = sandbox.run(&[]).exits_with(3).stderr;
        assert!(stderr.contains("cannot be read: it is nested more than 120 levels deep"), "{used}: {stderr}");
    }
}

#[test]
#[ignore = "heavy: takes seconds"]
fn more_results_than_are_sorted_in_memory_come_in_item_order() {
    let count = 40_000;
    let lines =
        |numbers: &mut dyn Iterator<Item = u64>| numbers.map(|number| format!("{number}\n")).collect::<String>();
    let sandbox = Sandbox::with(
        "steps: [{name: s, task: batch, inputs: {items: {lines: lines.txt}, batch_size: 100, task: {type: echo, message: '{{ item }}'}}}]",
    );
    // In pieces of 30 that are turned round, so that the results of a batch are in several places of the list.
    let turned = |number: u64| number / 30 * 30 + 29 - number % 30;
    for order in [lines(&mut (0..count)), lines(&mut (0..count).rev()), lines(&mut (0..count - 10).map(turned))] {
        fs::write(sandbox.path().join("lines.txt"), &order).unwrap();
        let verb: &[&str] =
            if sandbox.path().join(".batchmill").exists() { &["resume", "latest"] } else { &["run", "workflow.yaml"] };
        sandbox.batchmill(verb).exits_with(0);
        let seen = sandbox.batchmill(&["results"]).exits_with(0).stdout;
        assert_eq!(
            seen.lines().map(|line| line.trim_matches('"')).collect::<Vec<_>>(),
            order.lines().collect::<Vec<_>>()
        );
    }
}
