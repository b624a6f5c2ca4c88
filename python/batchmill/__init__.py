"""batchmill inside a Python interpreter.

With this package installed, the `batchmill` engine runs Python tasks in this interpreter, with all of its packages. The
engine starts `python -m batchmill worker` itself, so there is nothing here that you need to call for that.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from batchmill._version import __version__
    from batchmill._errors import BatchmillError, EngineNotFoundError, VersionMismatchError

__all__ = ["BatchmillError", "EngineNotFoundError", "VersionMismatchError", "__version__"]

# Where each public name is defined. A worker imports this package, so nothing is imported before it is used (PEP 562).
_HOMES = {
    "__version__": "_version",
    "BatchmillError": "_errors",
    "EngineNotFoundError": "_errors",
    "VersionMismatchError": "_errors",
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
