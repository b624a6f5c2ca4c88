"""The exceptions that this package raises."""

from __future__ import annotations

__all__ = [
    "BatchmillError",
    "EngineLostError",
    "EngineNotFoundError",
    "VersionMismatchError",
    "WorkerStartError",
]


class BatchmillError(Exception):
    """The base class of every exception that batchmill raises on its own account."""


class EngineNotFoundError(BatchmillError):
    """The engine, the program `batchmill`, is not installed next to this package."""


class VersionMismatchError(BatchmillError):
    """The engine and this package are of different versions."""


class EngineLostError(BatchmillError):
    """The engine has ended before its work was done, for example because it was killed."""


class WorkerStartError(BatchmillError):
    """No worker can run the function: it cannot be imported there, or the class cannot be made."""
