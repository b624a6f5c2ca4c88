"""A running call: sends its items and sorts the answers of the engine."""

from __future__ import annotations

import importlib.util
import json
import os
import pickle
import platform
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from batchmill._client import changed_environment, how_it_ended, is_utf8, open_call, removed_variables
from batchmill._errors import EngineDiedError, EngineError, RunLockedError, WorkerStartError
from batchmill._ledger import Ledger
from batchmill._map_failure import ItemFailure, failure_of
from batchmill._pickling import Bundle, Pickler, Program
from batchmill._protocol import Connection, Kind, Returned, indexes_of, segments_of
from batchmill._retry import Retry

__all__ = ["Answer", "Call", "CallOptions"]


@dataclass
class CallOptions:
    """How to call a function, as the engine has to know it."""

    workers: int
    timeout: float | None = None
    max_memory: int | None = None
    max_items_per_worker: int | None = None
    retry: Retry = field(default_factory=lambda: Retry(attempts=1))
    constants: Mapping[str, Any] = field(default_factory=dict[str, Any])
    star: bool = False
    share: bool = False
    python: str | None = None
    ledger: Ledger | None = None


@dataclass
class Answer:
    """MapResults of consecutive items, or an item that has failed."""

    first: int
    count: int
    values: list[Any]
    failure: ItemFailure | None = None
    # The size of the results, pickled.
    bytes: int = 0


@dataclass
class _Sent:
    """A batch that has not been answered in full."""

    first: int
    items: list[Any]
    bundle: Bundle
    left: int


# How long the batch of an answer took, how many items it had, and the bytes of its results.
Learn = Callable[[float, int, int], None]
# How many items of a batch were in the ledger, and how many it had.
Found = Callable[[int, int], None]


