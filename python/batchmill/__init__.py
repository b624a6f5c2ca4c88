"""batchmill inside a Python interpreter.

With this package installed, the `batchmill` engine runs Python tasks in this interpreter, with all of its packages. The
engine starts `python -m batchmill worker` itself, so there is nothing here that you need to call for that.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from batchmill._errors import (
        BatchmillError,
        Diagnostic,
        EngineDiedError,
        EngineError,
        EngineNotFoundError,
        NothingToRunError,
        RunFailedError,
        RunLockedError,
        RunNotFoundError,
        VersionMismatchError,
        WorkerStartError,
        WorkflowError,
    )
    from batchmill._events import (
        BatchFinished,
        Event,
        FailedItem,
        ItemSlow,
        Notice,
        RunFinished,
        RunStarted,
        Stats,
        StepFinished,
        StepLoad,
        StepSortedOut,
        StepStarted,
        StopReason,
    )
    from batchmill._executor import Executor
    from batchmill._failures import Failure, Failures
    from batchmill._joblib import register_joblib
    from batchmill._map import map, starmap
    from batchmill._map_failure import ItemError, ItemFailure, RemoteError, TooManyFailuresError
    from batchmill._map_progress import Progress
    from batchmill._map_results import MapResults
    from batchmill._plan import Plan, PlannedStep, Profile, Validation, plan, profile, validate
    from batchmill._results import Results
    from batchmill._retry import Retry
    from batchmill._run import resume, retry, run
    from batchmill._runs import Run, RunInfo, Step, Steps, runs
    from batchmill._runs import open as open
    from batchmill._version import __version__

# Without `open`: `from batchmill import *` must not replace the built-in function.
__all__ = [
    "BatchFinished",
    "BatchmillError",
    "Diagnostic",
    "EngineDiedError",
    "EngineError",
    "EngineNotFoundError",
    "Event",
    "Executor",
    "FailedItem",
    "Failure",
    "Failures",
    "ItemError",
    "ItemFailure",
    "ItemSlow",
    "MapResults",
    "NothingToRunError",
    "Notice",
    "Plan",
    "PlannedStep",
    "Profile",
    "Progress",
    "RemoteError",
    "Results",
    "Retry",
    "Run",
    "RunFailedError",
    "RunFinished",
    "RunInfo",
    "RunLockedError",
    "RunNotFoundError",
    "RunStarted",
    "Stats",
    "Step",
    "StepFinished",
    "StepLoad",
    "StepSortedOut",
    "StepStarted",
    "Steps",
    "StopReason",
    "TooManyFailuresError",
    "Validation",
    "VersionMismatchError",
    "WorkerStartError",
    "WorkflowError",
    "__version__",
    "map",
    "plan",
    "profile",
    "register_joblib",
    "resume",
    "retry",
    "run",
    "runs",
    "starmap",
    "validate",
]

# Where each public name is defined. A worker imports this package, so nothing is imported before it is used (PEP 562).
_HOMES = {
    "__version__": "_version",
    "BatchmillError": "_errors",
    "Diagnostic": "_errors",
    "EngineDiedError": "_errors",
    "EngineError": "_errors",
    "EngineNotFoundError": "_errors",
    "NothingToRunError": "_errors",
    "RunFailedError": "_errors",
    "RunLockedError": "_errors",
    "RunNotFoundError": "_errors",
    "VersionMismatchError": "_errors",
    "WorkflowError": "_errors",
    "BatchFinished": "_events",
    "Event": "_events",
    "FailedItem": "_events",
    "ItemSlow": "_events",
    "Notice": "_events",
    "RunFinished": "_events",
    "RunStarted": "_events",
    "Stats": "_events",
    "StepFinished": "_events",
    "StepLoad": "_events",
    "StepSortedOut": "_events",
    "StepStarted": "_events",
    "StopReason": "_events",
    "Executor": "_executor",
    "ItemError": "_map_failure",
    "ItemFailure": "_map_failure",
    "RemoteError": "_map_failure",
    "TooManyFailuresError": "_map_failure",
    "map": "_map",
    "starmap": "_map",
    "MapResults": "_map_results",
    "Progress": "_map_progress",
    "Retry": "_retry",
    "register_joblib": "_joblib",
    "WorkerStartError": "_errors",
    "Failure": "_failures",
    "Failures": "_failures",
    "Plan": "_plan",
    "PlannedStep": "_plan",
    "Profile": "_plan",
    "Validation": "_plan",
    "plan": "_plan",
    "profile": "_plan",
    "validate": "_plan",
    "Results": "_results",
    "resume": "_run",
    "retry": "_run",
    "run": "_run",
    "Run": "_runs",
    "RunInfo": "_runs",
    "Step": "_runs",
    "Steps": "_runs",
    "open": "_runs",
    "runs": "_runs",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module `batchmill` has no attribute `{name}`")
    value = getattr(importlib.import_module(f"batchmill.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
