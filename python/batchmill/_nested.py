"""A call inside a worker, which runs in the thread that makes it: the cores are in use already."""

from __future__ import annotations

import random
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable
from typing import Any

from batchmill._call import Answer, CallOptions
from batchmill._map_failure import ItemFailure

__all__ = ["NestedCall", "is_worker"]


def is_worker() -> bool:
    """Return whether this process is a worker of the engine."""
    return "_batchmill_host" in sys.modules


class NestedCall:
    """Does what `Call` does, here and at once. `timeout` and `max_memory` hold for the outer call alone."""

    def __init__(self, function: Callable[..., Any], options: CallOptions) -> None:
        self.name = getattr(function, "__qualname__", None) or type(function).__qualname__
        self.given = 0
        self.outstanding = 0
        self.outstanding_bytes = 0
        self.ended = False
        self._options = options
        self._constants = dict(options.constants)
        self._instance: Any = None
        if _is_stateful(function):
            function = self._instance = function(**self._constants)
            self._constants = {}
        self._function = function
        self._waiting: deque[Any] = deque()

    @property
    def batches(self) -> int:
        """How many items wait."""
        return len(self._waiting)

    def give(self, items: list[Any], size: int = 1) -> int:
        """Keep these items until their turn comes."""
        del size
        self._waiting.extend(items)
        self.given += len(items)
        self.outstanding += len(items)
        return 0

    def end(self) -> None:
        """Do nothing: there is nobody to tell that all items were given."""

    def answers(self, *, wait: bool = True) -> list[Answer] | None:
        """Run the next item."""
        del wait
        if not self._waiting:
            self.ended = True
            self.close()
            return []
        index = self.given - self.outstanding
        item = self._waiting.popleft()
        self.outstanding -= 1
        return [self._run(index, item)]

    def _run(self, index: int, item: Any) -> Answer:
        retry = self._options.retry
        for attempt in range(1, retry.attempts + 1):
            began = time.monotonic()
            try:
                arguments = item if self._options.star else (item,)
                return Answer(index, 1, [self._function(*arguments, **self._constants)])
            except Exception as error:
                took = time.monotonic() - began
                if attempt < retry.attempts and _is_worth_it(retry.on, error):
                    _wait(self._options, attempt)
                    continue
                trace = "".join(traceback.format_exception(error))
                name = type(error).__qualname__
                failure = ItemFailure(index, item, name, str(error), trace, attempt, took, error)
                return Answer(index, 1, [], failure)
        raise AssertionError("the last attempt returns")

    def fileno(self) -> int:
        """Raise an error: a nested call never has to wait for a descriptor."""
        raise OSError("a nested call has no descriptor")

    def close(self) -> None:
        """Drop what waits, and close the instance of a class."""
        self._waiting.clear()
        instance, self._instance = self._instance, None
        close = getattr(instance, "close", None)
        if close is not None:
            close()


def _is_stateful(function: Any) -> bool:
    """Return whether it is a class whose instances can be called."""
    if not isinstance(function, type) or issubclass(function, type):
        return False
    bases: tuple[type, ...] = function.__mro__
    return any("__call__" in vars(base) for base in bases)


def _is_worth_it(on: Any, error: Exception) -> bool:
    if on is None:
        return True
    return isinstance(error, on) if isinstance(on, tuple) else bool(on(error))


def _wait(options: CallOptions, attempt: int) -> None:
    retry = options.retry
    growth = {"fixed": 1.0, "linear": float(attempt), "exponential": 2.0 ** (attempt - 1)}[retry.backoff]
    delay = min(retry.delay * growth, retry.max_delay if retry.max_delay is not None else 86400.0)
    time.sleep(delay * (1 - retry.jitter * random.random()))
