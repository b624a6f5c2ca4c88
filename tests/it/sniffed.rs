//! What `inspect` finds out about how CSV files are written: the source that it proposes reads them as they were meant.

use crate::rows::{reads, run_python};
use crate::support::{Sandbox, repository};
use serde_json::{Map, Value, json};

/// A workflow that gives the rows of each file as they are, read by what was found out about it.
fn workflow(found: &Value) -> String {
    let step = |(number, file): (usize, &Value)| {
        let mut source: Map<String, Value> = file["found"]["settings"].as_object().unwrap().clone();
        source.insert("csv".to_owned(), file["path"].clone());
        if file["header"] == json!(false) && !source.contains_key("header") {
            source.insert("header".to_owned(), json!(false));
        }
        json!({"name": format!("file{number}"), "task": "echo", "for_each": source, "inputs": {"message": "{{ item }}"}})
    };
    let steps: Vec<Value> = found["files"].as_array().unwrap().iter().enumerate().map(step).collect();
    json!({ "steps": steps }).to_string()
}

/// Tables in random dialects with all kinds of lines around them, written by Python's `csv` module.
#[test]
#[ignore = "heavy: takes seconds"]
fn files_in_random_dialects_are_read_by_what_is_found_out_about_them() {
    const FILES: usize = 60;
    let seed = std::env::var("BATCHMILL_SEED").unwrap_or_else(|_| "1".to_owned());
    let sandbox = Sandbox::new();
    let script = repository().join("tests/support/sniffed.py");
    run_python(&sandbox, &[script.to_str().unwrap(), "data", &FILES.to_string(), &seed]);
    let names: Vec<String> = (0..FILES).map(|number| format!("data/{number}.csv")).collect();
    let mut args = vec!["inspect", "--format", "json"];
    args.extend(names.iter().map(String::as_str));
    let found = sandbox.batchmill(&args).json();
    let sandbox = sandbox.file("all.yaml", workflow(&found));
    sandbox.batchmill(&["run", "all.yaml", "--progress", "none"]).exits_with(0);
    for (number, line) in sandbox.read("data.jsonl").lines().enumerate() {
        let expected: Value = serde_json::from_str(line).unwrap();
        let width = expected["rows"][0].as_array().unwrap().len();
        let unnamed = |at: usize| json!(format!("column_{}", at + 1));
        let names: Vec<Value> = match expected["names"].as_array() {
            Some(names) => {
                names.iter().enumerate().map(|(at, name)| if name == "" { unnamed(at) } else { name.clone() }).collect()
            }
            None => (0..width).map(unnamed).collect(),
        };
        let row = |row: &Value| -> Value {
            let cells = names.iter().zip(row.as_array().unwrap());
            cells.map(|(name, cell)| (name.as_str().unwrap().to_owned(), cell.clone())).collect::<Map<_, _>>().into()
        };
        let rows: Vec<Value> = expected["rows"].as_array().unwrap().iter().map(row).collect();
        let why = &found["files"][number]["found"];
        let text = sandbox.read(&format!("data/{number}.csv"));
        assert_eq!(sandbox.results(&format!("file{number}")), rows, "seed {seed}, file {number}: {why:#}\n{text}");
    }
}

#[test]
fn what_is_found_is_said_with_its_line_and_proposed() {
    let text = "Sales of May;;\n;;\nday;n;note\n2020-05-01;4;x\n2020-05-02;NA;\"y; z\"\n2020-05-03;5\n2020-05-04;5;q\n2020-05-05;6;r\n";
    let sandbox = Sandbox::new().file("a.csv", text);
    let ended = sandbox.batchmill(&["inspect", "a.csv"]).exits_with(1);
    let parts = [
        "skip_lines: the first 2 lines come before the table",
        "header: the values of `day` are of another type than its name",
        "ragged: line 6 has too few fields",
        "items:\n  csv: a.csv\n  skip_lines: 2\n  delimiter: ';'\n  ragged: pad\n  null: [NA]\n  types:\n    day: date\n    \"n\": integer\n",
    ];
    for part in parts {
        assert!(ended.stdout.contains(part), "`{part}` is not in stdout:\n{}", ended.stdout);
    }
    let found = sandbox.batchmill(&["inspect", "a.csv", "--format", "json"]).exits_with(1).json();
    let found = &found["files"][0]["found"];
    assert_eq!(found["settings"], json!({"skip_lines": 2, "delimiter": ";", "ragged": "pad"}));
    assert_eq!(found["reasons"][0]["key"], "skip_lines");
    assert!(found["confidence"].as_f64().unwrap() > 0.5);
}

