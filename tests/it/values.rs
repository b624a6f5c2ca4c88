//! Values on their way: from sources, parameters and results through templates, steps, databases and back. They arrive as they
//! were, or are refused.

use crate::support::{Answer, Sandbox, Server, python};
use serde_json::{Value, json};
use std::process::Command;

/// Integers beyond 64 bits, beyond 128 bits and beyond what a float can hold.
fn integers() -> [String; 4] {
    [12_345_678_901_234_567_890_123_i128, -(1_i128 << 70), i128::MIN]
        .map(|number| number.to_string())
        .into_iter()
        .chain(["9".repeat(400)])
        .collect::<Vec<_>>()
        .try_into()
        .unwrap()
}

fn lines(sandbox: &Sandbox, step: &str) -> Vec<String> {
    let stdout = sandbox.batchmill(&["results", "--step", step]).exits_with(0).stdout;
    stdout.lines().map(str::to_owned).collect()
}

#[test]
#[ignore = "heavy: takes seconds"]
fn integers_of_any_size_pass_through_every_door() {
    for number in integers() {
        let workflow = format!(
            "params: {{n: {{type: integer, default: {number}}}, list: {{default: [{number}]}}, given: {{type: integer}}}}
steps:
  - {{name: wei, for_each: [{{wei: {number}}}], task: python, inputs: {{code: \"return [item, item['wei'] + 1 - 1, given]\", given: '{{{{ n }}}}'}}}}
  - {{name: plain, task: python, inputs: {{code: \"return {{'n': [{number}], 'given': params.given, 'list': params['list']}}\"}}}}
  - {{name: echo, task: echo, inputs: {{message: ['{{{{ steps.plain.result.n }}}}', '{{{{ steps.wei.result }}}}', '{{{{ n }}}} {{{{ params.list }}}}']}}}}
  - {{name: say, for_each: '{{{{ steps.plain.result.n }}}}', task: shell, inputs: {{command: 'echo {{{{ item }}}} {{{{ n }}}} \"$BATCHMILL_ITEM\"'}}}}
  - {{name: read, task: python, inputs: {{code: \"return [steps.plain.result['n'][0], steps.wei.result[0][0]['wei'], given, params.n] == [{number}] * 4\", given: '{{{{ steps.plain.result.given }}}}'}}}}
"
        );
        let sandbox = Sandbox::with(&workflow);
        let stdout = sandbox.run(&[&format!("given={number}"), "--format", "json"]).exits_with(0).stdout;
        assert!(stdout.contains(&format!("\"wei\":{number}")) || stdout.contains(&format!("\"wei\": {number}")));
        assert_eq!(lines(&sandbox, "wei"), [format!("[{{\"wei\":{number}}},{number},{number}]")]);
        assert_eq!(lines(&sandbox, "plain"), [format!("{{\"n\":[{number}],\"given\":{number},\"list\":[{number}]}}")]);
        let items = format!("[[{{\"wei\":{number}}},{number},{number}]]");
        assert_eq!(lines(&sandbox, "echo"), [format!("[[{number}],{items},\"{number} [{number}]\"]")]);
        let said = format!("{{\"stdout\":\"{number} {number} {number}\",\"stderr\":\"\",\"exit_code\":0}}");
        assert_eq!(lines(&sandbox, "say"), [said]);
        assert_eq!(lines(&sandbox, "read"), ["true"]);
    }
}

#[test]
fn decimals_keep_their_digits_in_templates_and_are_rounded_when_asked() {
    let sandbox = Sandbox::with(
        r"
steps:
  - name: show
    for_each: {jsonl: rows.jsonl}
    task: echo
    inputs: {message: '{{ item.n }} {{ item }} {{ item.n | float }}'}
  - name: again
    task: echo
    inputs: {message: '{{ steps.show.result | length }} {{ rate }}'}
  - name: whole
    for_each: {jsonl: rows.jsonl}
    task: echo
    inputs: {message: '{{ item.n }}'}
",
    );
    let sandbox = sandbox.file("rows.jsonl", "{\"n\":-78380162180.177895838545}\n{\"n\":2.50}\n{\"n\":1e-400}\n");
    sandbox.run(&["rate=0.12345678901234567891"]).exits_with(0);
    assert_eq!(
        sandbox.results("show"),
        [
            r#"-78380162180.177895838545 {"n":-78380162180.177895838545} -78380162180.1779"#,
            r#"2.5 {"n":2.5} 2.5"#,
            r#"1e-400 {"n":1e-400} 0.0"#,
        ]
    );
    assert_eq!(sandbox.results("again"), ["3 0.12345678901234567891"]);
    let whole = sandbox.batchmill(&["results", "--step", "whole"]).exits_with(0).stdout;
    assert_eq!(whole, "-78380162180.177895838545\n2.5\n1e-400\n");
    let wrong = "steps: [{name: a, task: echo, inputs: {message: '{{ 2 * n }}'}}]";
    Sandbox::with(wrong).run(&["n=0.12345678901234567891"]).exits_with(3).says(&["*"]);
}

#[test]
fn integers_of_rows_keep_their_digits_in_templates() {
    for number in integers() {
        let task = "    task: echo\n    inputs: {message: ['{{ item.n }}', '{{ item }}', 'n={{ item.n }}']}\n";
        for (name, source, text) in [
            ("a.jsonl", "jsonl: a.jsonl", format!("{{\"n\":{number}}}\n")),
            ("a.csv", "{csv: a.csv, types: {n: integer}}", format!("n\n{number}\n")),
            ("a.csv", "{csv: a.csv, types: infer}", format!("n\n{number}\n")),
        ] {
            let source = if source.starts_with('{') { source.to_owned() } else { format!("{{{source}}}") };
            let sandbox =
                Sandbox::with(&format!("steps:\n  - name: rows\n    for_each: {source}\n{task}")).file(name, text);
            sandbox.run(&[]).exits_with(0);
            assert_eq!(lines(&sandbox, "rows"), [format!("[{number},{{\"n\":{number}}},\"n={number}\"]")], "{source}");
        }
    }
}

#[test]
fn integers_pass_through_databases_or_are_refused() {
    let code = "import sqlite3; c = sqlite3.connect('a.db'); c.execute('CREATE TABLE t (i)'); c.commit()";
    let workflow = |param: &str| {
        format!(
            "steps:\n  - name: rows\n    for_each: {{sql: 'SELECT ? AS n', url: 'sqlite:///a.db', params: [{param}]}}\n    \
             task: python\n    inputs: {{code: return item}}\n"
        )
    };
    for (param, result) in [("9223372036854775807", "9223372036854775807"), ("1e3", "1000.0"), ("-0.5", "-0.5")] {
        let sandbox = Sandbox::with(&workflow(param));
        assert!(Command::new(python()).args(["-c", code]).current_dir(sandbox.path()).status().unwrap().success());
        sandbox.run(&[]).exits_with(0);
        assert_eq!(lines(&sandbox, "rows"), [format!("{{\"n\":{result}}}")]);
    }
    for number in ["9223372036854775808", "12345678901234567890123"] {
        let sandbox = Sandbox::with(&workflow(number));
        assert!(Command::new(python()).args(["-c", code]).current_dir(sandbox.path()).status().unwrap().success());
        sandbox.run(&[]).exits_with(2).says(&[number, "exceeds SQLite's 64-bit integers"]);
    }
}

#[test]
fn what_a_result_cannot_hold_fails_with_its_path() {
    for (code, words) in [
        (
            "return {'rows': [1], 'big': Decimal('1E+400')}",
            "`result.big` is the number 1E+400, which is too large for a float",
        ),
        ("x = 1\nfor _ in range(121): x = [x]\nreturn x", "is nested more than 120 levels deep"),
        ("return [10**5000]", "4300"),
        ("return ['\\ud83d']", "`result[0]` is a string with a lone surrogate"),
        ("return {1: 'c', '1': 'b'}", "`result` is a mapping with two keys that become \"1\""),
        ("return [{None: 1, 'a': 2, 'null': 3}]", "`result[0]` is a mapping with two keys that become \"null\""),
    ] {
        let code: String = code.lines().map(|line| format!("        {line}\n")).collect();
        let sandbox = Sandbox::with(&format!(
            "steps:\n  - name: a\n    task: python\n    inputs:\n      setup: from decimal import Decimal\n      code: |\n{code}"
        ));
        let ended = sandbox.run(&[]);
        assert!(ended.code == Some(3) && ended.stderr.contains(words), "{code}{}", ended.stderr);
    }
}

#[test]
fn what_a_template_cannot_hold_is_said_and_never_a_string() {
    let deep = format!("{}1{}", "[".repeat(260), "]".repeat(260));
    for (value, words) in [
        ("1e400".to_owned(), "the number `1e400`, which is too large for a float"),
        ("\"\\ud83d\"".to_owned(), "half of a surrogate pair"),
        ("\"\\udc00\"".to_owned(), "half of a surrogate pair"),
        (deep, "nested more than 120 levels deep"),
        ("9".repeat(4301), "an integer of more than 4,300 digits"),
    ] {
        let sandbox = Sandbox::with(
            "steps:\n  - name: rows\n    for_each: {jsonl: a.jsonl}\n    task: echo\n    inputs: {message: '{{ item.id }}'}\n",
        )
        .file("a.jsonl", format!("{{\"id\": {value}}}\n"));
        sandbox.run(&[]).exits_with(3).says(&["`item` cannot be read", words]);
    }
}

#[test]
fn undefined_values_are_errors_inside_of_values_too() {
    for template in [
        "{{ [item.nope] }}",
        "{{ {'a': [item.nope]} }}",
        "{{ item.nope | tojson }}",
        "{{ [item.nope] | tojson }}",
        "x {{ [item.nope] }}",
    ] {
        for task in [
            "{task: echo, inputs: {message: \"@\"}}",
            "{task: shell, inputs: {command: [echo, \"@\"]}}",
            "{task: shell, inputs: {command: \"echo @ | cat\"}}",
        ] {
            let task = task.replace('@', template);
            let sandbox = Sandbox::with(&format!(
                "steps:\n  - name: a\n    for_each: [{{b: 1}}]\n    {}\n",
                &task[1..task.len() - 1].replacen(", inputs", "\n    inputs", 1)
            ));
            let ended = sandbox.run(&[]).exits_with(3);
            assert!(
                ended.stderr.contains("not defined") || ended.stderr.contains("undefined"),
                "{template}: {}",
                ended.stderr
            );
        }
    }
}

#[test]
fn lists_and_mappings_are_json_wherever_text_is_wanted() {
    let server = Server::start(|request| -> Answer { (200, vec![], request.body.clone()) });
    let workflow = format!(
        "steps:
  - {{name: words, for_each: [{{a: null, b: true, c: \"é'\"}}], task: shell, inputs: {{command: 'printf \"%s|%s|%s\" {{{{ item }}}} x={{{{ item }}}} {{{{ [item] }}}}'}}}}
  - {{name: script, for_each: [{{a: null}}], task: shell, inputs: {{command: 'echo {{{{ item }}}} | cat; echo \"$X\"', env: {{X: '{{{{ item }}}}'}}}}}}
  - {{name: body, for_each: [{{a: null}}], task: http_request, inputs: {{url: '{}', body: '{{{{ item }}}}', headers: {{X-Item: '{{{{ item }}}}'}}}}}}
",
        server.url("/")
    );
    let sandbox = Sandbox::with(&workflow);
    sandbox.run(&[]).exits_with(0);
    let item = r#"{"a":null,"b":true,"c":"é'"}"#;
    assert_eq!(sandbox.results("words")[0]["stdout"], format!("{item}|x={item}|[{item}]"));
    assert_eq!(sandbox.results("script")[0]["stdout"], "{\"a\":null}\n{\"a\":null}");
    assert_eq!(sandbox.results("body")[0]["body"], "{\"a\":null}");
    let header =
        |name: &str| server.requests()[0].headers.iter().find(|(key, _)| key == name).map(|(_, it)| it.clone());
    assert_eq!(header("x-item").as_deref(), Some("{\"a\":null}"));
}

#[test]
fn blanks_around_a_single_expression_stay_where_text_is_wanted() {
    let server = Server::start(|request| -> Answer { (200, vec![], request.body.clone()) });
    let workflow = format!(
        "steps:
  - {{name: words, for_each: [cat], task: shell, inputs: {{command: [printf, '[%s]', ' {{{{ item }}}} ', ' {{{{- item }}}} ', ' {{{{ item -}}}} ']}}}}
  - {{name: quoted, for_each: [cat], task: shell, inputs: {{command: \"printf '[%s]' ' {{{{ item }}}} '\"}}}}
  - {{name: env, for_each: [cat], task: shell, inputs: {{command: 'echo \"[$X]\"', env: {{X: ' {{{{ item }}}} '}}}}}}
  - {{name: body, for_each: [cat], task: http_request, inputs: {{url: ' {} ', body: ' {{{{ item }}}} '}}}}
  - {{name: typed, for_each: [cat], task: echo, inputs: {{message: ' {{{{ [item] }}}} '}}}}
",
        server.url("/")
    );
    let sandbox = Sandbox::with(&workflow);
    sandbox.run(&[]).exits_with(0);
    assert_eq!(sandbox.results("words")[0]["stdout"], "[ cat ][cat ][ cat]");
    assert_eq!(sandbox.results("quoted")[0]["stdout"], "[ cat ]");
    assert_eq!(sandbox.results("env")[0]["stdout"], "[ cat ]");
    assert_eq!(sandbox.results("body")[0]["body"], " cat ");
    assert_eq!(sandbox.results("typed"), [serde_json::json!(["cat"])]);
}

/// Runs a batched task over ten items.
fn batched(setup: &str, code: &str) -> Sandbox {
    Sandbox::with(&format!(
        "steps:\n  - name: a\n    task: batch\n    inputs:\n      items: {{range: 10}}\n      batch_size: 10\n      batched: true\n      task:\n        type: python\n        \
         setup: |\n{}        code: |\n{}",
        indented(setup),
        indented(code)
    ))
}

fn indented(code: &str) -> String {
    code.lines().map(|line| format!("          {line}\n")).collect()
}

#[test]
#[ignore = "heavy: data frames of two libraries"]
fn columns_that_would_become_one_key_are_refused() {
    for (setup, code, words) in [
        ("import pandas as pd", "return pd.DataFrame([[1, 2]], columns=['x', 'x'])", "two columns named `x`"),
        ("import pandas as pd", "return pd.DataFrame({('a', 'b'): [1], ('a_b', ''): [2]})", "two columns named `a_b`"),
        ("import pyarrow as pa", "return pa.table([[1], [2]], names=['x', 'x'])", "two columns named `x`"),
        (
            "import pandas as pd",
            "return pd.DataFrame({'x': [1]}, index=pd.Index([5], name='x'))",
            "index is named `x` like a column",
        ),
        ("import pandas as pd", "return {'s': pd.Series([1, 2], index=['k', 'k'])}", "the label `k` twice"),
    ] {
        let inside = format!("{}]", code.replace("return ", "return ["));
        for sandbox in [batched(setup, code), batched(setup, &inside)] {
            let ended = sandbox.run(&[]);
            assert!(ended.code == Some(3) && ended.stderr.contains(words), "{code}: {}", ended.stderr);
        }
    }
}

#[test]
fn subclasses_of_data_frames_are_data_frames() {
    let sandbox = batched(
        "import pandas as pd\nclass Mine(pd.DataFrame):\n    pass\nclass DataFrame:\n    pass",
        "return Mine({'x': list(range(10))})",
    );
    sandbox.run(&[]).exits_with(0);
    assert_eq!(lines(&sandbox, "a").len(), 10);
    assert_eq!(lines(&sandbox, "a")[9], "{\"x\":9}");
}

#[test]
fn results_become_data_frames_without_a_change_of_value() {
    let code = "n = 2000
rows = [{'i': None if k % 2 else 9007199254740993, 'b': None if k % 2 else True, 'f': 1 if k % 2 else 0.5,
         'u': 2**64 - 1, 'm': 2**53 + 1 if k % 2 else 0.5} for k in range(n)]
return rows";
    let check = "r = steps.a.result
p = r.to_pandas()
kinds = [str(p[c].dtype) for c in 'ibfum']
same = all(p['i'].tolist()[k] == r[k]['i'] or r[k]['i'] is None and p['i'].isna()[k] for k in range(0, 2000, 7))
mixed = [p['m'].tolist()[1], p['m'].tolist()[0]]
refused = []
for method in (r.to_polars, r.to_arrow):
    try:
        method()
    except TypeError as error:
        refused.append(str(error))
return {'kinds': kinds, 'same': same, 'mixed': mixed, 'refused': refused}";
    let mut sandbox = batched("", code);
    let workflow = format!(
        "{}  - name: check\n    task: python\n    inputs:\n      code: |\n{}",
        sandbox.read("workflow.yaml"),
        indented(check)
    );
    sandbox = sandbox.file("workflow.yaml", workflow);
    sandbox.run(&[]).exits_with(0);
    let found = &sandbox.results("check")[0];
    assert_eq!(found["kinds"], serde_json::json!(["Int64", "boolean", "float64", "uint64", "object"]));
    assert_eq!(found["mixed"].to_string(), "[9007199254740993,0.5]");
    assert_eq!(found["same"], true);
    let refused = found["refused"].as_array().unwrap();
    assert!(refused.len() == 2 && refused[0] == refused[1], "{refused:?}");
    assert!(refused[0].as_str().unwrap().contains("the field `m` has values of several types (float, int)"));
}

#[test]
fn frames_with_nested_columns_keep_their_types() {
    let workflow = "steps:
  - name: a
    task: batch
    inputs:
      items: {range: 400}
      batch_size: 200
      batched: true
      task:
        type: python
        setup: |
          import datetime as d, decimal, polars as pl
        code: |
          n = len(item)
          return pl.DataFrame({'m': [decimal.Decimal('1234567890123456.789')] * n, 'd': [d.date(2024, 2, 29)] * n,
              'l': [[1.5], None] * (n // 2), 's': [{'x': 1}] * n, 't': [d.time(23, 59, 59, 999999)] * n,
              'u': pl.Series([2**63] * n, dtype=pl.UInt64)})
    outputs: {name: o, path: o.parquet}
";
    let sandbox = Sandbox::with(workflow);
    sandbox.run(&[]).exits_with(0);
    let code = "import pyarrow.parquet as p; t = p.read_table('o.parquet'); print([str(f.type) for f in t.schema], t['m'][0], t['u'][399])";
    let output = Command::new(python()).args(["-c", code]).current_dir(sandbox.path()).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.contains("decimal128") && said.contains("date32") && said.contains("time64"), "{said}");
    assert!(said.contains("1234567890123456.789 9223372036854775808"), "{said}");
}

#[test]
fn filters_give_the_text_that_their_names_promise() {
    for (expression, text) in [
        ("'a b' | raw", "a b"),
        ("'a b' | quote", "'a b'"),
        ("'in/a.tar.gz' | name", "a.tar.gz"),
        ("'in/a.tar.gz' | stem", "a.tar"),
        ("'in/a.tar.gz' | suffix", ".gz"),
        ("'in/a' | suffix", ""),
        ("'in/a.csv' | parent", "in"),
        ("'a.csv' | parent", "."),
        ("'/' | parent", "/"),
        ("'in/a.csv' | with_suffix('.json')", "in/a.json"),
        ("'in/a.csv' | with_suffix('')", "in/a"),
        ("[[none, true], {'a': 1}] | pprint | replace('\\n', '') | replace(' ', '')", "[[None,True,],{'a':1,},]"),
        ("none", "null"),
        ("[none, 1] | tojson", "[null,1]"),
    ] {
        let message = serde_json::to_string(&format!("<{{{{ {expression} }}}}>")).unwrap();
        let steps = format!("steps:\n  - {{name: a, task: echo, inputs: {{message: {message}}}}}\n");
        let sandbox = Sandbox::with(&steps);
        sandbox.run(&[]).exits_with(0);
        assert_eq!(sandbox.results("a"), [json!(format!("<{text}>"))], "{expression}");
    }
}

#[test]
fn a_block_that_holds_a_value_is_one_value_in_a_command() {
    let command = "{% set pair %}a {{ item }}; b{% endset %}printf '<%s>' {{ pair }} {{ item }}";
    let steps = format!(
        "steps:\n  - name: a\n    for_each: ['x y', \"it's\"]\n    task: shell\n    inputs: {{command: {command:?}}}\n"
    );
    let sandbox = Sandbox::with(&steps);
    sandbox.run(&[]).exits_with(0);
    let printed: Vec<Value> = sandbox.results("a").iter().map(|result| result["stdout"].clone()).collect();
    assert_eq!(printed, [json!("<a x y; b><x y>"), json!("<a it's; b><it's>")]);
}
