"""Workflows of the tests, and what they leave."""

from pathlib import Path

import batchmill
import pytest


def batch(name, items, task, **keys):
    """A step with a task for each item."""
    return {"name": name, "type": "batch", "inputs": {"items": items, "parallel": True, "task": task, **keys}}


def shell(command):
    return {"type": "shell", "inputs": {"command": command}}


def python(code, **keys):
    return {"type": "python", "code": code, **keys}


def results(workflow, executor=None):
    """All that a run leaves: the results of its steps, and its files."""
    run = batchmill.run(workflow, executor=executor, progress=False)
    found = {name: (list(step.results), step.stats.failed) for name, step in run.steps.items() if step.is_batch}
    files = {path.name: path.read_bytes() for path in Path("out").glob("*")}
    return run.status, found, files


def refused(executor, workflow=None):
    """Return the message of the error."""
    step = batch("step", {"range": 2}, python("return item"))
    with pytest.raises(batchmill.BatchmillError) as caught:
        run = batchmill.run(workflow or {"name": "no", "steps": [step]}, executor=executor, progress=False, check=True)
        raise AssertionError(run)
    return str(caught.value)
