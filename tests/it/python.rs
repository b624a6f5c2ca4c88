//! The Python lane: hosts, crashes, timeouts.

use crate::support::{Sandbox, python, repository};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::process::Command;

/// A batch step over `items` with these settings and this code.
fn workflow(items: &str, settings: &str, code: &str) -> String {
    let code: String = code.trim().lines().map(|line| format!("          {line}\n")).collect();
    let settings: String = settings.lines().map(|line| format!("      {line}\n")).collect();
    format!(
        "steps:\n  - name: work\n    task: batch\n    inputs:\n      items: {items}\n{settings}      task:\n        type: python\n        code: |\n{code}"
    )
}

#[test]
fn a_crash_costs_the_item_that_crashed_and_no_other() {
    for (crash, says) in [
        ("import os; os._exit(3)", "exited with status 3"),
        ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "SIGKILL"),
    ] {
        let code = format!("if item in (3, 11):\n    {crash}\nreturn item");
        let sandbox =
            Sandbox::with(&workflow("{range: 40}", "batch_size: 10\nmax_parallel: 2\ncontinue_on_error: true", &code));
        sandbox.run(&[]).exits_with(1).says(&[says]);
        let expected: Vec<Value> = (0..40).filter(|item| ![3, 11].contains(item)).map(Value::from).collect();
        assert_eq!(sandbox.results("work"), expected, "{crash}");
        let failed: Vec<Value> = sandbox.failures().iter().map(|failure| failure["index"].clone()).collect();
        assert_eq!(failed, [3, 11], "{crash}");
    }
}

#[test]
fn a_crash_stops_the_run_where_failures_are_not_tolerated() {
    let code = "import os\nif item == 2:\n    os._exit(3)\nreturn item";
    let sandbox = Sandbox::with(&workflow("{range: 5}", "batch_size: 5", code));
    sandbox.run(&[]).exits_with(3);
    assert_eq!(sandbox.results("work"), [0, 1]);
}

#[test]
fn an_item_that_crashes_once_succeeds_when_it_is_tried_again() {
    let code = "import os\nif item == 2 and batch.attempt == 1:\n    os._exit(3)\nreturn [item, batch.attempt]";
    let settings = "batch_size: 5\nretry: {max_attempts: 2, delay: 0}";
    let sandbox = Sandbox::with(&workflow("{range: 4}", settings, code));
    sandbox.run(&[]).exits_with(0);
    assert_eq!(sandbox.results("work"), [json!([0, 1]), json!([1, 1]), json!([2, 2]), json!([3, 1])]);
}

#[test]
#[ignore = "heavy: takes seconds"]
fn an_item_that_hangs_is_ended_by_its_timeout_alone() {
    let code = "while item == 1:\n    pass\nreturn item";
    let settings = "batch_size: 4\ntimeout: 1500ms\ncontinue_on_error: true";
    let sandbox = Sandbox::with(&workflow("{range: 4}", settings, code));
    sandbox.run(&[]).exits_with(1).says(&["work[1] failed: Timeout: took longer than 1.5s"]);
    assert_eq!(sandbox.results("work"), [0, 2, 3]);
}

#[test]
fn what_cannot_be_json_fails_its_item_and_names_the_place() {
    let code = "return {'rows': [1, {'fn': print if item else 0}]}";
    let sandbox = Sandbox::with(&workflow("[0, 1]", "continue_on_error: true", code));
    sandbox.run(&[]).exits_with(1).says(&["work[1] failed", "result.rows[1].fn"]);
    assert_eq!(sandbox.results("work"), [json!({ "rows": [1, { "fn": 0 }] })]);
}

#[test]
fn prints_go_to_the_log_and_never_into_the_results() {
    let code =
        "import os, sys\nprint('hello', item)\nos.system('echo from a child')\nsys.stderr.write('oh')\nreturn item";
    let sandbox = Sandbox::with(&workflow("[7]", "", code));
    let ended = sandbox.run(&["--format", "json"]).exits_with(0);
    assert_eq!(ended.json()["steps"]["work"]["results"], json!([7]));
    let log = sandbox.everything_written("results");
    assert!(log.contains("hello 7") && log.contains("from a child") && log.contains("\"stream\":\"stderr\""), "{log}");
}

