"""The results of `map`, as they arrive."""

from __future__ import annotations

import asyncio
import os
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from dataclasses import dataclass, field
from itertools import chain
from operator import length_hint
from types import TracebackType
from typing import Any, Final, Generic, Literal, TypeVar

from batchmill._call import Answer, Call
from batchmill._errors import EngineDiedError
from batchmill._map_failure import ItemFailure, TooManyFailuresError
from batchmill._nested import NestedCall
from batchmill._map_progress import Progress, Reporter
from batchmill._map_source import Source

__all__ = ["MapOptions", "MapResults", "Stream"]

R = TypeVar("R")

OnError = Literal["raise", "return", "skip"]

# How many batches each worker has at hand, the one that it runs included.
_BATCHES: Final = 4
# How many items may be ahead of whoever takes the results, if that is more.
_ITEMS: Final = 1000
# How many bytes of items may be on their way.
_BYTES: Final = 64 << 20
# How long to take items from a slow iterable before looking for results, in seconds.
_GIVING: Final = 0.02
# How many bytes of results may wait for those before them.
_EARLY: Final = 256 << 20


@dataclass
class MapOptions:
    """How `map` treats items and results."""

    ordered: bool
    on_error: OnError
    max_failures: int | float | None
    ahead: int | None


@dataclass
class _State:
    """What has arrived, and what was taken of it."""

    # MapResults by the index of their first item; in order, the next ones wait for those before them.
    early: dict[int, tuple[Answer, list[Any]]] = field(default_factory=dict)
    ready: deque[tuple[int, list[Any]]] = field(default_factory=deque)
    early_bytes: int = 0
    next: int = 0
    taken: int = 0


class Stream:
    """The items and results of a call. Who lets go of it ends the call."""

    def __init__(
        self,
        call: Call | NestedCall,
        source: Source,
        workers: int,
        options: MapOptions,
        progress: bool | Callable[[Progress], None] | None,
    ) -> None:
        self.failures: list[ItemFailure] = []
        self._options = options
        self._source = source
        self._workers = workers
        self._state = _State()
        self._call = call
        self._is_closed = False
        # Of the results that are being taken: the index after the last one, and what is left of them.
        self.current: tuple[int, Iterator[Any]] = (0, iter(()))
        # Wakes who awaits results, if the call is closed meanwhile.
        self.wake: Callable[[], object] | None = None
        self._reporter = Reporter(progress, self._call.name, source.total)
        try:
            self._give()
        except BaseException:
            self.close()
            raise

    # -- giving items ---------------------------------------------------------------------------------------------------------

    def _has_room(self) -> bool:
        call, ahead = self._call, self._options.ahead
        if ahead is None:
            ahead = max(_ITEMS, 2 * _BATCHES * self._workers * self._source.size)
        if call.given - self._state.taken >= ahead or self._state.early_bytes > _EARLY:
            return False
        # Two large items at a time are better than none.
        return call.batches < 2 or (call.batches < _BATCHES * self._workers and call.outstanding_bytes < _BYTES)

    def _give(self) -> None:
        until = time.monotonic() + _GIVING
        while not self._source.exhausted and self._has_room():
            if self._call.batches and time.monotonic() > until:
                return  # Results may be there by now.
            items = self._source.take()
            if items:
                size = self._call.give(items, self._source.running_size)
                self._source.learn_bytes(size, len(items))
        if self._source.exhausted:
            self._call.end()

    # -- taking results -------------------------------------------------------------------------------------------------------

    def _sort(self, answers: list[Answer]) -> None:
        for answer in answers:
            values = answer.values
            if answer.failure is not None:
                values = self._failed(answer.failure)
            self._reporter.count(answer.count, failed=answer.failure is not None)
            if not self._options.ordered:
                self._state.ready.append((answer.first, values))
                self._state.taken += answer.count
            else:
                self._in_order(answer, values)

    def _in_order(self, answer: Answer, values: list[Any]) -> None:
        state = self._state
        if answer.first != state.next:
            state.early[answer.first] = (answer, values)
            state.early_bytes += answer.bytes
            return
        state.ready.append((answer.first, values))
        state.next += answer.count
        while state.early and state.next in state.early:
            answer, values = state.early.pop(state.next)
            state.early_bytes -= answer.bytes
            state.ready.append((state.next, values))
            state.next += answer.count

    def _failed(self, failure: ItemFailure) -> list[Any]:
        if self._options.on_error == "raise":
            self.failures.append(failure)
            raise failure.to_exception()
        self.failures.append(failure)
        most = self._options.max_failures
        if most is not None and self._are_too_many(most):
            count = len(self.failures)
            raise TooManyFailuresError(f"{count} items have failed; `max_failures` is {most}", self.failures)
        return [failure] if self._options.on_error == "return" else []

    def _are_too_many(self, most: float) -> bool:
        count = len(self.failures)
        if isinstance(most, int):
            return count > most
        total = self._source.total
        # Of a source without a length, the share of what is there so far, once that says something.
        settled = total if total is not None else max(self._reporter.done, 100)
        return count > most * settled

    def _is_over(self) -> bool:
        return self._source.exhausted and self._call.outstanding == 0

    def _advance(self, *, wait: bool) -> bool:
        """Take one message and give more items. False if there is none, and nobody should wait for it."""
        try:
            answers = self._call.answers(wait=wait)
        except EngineDiedError:
            if self._is_closed:  # By another thread or task.
                return True
            raise
        if answers is None:
            return False
        self._sort(answers)
        self._give()
        return True

    def chunks(self) -> Generator[tuple[int, list[Any]], None, None]:
        """Yield results of consecutive items, each time with the index of the first."""
        try:
            while not self._is_closed:
                yield from self._ready()
                if self._is_over():
                    self._finish()
                    break
                # A slow iterable has more to give; see what is there, and ask it again.
                while not self._is_closed:
                    more = not self._source.exhausted and self._has_room()
                    if self._advance(wait=not more):
                        break
                    self._give()
        finally:
            self.close()

    async def chunks_to_await(self) -> AsyncIterator[list[Any]]:
        """Yield results without blocking the event loop."""
        loop = asyncio.get_running_loop()
        try:
            while not self._is_closed:
                for _, values in self._ready():
                    yield values
                if self._is_over() and self._call.ended:
                    break
                if not self._is_closed and not self._advance(wait=False):
                    await _readable(loop, self._call.fileno(), self)
            if self._source.error is not None:
                raise self._source.error
        finally:
            self.close()

    def _ready(self) -> Generator[tuple[int, list[Any]], None, None]:
        state = self._state
        while state.ready and not self._is_closed:
            yield state.ready.popleft()
            if self._options.ordered:
                state.taken = state.ready[0][0] if state.ready else state.next
            if not self._is_closed:
                self._give()

    def _finish(self) -> None:
        while not self._call.ended:
            self._sort(self._call.answers() or [])
        if self._source.error is not None:
            raise self._source.error

    def close(self) -> None:
        """End the call."""
        self._is_closed = True
        self._call.close()
        wake, self.wake = self.wake, None
        if wake is not None:
            wake()
        self._reporter.close()

    def __del__(self) -> None:
        if hasattr(self, "_reporter"):
            self.close()


