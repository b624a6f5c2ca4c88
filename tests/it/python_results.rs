//! The results of earlier steps in Python code: one type, however many there are.

use crate::support::Sandbox;
use serde_json::json;

#[test]
#[ignore = "heavy: takes seconds"]
fn results_become_data_frames_whether_there_are_few_or_many() {
    let text = "
steps:
  - {name: few, for_each: {range: 3}, task: python, inputs: {code: 'return {\"a\": item}'}, outputs: small}
  - {name: many, for_each: {range: 1200}, batch_size: 600, task: python, inputs: {code: 'return {\"a\": item}'}}
  - name: frames
    for_each: [2, 3]
    task: python
    inputs: {code: 'import pandas; return pandas.DataFrame({\"n\": range(item)})'}
  - name: work
    for_each: [1]
    task: python
    inputs:
      given: '{{ steps.few.result }}'
      code: |
        import copy, json, pickle
        few = steps.few.result
        shape = lambda results: [list(results.to_pandas().columns), len(results.to_pandas())]
        same = [isinstance(few, list), few == [{'a': 0}, {'a': 1}, {'a': 2}], type(few[:1]) is list, type(few + [1]) is list,
                type(pickle.loads(pickle.dumps(few))) is list, type(copy.copy(few)) is list, type(copy.deepcopy(few)) is list,
                json.dumps(few) == json.dumps(list(few)), few.to_list() == list(few)]
        tables = [shape(one) for one in (few, given, small, steps.many.result, steps.frames.result)]
        try:
            few.append(1)
        except TypeError:
            return [all(same), tables]
  - {name: alone, task: python, inputs: {code: 'return len(steps.few.results.to_pandas())'}}
";
    let sandbox = Sandbox::with(text);
    sandbox.run(&[]).exits_with(0);
    let tables = json!([[["a"], 3], [["a"], 3], [["a"], 3], [["a"], 1200], [["n"], 5]]);
    assert_eq!(sandbox.results("work"), [json!([true, tables])]);
    assert_eq!(sandbox.results("alone"), [json!(3)]);
}

#[test]
fn a_step_with_the_name_of_a_method_is_reachable() {
    let text = "
steps:
  - {name: get, for_each: [1, 2], task: python, inputs: {code: return item}}
  - {name: items, task: python, inputs: {code: return 5}}
  - {name: keys, task: echo, inputs: {message: '{{ steps.items.result }} {{ steps.get.result }}'}}
  - {name: work, for_each: [1], task: python, inputs: {code: 'return [steps.get.failed, steps.items.result, steps.keys.result, steps[\"get\"].result]'}}
  - {name: plain, task: python, inputs: {code: 'return [steps.get.result, steps.items.result, sorted(steps)]'}}
";
    let sandbox = Sandbox::with(text);
    sandbox.run(&[]).exits_with(0);
    assert_eq!(sandbox.results("work"), [json!([[], 5, "5 [1,2]", [1, 2]])]);
    assert_eq!(sandbox.results("plain"), [json!([[1, 2], 5, ["get", "items", "keys", "work"]])]);
}

#[test]
#[ignore = "heavy: takes seconds"]
fn the_list_or_frame_of_a_plain_step_becomes_a_data_frame_too() {
    let text = "
steps:
  - {name: frame, task: python, inputs: {code: 'import pandas; return pandas.DataFrame({\"a\": [1, 2]})'}, outputs: table}
  - {name: rows, task: python, inputs: {code: 'return [{\"a\": 1}, {\"a\": None}]'}}
  - {name: numbers, task: python, inputs: {code: 'return [1, 2, 3]'}}
  - {name: none, task: python, inputs: {code: 'return []'}}
  - name: work
    task: python
    inputs:
      code: |
        found = [steps.frame.result, table, steps.rows.result, steps.numbers.result, steps.none.result]
        pandas = [list(one.to_pandas().shape) for one in found]
        polars = [list(one.to_polars().shape) for one in found]
        arrow = [list(one.to_arrow().shape) for one in found]
        return [pandas, polars == pandas, arrow == pandas, steps.rows.result == [{'a': 1}, {'a': None}], steps.rows.result]
";
    let sandbox = Sandbox::with(text);
    sandbox.run(&[]).exits_with(0);
    let shapes = json!([[2, 1], [2, 1], [2, 1], [3, 1], [0, 0]]);
    assert_eq!(sandbox.results("work"), [json!([shapes, true, true, true, [{"a": 1}, {"a": null}]])]);
}

#[test]
fn what_has_no_rows_says_which_results_have_them() {
    for (value, frames) in
        [("5", "to_pandas"), ("'text'", "to_polars"), ("{'a': 1}", "to_arrow"), ("None", "to_pandas")]
    {
        let text = format!(
            "
steps:
  - {{name: given, task: python, inputs: {{code: \"return {value}\"}}}}
  - {{name: work, task: python, inputs: {{code: 'return steps.given.result.{frames}()'}}}}
"
        );
        let says = "(the results of a step have it, and lists and data frames that a plain step returns)";
        Sandbox::with(&text).run(&[]).exits_with(3).says(&[frames, says]);
    }
}
