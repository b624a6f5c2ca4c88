//! The results of earlier steps in Python code: one type, however many there are.

use crate::support::Sandbox;
use serde_json::json;

#[test]
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
