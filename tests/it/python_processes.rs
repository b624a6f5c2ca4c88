//! Functions and classes of a step's code that are sent to other processes.

use crate::support::Sandbox;
use serde_json::json;

fn step(code: &str) -> String {
    let code = code.trim_matches('\n').lines().map(|line| format!("        {line}\n")).collect::<String>();
    format!(
        "
steps:
  - name: work
    for_each: [1, 2, 3]
    batch_size: 3
    task: python
    inputs:
      code: |
{code}"
    )
}

#[test]
fn functions_and_classes_of_the_code_can_be_sent_to_a_process() {
    for code in [
        "
def double(x):
    return 2 * x
with futures() as pool:
    return list(pool.map(double, [item]))[0]
",
        "
import math
def root(x):
    return helper(math.sqrt(x * x))
def helper(x):
    return int(2 * x)
with futures() as pool:
    return pool.submit(root, item).result()
",
        "
import multiprocessing
class Number:
    def __init__(self, value):
        self.value = value
    def double(self):
        return Number(2 * self.value)
def double(number):
    return number.double()
with multiprocessing.get_context('fork').Pool(1) as pool:
    return pool.map(double, [Number(item)])[0].value
",
        "
import pickle
from dataclasses import dataclass
@dataclass
class Point:
    x: int
    def __post_init__(self):
        self.doubled = 2 * self.x
return pickle.loads(pickle.dumps(Point(item))).doubled
",
        "
import pickle
def double(x, times=2):
    return double(x, times - 1) + x if times else 0
x = pickle.loads(pickle.dumps(double))
return x(item)
",
    ] {
        let code = format!("{FUTURES}{code}");
        let sandbox = Sandbox::with(&step(&code));
        sandbox.run(&[]).exits_with(0);
        assert_eq!(sandbox.results("work"), [json!(2), json!(4), json!(6)], "{code}");
    }
}

const FUTURES: &str = "
import concurrent.futures
import multiprocessing as processes
def futures():
    return concurrent.futures.ProcessPoolExecutor(1, mp_context=processes.get_context('fork'))
";

#[test]
fn functions_of_setup_can_be_sent_to_a_process() {
    let text = step(&format!("{FUTURES}\nwith futures() as pool:\n    return pool.submit(double, item).result()\n"))
        + "      setup: |\n        def double(x):\n            return 2 * x\n";
    let sandbox = Sandbox::with(&text);
    sandbox.run(&[]).exits_with(0);
    assert_eq!(sandbox.results("work"), [json!(2), json!(4), json!(6)]);
}

#[test]
#[ignore = "heavy: takes seconds"]
fn code_means_what_it_meant_where_a_function_uses_the_item() {
    for (code, setup) in [
        ("def times():\n    return 2 * item\nreturn times()", "pass"),
        ("n = item\ndef times(x=n):\n    return 2 * x\nreturn times()", "pass"),
        (
            "def helper():\n    return item\nreturn helper() + shared()",
            "def helper(): return 7\ndef shared(): return helper() - 7 + len(SEEN)\nSEEN = []\n",
        ),
        ("def len(x):\n    return x\nreturn 2 * len(item)", "pass"),
        ("def f(x):\n    return x\nf = lambda x, f=f: 2 * f(x)\nreturn f(item)", "pass"),
        (
            "def make():\n    n = item\n    def add():\n        nonlocal n\n        n += item\n    add()\n    return n\nreturn make()",
            "pass",
        ),
        ("class A:\n    value = item\nreturn 2 * A.value", "pass"),
        ("def f():\n    return 2 * f.n\nf.n = item\nreturn f()", "pass"),
        (
            "import sys\ndef double(x):\n    return 2 * x\nassert 'double' in double.__qualname__\nreturn double(item)",
            "from math import *",
        ),
    ] {
        let setup = setup.lines().map(|line| format!("        {line}\n")).collect::<String>();
        let sandbox = Sandbox::with(&(step(code) + "      setup: |\n" + &setup));
        sandbox.run(&[]).exits_with(0);
        let expected = if code.contains("shared()") { [1, 2, 3] } else { [2, 4, 6] };
        assert_eq!(sandbox.results("work"), expected.map(|it| json!(it)), "{code}");
    }
}

#[test]
fn what_cannot_be_sent_fails_with_a_way_out() {
    let cases = [
        ("import pickle\ndef f():\n    return item\npickle.dumps(f)", "pass them as arguments"),
        ("import pickle\npickle.dumps(lambda: 1)", "write a function with `def`"),
        (
            "import concurrent.futures, multiprocessing\ndef f(x):\n    return x\ncontext = multiprocessing.get_context('spawn')\nwith concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:\n    return pool.submit(f, item).result()",
            "must be in a module",
        ),
    ];
    for (code, says) in cases {
        let sandbox = Sandbox::with(&step(code).replace("[1, 2, 3]", "[1]"));
        sandbox.run(&[]).exits_with(3).says(&[says]);
    }
}

#[test]
fn a_process_that_is_spawned_runs_functions_of_modules() {
    let code = "
import concurrent.futures, multiprocessing, tools
context = multiprocessing.get_context('spawn')
with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
    return pool.submit(tools.double, item).result()
";
    let sandbox = Sandbox::with(&step(code)).file("tools.py", "def double(x):\n    return 2 * x\n");
    sandbox.run(&[]).exits_with(0);
    assert_eq!(sandbox.results("work"), [json!(2), json!(4), json!(6)]);
}

#[test]
#[ignore = "heavy: takes seconds"]
fn joblib_runs_functions_of_the_code_with_each_of_its_backends() {
    for backend in ["loky", "multiprocessing", "threading"] {
        let code = format!(
            "
from joblib import Parallel, delayed
class Number:
    def __init__(self, value):
        self.value = value
def double(number):
    return Number(factor() * number.value)
def factor():
    return 2
numbers = Parallel(n_jobs=2, backend='{backend}')(delayed(double)(Number(item + k)) for k in range(3))
return [number.value for number in numbers]
"
        );
        let sandbox = Sandbox::with(&step(&code));
        sandbox.run(&[]).exits_with(0);
        let expected = [1, 2, 3].map(|item| json!([2 * item, 2 * item + 2, 2 * item + 4]));
        assert_eq!(sandbox.results("work"), expected, "{backend}");
        sandbox.has_no_process();
    }
}

#[test]
#[ignore = "heavy: takes seconds"]
fn processes_that_the_code_starts_afresh_have_the_packages_of_the_worker() {
    for code in [
        "
import subprocess
flags = subprocess._args_from_interpreter_flags()
return '-S' in flags or bool(sys.flags.no_site)
",
        "
import subprocess
flags = subprocess._args_from_interpreter_flags()
return bool(subprocess.call([sys.executable, *flags, '-c', 'import joblib, numpy']))
",
        "
import multiprocessing
with multiprocessing.get_context('spawn').Pool(1) as pool:
    return not pool.apply(eval, (\"'site-packages' in __import__('numpy').__file__\",))
",
    ] {
        let sandbox = Sandbox::with(&step(&format!("import sys\n{}", code.trim_start())));
        sandbox.run(&[]).exits_with(0);
        assert_eq!(sandbox.results("work"), vec![json!(false); 3], "{code}");
    }
}