#[test]
fn files_that_differ_in_what_mends_them_share_a_source() {
    let sandbox = Sandbox::new()
        .file("data/a.csv", "id,n\n1,2\n3,4\n5,6\n7,8\n")
        .file("data/b.csv", "id,n\n1,2\n3\n5,6\n7,8\n")
        .file("data/c.csv", "id,n\n1,2\n3,4,5\n5,6\n7,8\n");
    let found = sandbox.batchmill(&["inspect", "data/*.csv", "--format", "json"]).exits_with(1).json();
    assert_eq!(found["groups"].as_array().unwrap().len(), 1, "{found:#}");
    let items = "items:\n  csv: data/*.csv\n  ragged: truncate\n  types:\n    id: integer\n    \"n\": integer\n";
    assert_eq!(found["items"], items);
}

#[test]
fn many_types_take_few_lines() {
    let names: Vec<String> = (0..200).map(|at| format!("c{at}")).collect();
    let row = vec!["1"; 200].join(",");
    let sandbox = Sandbox::new().file("a.csv", format!("{}\n{row}\n{row}\n", names.join(",")));
    let items =
        sandbox.batchmill(&["inspect", "a.csv", "--format", "json"]).json()["items"].as_str().unwrap().to_owned();
    assert!(items.lines().count() < 40, "{items}");
    let workflow = format!(
        "steps:\n  - name: all\n    task: batch\n    inputs:\n{}      task: {{type: echo, message: \"{{{{ item.c7 }}}}\"}}\n",
        items.lines().map(|line| format!("      {line}\n")).collect::<String>()
    );
    let sandbox = sandbox.file("w.yaml", workflow);
    sandbox.batchmill(&["run", "w.yaml", "--progress", "none"]).exits_with(0);
}

/// Written by Python in each byte order, without a mark.
#[test]
#[ignore = "heavy: takes seconds"]
fn utf_16_without_a_mark_is_found_and_read() {
    let write = "rows = [('größe', 'ort', 'n')] + [('x' * (n % 7), 'Köln, 東', str(n)) for n in range(20000)]
import csv, io
out = io.StringIO()
csv.writer(out).writerows(rows)
for name in ['utf-16-le', 'utf-16-be']: open(name + '.csv', 'wb').write(out.getvalue().encode(name))";
    for name in ["utf-16-le", "utf-16-be"] {
        for options in [format!("encoding: {name}"), "dialect: auto".to_owned()] {
            let items = format!("csv: {name}.csv, types: {{n: integer}}, {options}");
            let sandbox = Sandbox::with(&reads(&items, "batch_size: 1000"));
            run_python(&sandbox, &["-c", write]);
            sandbox.run(&["--progress", "none"]).exits_with(0);
            let found = sandbox.results("read");
            assert_eq!(found.len(), 20_000, "{items}");
            assert_eq!(found[13], json!({"größe": "xxxxxx", "ort": "Köln, 東", "n": 13}), "{items}");
            let inspected = sandbox.batchmill(&["inspect", &format!("{name}.csv")]).exits_with(0).stdout;
            assert!(inspected.contains(&format!("encoding: {}", name.replacen("16-", "16", 1))), "{inspected}");
        }
    }
}

/// The rows that the proposed `items` give.
fn rows_as_proposed(sandbox: &Sandbox, pattern: &str) -> (String, Vec<Value>) {
    let inspected = sandbox.command(&["inspect", pattern, "--format", "json"]).output().unwrap();
    let inspected: Value = serde_json::from_slice(&inspected.stdout).unwrap();
    let items = inspected["items"].as_str().unwrap().to_owned();
    let indented: String = items.lines().map(|line| format!("      {line}\n")).collect();
    let step = "steps:\n  - name: read\n    task: batch\n    inputs:\n";
    let more = "      batch_size: 100\n      batched: false\n      task: {type: python, code: return item}\n";
    std::fs::write(sandbox.path().join("workflow.yaml"), format!("{step}{indented}{more}")).unwrap();
    sandbox.run(&["--progress", "none"]).exits_with(0);
    (items, sandbox.results("read"))
}

