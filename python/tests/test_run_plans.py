"""`validate`, `plan` and `profile`."""

from pathlib import Path

import pytest

import batchmill

SQUARES = {
    "name": "squares",
    "params": {"count": {"type": "integer", "required": True}},
    "steps": [
        {"name": "square", "for_each": {"range": "{{ count }}"}, "task": "python", "repeatable": True, "inputs": {"code": "return item ** 2"}},
        {"name": "total", "task": "python", "inputs": {"code": "return sum(steps.square.results)"}},
    ],
}


def test_a_valid_workflow_has_steps_and_no_errors():
    found = batchmill.validate(SQUARES)
    assert (found.valid, found.errors, found.steps) == (True, (), ("square", "total"))
    found.raise_for_errors()


def test_errors_are_found_without_running_anything():
    Path("bad.yaml").write_text("steps:\n  - name: a\n    task: ecoh\n    inputs: {message: x}\n")
    found = batchmill.validate("bad.yaml")
    assert (found.valid, found.steps, found.errors[0].line, found.errors[0].column) == (False, (), 3, 11)
    with pytest.raises(batchmill.WorkflowError, match="bad.yaml:3:11: ") as caught:
        found.raise_for_errors()
    assert caught.value.errors == found.errors
    assert not batchmill.validate(SQUARES, {"count": "x"}).valid
    assert batchmill.validate("gone.yaml").errors[0].file == "gone.yaml"
    assert not batchmill.runs()


def test_a_plan_counts_items():
    found = batchmill.plan(SQUARES, {"count": 50})
    square, total = found.steps
    assert (found.workflow, found.run_id) == ("squares", None)
    assert (square.items, square.batch_size, square.first_item, square.type, square.is_batch) == (50, 1, 0, "python", True)
    assert (total.items, total.is_batch) == (None, False)
    with pytest.raises(batchmill.WorkflowError, match="parameter `count`"):
        batchmill.plan(SQUARES)


def test_a_plan_says_what_resuming_would_run():
    run = batchmill.run(SQUARES, {"count": 3})
    found = batchmill.plan(SQUARES, resume=True)
    assert (found.run_id, [step.will_run for step in found.steps]) == (run.id, [0, 0])
    assert batchmill.plan(SQUARES, {"count": 5}, resume=True).steps[0].will_run in (2, 5, "everything")


def test_a_profile_says_what_limits_a_step():
    found = batchmill.profile(SQUARES, {"count": 100_000}, step="square", budget=3)
    assert found.step == "square" and found.why and found.details["trials"] >= 1
    with pytest.raises(batchmill.EngineError, match="the workflow has no step `x`"):
        batchmill.profile(SQUARES, {"count": 1}, step="x")
