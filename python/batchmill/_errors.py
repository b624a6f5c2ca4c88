"""The exceptions that this package raises."""

from __future__ import annotations

__all__ = ["BatchmillError", "EngineNotFoundError", "VersionMismatchError"]


class BatchmillError(Exception):
    """The base class of every exception that batchmill raises on its own account."""


class EngineNotFoundError(BatchmillError):
    """The engine, the program `batchmill`, is not installed next to this package."""


class VersionMismatchError(BatchmillError):
    """The engine and this package are of different versions."""