class Call:
    """A function in workers.

    Parameters
    ----------
    function
        The function, or the class.
    options
        How to call it.
    learn
        Is called with how long a batch took in seconds, how many items it had, and how many bytes its results have.
    found
        Is called with how many items of a batch were in the ledger, and how many it had.
    """

    def __init__(
        self, function: Callable[..., Any], options: CallOptions, learn: Learn, found: Found | None = None
    ) -> None:
        self.name = getattr(function, "__qualname__", None) or type(function).__qualname__
        on = options.retry.on
        call = {
            "function": function,
            "constants": dict(options.constants),
            "star": options.star,
            "on": on,
            "file": getattr(getattr(function, "__code__", None), "co_filename", None),
            "apart": options.ledger is not None,
            "unset": removed_variables(),
        }
        self._program = Program(call, self.name)
        self._pickler = Pickler(share=options.share)
        self._learn = learn
        self._found = found
        self._ledger = options.ledger
        self._sent: dict[int, _Sent] = {}
        self._starts: list[int] = []
        self.given = 0
        # Items, and bytes of their pickles, that have not been answered.
        self.outstanding = 0
        self.outstanding_bytes = 0
        self.ended = False
        self._said_end = False
        self._is_closed = False
        try:
            self._connection: Connection = open_call()
        except BaseException:
            self._program.close()
            raise
        try:
            self._connection.send_json(Kind.OPEN, self._settings(options))
        except ConnectionError:
            self.close()
            raise how_it_ended() from None

    def _settings(self, options: CallOptions) -> dict[str, Any]:
        try:
            folder = os.getcwd()
        except OSError:
            folder = None
        here = folder if folder is not None else "."
        return {
            "program": self._program.path,
            "python": options.python or sys.executable,
            "version": platform.python_version(),
            "hosts_workers": options.python is None and importlib.util.find_spec("batchmill._core") is not None,
            "folder": folder,
            "search_path": _search_path(here),
            "env": changed_environment(),
            "workers": options.workers,
            "timeout": options.timeout,
            "max_memory": options.max_memory,
            "max_items_per_worker": options.max_items_per_worker,
            "retry": options.retry.message(),
            "ledger": None if options.ledger is None else options.ledger.message(),
        }

    def give(self, items: list[Any], size: int = 1) -> int:
        """Send a batch of items. Return how many bytes its pickle has.

        With a ledger, those that are not in it are run in batches of `size`.
        """
        count = len(items).to_bytes(4, "little")
        bundle = self._pickler.dumps(items, self.given)
        keys = None if self._ledger is None else self._ledger.keys(items, self.given)
        try:
            if keys is None:
                self._connection.send(Kind.GIVEN, count, *bundle.parts)
            else:
                self._connection.send(Kind.KEYED, count, size.to_bytes(4, "little"), keys, *bundle.parts)
        except ConnectionError:
            # The engine may have said why. Whoever reads on finds it.
            pass
        self._sent[self.given] = _Sent(self.given, items, bundle, len(items))
        self._starts.append(self.given)
        self.given += len(items)
        self.outstanding += len(items)
        self.outstanding_bytes += bundle.size
        return bundle.size

    @property
    def batches(self) -> int:
        """How many batches have not been answered in full."""
        return len(self._sent)

    def end(self) -> None:
        """Tell the engine that all items were sent."""
        if not self._said_end:
            self._said_end = True
            try:
                self._connection.send(Kind.END)
            except ConnectionError:
                pass

    def answers(self, *, wait: bool = True) -> list[Answer] | None:
        """Return what the next message answers; None if there is no message and nobody should wait for it.

        Raises
        ------
        WorkerStartError
            If no worker can run the function.
        EngineDiedError
            If the engine has ended.
        """
        try:
            message = self._connection.receive(wait=wait)
        except EngineDiedError:
            if self._is_closed:
                raise
            self.close()
            raise how_it_ended() from None
        if message is None:
            return None
        kind, payload = message
        if kind == Kind.RETURNED:
            return self._returned(Returned(payload))
        if kind == Kind.LOST:
            lost: list[dict[str, Any]] = json.loads(bytes(payload))
            return [self._lost(one) for one in lost]
        if kind == Kind.LOG:
            _print(json.loads(bytes(payload)))
        elif kind == Kind.NOTICE:
            print(f"batchmill: {json.loads(bytes(payload))}", file=sys.stderr)
        elif kind == Kind.ENDED:
            self._end(json.loads(bytes(payload)))
        return []

    def _returned(self, returned: Returned) -> list[Answer]:
        if returned.of:
            self._learn(returned.took / 1e9, returned.of, len(returned.segments))
        elif self._found is not None:
            self._found(returned.count, len(self._batch_of(returned.first).items))
        unreadable: list[_Unreadable] = []

        def loads(pickled: memoryview) -> Any:
            value = _loads(pickled)
            if isinstance(value, _Unreadable):
                unreadable.append(value)
            return value

        # What a worker writes several results in is plain, so it can be read.
        values = segments_of(returned.segments, loads)
        if unreadable:
            return self._partly(returned, values)
        answers: list[Answer] = []
        at = 0
        for first, count in indexes_of(returned):
            part = values if count == len(values) else values[at : at + count]
            answers.append(Answer(first, count, part, bytes=len(returned.segments)))
            self._answered(first, count)
            at += count
        return answers

    def _partly(self, returned: Returned, values: list[Any]) -> list[Answer]:
        """Sort results of which some cannot be made again here: each of these fails its item alone."""
        answers: list[Answer] = []
        rest = iter(values)
        for first, count in indexes_of(returned):
            for index in range(first, first + count):
                value = next(rest)
                if isinstance(value, _Unreadable):
                    answers.append(Answer(index, 1, [], self._unreadable(index, value.error)))
                else:
                    answers.append(Answer(index, 1, [value]))
                self._answered(index, 1)
        return answers

    def _unreadable(self, index: int, error: Exception) -> ItemFailure:
        batch = self._batch_of(index)
        message = f"cannot read the result: {error}"
        return ItemFailure(index, batch.items[index - batch.first], type(error).__qualname__, message, exception=error)

    def _lost(self, lost: dict[str, Any]) -> Answer:
        index: int = lost["index"]
        batch = self._batch_of(index)
        failure = failure_of(lost, batch.items[index - batch.first])
        self._answered(index, 1)
        return Answer(index, 1, [], failure)

    def _batch_of(self, index: int) -> _Sent:
        batch = self._sent.get(index)
        if batch is None:
            from bisect import bisect_right

            batch = self._sent[self._starts[bisect_right(self._starts, index) - 1]]
        return batch

    def _answered(self, first: int, count: int) -> None:
        batch = self._batch_of(first)
        batch.left -= count
        self.outstanding -= count
        if not batch.left:
            del self._sent[batch.first]
            self.outstanding_bytes -= batch.bundle.size
            batch.bundle.files.clear()
            if len(self._starts) > 2 * len(self._sent) + 64:
                self._starts = sorted(self._sent)

    def _end(self, end: dict[str, Any]) -> None:
        self.ended = True
        self.close()
        failure: dict[str, Any] | None = end.get("failure")
        if failure is not None:
            _raise_of_ledger(failure["type"], failure["message"])
            detail = (failure.get("detail") or "").rstrip()
            raise WorkerStartError(
                f"no worker can run `{self.name}`: {failure['type']}: {failure['message']}" + (f"\n\n{detail}" if detail else "")
            )
        if self.outstanding:
            raise EngineDiedError(f"the engine has ended the call with {self.outstanding} items left")

    def renew_buffers(self) -> None:
        """Write shared buffers again from now on: they may have changed."""
        self._pickler.renew()

    def fileno(self) -> int:
        """Return the descriptor that is readable when there is an answer."""
        return self._connection.fileno()

    def close(self) -> None:
        """Close the connection. The engine then kills items that are still running."""
        self._is_closed = True
        connection = getattr(self, "_connection", None)
        if connection is not None:
            connection.close()
        self._program.close()
        self._pickler.close()



def _raise_of_ledger(kind: str, message: str) -> None:
    """Raise the error of a ledger, if it is one."""
    if kind == "SameKey":
        raise ValueError(f"{message}; `key` must return another one for each item")
    if kind == "LedgerInUse":
        raise RunLockedError(message)
    if kind == "LedgerError":
        raise EngineError(message)


def _search_path(here: str) -> list[str]:
    """Return `sys.path` as text. Python ignores entries that are no paths, and so does this."""
    entries: list[Any] = list(sys.path)
    kinds: Any = (str, bytes, os.PathLike)
    paths = [os.fsdecode(entry) or here for entry in entries if isinstance(entry, kinds)]
    return [path for path in paths if is_utf8(path)]


def _print(log: dict[str, Any]) -> None:
    """Print what the function has printed, on the same stream."""
    stream = sys.stdout if log["stream"] == "stdout" else sys.stderr
    if stream is None:
        return
    text: str = log["text"]
    try:
        try:
            stream.write(text)
        except UnicodeEncodeError:
            encoding = getattr(stream, "encoding", None) or "ascii"
            stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()
    except (OSError, ValueError):
        pass  # It is closed, and the results are worth more.


class _Unreadable:
    """Stands for a result that cannot be made again here."""

    def __init__(self, error: Exception) -> None:
        self.error = error


def _loads(pickled: memoryview) -> Any:
    try:
        return pickle.loads(pickled)
    except Exception as error:
        return _Unreadable(error)
