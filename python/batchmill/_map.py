"""`map` and `starmap`: a function for each of many items, in worker processes."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, TypeVar

from batchmill._call import CallOptions
from batchmill._progress import Progress
from batchmill._results_of_map import MapOptions, OnError, Results
from batchmill._retry import Retry
from batchmill._source import Source

__all__ = ["map", "starmap"]

R = TypeVar("R")

_UNITS = {"": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "TIB": 1 << 40}


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
) -> Results[R]:
    """Call a function for each item, in worker processes.

    The call begins at once. Take the results from what it returns; it is never more than some items ahead of you.

    Parameters
    ----------
    func
        A function of one item. Functions of a script or a notebook, lambdas and closures will do. A class is made once in each
        worker, with the constants, and then called with each item; if it has a method `close`, that is called at the end.
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
        cause is an `ItemError`. `"return"` gives a `Failure` in place of the result, `"skip"` leaves it out; both are in
        `Results.failures`.
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

    Returns
    -------
    Results
        An iterator of the results.

    Raises
    ------
    TypeError
        If the function, a constant or an item cannot be pickled. The message says which.
    ValueError
        If an argument makes no sense.
    WorkerStartError
        If no worker can run the function.
    EngineLostError
        If the engine has been killed.

    Examples
    --------
    >>> import batchmill
    >>> list(batchmill.map(abs, [3, -1, 2]))
    [3, 1, 2]
    >>> list(batchmill.map(pow, [2, 3], [3, 2]))
    [8, 9]
    >>> for result in batchmill.map(int, ["1", "x"], on_error="return"):
    ...     print(result)
    1
    Failure(index=1, item='x', type='ValueError', message="invalid literal for int() with base 10: 'x'", attempts=1, seconds=...)
    """
    options = _checked(
        func,
        workers=workers, batch_size=batch_size, on_error=on_error, max_failures=max_failures, timeout=timeout, ahead=ahead,
        max_items_per_worker=max_items_per_worker,
    )  # fmt: skip
    call = CallOptions(
        workers=workers or _cores(),
        timeout=timeout,
        max_memory=_bytes(max_memory),
        max_items_per_worker=max_items_per_worker,
        retry=Retry.of(retry),
        constants=constants or {},
        star=bool(more),
        python=None if python is None else os.fspath(python),
    )
    source = Source(_zipped(items, more) if more else items, call.workers, options.batch_size)
    options.ordered = ordered
    return Results(func, source, call, options, progress)


def starmap(func: Callable[..., R], items: Iterable[Iterable[Any]], /, **options: Any) -> Results[R]:
    """Call a function with the elements of each item as its arguments.

    Takes the options of `map`, and returns and raises the same.

    Examples
    --------
    >>> import batchmill
    >>> list(batchmill.starmap(pow, [(2, 3), (3, 2)]))
    [8, 9]
    """
    return map(func, items, _Stars(), **options)


class _Stars:
    """Stands for "the items are the arguments already"."""

    def __iter__(self) -> Any:
        raise TypeError("only for `starmap`")


def _zipped(items: Iterable[Any], more: tuple[Iterable[Any], ...]) -> Iterable[Any]:
    if isinstance(more[0], _Stars):
        return items
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


def _checked(func: Any, **given: Any) -> MapOptions:
    if not callable(func):
        raise TypeError(f"`func` is {func!r}, which cannot be called")
    for name in ("workers", "ahead", "max_items_per_worker"):
        _check_count(name, given[name])
    if given["batch_size"] != "auto":
        _check_count("batch_size", given["batch_size"])
    if given["on_error"] not in ("raise", "return", "skip"):
        raise ValueError(f'`on_error` is {given["on_error"]!r}; it must be "raise", "return" or "skip"')
    timeout = given["timeout"]
    if timeout is not None and not 0 < timeout < float("inf"):
        raise ValueError(f"`timeout` is {timeout!r}; it must be a number of seconds above 0")
    most = given["max_failures"]
    if most is not None:
        is_count = isinstance(most, int) and not isinstance(most, bool) and most >= 0
        if not is_count and not (isinstance(most, float) and 0 <= most < 1):
            raise ValueError(f"`max_failures` is {most!r}; it must be a whole number, or a share of at least 0 and below 1")
        if given["on_error"] == "raise":
            raise ValueError('`max_failures` needs `on_error="return"` or `on_error="skip"`')
    size = None if given["batch_size"] == "auto" else given["batch_size"]
    return MapOptions(True, given["on_error"], most, given["ahead"], size)


def _check_count(name: str, value: Any) -> None:
    if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        raise ValueError(f"`{name}` is {value!r}; it must be a whole number of 1 or more")


def _bytes(size: int | str | None) -> int | None:
    if size is None:
        return None
    if isinstance(size, int) and not isinstance(size, bool) and size > 0:
        return size
    if isinstance(size, str):
        found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", size)
        unit = _UNITS.get(found[2].upper()) if found else None
        if found and unit and float(found[1]) > 0:
            return int(float(found[1]) * unit)
    raise ValueError(f'`max_memory` is {size!r}; it must be a number of bytes above 0, or text such as "500MB" or "2GiB"')


def _cores() -> int:
    counted = getattr(os, "process_cpu_count", None)
    return (counted() if counted is not None else len(os.sched_getaffinity(0))) or 1
