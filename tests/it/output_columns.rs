//! The same results are the same records wherever they go.

use crate::support::{Sandbox, python};
use std::process::Command;

/// Prints the columns and the number of rows of each file, and compares their values.
const COLUMNS: &str = "
import csv, json, sys
import pyarrow.parquet as pq
as_text = lambda value: '' if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(',', ':'))
for at in range(int(sys.argv[1])):
    rows = list(csv.reader(open(f's{at}.csv', newline='', encoding='utf-8')))
    lines = [json.loads(line) for line in open(f's{at}.jsonl', encoding='utf-8')]
    records = [line if isinstance(line, dict) else {'value': line} for line in lines]
    names = list(dict.fromkeys(name for record in records for name in record)) or ['value'][:len(records)]
    table = pq.read_table(f's{at}.parquet')
    assert rows[1:] == [[as_text(record.get(name)) for name in names] for record in records], rows
    has_text = any(str(type) == 'string' for type in table.schema.types)
    assert has_text or 'struct' in str(table.schema) or table.to_pylist() == [{name: record.get(name) for name in names} for record in records]
    header = rows[0] if rows else []
    print(json.dumps([header, names, table.column_names], ensure_ascii=False), len(rows[1:]), len(records), table.num_rows)
";

/// A step for each case, whose results go to a file with this extension, and one that looks at the data frames of all.
fn workflow(cases: &[(usize, String)], extension: &str, options: &str) -> String {
    let mut text = "steps:\n".to_owned();
    for (at, (count, code)) in cases.iter().enumerate() {
        let code = code.replace('\n', "\n        ");
        text += &format!(
            "  - name: s{at}
    for_each: {{range: {count}}}
    task: python
    inputs:
      code: |
        {code}
    outputs: {{path: s{at}.{extension}, {options}}}
"
        );
    }
    let results =
        (0..cases.len()).map(|at| format!("['{{{{ steps.s{at}.path }}}}', '{{{{ steps.s{at}.result | length }}}}'], "));
    text += &format!(
        "  - name: look
    task: python
    inputs:
      code: |
        from _batchmill_results import Results
        frames = [Results(path, int(count)).to_pandas() for path, count in made]
        return [[list(frame.columns), len(frame.dropna(how='all'))] for frame in frames]
      made: [{}]
",
        results.collect::<String>()
    );
    text
}

