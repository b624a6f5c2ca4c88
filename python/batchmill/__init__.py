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
        EngineLostError,
        EngineNotFoundError,
        VersionMismatchError,
        WorkerStartError,
    )
    from batchmill._executor import Executor
    from batchmill._map_failure import Failure, ItemError, RemoteError, TooManyFailuresError
    from batchmill._joblib import register_joblib
    from batchmill._map import map, starmap
    from batchmill._map_progress import Progress
    from batchmill._map_results import Results
    from batchmill._retry import Retry
    from batchmill._version import __version__

__all__ = [
    "BatchmillError",
    "EngineLostError",
    "EngineNotFoundError",
    "Executor",
    "Failure",
    "ItemError",
    "Progress",
    "RemoteError",
    "Results",
    "Retry",
    "TooManyFailuresError",
    "VersionMismatchError",
    "WorkerStartError",
    "__version__",
    "map",
    "register_joblib",
    "starmap",
]

# Where each public name is defined. A worker imports this package, so nothing is imported before it is used (PEP 562).
_HOMES = {
    "__version__": "_version",
    "BatchmillError": "_errors",
    "EngineLostError": "_errors",
    "EngineNotFoundError": "_errors",
    "VersionMismatchError": "_errors",
    "WorkerStartError": "_errors",
    "Executor": "_executor",
    "Failure": "_map_failure",
    "ItemError": "_map_failure",
    "RemoteError": "_map_failure",
    "TooManyFailuresError": "_map_failure",
    "register_joblib": "_joblib",
    "map": "_map",
    "starmap": "_map",
    "Progress": "_map_progress",
    "Results": "_map_results",
    "Retry": "_retry",
}


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module `batchmill` has no attribute `{name}`")
    value = getattr(importlib.import_module(f"batchmill.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
