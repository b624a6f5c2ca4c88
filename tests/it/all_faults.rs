//! All faults of a file at once: one that hides another costs a round of its own. And none that only follows from another.

use crate::support::Sandbox;

/// The faults that `validate` finds, as `line: message`.
fn faults(workflow: &str) -> Vec<String> {
    let sandbox = Sandbox::with(workflow);
    let found = sandbox.batchmill(&["validate", "workflow.yaml", "--format", "json"]).exits_with(2).json();
    let diagnostics = found["diagnostics"].as_array().unwrap().iter();
    diagnostics.map(|fault| format!("{}: {}", fault["line"], fault["message"].as_str().unwrap())).collect()
}

/// A file with parameters, so that every other name is unknown, and these steps.
fn steps(steps: &str) -> Vec<String> {
    faults(&format!("params: {{x: 1}}\nsteps:\n{steps}"))
}

#[test]
fn an_unknown_key_hides_no_fault_of_a_template_or_of_code() {
    let found = steps(
        "  - name: a
    task: shell
    timeot: 3
    inputs: {command: 'ls {{ itm }}', working_dir: '{{ x | nofilter }}'}
  - name: b
    for_each: [1]
    task: python
    max_paralel: 2
    inputs:
      code: |
        x = 1
        return (
  - name: c
    task: echo
    inputs: {message: '{{ steps.z.result }}'}
finaly: {type: echo, message: 1}
",
    );
    assert_eq!(
        found,
        [
            "5: unknown key `timeot`",
            "6: `itm` is not defined",
            "6: unknown filter `nofilter`",
            "10: unknown key `max_paralel`",
            "14: SyntaxError: '(' was never closed",
            "17: `steps.z` is not defined",
            "18: unknown key `finaly`",
        ]
    );
}

#[test]
fn an_error_in_one_place_of_a_task_hides_none_in_another() {
    for (task, expected) in [
        (
            "shell\n    inputs: {command: 'ls {{ itm }} {{ }', working_dir: '{{ itm }}', env: {A: '{{ other }}'}}",
            &["invalid template", "`itm` is not defined", "`other` is not defined"][..],
        ),
        (
            "shell\n    inputs: {command: \"sh -c 'ls {{ itm }}'\", stdin: '{{ x('}",
            &["`itm` is not defined", "invalid template"],
        ),
        ("shell\n    inputs: {command: [ls, '{{ x(', '{{ itm }}']}", &["invalid template", "`itm` is not defined"]),
        (
            "http_request\n    inputs: {url: 'http://{{ x(', headers: {a: '{{ itm }}'}, json: {b: '{{ other }}'}}",
            &["invalid template", "`itm` is not defined", "`other` is not defined"],
        ),
        ("echo\n    inputs: {message: ['{{ x(', '{{ itm }}']}", &["invalid template", "`itm` is not defined"]),
        (
            "python\n    inputs: {a: '{{ x(', b: '{{ itm }}', code: 'return ('}",
            &["invalid template", "`itm` is not defined", "SyntaxError: '(' was never closed"],
        ),
        ("python\n    inputs: {script: gone.py, a: '{{ itm }}'}", &["cannot read script", "`itm` is not defined"]),
    ] {
        let found = steps(&format!("  - name: a\n    task: {task}\n"));
        for expected in expected {
            assert!(found.iter().any(|fault| fault.contains(expected)), "{task}: {expected} is not in {found:?}");
        }
        assert!(found.len() <= expected.len() + 1, "{found:?}");
    }
}

#[test]
fn a_task_that_cannot_be_read_hides_no_fault_around_it() {
    let found = steps(
        "  - name: a
    task: batch
    inputs:
      items: [1, '{{ itm }}']
      batch_size: '{{ x | nofilter }}'
      task: {type: shell}
  - name: b
    task: bach
    timeout: '{{ x( }}'
  - {name: c, task: batch, inputs: {task: {type: echo, message: '{{ item | nofilter }}'}}}
",
    );
    assert_eq!(found.len(), 6, "{found:#?}");
    for expected in [
        "7: unknown filter `nofilter`",
        "8: missing key `command`",
        "10: unknown task type `bach`",
        "12: missing key `items`",
        "12: unknown filter `nofilter`",
    ] {
        assert!(found.iter().any(|fault| fault == expected), "{expected} is not in {found:#?}");
    }
    assert!(found.iter().any(|fault| fault.starts_with("11: invalid template")), "{found:#?}");
}

#[test]
fn an_error_is_the_only_one_where_all_else_follows_from_it() {
    let fine = "  - {name: z, task: echo, inputs: {message: 1}}\n";
    for (steps, fault) in [
        ("  - {name: a, for_eech: [1], task: echo, inputs: {message: '{{ item }}'}}\n", "unknown key `for_eech`"),
        (
            "  - {name: a, task: echo, inputs: {message: 1}, outpts: b}\n  - {name: c, task: python, inputs: {code: return b}}\n",
            "unknown key `outpts`",
        ),
        (
            "  - {name: a, task: echo, inputs: {message: 1}, outputs: {nmae: b}}\n  - {name: c, task: echo, inputs: {message: '{{ b }}'}}\n",
            "unknown key `nmae`",
        ),
        (
            "  - {name: 'a b', task: echo, inputs: {message: 1}}\n  - {name: c, task: echo, inputs: {message: '{{ steps.ab.result }}'}}\n",
            "invalid step name `a b`",
        ),
        (
            "  - {name: a, for_each: [1], task: echo, inputs: {message: 1}, agregate: {n: count}}\n  - {name: c, task: echo, inputs: {message: '{{ steps.a.aggregate.n }}'}}\n",
            "unknown key `agregate`",
        ),
        (
            "  - name: a\n    for_each: [1]\n    task: python\n    imputs: {factor: 2}\n    inputs: {code: return item * factor}\n",
            "unknown key `imputs`",
        ),
        (
            "  - {name: a, for_each: [1], tsk: shell, inputs: {command: 'ls {{ item_dir }}'}, outputs: {on_missing: ignore}}\n",
            "missing key `task`",
        ),
        (
            "  - name: a\n    task: batch\n    inputs: {items: [1], seed: 3, task: {type: python, cod: return item}}\n",
            "unknown key `cod`",
        ),
        ("  - {name: a, for_each: {csvv: a.csv}, task: echo, inputs: {message: '{{ item }}'}}\n", "unknown key `csvv`"),
    ] {
        let found = self::steps(&format!("{steps}{fine}"));
        let others: Vec<&String> = found.iter().filter(|found| !found.contains(fault)).collect();
        assert!(others.len() < found.len(), "{found:?} lacks {fault}");
        assert!(others.iter().all(|other| other.contains("unknown key")), "{found:?}");
    }
}

#[test]
fn parameters_and_variables_that_an_error_hides_are_not_missed() {
    let uses =
        "steps:\n  - {name: a, task: echo, inputs: {message: '{{ speed }} {{ params.speed }} {{ env.PACE }}'}}\n";
    for (top, fault) in [
        ("parms: {speed: 1}\nenv: {PACE: 1}\n", "1: unknown key `parms`"),
        ("params: {speed: {type: intt}}\nenv: {PACE: '{{ speed }}'}\n", "1: unknown value `intt` for `type`"),
        ("params: {speed: 1}\nenvv: {PACE: 1}\n", "2: unknown key `envv`"),
        ("params: {speed: 1}\nenv: {PACE: [1]}\n", "2: `PACE` must be a string, number or boolean; found a list"),
    ] {
        assert_eq!(faults(&format!("{top}{uses}")), [fault], "{top}");
        let sandbox = Sandbox::with(&format!("{top}{uses}"));
        let ended = sandbox.run(&[]).exits_with(2);
        assert_eq!(ended.stderr.matches("error: ").count(), 1, "{}", ended.stderr);
    }
}

#[test]
fn every_verb_that_reads_a_file_reports_all_its_faults() {
    let workflow = "steps:\n  - {name: a, task: echo, inputs: {message: '{{ x | nofilter }}'}, timeot: 3}\n";
    for verb in [&["run"][..], &["plan"], &["validate"], &["profile"]] {
        let sandbox = Sandbox::with(workflow);
        let ended = sandbox.batchmill(&[verb, &["workflow.yaml"]].concat()).exits_with(2);
        ended.says(&["unknown key `timeot`", "unknown filter `nofilter`"]);
    }
}
