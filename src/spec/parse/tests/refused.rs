//! Files with errors, and the words of the errors.

use super::*;
use std::time::Instant;

#[test]
fn all_errors_of_a_file_are_reported_at_once() {
    let text = "nam: x\nsteps:\n  - name: a\n    task: batch\n    inputs:\n      items: word\n      max_paralel: 3\n      \
                batch_size: ten\n      max_parallel: 0\n      parallel: yes\n      task: {type: shel, command: x}\n  - task: echo\n";
    assert_eq!(
        errors(text),
        [
            "1:1: unknown key `nam` [did you mean `name`?]",
            "6:14: `items` must be a list, a template, `$(command)` or a source; found the string \"word\"",
            "7:7: unknown key `max_paralel` [did you mean `max_parallel`?]",
            "8:19: `batch_size` must be an integer, at least 1, or `auto`; found the string \"ten\"",
            "9:21: `max_parallel` must be at least 1",
            "10:17: `parallel` must be `true` or `false`; found the string \"yes\"",
            "11:20: `type` names no task type: \"shel\" [did you mean `shell`?]",
            "12:5: `name` is missing",
            "12:5: `message` is missing",
        ]
    );
}

#[test]
fn errors_of_steps() {
    let table: &[(&str, &[&str])] = &[
        ("steps: []", &["1:8: `steps` is empty"]),
        ("steps: 4", &["1:8: `steps` must be a list or a mapping of steps; found the number 4"]),
        ("stepss: []", &["1:1: unknown key `stepss` [did you mean `steps`?]"]),
        ("{}", &["-: `steps` is missing"]),
        ("steps: [x]", &["1:9: a step must be a mapping; found the string \"x\""]),
        (
            "steps: {a: {type: echo}, a: {type: echo}}",
            &["1:9: `message` is missing", "1:26: key `a` is given twice [given again here]"],
        ),
        (
            "steps: [{name: a, task: echo, inputs: {message: 1}}, {name: a, task: echo, inputs: {message: 1}}]",
            &["1:61: step `a` is given twice"],
        ),
        ("steps: {a b: {type: echo, inputs: {message: 1}}}", &["1:9: step `a b` has a name that is not allowed"]),
        (
            "steps: {a: {type: echo, task: echo, inputs: {message: 1}}}",
            &["1:25: `type` and `task` mean the same: give one of them"],
        ),
        (
            "steps: {a: {type: echo, inputs: {message: 1}, outputs: item}}",
            &["1:56: `outputs` cannot be `item`: templates use it already"],
        ),
        (
            "steps: {a: {type: echo, inputs: {message: 1}, outputs: a-b}}",
            &["1:56: `outputs` must be a name that templates can use; found \"a-b\""],
        ),
        (
            "steps: {a: {type: echo, inputs: {message: 1}, outputs: o}, b: {type: echo, inputs: {message: 1}, outputs: o}}",
            &["1:107: `outputs` is `o` at another step already"],
        ),
        (
            "steps: {a: {type: echo, message: 1}}",
            &["1:9: `message` is missing", "1:25: `message` does not stand at a step"],
        ),
        (
            "steps: {a: {type: echo, parallel: true, inputs: {message: 1}}}",
            &["1:25: `parallel` does not stand at a step"],
        ),
        (
            "steps: {a: {type: batch, parallel: true, inputs: {items: [], task: {type: echo, message: 1}}}}",
            &["1:26: `parallel` does not stand at a step"],
        ),
        ("steps: {a: {type: batch}}", &["1:9: `inputs` is missing"]),
        (
            "steps: {a: {type: batch, for_each: [1], inputs: {}}}",
            &[
                "1:26: `for_each` cannot stand at a step with `task: batch`",
                "1:41: `items` is missing",
                "1:41: `task` is missing",
            ],
        ),
        ("steps: {a: {inputs: {message: 1}}}", &["1:9: `task` is missing"]),
        ("steps: {a: }", &["1:9: `task` is missing"]),
        ("steps: {a: echo}", &["1:12: a step must be a mapping; found the string \"echo\""]),
        ("steps: {a: {type: echo, name: b, inputs: {message: 1}}}", &["1:25: step `a` has a second name"]),
        (
            "finally: []\nsteps: {a: {type: echo, inputs: {message: 1}, outputs: {}}}",
            &["1:10: `finally` must be a mapping with `type`; found a list", "2:56: `outputs` is empty"],
        ),
        (
            "steps: {a: {type: echo, inputs: {message: 1}, outputs: {path: a.json}}, b: {type: echo, inputs: {message: 1}, outputs: 7}}",
            &[
                "1:63: `path` does not tell the format of the file",
                "1:120: `outputs` must be a name, or a mapping; found the number 7",
            ],
        ),
        (
            "steps: {a: {type: echo, inputs: {message: 1}, outputs: {path: '{{ run.id }}', format: xml, parts: yes}}}",
            &[
                "1:87: `format` must be one of `jsonl`, `csv`, `parquet`; found \"xml\"",
                "1:99: `parts` must be `true` or `false`; found the string \"yes\"",
            ],
        ),
        (
            "steps: {a: {type: echo, inputs: {message: 1}, outputs: {path: a.csv, parts: true, colour: 1}}}",
            &["1:70: `parts` needs a step with items: this one has a single result", "1:83: unknown key `colour`"],
        ),
        (
            "steps: {a: {type: echo, for_each: [1], inputs: {message: 1}, outputs: {name: item, path: ' ', format: csv}}}",
            &["1:78: `name` cannot be `item`: templates use it already", "1:90: `path` is empty"],
        ),
        (
            "steps: {a: {type: echo, inputs: {message: 1}, outputs: {format: csv, parts: true}}}",
            &["1:57: `format` has no use without `path`", "1:70: `parts` has no use without `path`"],
        ),
        (
            "steps: {a: {type: echo, inputs: {message: 1}, outputs: {name: item_dir, item_files: x}}}",
            &[
                "1:63: `name` cannot be `item_dir`: templates use it already",
                "1:73: `item_files` needs a step with items",
            ],
        ),
        (
            "steps: {a: {type: echo, inputs: {message: 1}, outputs: {path: o.csv}}, b: {type: echo, inputs: {message: 1}, outputs: {path: o.csv}}}",
            &["1:126: `path` is the path of another step already"],
        ),
    ];
    for (text, expected) in table {
        assert_eq!(errors(text), *expected, "{text:?}");
    }
}