/// Numbers and dates of other countries, written and read by pandas.
#[test]
#[ignore = "heavy: takes seconds"]
fn decimals_and_dates_are_proposed_where_only_one_way_fits() {
    let write = "import pandas as pd
day = pd.Series(pd.date_range('2024-01-25', periods=400, freq='31h'))
frame = pd.DataFrame({'n': range(400), 'net': [i * 1234.5 / 7 for i in range(400)], 'day': day})
frame['net'] = frame['net'].round(2)
frame.loc[7, 'net'] = None
for at, (date, sep) in enumerate([('%d/%m/%Y', ';'), ('%m/%d/%Y', '\\t'), ('%d.%m.%Y %H:%M:%S', ';'), ('%d-%b-%Y', '|')]):
    frame.to_csv(f'{at}.csv', sep=sep, decimal=',', date_format=date, index=False, na_rep='NA')
    back = pd.read_csv(f'{at}.csv', sep=sep, decimal=',')
    back['day'] = pd.to_datetime(back['day'], format=date).dt.strftime('%Y-%m-%dT%H:%M:%S' if '%H' in date else '%Y-%m-%d')
    back.to_json(f'{at}.jsonl', orient='records', lines=True, double_precision=10)";
    let sandbox = Sandbox::new();
    run_python(&sandbox, &["-c", write]);
    for (at, format) in ["%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y %H:%M:%S", "%d-%b-%Y"].into_iter().enumerate() {
        let (items, rows) = rows_as_proposed(&sandbox, &format!("{at}.csv"));
        assert!(items.contains("  decimal: ','\n") && items.contains(&format!("day: \"{format}\"\n")), "{items}");
        let expected: Vec<Value> =
            sandbox.read(&format!("{at}.jsonl")).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let net = |rows: &[Value]| rows.iter().map(|row| row["net"].as_f64()).collect::<Vec<_>>();
        let others = |rows: &[Value]| rows.iter().map(|row| json!([row["n"], row["day"]])).collect::<Vec<_>>();
        assert_eq!((net(&rows), others(&rows)), (net(&expected), others(&expected)), "{items}");
    }
}

/// `1,234` and `03/04/2024` may be read in two ways, so nothing is proposed.
#[test]
fn what_may_be_read_in_two_ways_stays_text() {
    let text = "a;b;c\n1,234;03/04/2024;007\n2,345;05/06/2024;0,5\n";
    let (items, rows) = rows_as_proposed(&Sandbox::new().file("a.csv", text), "a.csv");
    assert!(!items.contains("decimal") && !items.contains("thousands") && !items.contains("dates"), "{items}");
    assert_eq!(rows[0], json!({"a": "1,234", "b": "03/04/2024", "c": "007"}));
}

#[test]
fn files_with_the_same_columns_that_are_written_differently_are_each_found_out() {
    let table = |delimiter: &str| {
        let rows = ["id,city,net", "1,Oslo,1.5", "2,Rome,2.5", "3,Bern,3.5"];
        rows.map(|row| row.replace(',', delimiter) + "\n").concat()
    };
    let sandbox = Sandbox::new().file("1.csv", table(",")).file("2.csv", table(";")).file("3.csv", table("\t"));
    let (items, rows) = rows_as_proposed(&sandbox, "*.csv");
    assert!(items.contains("  csv: \"*.csv\"\n  dialect: auto\n  types:\n"), "{items}");
    assert_eq!((rows.len(), &rows[8]), (9, &json!({"id": 3, "city": "Bern", "net": 3.5})));
    // So are files of other columns beside them.
    let (items, rows) = rows_as_proposed(&sandbox.file("4.csv", "x,y\n1,2\n3,4\n"), "*.csv");
    assert!(items.contains("  dialect: auto\n  on_schema_drift: union\n"), "{items}");
    assert_eq!((rows.len(), &rows[9]["x"], &rows[9]["id"]), (11, &json!(1), &Value::Null));
}