#[test]
#[ignore = "heavy: takes seconds"]
fn every_format_has_the_same_columns_for_the_same_results() {
    let frame = "import pandas as pd\nreturn pd.DataFrame({'a': [item, 1], 'b': ['x', None]})";
    let later = format!("if item:\n    return {{'c': 1, 'a': 5}}\n{frame}");
    let cases = [
        (3, "return {'a': item, 'ü 😀': {'x': [item, None, {}][:2]}, 'n': None}", r#"["a","ü 😀","n"]"#, 3),
        (3, "return [{'b': 1}, None, {'a': 2, 'b': None}][item]", r#"["b","a"]"#, 2),
        (4, "return [7, None, {'a': 1}, {'value': 8}][item]", r#"["value","a"]"#, 3),
        (3, "return [{'a': 1}, {'a': 'x'}, {'a': [1, 'z']}][item]", r#"["a"]"#, 3),
        (2, "return [[1, 2], [3]][item]", r#"["value"]"#, 2),
        (2, "return [{'k': item}, {'k': 2}]", r#"["value"]"#, 2),
        (2, frame, r#"["a","b"]"#, 4),
        (2, &later, r#"["a","b","c"]"#, 3),
        (2, "import polars as pl\nreturn pl.DataFrame({'p': [item], 'q': [None]})", r#"["p","q"]"#, 2),
        (2, "import pyarrow as pa\nreturn pa.table({'p': [item] * item})", r#"["p"]"#, 1),
        (2, "return {}", r#"["value"]"#, 2),
        (2, "return {1: 'one', None: 2, 'x': True}", r#"["1","null","x"]"#, 2),
    ];
    let steps: Vec<(usize, String)> = cases.iter().map(|(count, code, ..)| (*count, (*code).to_owned())).collect();
    let sandbox = Sandbox::with(&workflow(&steps, "csv", "format: csv"));
    sandbox.run(&[]).exits_with(0);
    let pandas = sandbox.results("look").remove(0);
    // Nothing runs again: the other files are written from the same results.
    let sandbox = sandbox.file("workflow.yaml", workflow(&steps, "jsonl", "drop_null: true"));
    sandbox.batchmill(&["resume"]).exits_with(0);
    let sandbox = sandbox.file("workflow.yaml", workflow(&steps, "parquet", "on_type_conflict: text"));
    sandbox.batchmill(&["resume"]).exits_with(0);
    let count = steps.len().to_string();
    let output = Command::new(python()).args(["-c", COLUMNS, &count]).current_dir(sandbox.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let files = String::from_utf8(output.stdout).unwrap();
    for (at, ((_, code, names, rows), said)) in cases.iter().zip(files.lines()).enumerate() {
        let each = names.replace(',', ", ");
        assert_eq!(said, format!("[{each}, {each}, {each}] {rows} {rows} {rows}"), "{code}");
        // Empty mappings are rows without a value.
        let present = if *code == "return {}" { 0 } else { *rows };
        assert_eq!(pandas[at].to_string(), format!("[{names},{present}]"), "{code}");
    }
}

#[test]
fn a_data_frame_of_an_item_is_rows_in_files_and_one_result_elsewhere() {
    let workflow = "
steps:
  - name: make
    for_each: {range: 3}
    task: python
    inputs:
      code: |
        import pandas as pd
        return pd.DataFrame({'n': range(item), 'd': pd.Timestamp('2024-01-02')}) if item < 2 else [{'n': 9}]
    outputs: {name: made, path: o.jsonl}
  - name: look
    task: python
    inputs:
      code: return [len(made), made[1][0]['n'], [len(value) for value in made]]
      made: '{{ made }}'
  - name: show
    task: echo
    inputs: {message: '{{ made[1] }} {{ made[0] }} {{ made | length }}'}
";
    let sandbox = Sandbox::with(workflow);
    let ended = sandbox.run(&[]).exits_with(0).says(&["make: 2 records written to `o.jsonl`"]);
    let ended = ended.says(&[r#"show: [{"n":0,"d":"2024-01-02T00:00:00"}] [] 3"#]);
    assert_eq!(sandbox.read("o.jsonl"), "{\"n\":0,\"d\":\"2024-01-02T00:00:00\"}\n[{\"n\":9}]\n", "{}", ended.stderr);
    assert_eq!(sandbox.results("look")[0].to_string(), "[3,0,[0,1,1]]");
    assert_eq!(sandbox.results("make").len(), 3);
    // Written again from the results, the file is the same.
    let before = sandbox.read("o.jsonl");
    std::fs::remove_file(sandbox.path().join("o.jsonl")).unwrap();
    sandbox.batchmill(&["resume"]).exits_with(0);
    assert_eq!(sandbox.read("o.jsonl"), before);
}

/// Files without rows have headers all the same, so that pandas can read what becomes of them.
#[test]
fn a_table_without_rows_has_the_columns_of_its_items() {
    let step = |name: &str, task: &str, outputs: &str| {
        format!(
            "  - {{name: {name}, for_each: {{csv: h.csv, where_from: src}}, allow_empty: true, {task}, outputs: {{{outputs}}}}}\n"
        )
    };
    let echo = "task: echo, inputs: {message: '{{ item }}'}";
    let python = |code: &str| format!("task: python, inputs: {{code: \"{code}\"}}");
    let steps = [
        step("s0", echo, "path: 0.csv"),
        step("s1", &python("return item"), "path: 1.parquet"),
        step("s2", &python("return 1"), "path: 2.csv, include: [index, item]"),
        step("s3", echo, "path: 3.csv, columns: [b, c]"),
        step("s4", &python("return {'x': item}"), "path: 4.csv"),
    ];
    let sandbox = Sandbox::with(&format!("steps:\n{}", steps.concat())).file("h.csv", "a,b\n");
    sandbox.run(&[]).exits_with(0);
    let code = "import pandas as pd
frames = [pd.read_csv('0.csv'), pd.read_parquet('1.parquet'), pd.read_csv('2.csv'), pd.read_csv('3.csv')]
assert all(len(frame) == 0 for frame in frames)
print([list(frame.columns) for frame in frames])";
    let printed =
        Command::new(crate::support::python()).args(["-c", code]).current_dir(sandbox.path()).output().unwrap();
    let printed = String::from_utf8_lossy(&printed.stdout).into_owned();
    assert_eq!(printed.trim(), "[['a', 'b', 'src'], ['a', 'b', 'src'], ['index', 'a', 'b', 'src'], ['b', 'c']]");
    assert_eq!(sandbox.read("4.csv"), "", "what the task would give is not known");
}
