"""`map` and `starmap`: a function for each of many items, in worker processes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Any, Literal, TypeVar

from batchmill._map_arguments import MapArguments, start
from batchmill._map_progress import Progress
from batchmill._map_results import OnError, MapResults
from batchmill._retry import Retry

__all__ = ["map", "starmap"]

R = TypeVar("R")


def map(
    func: Callable[..., R],
    items: Iterable[Any],
    /,
    *more: Iterable[Any],
    workers: int | None = None,
    batch_size: int | Literal["auto"] = "auto",
    ordered: bool = True,
    on_error: OnError = "raise",
    max_failures: int | float | None = None,
    retry: int | Retry | None = None,
    timeout: float | None = None,
    ahead: int | None = None,
    constants: Mapping[str, Any] | None = None,
    max_memory: int | str | None = None,
    max_items_per_worker: int | None = None,
    progress: bool | Callable[[Progress], None] | None = None,
    python: str | os.PathLike[str] | None = None,
    ledger: str | bool | None = None,
    resume: bool = True,
    key: Callable[[Any], Any] | None = None,
) -> MapResults[R]:
    """Call a function for each item, in worker processes.

    The call begins at once. Take the results from what it returns; it is never more than some items ahead of you.

    Parameters
    ----------
    func
        A function of one item. Functions of a script or a notebook, lambdas and closures will do. A class whose
        instances can be called is made once in each worker, with the constants, and the instance is called with each item; if
        it has a method `close`, that is called at the end.
    items
        The items. An iterable without an end will do.
    *more
        More iterables: `func` gets an item of each, until the shortest of them ends.
    workers
        How many processes. Default: the cores that this process may use.
    batch_size
        How many items a worker gets at a time. Default: as many as take it about 20 ms.
    ordered
        Whether results come in the order of their items. Otherwise they come as they are ready.
    on_error
        What a failed item does in its last attempt. `"raise"` ends the call, and raises the exception of the function, whose
        cause is an `ItemError`. `"return"` gives a `ItemFailure` in place of the result, `"skip"` leaves it out; both are in
        `MapResults.failures`.
    max_failures
        How many items may fail before `TooManyFailuresError` ends the call: a number, or a share below 1. For `"return"` and
        `"skip"`.
    retry
        How often each item is tried: a number, or a `Retry`. Default: once.
    timeout
        The most seconds for one attempt at one item. Then its worker is killed, and the item has failed; the others go on.
    ahead
        How many items may be ahead of you. Default: enough to keep all workers busy, at least 1,000.
    constants
        Keyword arguments that are the same for every item. They are sent once. Large arrays in them are mapped by all workers;
        a worker that writes to one gets its own copy.
    max_memory
        The most memory of a worker, in bytes or as text such as `"2GiB"`. An item that takes more has failed.
    max_items_per_worker
        After how many items a worker is replaced by a fresh one.
    progress
        `True` for a line on stderr, or a function that gets a `Progress` ten times a second.
    python
        Another interpreter to run the function. It needs batchmill and what the function imports.
    ledger
        A name under which results are kept in `.batchmill`, or `True` for the name of the function. The same call then finds
        them and runs only the rest, also after your process was killed. Failed items run again. What other versions of the
        function have returned is not used.
    resume
        `False` deletes the results that the ledger has of earlier calls.
    key
        A function that names an item for the ledger, by text or a number for instance. Default: the item itself, if it is made
        of such. No two items may have the same name.

    Returns
    -------
    MapResults
        An iterator of the results.

    Raises
    ------
    TypeError
        If the function, a constant or an item cannot be pickled. The message says which.
    ValueError
        If an argument makes no sense, or if two items have the same `key`.
    WorkerStartError
        If no worker can run the function.
    EngineDiedError
        If the engine has been killed.
    EngineError
        If a result cannot be written to the ledger.
    RunLockedError
        If another call is using the ledger.

    Examples
    --------
    >>> import batchmill
    >>> list(batchmill.map(abs, [3, -1, 2]))
    [3, 1, 2]
    >>> list(batchmill.map(pow, [2, 3], [3, 2]))
    [8, 9]
    >>> [getattr(result, "message", result) for result in batchmill.map(int, ["1", "x"], on_error="return")]
    [1, "invalid literal for int() with base 10: 'x'"]
    """
    options = MapArguments(
        workers=workers, batch_size=batch_size, ordered=ordered, on_error=on_error, max_failures=max_failures, retry=retry,
        timeout=timeout, ahead=ahead, constants=constants, max_memory=max_memory, max_items_per_worker=max_items_per_worker,
        progress=progress, python=python, ledger=ledger, resume=resume, key=key,
    )  # fmt: skip
    return start(func, _zipped(items, more) if more else items, options, star=bool(more))


def starmap(func: Callable[..., R], items: Iterable[Iterable[Any]], /, **options: Any) -> MapResults[R]:
    """Call a function with the elements of each item as its arguments.

    Takes the options of `map`, and returns and raises the same.

    Examples
    --------
    >>> import batchmill
    >>> list(batchmill.starmap(pow, [(2, 3), (3, 2)]))
    [8, 9]
    """
    for name in options.keys() - {field.name for field in fields(MapArguments)}:
        raise TypeError(f"`starmap` has no option `{name}`")
    return start(func, items, MapArguments(**options), star=True)


def _zipped(items: Iterable[Any], more: tuple[Iterable[Any], ...]) -> Iterable[Any]:
    zipped = zip(items, *more)
    try:
        total = min(len(one) for one in (items, *more))  # type: ignore[arg-type]
    except TypeError:
        return zipped
    return _Sized(zipped, total)


class _Sized:
    """An iterable whose length is known."""

    def __init__(self, iterable: Iterable[Any], length: int) -> None:
        self._iterable, self._length = iterable, length

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Any:
        return iter(self._iterable)