class MapResults(Generic[R]):
    """The results of a running call. An iterator and a context manager.

    It begins at once, and is never more than some items ahead of whoever takes the results. Closing it, or an exception in
    its `with` block, ends what is left.

    Attributes
    ----------
    failures
        The items that have failed so far.

    Examples
    --------
    >>> import math, batchmill
    >>> with batchmill.map(math.sqrt, [1.0, 4.0, 9.0]) as results:
    ...     list(results)
    [1.0, 2.0, 3.0]
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        # A generator that yields each result would take twice as long as this.
        self._values: Iterator[R] = chain.from_iterable(_parts(self._stream))

    @property
    def failures(self) -> list[ItemFailure]:
        """The items that have failed so far."""
        return self._stream.failures

    def __iter__(self) -> Iterator[R]:
        return self._values

    def __next__(self) -> R:
        return next(self._values)

    def indexed(self) -> Iterator[tuple[int, R]]:
        """Return an iterator of the index of each item with its result.

        Yields
        ------
        tuple[int, R]
            The index, from 0, and the result. With `ordered=False` they come in any order.

        Examples
        --------
        >>> import math, batchmill
        >>> sorted(batchmill.map(math.sqrt, [1.0, 4.0], ordered=False).indexed())
        [(0, 1.0), (1, 2.0)]
        """
        return _indexed(self._stream)

    def wait(self) -> None:
        """Run all items, and drop their results.

        Raises
        ------
        Exception
            What the function has raised, unless `on_error` says otherwise.
        """
        deque(self._stream.chunks(), maxlen=0)

    async def __aiter__(self) -> AsyncIterator[R]:
        async for values in self._stream.chunks_to_await():
            for value in values:
                yield value

    def close(self) -> None:
        """End the call. Items that are running are killed; results that were not taken are gone."""
        self._stream.close()

    def __enter__(self) -> MapResults[R]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _parts(stream: Stream) -> Generator[Iterator[Any], None, None]:
    for first, values in stream.chunks():
        left = iter(values)
        stream.current = (first + len(values), left)
        yield left


def _indexed(stream: Stream) -> Generator[tuple[int, Any], None, None]:
    # What `next` has left of the results that it was given last.
    end, left = stream.current
    yield from enumerate(left, end - length_hint(left))
    for first, values in stream.chunks():
        yield from enumerate(values, first)


async def _readable(loop: asyncio.AbstractEventLoop, file: int, stream: Stream) -> None:
    ready: asyncio.Future[None] = loop.create_future()

    def set_ready() -> None:
        if not ready.done():
            ready.set_result(None)

    watched = os.dup(file)  # Stays valid if the call is closed meanwhile.
    stream.wake = lambda: loop.call_soon_threadsafe(set_ready)
    loop.add_reader(watched, set_ready)
    try:
        await ready
    finally:
        loop.remove_reader(watched)
        os.close(watched)
        stream.wake = None
