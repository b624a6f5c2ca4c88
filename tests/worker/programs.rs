//! What user code sees, and what becomes of what it returns or raises.

use crate::host::{Worker, batch, batches, code, json, packed, program, run_code};
use batchmill::wire::Program;

#[test]
fn return_and_result_both_give_the_result_and_neither_gives_null() {
    assert_eq!(run_code("return item * 2", &["21"]).lines(), ["42"]);
    assert_eq!(run_code("result = item * 2", &["21"]).lines(), ["42"]);
    assert_eq!(run_code("item * 2", &["21"]).lines(), ["null"]);
    assert_eq!(run_code("# nothing", &["21"]).lines(), ["null"]);
    assert_eq!(run_code("result = 1\nreturn 2", &["0"]).lines(), ["2"]);
}

#[test]
fn a_result_assigned_in_one_branch_is_null_in_the_other() {
    let answer = run_code("if item > 1:\n    result = 'big'", &["1", "2", "0"]);
    assert_eq!(answer.lines(), ["null", "\"big\"", "null"]);
}

#[test]
fn nested_functions_and_comprehensions_see_the_names_of_the_block() {
    let source = "
from __future__ import annotations
from math import *
import json
def double(x):
    return x * factor
factor = 2
return [double(x) + index + floor(0.5) for x in item], [json.dumps(factor) for _ in item]
";
    assert_eq!(run_code(source, &["[1,2]"]).lines(), ["[[12,14],[\"2\",\"2\"]]"]);
}

#[test]
fn a_traceback_begins_at_the_users_code_with_its_lines() {
    let failure = run_code("x = 1\n\ndef fail(y):\n    return y / 0\nreturn fail(item)", &["1"]);
    let failure = failure.failure();
    assert_eq!((failure.class.as_str(), failure.message.as_str()), ("ZeroDivisionError", "division by zero"));
    let detail = failure.detail.as_deref().unwrap();
    assert!(detail.contains("File \"flow.yaml:steps.count.code\", line 5, in task\n    return fail(item)"), "{detail}");
    assert!(detail.contains("line 4, in fail\n    return y / 0"), "{detail}");
    assert!(!detail.contains("<batchmill"), "{detail}");
}

