//! Files with errors, and the messages of the errors.

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
            "8:19: `batch_size` must be a positive integer or `auto`; found the string \"ten\"",
            "9:21: `max_parallel` must be at least 1",
            "10:17: `parallel` must be `true` or `false`; found the string \"yes\"",
            "11:20: unknown task type `shel` [did you mean `shell`?]",
            "12:5: missing key `name`",
            "12:5: missing key `message`",
        ]
    );
}

#[test]
fn errors_of_steps() {
    let table: &[(&str, &[&str])] = &[
        ("steps: []", &["1:8: `steps` is empty"]),
        ("steps: 4", &["1:8: `steps` must be a list or mapping of steps; found the number 4"]),
        ("stepss: []", &["1:1: unknown key `stepss` [did you mean `steps`?]"]),
        ("{}", &["-: missing key `steps`"]),
        (
            "steps: [{name: a, for_each: [1], batch_size: 2, colour: 1, task: {type: echo, message: 1}}]",
            &["1:49: unknown key `colour`", "1:66: `task` must be the type of a task; found a mapping"],
        ),
        ("steps: [x]", &["1:9: a step must be a mapping; found the string \"x\""]),
        ("steps: {a: {type: echo}, a: {type: echo}}", &["1:9: missing key `message`", "1:26: duplicate key `a`"]),
        (
            "steps: [{name: a, task: echo, inputs: {message: 1}}, {name: a, task: echo, inputs: {message: 1}}]",
            &["1:61: duplicate step name `a`"],
        ),
        ("steps: {a b: {type: echo, inputs: {message: 1}}}", &["1:9: invalid step name `a b`"]),
        (
            "steps: {a: {type: echo, task: echo, inputs: {message: 1}}}",
            &["1:25: `type` and `task` cannot be used together"],
        ),
        (
            "steps: {a: {type: echo, inputs: {message: 1}, outputs: item}}",
            &["1:56: `outputs` cannot be `item`, which is reserved"],
        ),
        (
            "steps: {a: {type: echo, inputs: {message: 1}, outputs: a-b}}",
            &["1:56: `outputs` must be an identifier; found \"a-b\""],
        ),
        (
            "steps: {a: {type: echo, inputs: {message: 1}, outputs: o}, b: {type: echo, inputs: {message: 1}, outputs: o}}",
            &["1:107: duplicate output name `o`"],
        ),
        ("steps: {a: {type: echo, message: 1}}", &["1:9: missing key `message`", "1:25: misplaced key `message`"]),
        (
            "steps: {a: {type: echo, parallel: true, inputs: {message: 1}}}",
            &["1:25: `parallel` requires a step with items"],
        ),
        (
            "steps: {a: {type: batch, parallel: true, inputs: {items: [], task: {type: echo, message: 1}}}}",
            &["1:26: misplaced key `parallel`"],
        ),
        ("steps: {a: {type: batch}}", &["1:9: missing key `inputs`"]),
        (
            "steps: {a: {type: batch, for_each: [1], inputs: {}}}",
            &[
                "1:26: `for_each` cannot be used with `task: batch`",
                "1:41: missing key `items`",
                "1:41: missing key `task`",
            ],
        ),
        ("steps: {a: {inputs: {message: 1}}}", &["1:9: missing key `task`"]),
        ("steps: {a: }", &["1:9: missing key `task`"]),
        ("steps: {a: echo}", &["1:12: a step must be a mapping; found the string \"echo\""]),
        ("steps: {a: {type: echo, name: b, inputs: {message: 1}}}", &["1:25: step `a` has a second name"]),
        (
            "finally: []\nsteps: {a: {type: echo, inputs: {message: 1}, outputs: {}}}",
            &["1:10: `finally` must be a mapping with `type`; found a list", "2:56: `outputs` is empty"],
        ),
        (
            "steps: {a: {type: echo, inputs: {message: 1}, outputs: {path: a.json}}, b: {type: echo, inputs: {message: 1}, outputs: 7}}",
            &[
                "1:63: `path` has no known file extension",
                "1:120: `outputs` must be a name or a mapping; found the number 7",
            ],
        ),
        (
            "steps: {a: {type: echo, inputs: {message: 1}, outputs: {path: '{{ run.id }}', format: xml, parts: yes}}}",
            &[
                "1:87: unknown value `xml` for `format`",
                "1:99: `parts` must be `true` or `false`; found the string \"yes\"",
            ],
        ),
        (
            "steps: {a: {type: echo, inputs: {message: 1}, outputs: {path: a.csv, parts: true, colour: 1}}}",
            &["1:70: `parts` requires a step with items", "1:83: unknown key `colour`"],
        ),
        (
            "steps: {a: {type: echo, for_each: [1], inputs: {message: 1}, outputs: {name: item, path: ' ', format: csv}}}",
            &["1:78: `name` cannot be `item`, which is reserved", "1:90: `path` is empty"],
        ),
        (
            "steps: {a: {type: echo, inputs: {message: 1}, outputs: {format: csv, parts: true}}}",
            &["1:57: `format` requires `path`", "1:70: `parts` requires `path`"],
        ),
        (
            "steps: {a: {type: echo, inputs: {message: 1}, outputs: {name: item_dir, item_files: x}}}",
            &["1:63: `name` cannot be `item_dir`, which is reserved", "1:73: `item_files` requires a step with items"],
        ),
        (
            "steps: {a: {type: echo, inputs: {message: 1}, outputs: {path: o.csv}}, b: {type: echo, inputs: {message: 1}, outputs: {path: o.csv}}}",
            &["1:126: `path` is already used by another step"],
        ),
    ];
    for (text, expected) in table {
        assert_eq!(errors(text), *expected, "{text:?}");
    }
}

