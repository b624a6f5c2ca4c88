"""Workflows that are mappings: where they are kept, and where their errors are."""

import json
from pathlib import Path

import pytest

import batchmill


def workflow(code="return item * params.by", **keys):
    step = {"name": "times", "for_each": {"range": 3}, "task": "python", "continue_on_error": True, "inputs": {"code": code}}
    return {"name": "by", "params": {"by": {"type": "integer", "default": 2}}, "steps": [{**step, **keys}]}


def test_a_mapping_runs_like_a_file():
    run = batchmill.run(workflow(), {"by": 3})
    assert (run.workflow, list(run.steps["times"].results)) == ("by", [0, 3, 6])


def test_it_is_kept_where_resume_finds_it(here):
    failing = workflow("assert item != params.by; return item")
    run = batchmill.run(failing)
    assert [failure.item for failure in run.failures] == [2]
    assert sorted(path.name for path in (here / ".batchmill").iterdir()) == [".gitignore", "runs", "workflows"]
    for again in (batchmill.retry(run, {"by": 1}), batchmill.resume(run.id, {"by": 9}), batchmill.run(failing, {"by": 9}, resume=True)):
        assert (again.id, again.status) == (run.id, "succeeded")


def test_an_edited_mapping_of_the_same_name_continues_the_run():
    run = batchmill.run(workflow("assert item; return item"))
    again = batchmill.run(workflow("return -item"), resume=True)
    assert (again.id, list(again.steps["times"].results)) == (run.id, [0, -1, -2])


def test_it_needs_a_name_to_be_found_again():
    nameless = {"steps": workflow()["steps"], "params": workflow()["params"]}
    first, second = batchmill.run(nameless), batchmill.run({**nameless, "env": {"A": "b"}})
    assert first.workflow != second.workflow
    for options in ({"resume": True}, {"incremental": True}):
        with pytest.raises(ValueError, match="has no `name`"):
            batchmill.run(nameless, **options)
    assert batchmill.resume(first).id == first.id


def test_names_that_are_no_file_names_are_kept_apart():
    for name in ("a/b", "a b", "../a", "Ä" * 300, "a\nb"):
        assert batchmill.run({**workflow(), "name": name}).workflow == name
    kept = list(Path(".batchmill/workflows").iterdir())
    assert len(kept) == 5
    assert all(json.loads(path.read_text())["steps"] for path in kept)


def test_it_is_incremental():
    rows = [{"id": 1}, {"id": 2}]
    first = batchmill.run(workflow("return item['id']", for_each=rows))
    again = batchmill.run(workflow("return item['id']", for_each=[*rows, {"id": 3}]), incremental=True)
    assert again.id != first.id
    assert (again.steps["times"].stats.unchanged, list(again.steps["times"].results)) == (2, [1, 2, 3])
    assert batchmill.run(workflow("return item['id']", for_each=rows), incremental="content").stats.unchanged == 2


@pytest.mark.parametrize(
    ("change", "path", "message", "hint"),
    [
        ({"contine_on_error": True}, "steps[0].contine_on_error", "unknown key", "did you mean `continue_on_error`?"),
        ({"retry": {"max_attempts": 0}}, "steps[0].retry.max_attempts", "", None),
        ({"inputs": {"code": "return itm"}}, "steps[0].inputs.code", "itm", None),
        ({"inputs": {"code": "return (\n\n1"}}, "steps[0].inputs.code", "", None),
        ({"for_each": [1, {"a": "{{ nope }}"}]}, "steps[0].for_each[1].a", "nope", None),
        ({"task": None}, "steps[0].task", "", None),
        ({"a key": 1}, 'steps[0]["a key"]', "unknown key", None),
    ],
)
def test_errors_have_the_path_of_the_key(change, path, message, hint):
    with pytest.raises(batchmill.WorkflowError) as caught:
        batchmill.run(workflow(**change))
    error = caught.value.errors[0]
    assert (error.path, error.file, error.line) == (path, None, None)
    assert message in error.message and hint in (None, error.hint)
    text = str(caught.value)
    assert f"--> the workflow, at `{path}`" in text and ".json" not in text


def test_a_missing_key_is_missing_in_its_mapping():
    with pytest.raises(batchmill.WorkflowError, match="missing key `task`") as caught:
        batchmill.run({"steps": [{"name": "a"}]})
    assert caught.value.errors[0].path == "steps[0]"
    with pytest.raises(batchmill.WorkflowError, match="missing key `steps`"):
        batchmill.run({})


def test_errors_of_a_resumed_mapping_have_the_path_too():
    run = batchmill.run(workflow())
    path = Path(".batchmill/workflows/by.json")
    path.write_text(path.read_text().replace('"task": "python"', '"task": "pyhton"'))
    with pytest.raises(batchmill.WorkflowError, match=r"--> the workflow, at `steps\[0\]\.task`"):
        batchmill.resume(run)


def test_modules_are_found_in_the_current_directory(here):
    (here / "mine.py").write_text("def double(item):\n    return item * 2\n")
    (here / "script.py").write_text("return item + 1\n")
    by_function = {**workflow(), "steps": [{**workflow()["steps"][0], "inputs": {"function": "mine:double"}}]}
    assert list(batchmill.run(by_function).steps["times"].results) == [0, 2, 4]
    by_script = {**workflow(), "steps": [{**workflow()["steps"][0], "inputs": {"script": "script.py"}}]}
    assert list(batchmill.run(by_script).steps["times"].results) == [1, 2, 3]


@pytest.mark.parametrize("text", ["it's \"quoted\"", "a: b # c", "\x7f\x85\u2028\x00", "😀 ü\t\n", "- x", "", "null", "1e3", "&a *b"])
def test_any_text_arrives_unchanged(text):
    run = batchmill.run(workflow("return item", for_each=[text, {text or "k": text}]))
    assert list(run.steps["times"].results) == [text, {text or "k": text}]
