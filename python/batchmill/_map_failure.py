"""Items that have failed."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from typing import Any

from batchmill._errors import BatchmillError

__all__ = ["ItemFailure", "ItemError", "RemoteError", "TooManyFailuresError"]


@dataclass(frozen=True)
class ItemFailure:
    """An item that has failed in its last attempt.

    Attributes
    ----------
    index
        The index of the item, from 0.
    item
        The item itself.
    type
        The class of the exception, or `Timeout`, `Crash` or `MemoryLimit`.
    message
        What happened, in one line.
    traceback
        The traceback in the worker, as text. Empty if there is none.
    attempts
        How often it was tried.
    seconds
        How long the last attempt took; None if that is not known.
    exception
        The exception; a `RemoteError` if it could not be sent, and for timeouts and crashes.
    """

    index: int
    item: Any
    type: str
    message: str
    traceback: str = field(repr=False, default="")
    attempts: int = 1
    seconds: float | None = None
    exception: BaseException | None = field(repr=False, default=None, compare=False)

    def to_exception(self) -> BaseException:
        """Return the exception, with an `ItemError` as its cause."""
        exception = self.exception if self.exception is not None else RemoteError(self.type, self.message)
        cause = ItemError(self)
        cause.__cause__ = exception.__cause__
        exception.__cause__ = cause
        return exception


class ItemError(BatchmillError):
    """The cause of an exception that a function raised in a worker: the item, and the traceback there.

    Attributes
    ----------
    failure
        The item that has failed.
    """

    def __init__(self, failure: ItemFailure) -> None:
        self.failure = failure
        attempts = "" if failure.attempts == 1 else f", attempt {failure.attempts}"
        head = f"item {failure.index}{attempts}: {_short(failure.item)}"
        trace = failure.traceback.rstrip()
        super().__init__(f"{head}\n\n{trace}" if trace else head)

    def __reduce__(self) -> tuple[Any, ...]:
        return (type(self), (self.failure,))


class RemoteError(BatchmillError):
    """A failure in a worker that has no exception, or one that could not be sent here.

    Attributes
    ----------
    type
        The class of the exception, or `Timeout`, `Crash` or `MemoryLimit`.
    """

    def __init__(self, type: str, message: str) -> None:
        self.type = type
        super().__init__(f"{type}: {message}")
        self._message = message

    def __reduce__(self) -> tuple[Any, ...]:
        return (RemoteError, (self.type, self._message))


class TooManyFailuresError(BatchmillError):
    """More items have failed than `max_failures` allows.

    Attributes
    ----------
    failures
        The items that have failed so far.
    """

    def __init__(self, message: str, failures: list[ItemFailure]) -> None:
        self.failures = failures
        super().__init__(message)

    def __reduce__(self) -> tuple[Any, ...]:
        return (TooManyFailuresError, (str(self), self.failures))


def failure_of(lost: dict[str, Any], item: Any) -> ItemFailure:
    """Return the failure that a message describes."""
    described = lost["failure"]
    took = described.get("took")
    return ItemFailure(
        index=lost["index"],
        item=item,
        type=described["type"],
        message=described["message"],
        traceback=described.get("detail") or "",
        attempts=lost["attempts"],
        seconds=took["secs"] + took["nanos"] / 1e9 if took else None,
        exception=_exception(described),
    )


def _exception(described: dict[str, Any]) -> BaseException:
    pickled = described.get("exception")
    if pickled is not None:
        try:
            # Of an exception that wants other arguments than it passes on, there are its parts.
            loaded = pickle.loads(bytes.fromhex(pickled.removeprefix("parts:")))
            exception = _rebuilt(*loaded) if pickled.startswith("parts:") else loaded
        except Exception:
            pass  # Its class is not to be had here.
        else:
            if isinstance(exception, BaseException):
                return exception
    return RemoteError(described["type"], described["message"])


def _rebuilt(kind: type[BaseException], arguments: tuple[Any, ...], state: dict[str, Any]) -> BaseException:
    exception = kind.__new__(kind)
    exception.args = arguments
    exception.__dict__.update(state)
    return exception


def _short(item: Any) -> str:
    try:
        text = repr(item)
    except Exception:
        text = f"<{type(item).__name__}>"
    return text if len(text) <= 200 else text[:200] + "..."
