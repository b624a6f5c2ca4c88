"""`validate`, `plan` and `profile`: what is known of a workflow without running it as a whole."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from batchmill._engine import ask, error_of
from batchmill._errors import Diagnostic, WorkflowError
from batchmill._run import Incremental, Params, given_params, incremental_option
from batchmill._workflow import Workflow, diagnostics_of, file_of, state_directory

__all__ = ["Plan", "PlannedStep", "Profile", "Validation", "plan", "profile", "validate"]


@dataclass(frozen=True)
class Validation:
    """What `validate` found.

    Attributes
    ----------
    errors : tuple of Diagnostic
        Every error, in the order of the file.
    steps : tuple of str
        The names of the steps; empty if there are errors.
    """

    errors: tuple[Diagnostic, ...]
    steps: tuple[str, ...]

    @property
    def valid(self) -> bool:
        """Whether the workflow has no errors."""
        return not self.errors

    def raise_for_errors(self) -> None:
        """Raise an exception if there are errors.

        Raises
        ------
        WorkflowError
            It carries the errors.
        """
        if self.errors:
            raise WorkflowError("\n".join(map(str, self.errors)), self.errors)


@dataclass(frozen=True)
class PlannedStep:
    """A step of a plan. What is not known before the run is None.

    Attributes
    ----------
    name : str
        Its name.
    type : str or None
        Its task, such as `python`.
    is_batch : bool or None
        Whether it runs its task for each item.
    items, batches, workers : int or None
        How many items, batches and workers there are.
    batch_size : int, "auto" or None
        How many items a batch has.
    first_item : object
        The first item.
    will_run : int, "everything" or None
        How many items would run, if a run is resumed or incremental.
    because : mapping of str to int, or tuple of str
        Why they would run.
    """

    name: str
    type: str | None = None
    is_batch: bool | None = None
    items: int | None = None
    batches: int | None = None
    workers: int | None = None
    batch_size: int | str | None = None
    first_item: Any = None
    will_run: int | str | None = None
    because: Mapping[str, int] | tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What would run.

    Attributes
    ----------
    steps : tuple of PlannedStep
        The steps, in the order of the workflow.
    workflow : str or None
        The name of the workflow.
    run_id : str or None
        The run that would be continued, or whose results would be reused.
    """

    steps: tuple[PlannedStep, ...]
    workflow: str | None = None
    run_id: str | None = None


@dataclass(frozen=True)
class Profile:
    """What limits a step, and what to change.

    Attributes
    ----------
    step : str
        The step.
    why : str
        What limits it, as the end of a sentence that begins with the name of the step.
    changes : mapping of str to object
        The settings to change, by the keys of a workflow; empty if nothing helps.
    ceiling : float or None
        Items per second that no number of workers exceeds.
    notes : tuple of str
        What else to know.
    details : mapping
        Everything that `batchmill profile --format json` prints.
    """

    step: str
    why: str
    changes: Mapping[str, Any]
    ceiling: float | None
    notes: tuple[str, ...]
    details: Mapping[str, Any] = field(repr=False)


def validate(
    workflow: Workflow,
    params: Params | None = None,
    *,
    state_dir: str | os.PathLike[str] | None = None,
    python: str | os.PathLike[str] | None = None,
) -> Validation:
    """Check a workflow and run nothing, as `batchmill validate` does.

    Parameters
    ----------
    workflow, params, state_dir, python
        As in `run`.

    Returns
    -------
    Validation
        The errors, if there are any. They are no exception; `raise_for_errors()` makes them one.

    Examples
    --------
    >>> found = batchmill.validate({"steps": [
    ...     {"name": "greet", "task": "echo", "inputs": {"message": "hello"}, "rety": 3}]})
    >>> found.valid, found.errors[0].path, found.errors[0].hint
    (False, 'steps[0].rety', 'did you mean `retry`?')
    """
    given = given_params(params)
    state = state_directory(state_dir)
    file = file_of(workflow, state)
    printed, code, said = _asked(["validate"], (file, state, python), given)
    if not printed:
        raise error_of(code, said, file)
    found: dict[str, Any] = json.loads(printed)
    return Validation(
        errors=diagnostics_of(found["diagnostics"]).errors,
        steps=tuple(step["name"] for step in found.get("steps", ())),
    )


