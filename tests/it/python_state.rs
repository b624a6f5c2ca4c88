//! What an item changes for the items after it in the same worker.

use crate::support::Sandbox;
use serde_json::{Value, json};

#[test]
fn the_module_search_path_is_for_each_item_as_setup_left_it() {
    for change in ["sys.path.insert(0, '/added')", "sys.path.append('/added')", "sys.path.pop()", "sys.path.clear()"] {
        let text = format!(
            "
steps:
  - name: work
    for_each: {{range: 5}}
    batch_size: 5
    task: python
    inputs:
      setup: |
        import sys
        sys.path.append('/of/setup')
      code: |
        seen = list(sys.path)
        {change}
        return seen
"
        );
        let sandbox = Sandbox::with(&text);
        sandbox.run(&[]).exits_with(0);
        let seen = sandbox.results("work");
        assert_eq!(seen.len(), 5);
        assert!(seen.iter().all(|path| *path == seen[0]), "{change}: {seen:?}");
        assert_eq!(seen[0].as_array().and_then(|path| path.last()), Some(&Value::from("/of/setup")));
    }
}

#[test]
fn folders_that_a_module_adds_while_it_is_imported_stay() {
    let text = "
steps:
  - name: work
    for_each: {range: 3}
    batch_size: 3
    task: python
    inputs:
      code: |
        import vendoring
        return vendoring.late() if item else 0
";
    let module = "import os, sys\nsys.path.append(os.path.join(os.path.dirname(__file__), 'vendor'))\ndef late():\n    import lately\n    return lately.X\n";
    let sandbox = Sandbox::with(text).file("vendoring.py", module).file("vendor/lately.py", "X = 7\n");
    sandbox.run(&[]).exits_with(0);
    assert_eq!(sandbox.results("work"), [json!(0), json!(7), json!(7)]);
}

#[test]
fn a_module_search_path_that_an_item_replaces_is_brought_back() {
    for change in [
        "sys.path = ['/added']",
        "sys.path = list(sys.path)",
        "sys.path = sys.path + ['/added']",
        "sys.path = None",
        "del sys.path",
    ] {
        let text = format!(
            "
steps:
  - name: work
    for_each: {{range: 3}}
    batch_size: 3
    task: python
    inputs:
      setup: |
        import sys
        kept = sys.path
      code: |
        seen = [list(sys.path), sys.path is kept]
        {change}
        return seen
"
        );
        let sandbox = Sandbox::with(&text);
        sandbox.run(&[]).exits_with(0);
        let seen = sandbox.results("work");
        assert!(seen.iter().all(|path| *path == seen[0] && path[1] == true), "{change}: {seen:?}");
    }
}

#[test]
fn filters_of_warnings_are_for_each_item_as_setup_left_them() {
    for change in [
        "warnings.simplefilter('ignore')",
        "warnings.simplefilter('error')",
        "warnings.filterwarnings('error', 'old')",
        "warnings.resetwarnings()",
    ] {
        let text = format!(
            "
steps:
  - name: work
    for_each: {{range: 4}}
    batch_size: 4
    task: python
    inputs:
      setup: |
        import warnings
        warnings.filterwarnings('always', 'of setup')
      code: |
        seen = repr(warnings.filters)
        {change}
        return seen
"
        );
        let sandbox = Sandbox::with(&text);
        sandbox.run(&[]).exits_with(0);
        let seen = sandbox.results("work");
        assert!(seen.iter().all(|filters| *filters == seen[0]), "{change}: {seen:?}");
        assert!(seen[0].as_str().is_some_and(|filters| filters.contains("of setup")), "{seen:?}");
    }
}

#[test]
fn filters_that_a_module_adds_while_it_is_imported_stay() {
    let text = "
steps:
  - name: work
    for_each: {range: 3}
    batch_size: 3
    task: python
    inputs:
      code: |
        import warnings
        before = len(warnings.filters)
        import noisy
        return len(warnings.filters) - before
";
    let module = "import warnings\nwarnings.filterwarnings('ignore', 'of a module')\n";
    let sandbox = Sandbox::with(text).file("noisy.py", module);
    sandbox.run(&[]).exits_with(0);
    assert_eq!(sandbox.results("work"), [json!(1), json!(0), json!(0)]);
}
