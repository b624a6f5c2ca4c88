"""Runs: what they did, read from the engine when it is asked for."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

from batchmill._engine import ask, error_of
from batchmill._errors import NothingToRunError, RunFailedError
from batchmill._events import Stats, StopReason, known
from batchmill._failures import Failure, Failures, failure_of
from batchmill._html import html_of
from batchmill._results import Results
from batchmill._workflow import state_directory

__all__ = ["Run", "RunInfo", "Step", "Steps", "open", "runs"]


@dataclass(frozen=True, eq=False)
class Step:
    """A step of a run.

    Attributes
    ----------
    name : str
        Its name.
    is_batch : bool
        Whether it runs its task for each item.
    status : str
        `succeeded`, `partial`, `failed`, `empty`, `interrupted` or `running`.
    stats : Stats
        Its counts.
    failure : StopReason or None
        What stopped it, if something did.
    output : Path or None
        The file, or the directory of parts, that its results were written to.
    results : Results
        The results in item order, without the failed items. A plain step has one.
    failures : Failures
        Its failed items.
    """

    name: str
    is_batch: bool
    status: str
    stats: Stats
    failure: StopReason | None
    output: Path | None
    results: Results = field(repr=False)
    failures: Failures = field(repr=False)
    _place: tuple[str, str] = field(repr=False)

    @property
    def result(self) -> Any:
        """The value of a plain step, or None if it has none yet; of a batch, its results."""
        if self.is_batch:
            return self.results
        return self.results[0] if self.results else None

    @property
    def aggregate(self) -> Any:
        """The aggregate of its results; None if it has none."""
        return json.loads(_answer(self._place, "results", "--step", self.name, "--format", "aggregate"))


class Steps(Mapping[str, Step]):
    """The steps of a run that have started, by name, in the order in which they started."""

    def __init__(self, steps: Mapping[str, Step]) -> None:
        self._steps = dict(steps)

    def __getitem__(self, name: str) -> Step:
        if name not in self._steps:
            known_names = ", ".join(f"`{name}`" for name in self._steps) or "none"
            raise KeyError(f"the run has no step `{name}`; its steps are {known_names}")
        return self._steps[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._steps)

    def __len__(self) -> int:
        return len(self._steps)

    def __repr__(self) -> str:
        return f"Steps({', '.join(f'{name}: {step.status}' for name, step in self._steps.items())})"


@dataclass(frozen=True, eq=False)
class Run:
    """A run, as it was when this object was made; `batchmill.open(run.id)` looks again.

    Attributes
    ----------
    id : str
        Its ID, by which the command line knows it too.
    workflow : str
        The name of the workflow.
    status : str
        `succeeded`: every item did. `partial`: it finished, and some items failed. `failed`: a failure stopped it.
        `empty`: there were no items. `interrupted`: a signal or a time limit stopped it. `running`.
    exit_code : int or None
        The exit code of the engine, if this process ran it.
    steps : Steps
        The steps that have started, by name.
    started, finished : datetime or None
        When it started, and when it ended last, UTC.
    state_dir : str
        The directory with the runs.
    message : str or None
        What the engine said of what stopped it, if it was not an item.
    """

    id: str
    workflow: str
    status: str
    exit_code: int | None
    steps: Steps
    started: datetime
    finished: datetime | None
    state_dir: str = field(repr=False)
    stats: Stats = field(repr=False)
    failures: Failures = field(repr=False)
    message: str | None = None

    @property
    def outputs(self) -> dict[str, Path]:
        """The file, or the directory of parts, that each step has written, by the name of the step."""
        return {step.name: step.output for step in self.steps.values() if step.output is not None}

    @property
    def aggregate(self) -> dict[str, Any]:
        """The aggregate of each batch step that has one, by the name of the step."""
        made = {step.name: step.aggregate for step in self.steps.values() if step.is_batch}
        return {name: value for name, value in made.items() if value is not None}

    def report(self, path: str | os.PathLike[str] | None = None) -> Path:
        """Write an HTML page that explains the run: what failed, and where the time went.

        Parameters
        ----------
        path : path, optional
            The file to write; by default `report-ID.html` in the current directory.

        Returns
        -------
        Path
            The file.
        """
        target = Path(f"report-{self.id}.html" if path is None else path)
        _answer((self.id, self.state_dir), "report", f"--output={target}")
        return target

    def raise_for_failures(self) -> None:
        """Raise an exception unless the run has succeeded.

        Raises
        ------
        RunFailedError
            If items failed, or something stopped the run. It carries the run and its failures.
        NothingToRunError
            If a step has no items.
        """
        if self.status != "succeeded":
            kind = NothingToRunError if self.status == "empty" else RunFailedError
            raise kind(_why(self), self)

    def __repr__(self) -> str:
        steps = "".join(
            f"\n  {step.name}: {step.status}, {step.stats.succeeded:,} of {step.stats.total:,} succeeded"
            for step in self.steps.values()
        )
        return f"<Run {self.id}: {self.status}>{steps}"

    def _repr_html_(self) -> str:
        return html_of(self)


def _why(run: Run) -> str:
    """The message of the exception for a run that did not succeed: the first reasons, and what to do next."""
    reasons = [run.message] if run.message else []
    for step in run.steps.values():
        if step.failure is not None:
            reasons.append(f"step `{step.name}`: {step.failure.type}: {step.failure.message}")
        elif step.status == "empty":
            reasons.append(f"step `{step.name}` has no items")
    if run.stats.failed:
        reasons += [str(failure) for failure in run.failures.first(3)]
        more = run.stats.failed - 3
        reasons += [f"and {more:,} more; `failures` has all"] if more > 0 else []
    count = f", {run.stats.failed:,} failed" if run.stats.failed else ""
    return "\n  ".join([f"run {run.id}: {run.status}{count}", *reasons])


@dataclass(frozen=True)
class RunInfo:
    """A run in the list of runs. `open` opens it.

    Attributes
    ----------
    id, workflow, status : str
        As in `Run`.
    path : Path
        The workflow file.
    started, finished : datetime or None
        When it started, and when it ended last, UTC.
    duration : float or None
        How long it took, in seconds; None if it was killed.
    succeeded, failed : int
        How many items succeeded and failed, of all steps.
    params : mapping
        The parameters that were given; secrets are masked.
    """

    id: str
    workflow: str
    status: str
    path: Path
    started: datetime
    finished: datetime | None
    duration: float | None
    succeeded: int
    failed: int
    params: Mapping[str, Any]
    state_dir: str = field(repr=False)

    def open(self) -> Run:
        """Return the run."""
        return open(self.id, state_dir=self.state_dir)


def open(run: str = "latest", *, state_dir: str | os.PathLike[str] | None = None) -> Run:
    """Open an earlier run, or one that is in progress.

    Parameters
    ----------
    run : str
        The ID of a run, its beginning or end, or `latest`.
    state_dir : path, optional
        The directory with the runs; by default `BATCHMILL_STATE_DIR`, or `.batchmill`.

    Returns
    -------
    Run
        The run as it is now.

    Raises
    ------
    RunNotFoundError
        If there is no such run.

    Examples
    --------
    >>> run = batchmill.run({"name": "squares", "steps": [
    ...     {"name": "square", "for_each": {"range": 3}, "task": "python", "inputs": {"code": "return item ** 2"}}]})
    >>> batchmill.open(run.id).steps["square"].results[-1]
    4
    """
    return opened(run, state_directory(state_dir))


def opened(run: str, state: str, *, exit_code: int | None = None, message: str | None = None) -> Run:
    """Return a run of this state directory."""
    raw: dict[str, Any] = json.loads(_answer((run, state), "status", "--format", "json"))
    place = (raw["run_id"], state)
    steps = {step["name"]: _step(step, place, raw["directory"]) for step in raw["steps"]}
    return Run(
        id=raw["run_id"],
        workflow=raw["workflow"],
        status=raw["status"],
        exit_code=exit_code,
        steps=Steps(steps),
        started=_time(raw["started"]),
        finished=None if raw["finished"] is None else _time(raw["finished"]),
        state_dir=state,
        stats=_sum(steps, raw["duration"]),
        failures=Failures(partial(_failures, place, None)),
        message=message,
    )


def runs(*, state_dir: str | os.PathLike[str] | None = None) -> list[RunInfo]:
    """Return all runs, the oldest first.

    Parameters
    ----------
    state_dir : path, optional
        The directory with the runs; by default `BATCHMILL_STATE_DIR`, or `.batchmill`.

    Examples
    --------
    >>> done = batchmill.run({"name": "hello", "steps": [
    ...     {"name": "greet", "task": "python", "inputs": {"code": "return 'hello'"}}]})
    >>> batchmill.runs()[-1].id == done.id
    True
    """
    state = state_directory(state_dir)
    code, printed, said = ask(["runs", "--format", "json", f"--state-dir={state}"])
    if code != 0:
        raise error_of(code, said)
    return [
        RunInfo(
            id=raw["run_id"],
            workflow=raw["workflow"],
            status=raw["status"],
            path=Path(raw["path"]),
            started=_time(raw["started"]),
            finished=None if raw["finished"] is None else _time(raw["finished"]),
            duration=raw["duration"],
            succeeded=raw["succeeded"],
            failed=raw["failed"],
            params=raw["params"],
            state_dir=state,
        )
        for raw in json.loads(printed)
    ]


def _step(raw: Mapping[str, Any], place: tuple[str, str], directory: str) -> Step:
    name: str = raw["name"]
    output: str | None = raw["output"]
    return Step(
        name=name,
        is_batch=raw["is_batch"],
        status=raw["status"],
        stats=known(Stats, {**raw["stats"], "duration": raw["duration"]}),
        failure=None if raw["failure"] is None else known(StopReason, raw["failure"]),
        output=None if output is None or output == "-" else Path(directory, output),
        results=Results(partial(_results, place, name)),
        failures=Failures(partial(_failures, place, name)),
        _place=place,
    )


def _sum(steps: Mapping[str, Step], duration: float) -> Stats:
    """The counts of all steps together."""
    names = ("total", "succeeded", "failed", "bad_rows", "unchanged", "cancelled", "skipped", "retried", "ledger")
    sums: dict[str, Any] = {name: sum(getattr(step.stats, name) for step in steps.values()) for name in names}
    percent = 100 * sums["succeeded"] / sums["total"] if sums["total"] else 100.0
    done = sums["succeeded"] + sums["failed"]
    return Stats(**sums, duration=duration, percent=percent, items_per_second=done / duration if duration else 0.0)


def _results(place: tuple[str, str], step: str) -> tuple[str, int]:
    found: dict[str, Any] = json.loads(_answer(place, "results", "--step", step, "--format", "file"))
    return found["path"], found["count"]


def _failures(place: tuple[str, str], step: str | None, most: int | None) -> list[Failure]:
    only = [] if step is None else ["--step", step]
    only += [] if most is None else [f"--limit={most}"]
    return [failure_of(raw) for raw in json.loads(_answer(place, "failures", "--format", "json", *only))]


def _answer(place: tuple[str, str], verb: str, *arguments: str) -> bytes:
    """What a verb prints about a run."""
    run, state = place
    code, printed, said = ask([verb, *arguments, f"--state-dir={state}", "--", run])
    if code != 0:
        raise error_of(code, said)
    return printed


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, timezone.utc)