def plan(
    workflow: Workflow,
    params: Params | None = None,
    *,
    resume: bool = False,
    incremental: Incremental = False,
    state_dir: str | os.PathLike[str] | None = None,
    python: str | os.PathLike[str] | None = None,
) -> Plan:
    """Find out what would run, as `batchmill plan` does. It counts items, and runs no task.

    Parameters
    ----------
    workflow, params, state_dir, python
        As in `run`.
    resume : bool
        Find out what resuming the latest run of the workflow would run, and why.
    incremental : bool, "time" or "content"
        Find out what an incremental run would run, and why.

    Raises
    ------
    WorkflowError
        If the workflow or a parameter is wrong.

    Examples
    --------
    >>> found = batchmill.plan({"name": "squares", "steps": [
    ...     {"name": "square", "for_each": {"range": 100}, "task": "python", "inputs": {"code": "return item ** 2"}}]})
    >>> found.steps[0].items
    100
    """
    if resume and incremental:
        raise ValueError("`resume` and `incremental` exclude each other: a resumed run is as incremental as it was")
    given = given_params(params)
    state = state_directory(state_dir)
    file = file_of(workflow, state, again=resume or incremental is not False)
    arguments = ["plan", *(["--resume"] if resume else []), *incremental_option(incremental)]
    printed, code, said = _asked(arguments, (file, state, python), given)
    if code != 0:
        raise error_of(code, said, file)
    found: dict[str, Any] = json.loads(printed)
    steps = tuple(_planned(step) for step in found["steps"])
    return Plan(steps, found.get("workflow"), found.get("run_id"))


def profile(
    workflow: Workflow,
    params: Params | None = None,
    *,
    step: str | None = None,
    budget: float = 60,
    state_dir: str | os.PathLike[str] | None = None,
    python: str | os.PathLike[str] | None = None,
) -> Profile:
    """Find out what limits a step, as `batchmill profile --yes` does. It runs the task on a sample, again and again.

    Parameters
    ----------
    workflow, params, state_dir, python
        As in `run`.
    step : str, optional
        The step, if several have items.
    budget : float
        How long to measure, in seconds.

    Raises
    ------
    WorkflowError
        If the workflow or a parameter is wrong.
    EngineError
        If the step cannot be measured, for example because its items fail.
    """
    given = given_params(params)
    state = state_directory(state_dir)
    file = file_of(workflow, state)
    arguments = ["profile", "--yes", f"--budget={budget}s", *([] if step is None else [f"--step={step}"])]
    printed, code, said = _asked(arguments, (file, state, python), given)
    if code != 0:
        raise error_of(code, said, file)
    found: dict[str, Any] = json.loads(printed)
    advice: dict[str, Any] = found["advice"] or {"changes": []}
    changes: list[dict[str, Any]] = advice["changes"]
    return Profile(
        step=found["step"],
        why=found["why"],
        changes={change["key"]: change["to"] for change in changes},
        ceiling=found["ceiling"],
        notes=tuple(found["notes"]),
        details=found,
    )


def _planned(raw: Mapping[str, Any]) -> PlannedStep:
    work: Mapping[str, Any] = raw.get("work") or {}
    because: dict[str, int] | list[str] = raw.get("because", [])
    return PlannedStep(
        name=raw["name"],
        type=raw.get("type"),
        is_batch=raw.get("is_batch"),
        items=work.get("items", raw.get("total")),
        batches=work.get("batches"),
        workers=work.get("workers"),
        batch_size=work.get("batch_size"),
        first_item=work.get("first_item"),
        will_run=raw.get("will_run"),
        because=because if isinstance(because, dict) else tuple(because),
    )


def _asked(
    arguments: list[str], place: tuple[str, str, str | os.PathLike[str] | None], given: Any
) -> tuple[bytes, int, Any]:
    file, state, python = place
    interpreter = os.fspath(python) if python is not None else sys.executable
    options = [f"--state-dir={state}", "--format=json"]
    options += [f"--python={interpreter}"] if interpreter else []
    options += [] if given is None else ["--params-file=-"]
    code, printed, said = ask([*arguments, *options, "--", file], given)
    return printed, code, said