#[test]
fn errors_of_tasks() {
    let table: &[(&str, &[&str])] = &[
        ("type: batch", &["6:20: `type` cannot be `batch` inside a batch"]),
        ("type: echo, mesage: 1", &["6:26: unknown key `mesage` [did you mean `message`?]"]),
        (
            "type: echo, message: 1, inputs: {message: 2}",
            &["6:47: `message` is given twice: beside `type` and under `inputs`"],
        ),
        ("type: shell", &["6:7: `command` is missing"]),
        ("type: shell, command: []", &["6:36: `command` is empty"]),
        (
            "type: shell, command: 5",
            &["6:36: `command` must be a string, or a list of a program and its arguments; found the number 5"],
        ),
        ("type: shell, command: x, colour: red", &["6:39: unknown key `colour`"]),
        (
            "type: shell, command: x, env: {A: [1]}",
            &["6:48: `A` must be a string, a number or a boolean; found a list"],
        ),
        (
            "type: shell, command: x, retry: {max_attempts: 0, max_delay: 3, backoff: expo, delay: -1}",
            &[
                "6:61: `max_attempts` must be at least 1",
                "6:87: `backoff` must be one of `fixed`, `linear`, `exponential`; found \"expo\" [did you mean `exponential`?]",
                "6:100: `delay` must not be negative",
            ],
        ),
        ("type: shell, command: x, timeout: 0", &["6:48: `timeout` must be above 0"]),
        (
            "type: shell, command: x, timeout: soon",
            &[
                "6:48: `timeout` must be a number of seconds, or a text such as `500ms`, `2s`, `2m`, `1.5h` or `1d`; found the string \"soon\"",
            ],
        ),
        ("type: python", &["6:7: a python task has no program"]),
        ("type: python, cod: x", &["6:28: unknown key `cod` [did you mean `code`?]"]),
        ("type: python, code: x, script: y", &["6:37: `code` and `script` cannot stand together"]),
        ("type: python, function: nocolon", &["6:38: `function` must be `module:name`; found \"nocolon\""]),
        (
            "type: python, operation: multiplied, factor: 1",
            &[
                "6:39: `operation` must be one of `multiply`, `add`, `subtract`, `divide`; found \"multiplied\" [did you mean `multiply`?]",
            ],
        ),
        ("type: python, operation: add", &["6:28: `factor` is missing: `operation` works on `item` and `factor`"]),
        ("type: python, code: x, factor: 3", &["6:37: `factor` stands only beside `operation`"]),
        (
            "type: python, code: x, inputs: {class: 1, index: 2, a-b: 3}",
            &[
                "6:46: input `class` is a keyword of Python",
                "6:56: input `index` has a meaning in Python code already",
                "6:66: input `a-b` is not a name that Python can use",
            ],
        ),
        ("type: http_request", &["6:7: `url` is missing"]),
        ("type: http_request, url: 5", &["6:39: `url` must be a string; found the number 5"]),
        (
            "type: http_request, url: x, json: 1, body: y, method: 'G T', rate_limit: fast, auth: {user: x}",
            &[
                "6:51: `body` and `json` cannot stand together",
                "6:68: `method` must be a method such as `GET` or `POST`",
                "6:87: `rate_limit` must be a number per second, or a text such as `10/s`, `600/m` or `1000/h`; found the string \"fast\"",
                "6:99: `auth` must have `bearer`, or `username` and `password`",
                "6:100: unknown key `user` [did you mean `username`?]",
            ],
        ),
        (
            "type: http_request, url: x, rate_limit: '{{ x }}', params: {a: {b: c}}",
            &[
                "6:54: `rate_limit` cannot be a template",
                "6:77: `a` must be a string, a number, a boolean or a list of these; found a mapping",
            ],
        ),
    ];
    for (task, expected) in table {
        assert_eq!(errors(&with_inputs(&["items: []", &format!("task: {{{task}}}")])), *expected, "{task:?}");
    }
    let table: &[([&str; 2], &[&str])] = &[
        (
            ["items: 5", "task: echo"],
            &[
                "5:14: `items` must be a list, a template, `$(command)` or a source; found the number 5",
                "6:13: `task` must be a mapping with `type`; found the string \"echo\"",
            ],
        ),
        (["items: {glob: x, range: 3}", "task: {type: echo, message: 1}"], &["5:14: `items` has more than one source"]),
        (
            ["items: {jsonl: x, quote: none, delimter: 1}", "task: {type: echo, message: 1}"],
            &["5:32: `quote` has no use for JSON Lines", "5:38: unknown key `delimter` [did you mean `delimiter`?]"],
        ),
        (["items: {files: x}", "task: {type: echo, message: 1}"], &["5:15: unknown key `files`"]),
        (["items: {range: [1, 2, 0]}", "task: {type: echo, message: 1}"], &["5:29: `range` must not have a step of 0"]),
        (["items: {range: {start: 1}}", "task: {type: echo, message: 1}"], &["5:15: `stop` is missing"]),
        (
            ["items: $(a) $(b)", "task: {type: echo, message: 1}"],
            &["5:14: `items` has text behind `$(command)`, or its `)` is missing"],
        ),
        (
            ["batch_size: 0", "batch_format: dask"],
            &[
                "4:5: `items` is missing",
                "4:5: `task` is missing",
                "5:19: `batch_size` must be at least 1",
                "6:21: `batch_format` must be one of `records`, `pandas`, `polars`, `pyarrow`; found \"dask\"",
            ],
        ),
        (
            ["on_item_error: {type: echo, message: 1, retry: 3}", "queue_size: -1"],
            &[
                "4:5: `items` is missing",
                "4:5: `task` is missing",
                "5:7: `retry` is not supported in `on_item_error`",
                "6:19: `queue_size` must be at least 1",
            ],
        ),
    ];
    for (lines, expected) in table {
        assert_eq!(errors(&with_inputs(lines)), *expected, "{lines:?}");
    }
}