#[test]
fn a_traceback_points_into_the_code_block() {
    let code = "def f(x):\n    return 1 / x\n\nreturn f(item)";
    let sandbox = Sandbox::with(&workflow("[0]", "", code));
    sandbox.run(&[]).exits_with(3).says(&["ZeroDivisionError: division by zero"]);
    let detail = sandbox.failures()[0]["detail"].as_str().unwrap().to_owned();
    assert!(
        detail.contains("line 2, in f") && detail.contains("return 1 / x") && detail.contains("line 4"),
        "{detail}"
    );
}

#[test]
fn setup_runs_once_per_worker_and_teardown_too() {
    let workflow = "
steps:
  - name: work
    task: batch
    inputs:
      items: {range: 50}
      max_parallel: 2
      task:
        type: python
        setup: |
          import os
          base = 100
          open('setup', 'a').write('%d\\n' % os.getpid())
        code: return [base + item, os.getpid()]
        teardown: |
          open('teardown', 'a').write('%d\\n' % os.getpid())
";
    let sandbox = Sandbox::with(workflow);
    sandbox.run(&[]).exits_with(0);
    let results = sandbox.results("work");
    assert_eq!(results[49][0], json!(149));
    let mut workers: Vec<String> = results.iter().map(|result| result[1].to_string()).collect();
    let sorted = |name: &str| {
        let mut lines: Vec<String> = sandbox.read(name).lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    workers.sort();
    workers.dedup();
    let (setup, teardown) = (sorted("setup"), sorted("teardown"));
    assert_eq!(setup, teardown);
    assert!(setup.len() <= 2 && workers.iter().all(|worker| setup.contains(worker)), "{setup:?} {workers:?}");
}

#[test]
fn a_setup_that_fails_stops_the_step_and_says_why() {
    let text = workflow("[1]", "", "return item")
        .replace("        code: |", "        setup: import nosuchmodule\n        code: |");
    Sandbox::with(&text).run(&[]).exits_with(3).says(&["ModuleNotFoundError", "nosuchmodule"]);
}

#[test]
fn a_batched_task_gets_the_batch_and_its_list_becomes_records() {
    let records = "[{n: 1}, {n: 2}, {n: 3}]";
    let sandbox = Sandbox::with(&workflow(records, "batch_size: 2", "return [r['n'] * 10 for r in item]"));
    sandbox.run(&[]).exits_with(0);
    assert_eq!(sandbox.results("work"), [10, 20, 30]);
    let sandbox = Sandbox::with(&workflow(records, "batch_size: 2", "return {'n': len(item), 'index': index}"));
    sandbox.run(&[]).exits_with(0);
    assert_eq!(sandbox.results("work"), [json!({ "n": 2, "index": 0 }), json!({ "n": 1, "index": 2 })]);
    let sandbox = Sandbox::with(&workflow(records, "batch_size: 2\nbatched: false", "return item['n']"));
    sandbox.run(&[]).exits_with(0);
    assert_eq!(sandbox.results("work"), [1, 2, 3]);
}

#[test]
fn a_batched_task_that_fails_fails_all_items_of_its_batch() {
    let code = "if item[0]['n'] == 1:\n    raise ValueError('no')\nreturn item";
    let sandbox = Sandbox::with(&workflow("[{n: 1}, {n: 2}, {n: 3}]", "batch_size: 2\ncontinue_on_error: true", code));
    sandbox.run(&[]).exits_with(1);
    let failed: Vec<Value> = sandbox.failures().iter().map(|failure| failure["index"].clone()).collect();
    assert_eq!(failed, [0, 1]);
    assert_eq!(sandbox.results("work"), [json!({ "n": 3 })]);
}

#[test]
fn functions_scripts_and_inputs_are_found_beside_the_workflow() {
    let text = "
params: {base: {type: integer, default: 100}}
steps:
  - name: function
    task: batch
    inputs:
      items: [1, 2]
      task:
        task: python
        inputs: {function: 'tools:scale', factor: '{{ params.base }}', label: 'n{{ item }}'}
  - name: script
    task: python
    inputs: {script: scripts/count.py, what: '{{ steps.function.result | length }}'}
";
    let sandbox = Sandbox::new()
        .file("flow/workflow.yaml", text)
        .file("flow/tools.py", "def scale(item, factor, label):\n    return [label, item * factor]\n")
        .file("flow/scripts/count.py", "if what == 2:\n    return {'what': what, 'base': params.base}\n");
    sandbox.batchmill(&["run", "flow/workflow.yaml"]).exits_with(0);
    assert_eq!(sandbox.results("function"), [json!(["n1", 100]), json!(["n2", 200])]);
    assert_eq!(sandbox.results("script"), [json!({ "what": 2, "base": 100 })]);
}

#[test]
fn operations_work_element_by_element() {
    let operation = |name: &str, item: &str| {
        let text = format!(
            "steps:\n  work:\n    type: python\n    for_each: '{{{{ params.items }}}}'\n    inputs: {{operation: {name}, item: '{{{{ item }}}}', factor: 4}}\n"
        );
        let sandbox = Sandbox::with(&text);
        sandbox.run(&[&format!("items={item}")]).exits_with(0);
        Value::from(sandbox.results("work"))
    };
    assert_eq!(operation("multiply", "[3, [1, [2.5]]]"), json!([12, [4, [10.0]]]));
    assert_eq!(operation("add", "[3]"), json!([7]));
    assert_eq!(operation("subtract", "[3]"), json!([-1]));
    assert_eq!(operation("divide", "[10]"), json!([2.5]));
}

#[test]
fn on_item_error_may_be_python_and_knows_the_error() {
    let text = "
steps:
  - name: work
    task: batch
    inputs:
      items: [1, 0]
      continue_on_error: true
      on_item_error:
        type: python
        code: open('note', 'a').write(f\"{item} {error['type']} {error.attempts} {error}\\n\")
      task: {type: python, code: return 1 / item}
";
    let sandbox = Sandbox::with(text);
    sandbox.run(&[]).exits_with(1);
    assert_eq!(sandbox.read("note"), "0 ZeroDivisionError 1 division by zero\n");
}

#[test]
fn nan_becomes_null_with_a_warning_and_big_integers_keep_their_digits() {
    let code = "return [float('nan'), item * 10**30]";
    let sandbox = Sandbox::with(&workflow("[123456789012345678901234567890]", "", code));
    sandbox.run(&[]).exits_with(0).says(&["warning: 1 NaN or infinite number"]);
    let ended = sandbox.batchmill(&["results"]).exits_with(0);
    assert_eq!(ended.stdout, format!("[null,123456789012345678901234567890{}]\n", "0".repeat(30)));
}

#[test]
fn many_small_batches_keep_their_order() {
    let sandbox = Sandbox::with(&workflow("{range: 100000}", "batch_size: 7\nmax_parallel: 3", "return item"));
    sandbox.run(&[]).exits_with(0);
    let ended = sandbox.batchmill(&["results"]).exits_with(0);
    assert!(ended.stdout.lines().map(|line| line.parse::<u64>().unwrap()).eq(0..100_000));
}

#[test]
#[ignore = "heavy: needs the wheel"]
fn the_wheel_hosts_workers_too() {
    let Some(wheel) = std::env::var_os("BATCHMILL_TEST_WHEEL_PYTHON").map(PathBuf::from) else {
        panic!("BATCHMILL_TEST_WHEEL_PYTHON is not set: `make test-full` sets it");
    };
    let code = "import os, sys\nif item == 1:\n    os._exit(3)\nreturn [item, sys.prefix]";
    let text = workflow("{range: 4}", "batch_size: 4\ncontinue_on_error: true", code);
    let sandbox = Sandbox::with(&text).env("BATCHMILL_PYTHON", wheel.display().to_string());
    let doctor = sandbox.batchmill(&["doctor"]).exits_with(0);
    assert!(doctor.stdout.contains("the interpreter itself (it has the batchmill module)"), "{}", doctor.stdout);
    sandbox.run(&[]).exits_with(1);
    let results = sandbox.results("work");
    assert_eq!(results.len(), 3);
    let prefix = wheel.parent().unwrap().parent().unwrap().display().to_string();
    assert_eq!(results[0][1], json!(prefix));
}

#[test]
fn workers_live_in_the_environment_that_was_chosen() {
    let sandbox = Sandbox::with(&workflow("[0]", "", "import sys, pandas\nreturn [sys.prefix, sys.executable]"));
    sandbox.run(&[]).exits_with(0);
    let prefix = python().parent().unwrap().parent().unwrap().canonicalize().unwrap();
    let found = sandbox.results("work")[0][0].as_str().map(PathBuf::from).unwrap();
    assert_eq!(found.canonicalize().unwrap(), prefix);
}

#[test]
fn an_interpreter_that_cannot_be_used_is_named_with_the_way_out() {
    let sandbox = Sandbox::with(&workflow("[0]", "", "return item"));
    let missing = sandbox.run(&["--python", "/nowhere/python"]).exits_with(2);
    missing.says(&[
        "cannot use the Python interpreter `/nowhere/python` (from --python): it does not exist",
        "help:",
        "BATCHMILL_PYTHON",
    ]);
    sandbox.run(&["--python", "/bin/sh"]).exits_with(2).says(&["does not behave like Python 3"]);
    assert!(!sandbox.exists(".batchmill"), "nothing was run, so nothing is kept");
}

#[test]
fn code_that_does_not_parse_and_modules_that_are_missing_are_found_before_the_run() {
    let text = "
steps:
  - name: first
    task: shell
    inputs: {command: touch ran}
  - name: code
    task: python
    inputs:
      code: |
        x = 1
        if x
          pass
  - name: function
    task: python
    inputs: {function: 'nosuchmodule:run'}
";
    let sandbox = Sandbox::with(text);
    let ended = sandbox.run(&[]).exits_with(2);
    ended.says(&["SyntaxError", "workflow.yaml:11:", "if x", "no module named `nosuchmodule`"]);
    assert!(!sandbox.exists("ran"));
}

#[test]
fn a_module_that_was_found_once_and_is_gone_is_missed_before_the_run() {
    let text = "steps: {a: {task: python, inputs: {function: 'tools:answer'}}}";
    let sandbox = Sandbox::with(text).file("tools.py", "def answer():\n    return 42\n");
    sandbox.run(&[]).exits_with(0);
    sandbox.run(&[]).exits_with(0);
    std::fs::remove_file(sandbox.path().join("tools.py")).unwrap();
    sandbox.run(&[]).exits_with(2).says(&["no module named `tools`"]);
}

#[test]
fn the_engine_itself_does_not_carry_python() {
    let output = Command::new("readelf").args(["-d", env!("CARGO_BIN_EXE_batchmill")]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("NEEDED") && !text.contains("libpython"), "{text}");
}

#[test]
fn a_workflow_without_python_starts_none() {
    let sandbox = Sandbox::with("steps:\n  - {name: hello, task: echo, inputs: {message: hi}}\n");
    sandbox.run(&["--python", "/nowhere/python"]).exits_with(0).says(&["hello: hi"]);
    assert!(repository().exists());
}

#[test]
fn an_item_that_writes_to_or_closes_foreign_descriptors_fails_alone() {
    let scribble = "
import os
if item == 1:
    for fd in range(3, 30):
        try:
            os.write(fd, b'garbage\\n')
        except OSError:
            pass
return item";
    let close = "
import os
if item == 1:
    os.closerange(3, 256)
return item";
    for code in [scribble, close] {
        let sandbox = Sandbox::with(&workflow("{range: 4}", "batch_size: 4\ncontinue_on_error: true", code));
        sandbox.run(&[]).exits_with(1);
        assert_eq!(sandbox.results("work"), [0, 2, 3], "{code}");
        assert_eq!(sandbox.failures()[0]["index"], 1, "{code}");
    }
}

#[test]
fn a_teardown_that_fails_is_told() {
    let text = workflow("[1]", "", "return item")
        .replace("        code: |", "        teardown: raise ValueError('not flushed')\n        code: |");
    Sandbox::with(&text).run(&[]).exits_with(0).says(&["warning: Python worker", "ValueError: not flushed"]);
}

#[test]
fn what_setup_prints_is_in_the_log() {
    let text = workflow("[1]", "", "return item")
        .replace("        code: |", "        setup: print('in setup')\n        code: |");
    let sandbox = Sandbox::with(&text);
    sandbox.run(&[]).exits_with(0);
    assert!(sandbox.everything_written("results").contains("in setup"));
}

#[test]
fn an_item_whose_inputs_cannot_be_made_fails_alone() {
    let text = "
steps:
  - name: work
    task: batch
    inputs:
      items: [{a: 1}, {b: 1}, {a: 3}]
      batch_size: 3
      batched: false
      continue_on_error: CONTINUE
      task:
        task: python
        inputs: {code: return n, n: '{{ item.a + 1 }}'}
";
    let sandbox = Sandbox::with(&text.replace("CONTINUE", "true"));
    sandbox.run(&[]).exits_with(1);
    assert_eq!(sandbox.results("work"), [2, 4]);
    let sandbox = Sandbox::with(&text.replace("CONTINUE", "false"));
    sandbox.run(&[]).exits_with(3);
    assert_eq!(sandbox.results("work"), [2]);
}

#[test]
#[ignore = "heavy: takes seconds"]
fn a_timeout_that_meets_large_results_charges_nobody_else() {
    // Items that take about as long as they may, with results that are sent while the time is measured.
    let code = "import time\ntime.sleep(0.018)\nreturn 'x' * 3_000_000";
    let settings = "batch_size: 5\nmax_parallel: 2\ntimeout: 20ms\ncontinue_on_error: true";
    let sandbox = Sandbox::with(&workflow("{range: 40}", settings, code));
    let ended = sandbox.run(&["--format", "json", "--progress", "none"]);
    assert!(matches!(ended.code, Some(0 | 1)), "{ended:?}");
    let stats = &ended.json()["steps"]["work"]["stats"];
    let count = |name: &str| stats[name].as_u64().unwrap();
    assert_eq!((count("succeeded") + count("failed"), count("skipped")), (40, 0));
    sandbox.batchmill(&["audit"]).exits_with(0);
}

#[test]
fn a_worker_that_is_killed_while_it_is_set_up_is_started_again() {
    let workflow = "
steps:
  - name: work
    task: batch
    inputs:
      items: [1, 2, 3]
      task:
        type: python
        setup: |
          import os, pathlib, signal
          starts = pathlib.Path('starts')
          with starts.open('a') as file: file.write('x')
          if os.path.getsize(starts) <= 2 or pathlib.Path('always').exists(): os.kill(os.getpid(), signal.SIGKILL)
        code: return item * 2
";
    let sandbox = Sandbox::with(workflow);
    sandbox.run(&[]).exits_with(0);
    assert_eq!((sandbox.read("starts").as_str(), sandbox.results("work")), ("xxx", vec![json!(2), json!(4), json!(6)]));
    // It is the setup's doing where it happens each time.
    let sandbox = sandbox.file("always", "");
    sandbox.run(&[]).exits_with(3).says(&["SIGKILL", "during setup"]);
    assert_eq!(sandbox.read("starts"), "xxxxxx");
}

#[test]
fn a_worker_keeps_its_memory_and_its_children_know_nothing_of_it() {
    let code = "
import os, subprocess
begun = open('/proc/self/environ').read().split('\\0')
names = lambda variables: sorted(it.split('=')[0] for it in variables if 'MALLOC_' in it or 'INHERIT' in it)
child = subprocess.run('env', capture_output=True, text=True).stdout.splitlines()
return [names(begun), names(os.environ), names(child)]";
    let text = workflow("[0]", "", code);
    let sandbox = Sandbox::with(&text);
    sandbox.run(&[]).exits_with(0);
    let ours = ["BATCHMILL_NOT_INHERITED", "MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"];
    assert_eq!(sandbox.results("work"), [json!([ours, [], []])]);
    let own = Sandbox::with(&text).env("MALLOC_ARENA_MAX", "2");
    own.run(&[]).exits_with(0);
    let theirs = ["MALLOC_ARENA_MAX"];
    assert_eq!(own.results("work"), [json!([theirs, theirs, theirs])]);
    let own = Sandbox::with(&format!("env: {{GLIBC_TUNABLES: glibc.malloc.arena_max=2}}\n{text}"));
    own.run(&[]).exits_with(0);
    assert_eq!(own.results("work"), [json!([[], [], []])]);
}

#[test]
fn a_module_of_the_folder_does_not_take_the_place_of_one_that_the_worker_needs() {
    let workflow = "
steps:
  - name: first
    task: batch
    inputs:
      items: {range: 300}
      task: {type: python, code: return item}
  - name: second
    task: batch
    inputs:
      items: [1]
      task: {type: python, function: 'mine:whole', inputs: {of: '{{ steps.first.results }}'}}
";
    let theirs = "raise RuntimeError('a file of the folder was imported')";
    let sandbox = Sandbox::with(workflow)
        .file("array.py", theirs)
        .file("mine.py", "def whole(item, of):\n    return sum(of) + item\n");
    sandbox.run(&[]).exits_with(0);
    assert_eq!(sandbox.results("second").len(), 1);
}

#[test]
fn an_item_finds_what_items_share_as_setup_left_it() {
    let workflow = "
params: {p: {default: {names: [a], deep: {n: 1}}}}
steps:
  - {name: first, task: python, inputs: {code: 'return [[1], {2: [3]}]'}}
  - name: work
    for_each: {range: 6}
    batch_size: SIZE
    continue_on_error: true
    task: python
    inputs:
      known: [1, [2], {k: [3]}]
      table: {k: [4]}
      which: '{{ item }}'
      setup: |
        import copy, os, sys
        os.chdir('sub')
        os.environ['FROM_SETUP'] = '1'
        known.append('setup')
        params.p.names.append('setup')
        if SIZE > 1:
            import decimal
            decimal.getcontext().prec = 40
      code: |
        import decimal
        seen = [os.path.basename(os.getcwd()), os.environ.get('FROM_SETUP'), os.environ.get('LEAK'), decimal.getcontext().prec,
                decimal.getcontext().rounding, known, table, params.p, steps.first.result, os.environ.get('LIBRARY'), which == item]
        os.chdir('/')
        os.environ['LEAK'] = '1'
        del os.environ['FROM_SETUP']
        decimal.getcontext().prec = 3
        decimal.setcontext(decimal.Context(prec=5, rounding='ROUND_UP'))
        sys.path.insert(0, os.path.join(os.environ['HERE']))
        import library
        mine = copy.deepcopy(params.p)
        mine.names.append('mine')
        own = [list(known), dict(table), known[:1], known + [1], sorted(table)]
        own[0].append(5)
        refused = 0
        for change in (lambda: known.append(1), lambda: known[1].append(1), lambda: known[2].update(x=1), lambda: table.clear(),
                       lambda: params.p.names.sort(), lambda: params.update(x=1), lambda: params.p.deep.pop('n'),
                       lambda: steps.first.result[0].append(2), lambda: inputs.setdefault('x', 1), lambda: known.__iadd__([1])):
            try:
                change()
            except TypeError as error:
                assert 'is the same for all items, so it is read-only' in str(error)
                refused += 1
        return [seen, refused]
";
    for size in [1, 3] {
        let sandbox = Sandbox::with(&workflow.replace("SIZE", &size.to_string()))
            .file("sub/x", "")
            .file("library.py", "import os\nos.environ['LIBRARY'] = 'imported'\n");
        let sandbox = sandbox.env("HERE", ".").env("HERE", "");
        let here = sandbox.path().display().to_string();
        let sandbox = sandbox.env("HERE", here);
        sandbox.run(&[]).exits_with(0);
        let results = sandbox.results("work");
        let prec = if size > 1 { 40 } else { 28 };
        for (at, result) in results.iter().enumerate() {
            let library = if at == 0 { json!(null) } else { json!("imported") };
            let expected = json!([
                ["sub", "1", null, prec, "ROUND_HALF_EVEN", [1, [2], {"k": [3]}, "setup"], {"k": [4]},
                 {"names": ["a", "setup"], "deep": {"n": 1}}, [[1], {"2": [3]}], library, true], 10
            ]);
            assert_eq!(*result, expected, "item {at}, batches of {size}");
        }
    }
}

#[test]
fn a_forked_child_neither_hides_what_its_parent_runs_nor_loses_what_it_logs() {
    let code = "import os, time\nif os.fork() == 0:\n    raise ValueError('child')\ntime.sleep(600)";
    let sandbox = Sandbox::with(&workflow("[1]", "timeout: 300ms\ncontinue_on_error: true", code));
    sandbox.run(&[]).exits_with(1).says(&["work[0] failed: Timeout: took longer than 300ms"]);
    let text = "
steps:
  - name: work
    for_each: [1]
    task: python
    inputs:
      setup: |
        import logging, os, sys
        logging.basicConfig(level=logging.INFO)
        kept = sys.stdout
      code: |
        child = os.fork()
        if child == 0:
            for number in range(2000):
                logging.info('logged %d', number)
                print('kept', number, file=kept)
            os._exit(0)
        os.waitpid(child, 0)
        return 1
";
    let sandbox = Sandbox::with(text);
    sandbox.run(&[]).exits_with(0);
    let written = sandbox.everything_written("results");
    for line in ["logged 0\\n", "logged 1999\\n", "kept 1998\\n"] {
        assert!(written.contains(line) || written.contains(&line.replace("\\n", "\n")), "{line}");
    }
}

#[test]
fn each_failure_has_its_whole_traceback_however_often_its_place_fails() {
    let code = "
def fail(depth):
    if depth:
        return fail(depth - 1)
    raise ValueError(f'no {index}')

try:
    fail(40 if item == 'deep' else 0)
except ValueError:
    if item != 'chain':
        raise
    raise KeyError(index)
";
    let items = "[plain, chain, deep, plain, chain, deep]";
    let sandbox = Sandbox::with(&workflow(items, "batch_size: 6\ncontinue_on_error: true", code));
    sandbox.run(&[]).exits_with(1);
    let details: Vec<String> =
        sandbox.failures().iter().map(|failure| failure["detail"].as_str().unwrap().to_owned()).collect();
    let (first, again) = details.split_at(3);
    let anonymous = |details: &[String], index: usize| -> Vec<String> {
        let number = |(at, detail): (usize, &String)| {
            let at = at + index;
            detail.replace(&format!("no {at}"), "no N").replace(&format!("KeyError: {at}"), "KeyError: N")
        };
        details.iter().enumerate().map(number).collect()
    };
    assert_eq!(anonymous(first, 0), anonymous(again, 3));
    assert!(first[0].starts_with("Traceback (most recent call last):\n") && first[0].ends_with("\nValueError: no 0\n"));
    assert!(first[0].contains("raise ValueError(f'no {index}')"), "{}", first[0]);
    assert!(first[1].contains("During handling of the above exception"), "{}", first[1]);
    assert!(first[2].contains("more times]"), "{}", first[2]);
}