#[test]
fn setup_runs_once_and_its_names_are_in_scope() {
    let mut start = code("global counter\ncounter += 1\nreturn [counter, table[item], params.nested.depth]");
    start.setup = Some("counter = 0\ntable = {n: n * n for n in range(params['size'])}\nprint('ready')".to_owned());
    start.teardown = Some("print('bye', counter)".to_owned());
    start.scope.params = json(r#"{"size": 10, "nested": {"depth": 3}}"#);
    let mut worker = Worker::ready(start);
    assert_eq!(worker.run(batch(&["2", "3"])).lines(), ["[1,4,3]", "[2,9,3]"]);
    let (logs, status) = worker.stop();
    assert_eq!((logs[0].text.as_str(), logs[0].position), ("bye 2\n", None));
    assert!(status.success());
}

#[test]
fn inputs_have_their_own_names_and_one_named_item_replaces_the_item() {
    let mut start = code("return [item, factor, inputs.factor, inputs['scale']]");
    start.scope.inputs = json(r#"{"factor": 3}"#);
    start.scope.item_inputs = vec!["item".to_owned(), "scale".to_owned()];
    let mut worker = Worker::ready(start);
    let mut run = batch(&["1", "2"]);
    run.inputs = packed(&[r#"["a", 5]"#, r#"["b", 6]"#]);
    assert_eq!(worker.run(run).lines(), [r#"["a",3,3,5]"#, r#"["b",3,3,6]"#]);
}

#[test]
fn batch_is_read_by_attribute_and_by_key() {
    let mut worker = Worker::ready(code(
        "return [batch.number, batch['total'], batch.size, batch.index, batch['item'], batch.attempt, index]",
    ));
    let answer = worker.run(batches(&[&["1"], &["2", "3"]]));
    assert_eq!(answer.lines(), ["[1,2,1,10,1,1,10]", "[2,2,2,11,2,1,11]", "[2,2,2,12,3,1,12]"]);
}

#[test]
fn a_batched_task_gets_the_list_and_a_list_from_it_is_many_lines() {
    let mut start = code("return [x + 1 for x in item] if index == 10 else {'n': len(item), 'first': batch.index}");
    start.items.batched = true;
    let mut worker = Worker::ready(start);
    let answer = worker.run(batches(&[&["1", "2"], &["3"]]));
    assert_eq!(answer.lines(), ["2", "3", r#"{"n":1,"first":12}"#]);
    assert_eq!(answer.executed, 2);
    assert_eq!(answer.results.iter().map(|one| (one.first, one.list)).collect::<Vec<_>>(), [(0, true), (1, false)]);
}

#[test]
fn a_step_without_items_runs_once() {
    let mut start = code("return [params['n'], steps.first.result]");
    start.items.has_item = false;
    start.scope.params = json(r#"{"n": 1}"#);
    start.scope.steps = json(r#"{"first": {"result": [7]}}"#);
    assert_eq!(Worker::ready(start).run(batch(&["null"])).lines(), ["[1,[7]]"]);
}

#[test]
fn a_missing_environment_variable_is_named_without_any_value() {
    let answer = run_code("return [env['PATH'] == env.PATH, hasattr(env, 'NO_SUCH'), env.get('NO_SUCH')]", &["1"]);
    assert_eq!(answer.lines(), ["[true,false,null]"]);
    let answer = run_code("import os\nos.environ['DB_URL_X'] = 'secret'\nreturn env.DB_URL", &["1"]);
    let message = &answer.failure().message;
    assert!(message.contains("`DB_URL` is not set in the environment") && message.contains("`DB_URL_X`"), "{message}");
    assert!(!message.contains("secret"), "{message}");
}

#[test]
fn a_function_of_a_module_is_called_with_item_and_inputs() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("mine.py"),
        "class Tools:\n    @staticmethod\n    def scale(item, by=1, plus=0):\n        return item * by + plus\n",
    )
    .unwrap();
    let mut start = program(Program::Function { module: "mine".to_owned(), name: "Tools.scale".to_owned() });
    start.import_path = vec![folder.path().to_str().unwrap().to_owned()];
    start.scope.inputs = json(r#"{"by": 3}"#);
    assert_eq!(Worker::ready(start.clone()).run(batch(&["2"])).lines(), ["6"]);
    start.scope.item_inputs = vec!["plus".to_owned()];
    let mut run = batch(&["2"]);
    run.inputs = packed(&["[1]"]);
    assert_eq!(Worker::ready(start.clone()).run(run).lines(), ["7"]);
    start.program = Program::Function { module: "mine".to_owned(), name: "scail".to_owned() };
    let failure = Worker::broken(start);
    assert_eq!(failure.class, "AttributeError");
    assert!(failure.message.contains("module `mine` has no `scail`") && !failure.retryable, "{failure:?}");
}

#[test]
fn operations_work_element_by_element_and_refuse_text() {
    let mut start = program(Program::Operation { name: "multiply".to_owned() });
    start.scope.inputs = json(r#"{"factor": 2}"#);
    let mut worker = Worker::ready(start);
    let answer = worker.run(batch(&["[1,[2,3.5]]", "10000000000000000000000", "\"12\""]));
    assert_eq!(answer.lines(), ["[2,[4,7.0]]", "20000000000000000000000"]);
    assert_eq!(answer.failure().class, "TypeError");
    assert_eq!(answer.failure().message, "cannot multiply str by int: both must be numbers");
}

#[test]
fn a_mistake_in_the_text_is_told_with_its_line_before_any_item() {
    let failure = Worker::broken(code("x = 1\nif x\n    y = 2"));
    assert_eq!(failure.class, "SyntaxError");
    assert!(failure.message.contains("line 2"), "{failure:?}");
    let detail = failure.detail.unwrap();
    assert!(detail.contains("    if x\n") && detail.contains('^'), "{detail}");
    let failure = Worker::broken(code("x = 1\nyield x"));
    assert!(failure.message.contains("`yield` is not allowed at the top level"), "{failure:?}");
    assert!(failure.detail.unwrap().contains("yield x"));
    let failure = Worker::broken(code("x = await f()"));
    assert!(failure.message.contains("asyncio.run"), "{failure:?}");
}

#[test]
fn a_missing_module_is_told_with_the_interpreter() {
    let failure =
        Worker::broken(program(Program::Function { module: "no_such_module".to_owned(), name: "f".to_owned() }));
    assert_eq!(failure.class, "ModuleNotFoundError");
    assert!(failure.message.contains("no_such_module") && failure.message.contains("Python 3."), "{failure:?}");
    let answer = run_code("import no_such_module", &["1"]);
    assert!(answer.failure().message.contains("Python 3."), "{answer:?}");
    let mut start = code("return 1");
    start.setup = Some("raise OSError('no connection')".to_owned());
    let failure = Worker::broken(start);
    assert!(failure.retryable && failure.message == "no connection (in `setup`, line 1)", "{failure:?}");
    assert!(failure.detail.unwrap().contains("flow.yaml:steps.count.setup\", line 1"));
}

#[test]
fn exceptions_fail_their_item_only_and_exits_are_exceptions() {
    let source = "
import sys
class Odd(Exception): pass
if item == 1: raise Odd('first\\nsecond')
if item == 2: sys.exit(3)
if item == 3: raise KeyboardInterrupt
if item == 4: raise ValueError
return item
";
    let answer = run_code(source, &["0", "1", "2", "3", "4", "5"]);
    assert_eq!(answer.lines(), ["0", "5"]);
    let told: Vec<_> = answer
        .results
        .iter()
        .flat_map(|results| &results.failures)
        .map(|(at, f)| (*at, f.class.as_str(), f.message.as_str()))
        .collect();
    assert_eq!(
        told,
        [
            (1, "Odd", "first"),
            (2, "SystemExit", "3"),
            (3, "KeyboardInterrupt", "KeyboardInterrupt"),
            (4, "ValueError", "ValueError")
        ]
    );
}