#[test]
fn errors_of_yaml() {
    let table: &[(&str, &[&str])] = &[
        ("", &["-: the file is empty"]),
        ("# nothing\n", &["-: the file is empty"]),
        ("---\n", &["-: the file is empty"]),
        ("- a\n", &["1:1: a workflow file is a mapping with `steps:`; found a list"]),
        ("word", &["1:1: a workflow file is a mapping with `steps:`; found the string \"word\""]),
        ("a: 1\n---\nb: 2\n", &["2:1: the file has more than one YAML document"]),
        ("a: 1\n\tb: 2\n", &["2:1: a tab cannot be used for indentation"]),
        ("a:\n\t- b\n", &["2:2: a tab cannot be used for indentation"]),
        ("a: b: c\n", &["1:5: unexpected `:`"]),
        ("a: [1, 2\nb: 3\n", &["2:2: unexpected `:`"]),
        ("a: {b: 1\n", &["2:1: missing `}` or comma in a mapping"]),
        ("a: \"x\n", &["1:4: missing closing quote"]),
        ("a: 1\n b: 2\n", &["2:3: unexpected `:`"]),
        ("a:\n  - 1\n b: 2\n", &["3:2: the indentation does not match the lines above"]),
        ("a: *x\n", &["1:4: unknown alias"]),
        ("a: @x\n", &["1:4: a string cannot start with this character"]),
        ("a: %x\n", &["1:4: a string cannot start with this character"]),
        ("a: `x`\n", &["1:4: a string cannot start with this character"]),
        ("a: \"\\q\"\n", &["1:4: unknown escape sequence in a double-quoted string"]),
        ("a: {{ b }\n", &["1:4: unclosed `{{`"]),
        (
            "a: .inf\n",
            &["1:1: unknown key `a`", "1:4: `.inf` is not a number that JSON can hold", "-: `steps` is missing"],
        ),
        (
            "a: !thing x\n",
            &["1:1: unknown key `a`", "1:4: the YAML tag `!thing` is not supported", "-: `steps` is missing"],
        ),
        ("? [a]\n: b\n", &["1:3: a key must be a word or a quoted string", "-: `steps` is missing"]),
        ("a: &x [*x]\n", &["1:8: the alias stands inside the value it names"]),
        ("steps:\n  a\n  b: 1\n", &["3:4: unexpected `:`"]),
        ("a: \"x\" y\n", &["1:8: unexpected text after a quoted string"]),
        (
            "a: 1\na: 2\n",
            &["1:1: unknown key `a`", "2:1: key `a` is given twice [given again here]", "-: `steps` is missing"],
        ),
        ("<<: 3\n", &["1:1: `<<` takes a mapping or a list of mappings", "-: `steps` is missing"]),
    ];
    for (text, expected) in table {
        assert_eq!(errors(text), *expected, "{text:?}");
    }
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
    assert!(errors(&text)[0].contains("more than 1,000,000 values"));
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
}

#[test]
fn deep_nesting_is_refused() {
    assert!(errors(&format!("a: {}", "[".repeat(100_000)))[0].contains("nested"));
    assert!(errors(&format!("a: {}{}", "[".repeat(120), "]".repeat(120)))[0].contains("nested"));
    let block: String = (0..200).map(|depth| format!("{}a:\n", " ".repeat(depth))).collect();
    assert!(errors(&block)[0].contains("nested"));
}