#[test]
fn errors_of_tasks() {
    let table: &[(&str, &[&str])] = &[
        ("type: batch", &["6:20: `batch` is only allowed as the task of a step"]),
        ("type: echo, mesage: 1", &["6:26: unknown key `mesage` [did you mean `message`?]"]),
        ("type: echo, message: 1, inputs: {message: 2}", &["6:47: duplicate input `message`"]),
        ("type: shell", &["6:7: missing key `command`"]),
        ("type: shell, command: []", &["6:36: `command` is empty"]),
        (
            "type: shell, command: 5",
            &["6:36: `command` must be a string, or a list with a program and its arguments; found the number 5"],
        ),
        ("type: shell, command: x, colour: red", &["6:39: unknown key `colour`"]),
        ("type: shell, command: x, env: {A: [1]}", &["6:48: `A` must be a string, number or boolean; found a list"]),
        (
            "type: shell, command: x, retry: {max_attempts: 0, max_delay: 3, backoff: expo, delay: -1}",
            &[
                "6:61: `max_attempts` must be at least 1",
                "6:87: unknown value `expo` for `backoff` [did you mean `exponential`?]",
                "6:100: `delay` must not be negative",
            ],
        ),
        ("type: shell, command: x, timeout: 0", &["6:48: `timeout` must be greater than 0"]),
        (
            "type: shell, command: x, timeout: soon",
            &[
                "6:48: `timeout` must be a number of seconds, or a duration such as `500ms`, `2s`, `2m`, `1.5h` or `1d`; found the string \"soon\"",
            ],
        ),
        ("type: python", &["6:7: a python task requires `code`, `function`, `script` or `operation`"]),
        ("type: python, cod: x", &["6:28: unknown key `cod` [did you mean `code`?]"]),
        ("type: python, code: x, script: y", &["6:37: `code` and `script` cannot be used together"]),
        ("type: python, function: nocolon", &["6:38: `function` must have the form `module:name`; found \"nocolon\""]),
        (
            "type: python, operation: multiplied, factor: 1",
            &["6:39: unknown value `multiplied` for `operation` [did you mean `multiply`?]"],
        ),
        ("type: python, operation: add", &["6:28: missing key `factor`: `operation` requires `item` and `factor`"]),
        ("type: python, code: x, factor: 3", &["6:37: `factor` requires `operation`"]),
        (
            "type: python, code: x, inputs: {class: 1, index: 2, a-b: 3}",
            &[
                "6:46: input name `class` is a Python keyword",
                "6:56: input name `index` is reserved",
                "6:66: input name `a-b` is not a valid Python identifier",
            ],
        ),
        ("type: http_request", &["6:7: missing key `url`"]),
        ("type: http_request, url: 5", &["6:39: `url` must be a string; found the number 5"]),
        (
            "type: http_request, url: x, json: 1, body: y, method: 'G T', rate_limit: fast, auth: {user: x}",
            &[
                "6:51: `body` and `json` cannot be used together",
                "6:68: `method` must be an HTTP method; found \"G T\"",
                "6:87: `rate_limit` must be a number per second, or a rate such as `10/s`, `600/m` or `1000/h`; found the string \"fast\"",
                "6:99: `auth` requires either `bearer`, or `username` and `password`",
                "6:100: unknown key `user` [did you mean `username`?]",
            ],
        ),
        (
            "type: http_request, url: x, rate_limit: '{{ x }}', params: {a: {b: c}}",
            &[
                "6:54: `rate_limit` cannot be a template",
                "6:77: `a` must be a string, number or boolean, or a list of them; found a mapping",
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
            &[
                "5:32: `quote` cannot be used with JSON Lines",
                "5:38: unknown key `delimter` [did you mean `delimiter`?]",
            ],
        ),
        (["items: {files: x}", "task: {type: echo, message: 1}"], &["5:15: unknown key `files`"]),
        (["items: {range: [1, 2, 0]}", "task: {type: echo, message: 1}"], &["5:29: `range` must not have a step of 0"]),
        (["items: {range: {start: 1}}", "task: {type: echo, message: 1}"], &["5:15: missing key `stop`"]),
        (["items: $(a) $(b)", "task: {type: echo, message: 1}"], &["5:14: `items` must be a single `$(command)`"]),
        (
            ["batch_size: 0", "batch_format: dask"],
            &[
                "4:5: missing key `items`",
                "4:5: missing key `task`",
                "5:19: `batch_size` must be at least 1",
                "6:21: unknown value `dask` for `batch_format`",
            ],
        ),
        (
            ["on_item_error: {type: echo, message: 1, retry: 3}", "queue_size: -1"],
            &[
                "4:5: missing key `items`",
                "4:5: missing key `task`",
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
        ("- a\n", &["1:1: a workflow must be a mapping with `steps`; found a list"]),
        ("word", &["1:1: a workflow must be a mapping with `steps`; found the string \"word\""]),
        ("a: 1\n---\nb: 2\n", &["2:1: the file contains more than one YAML document"]),
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
        ("a: .inf\n", &["1:1: unknown key `a`", "1:4: `.inf` cannot be represented in JSON", "-: missing key `steps`"]),
        ("a: !thing x\n", &["1:1: unknown key `a`", "1:4: unsupported YAML tag `!thing`", "-: missing key `steps`"]),
        ("? [a]\n: b\n", &["1:3: a key must be a string", "-: missing key `steps`"]),
        ("a: &x [*x]\n", &["1:8: the alias refers to the value that contains it"]),
        ("steps:\n  a\n  b: 1\n", &["3:4: unexpected `:`"]),
        ("a: \"x\" y\n", &["1:8: unexpected text after a quoted string"]),
        ("a: 1\na: 2\n", &["1:1: unknown key `a`", "2:1: duplicate key `a`", "-: missing key `steps`"]),
        ("<<: 3\n", &["1:1: `<<` takes a mapping or a list of mappings", "-: missing key `steps`"]),
    ];
    for (text, expected) in table {
        assert_eq!(errors(text), *expected, "{text:?}");
    }
}

#[test]
fn bytes_that_are_not_text_are_refused() {
    let refused = |bytes: &[u8]| parse(Path::new("f.yaml"), bytes).unwrap_err().to_string();
    assert_eq!(refused(b"a: \xff\n"), "f.yaml:1:4: the file is not valid UTF-8");
    assert_eq!(refused(b"a: 1\nb: \0\n"), "f.yaml:2:4: the file contains a NUL byte");
    assert_eq!(refused(&vec![b' '; 65 << 20]), "f.yaml: the file is too large: 65 MiB (limit: 64 MiB)");
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
