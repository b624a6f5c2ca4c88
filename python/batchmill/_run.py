"""`run`, `resume` and `retry`: a run from its start to its end."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any, Literal, Union

from batchmill._engine import attend, error_of
from batchmill._progress import Progress, listener_for
from batchmill._runs import Run, opened
from batchmill._values import plain
from batchmill._workflow import Workflow, file_of, state_directory

__all__ = ["resume", "retry", "run"]

Params = Mapping[str, Any]
Incremental = Union[bool, Literal["time", "content"]]

# The exit codes with which an engine ends that has run something, or had nothing to run.
_RAN = frozenset({0, 1, 3, 4, 6, 129, 130, 143})


def run(
    workflow: Workflow,
    params: Params | None = None,
    *,
    resume: bool = False,
    incremental: Incremental = False,
    jobs: int | None = None,
    max_items: int | None = None,
    check: bool = False,
    progress: Progress = None,
    state_dir: str | os.PathLike[str] | None = None,
    python: str | os.PathLike[str] | None = None,
    executor: Any = None,
) -> Run:
    """Run a workflow and wait until it has ended, as `batchmill run` does.

    Parameters
    ----------
    workflow : path or mapping
        A workflow file, or what is in one. Relative paths mean the same in both, except that in a mapping the current
        directory takes the place of the directory of the file.
    params : mapping, optional
        The values of parameters, by name.
    resume : bool
        Continue the latest run of the workflow, if there is one. A mapping needs a `name` for that.
    incremental : bool, "time" or "content"
        Reuse the results of the last run, and run what is new or changed. Files are compared by size and time, or by
        their content.
    jobs : int, optional
        The most workers of a step.
    max_items : int, optional
        Take only so many items of each batch step.
    check : bool
        Raise `RunFailedError` unless the run succeeds, with no failed item.
    progress : bool or callable, optional
        None shows a bar on a terminal and a line in a notebook. True shows lines elsewhere too, False shows nothing. A
        callable gets each event; if it raises, the run is stopped.
    state_dir : path, optional
        The directory with the runs; by default `BATCHMILL_STATE_DIR`, or `.batchmill`.
    python : path, optional
        The interpreter of Python tasks; by default the one that runs this.
    executor : str or distributed.Client, optional
        What runs the items of batch steps: `dask=ADDRESS`, `dask=local`, `ray=ADDRESS`, `ray=auto`, `ray=local`,
        `python=MODULE:FUNCTION`, or a Dask client, whose scheduler gets them; by default `BATCHMILL_EXECUTOR`, or this machine.

    Returns
    -------
    Run
        What the run did. Failed items are no exception, unless `check` is true.

    Raises
    ------
    WorkflowError
        If the workflow or a parameter is wrong. Nothing has run.
    RunFailedError
        With `check`, if the run did not succeed.
    RunLockedError
        If another process is working on the run.
    EngineError
        If the engine could not run it for another reason.
    KeyboardInterrupt
        After Ctrl-C, when the engine has ended in order. `batchmill.resume()` continues the run.

    Examples
    --------
    >>> run = batchmill.run({"name": "squares", "params": {"count": {"type": "integer"}}, "steps": [
    ...     {"name": "square", "for_each": {"range": "{{ count }}"}, "task": "python",
    ...      "inputs": {"code": "return item ** 2"}}]}, {"count": 4})
    >>> run.status, list(run.steps["square"].results)
    ('succeeded', [0, 1, 4, 9])
    """
    if resume and incremental:
        raise ValueError("`resume` and `incremental` exclude each other: a resumed run is as incremental as it was")
    given = given_params(params)
    state = state_directory(state_dir)
    file = file_of(workflow, state, again=resume or incremental is not False)
    arguments = ["run", *_options(state, jobs, python, executor)]
    arguments += ["--resume"] if resume else []
    arguments += incremental_option(incremental)
    arguments += [] if max_items is None else [f"--max-items={max_items}"]
    return _attended([*arguments, "--", file], given, (state, file), progress, check=check)


def resume(
    run: str | Run = "latest",
    params: Params | None = None,
    *,
    jobs: int | None = None,
    check: bool = False,
    progress: Progress = None,
    state_dir: str | os.PathLike[str] | None = None,
    python: str | os.PathLike[str] | None = None,
    executor: Any = None,
) -> Run:
    """Continue a run: run the items that have no result, and those that changed, as `batchmill resume` does.

    Parameters
    ----------
    run : str or Run
        The run, its ID, the beginning or end of one, or `latest`.
    params : mapping, optional
        Parameters to override; the others keep their values. Secrets are not saved: pass them again.
    jobs, check, progress, state_dir, python, executor
        As in `run`.

    Raises
    ------
    RunNotFoundError
        If there is no such run.
    WorkflowError, RunFailedError, RunLockedError, EngineError, KeyboardInterrupt
        As in `run`.

    Examples
    --------
    >>> done = batchmill.run({"name": "hello", "steps": [
    ...     {"name": "greet", "task": "python", "inputs": {"code": "return 'hello'"}}]})
    >>> batchmill.resume(done).steps["greet"].result
    'hello'
    """
    state, name = _named(run, state_dir)
    arguments = ["resume", *_options(state, jobs, python, executor), "--", name]
    return _attended(arguments, given_params(params), (state, ""), progress, check=check)


def retry(
    run: str | Run = "latest",
    params: Params | None = None,
    *,
    only: int | str | Iterable[int | str] | None = None,
    cancelled: bool = False,
    jobs: int | None = None,
    check: bool = False,
    progress: Progress = None,
    state_dir: str | os.PathLike[str] | None = None,
    python: str | os.PathLike[str] | None = None,
    executor: Any = None,
) -> Run:
    """Run the failed items of a run again, as `batchmill retry` does.

    Parameters
    ----------
    run : str or Run
        The run, its ID, the beginning or end of one, or `latest`.
    params : mapping, optional
        Parameters to override.
    only : int, str or iterable of them, optional
        The failed items to run: their indexes, or the beginnings of their keys.
    cancelled : bool
        Run the items that were cancelled or skipped by `batchmill ctl`, instead of the failed ones.
    jobs, check, progress, state_dir, python, executor
        As in `run`.

    Raises
    ------
    RunNotFoundError
        If there is no such run.
    WorkflowError, RunFailedError, RunLockedError, EngineError, KeyboardInterrupt
        As in `run`.

    Examples
    --------
    >>> workflow = {"name": "flaky", "steps": [
    ...     {"name": "check", "for_each": [1, 2], "task": "python", "continue_on_error": True,
    ...      "inputs": {"code": "return 10 / (item - params.zero)"}}]}
    >>> run = batchmill.run(workflow, {"zero": 2})
    >>> [failure.type for failure in run.failures]
    ['ZeroDivisionError']
    >>> batchmill.retry(run, {"zero": 3}).status
    'succeeded'
    """
    if only is not None and cancelled:
        raise ValueError("`only` and `cancelled` exclude each other")
    state, name = _named(run, state_dir)
    items = [only] if isinstance(only, (int, str)) else list(only or [])
    if only is not None and not items:
        raise ValueError("`only` has no items; leave it out to run all failed items")
    arguments = ["retry", *_options(state, jobs, python, executor), *(f"--only={item}" for item in items)]
    arguments += ["--cancelled"] if cancelled else []
    return _attended([*arguments, "--", name], given_params(params), (state, ""), progress, check=check)


def incremental_option(incremental: Incremental) -> list[str]:
    """Return the option for an incremental run."""
    if incremental is False:
        return []
    return ["--incremental"] if incremental is True else [f"--incremental={incremental}"]


def given_params(params: Params | None) -> Any:
    """Return parameters as the engine takes them; None if there are none."""
    if params is not None and not isinstance(params, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise TypeError(f"`params` must be a mapping of names to values, not `{type(params).__name__}`")
    return plain(params, "params") if params else None


def _options(state: str, jobs: int | None, python: str | os.PathLike[str] | None, executor: Any) -> list[str]:
    interpreter = os.fspath(python) if python is not None else sys.executable
    options = [f"--state-dir={state}", "--progress=json"]
    options += [] if executor is None else [f"--executor={_executor_name(executor)}"]
    options += [f"--python={interpreter}"] if interpreter else []
    return options + ([] if jobs is None else [f"--jobs={jobs}"])


def _executor_name(executor: Any) -> str:
    if isinstance(executor, str):
        return executor
    scheduler = getattr(executor, "scheduler", None)
    address = getattr(scheduler, "address", None)
    if isinstance(address, str):
        return f"dask={address}"
    raise TypeError(
        f"`executor` must be a name such as `dask=ADDRESS`, or a Dask client, not `{type(executor).__name__}`; "
        "an executor of another kind is made by a function: `python=MODULE:FUNCTION`"
    )


def _named(run: str | Run, state_dir: str | os.PathLike[str] | None) -> tuple[str, str]:
    """The state directory and the name of a run."""
    if isinstance(run, Run):
        return run.state_dir if state_dir is None else state_directory(state_dir), run.id
    return state_directory(state_dir), run


def _attended(
    arguments: list[str],
    given: Any,
    place: tuple[str, str],
    progress: Progress,
    *,
    check: bool,
) -> Run:
    # By stdin, because others on this machine can see arguments.
    arguments[1:1] = [] if given is None else ["--params-file=-"]
    code, said = attend(arguments, given, listener_for(progress), _print)
    state, file = place
    if said.run_id is None or code not in _RAN:
        raise error_of(code, said, file)
    message = None if said.error is None else str(error_of(code, said, file))
    done = opened(said.run_id, state, exit_code=code, message=message)
    if check:
        done.raise_for_failures()
    return done


def _print(data: bytes) -> None:
    """Pass on what the engine prints, such as records of `path: "-"`."""
    stream = sys.stdout
    buffer = getattr(stream, "buffer", None)
    if buffer is not None:
        stream.flush()
        buffer.write(data)
        buffer.flush()
    else:
        # A notebook's, or one of a test.
        stream.write(data.decode(errors="replace"))
