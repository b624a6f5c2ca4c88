"""The exceptions that this package raises, and what they carry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batchmill._failures import Failure
    from batchmill._runs import Run

__all__ = [
    "BatchmillError",
    "Diagnostic",
    "EngineDiedError",
    "EngineError",
    "EngineNotFoundError",
    "NothingToRunError",
    "RunFailedError",
    "RunLockedError",
    "RunNotFoundError",
    "VersionMismatchError",
    "WorkerStartError",
    "WorkflowError",
]


class BatchmillError(Exception):
    """The base class of every exception that batchmill raises on its own account."""


class EngineNotFoundError(BatchmillError):
    """The engine, the program `batchmill`, is not installed next to this package."""


class VersionMismatchError(BatchmillError):
    """The engine and this package are of different versions."""


class EngineError(BatchmillError):
    """The engine could not do it. The message is its own: what is wrong, why, and what to do.

    Attributes
    ----------
    exit_code : int
        The exit code of the engine; negative if a signal killed it.
    """

    def __init__(self, message: str, exit_code: int = 2) -> None:
        super().__init__(message)
        self.exit_code = exit_code

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (str(self), self.exit_code)


class EngineDiedError(EngineError):
    """Something killed the engine in the middle of its work. `batchmill.resume` continues a run.

    Attributes
    ----------
    run_id : str or None
        The ID of the run; None if it had not started, or if there was none, as for `batchmill.map`.
    """

    def __init__(self, message: str, exit_code: int = -9, run_id: str | None = None) -> None:
        super().__init__(message, exit_code)
        self.run_id = run_id

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (str(self), self.exit_code, self.run_id)


class WorkerStartError(BatchmillError):
    """No worker can run a function: it cannot be imported there, or its class cannot be made."""


class RunNotFoundError(EngineError):
    """No run has this name, or several have."""


class RunLockedError(EngineError):
    """Another process is working on the run, or another call is using the ledger."""


@dataclass(frozen=True)
class Diagnostic:
    """An error in a workflow, and its place.

    Attributes
    ----------
    message : str
        What is wrong.
    hint : str or None
        What to do about it.
    file : str or None
        The workflow file as you named it; None if the workflow is a mapping.
    line, column, end_line, end_column : int or None
        The place in the file, from 1; columns count characters, and the end is after the last one. None if the error is
        about the whole file, or if the workflow is a mapping.
    path : str or None
        The keys that lead to the place, such as `steps.load.retry` in a file and `steps[0].retry` in a mapping.
    notes : tuple of str
        Causes, and other places that are involved.
    """

    message: str
    hint: str | None = None
    file: str | None = None
    line: int | None = None
    column: int | None = None
    end_line: int | None = None
    end_column: int | None = None
    path: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """The place as text, such as `nightly.yaml:5:3`; empty if there is none."""
        if self.file is None:
            return self.path or ""
        return ":".join(str(part) for part in (self.file, self.line, self.column) if part is not None)

    def __str__(self) -> str:
        place = f"{self.place}: " if self.place else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{place}{self.message}{hint}"


class WorkflowError(BatchmillError, ValueError):
    """A workflow or its parameters are wrong. Nothing ran.

    Attributes
    ----------
    errors : tuple of Diagnostic
        Every error, in the order of the file.
    """

    def __init__(self, message: str, errors: Sequence[Diagnostic] = ()) -> None:
        super().__init__(message)
        self.errors = tuple(errors)

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (str(self), self.errors)


class RunFailedError(BatchmillError):
    """A run did not succeed.

    Attributes
    ----------
    run : Run
        The run.
    failures : sequence of Failure
        Its failed items; empty if something else stopped it.
    """

    def __init__(self, message: str, run: Run) -> None:
        super().__init__(message)
        self.run = run

    @property
    def failures(self) -> Sequence[Failure]:
        return self.run.failures

    def __reduce__(self) -> tuple[object, ...]:
        return type(self), (str(self), self.run)


class NothingToRunError(RunFailedError):
    """A step of the run has no items."""
