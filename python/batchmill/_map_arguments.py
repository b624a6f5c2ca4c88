"""The arguments of `map`, checked, and what follows from them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from batchmill._call import Call, CallOptions
from batchmill._ledger import check_ledger, ledger_of
from batchmill._nested import NestedCall, is_worker
from batchmill._map_progress import Progress
from batchmill._map_results import MapOptions, MapResults, OnError, Stream
from batchmill._retry import MOST_SECONDS, Retry
from batchmill._map_source import Source

__all__ = ["MapArguments", "cores", "start"]

_MOST_WORKERS: Final = 10_000
# The largest number that JSON and everyone who reads it agree on.
_MOST: Final = (1 << 53) - 1
_UNITS: Final = {
    "": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "TIB": 1 << 40,
}  # fmt: skip


@dataclass
class MapArguments:
    """The arguments of `map`, apart from the function and its items."""

    workers: int | None = None
    batch_size: int | Literal["auto"] = "auto"
    ordered: bool = True
    on_error: OnError = "raise"
    max_failures: int | float | None = None
    retry: int | Retry | None = None
    timeout: float | None = None
    ahead: int | None = None
    constants: Mapping[str, Any] | None = None
    max_memory: int | str | None = None
    max_items_per_worker: int | None = None
    progress: bool | Callable[[Progress], None] | None = None
    python: str | os.PathLike[str] | None = None
    ledger: str | bool | None = None
    resume: bool = True
    key: Callable[[Any], Any] | None = None

    def __post_init__(self) -> None:
        _check_count("workers", self.workers, _MOST_WORKERS)
        for name in ("ahead", "max_items_per_worker"):
            _check_count(name, getattr(self, name))
        if self.batch_size != "auto":
            _check_count("batch_size", self.batch_size)
        if self.on_error not in ("raise", "return", "skip"):
            raise ValueError(f'`on_error` is {self.on_error!r}; it must be "raise", "return" or "skip"')
        _check_timeout(self.timeout)
        _check_kinds(vars(self))
        self._check_max_failures()
        check_ledger(self.ledger, self.key, resume=self.resume)

    def _check_max_failures(self) -> None:
        most = self.max_failures
        if most is None:
            return
        is_count = isinstance(most, int) and not isinstance(most, bool) and most >= 0
        if not is_count and not (isinstance(most, float) and 0 <= most < 1):
            raise ValueError(f"`max_failures` is {most!r}; it must be a whole number, or a share of at least 0 and below 1")
        if self.on_error == "raise":
            raise ValueError('`max_failures` needs `on_error="return"` or `on_error="skip"`')

    def call_options(self) -> CallOptions:
        """Return what the engine has to know."""
        return CallOptions(
            workers=self.workers or cores(),
            timeout=self.timeout,
            max_memory=_bytes(self.max_memory),
            max_items_per_worker=self.max_items_per_worker,
            retry=Retry.of(self.retry),
            constants=self.constants or {},
            python=None if self.python is None else os.fspath(self.python),
        )

    def map_options(self) -> MapOptions:
        """Return how items and results are treated."""
        return MapOptions(self.ordered, self.on_error, self.max_failures, self.ahead)


def start(func: Callable[..., Any], items: Iterable[Any], arguments: MapArguments, *, star: bool) -> MapResults[Any]:
    """Begin a call; `star` if the elements of each item are the arguments."""
    if not callable(func):
        raise TypeError(f"`func` is {func!r}, which cannot be called")
    call = arguments.call_options()
    call.star = star
    call.ledger = ledger_of(arguments, func, star=star)
    size = None if arguments.batch_size == "auto" else arguments.batch_size
    source = Source(items, call.workers, size, arguments.ahead)
    in_here = is_worker() and arguments.workers is None
    if in_here and call.ledger is not None:
        raise ValueError("inside a worker, a call with a `ledger` needs `workers`, such as `workers=1`")
    made = NestedCall(func, call) if in_here else Call(func, call, source.learn, source.found)
    return MapResults(Stream(made, source, call.workers, arguments.map_options(), arguments.progress))


def cores() -> int:
    """Return how many cores this process may use."""
    counted = getattr(os, "process_cpu_count", None)
    return (counted() if counted is not None else len(os.sched_getaffinity(0))) or 1


def _check_kinds(given: dict[str, Any]) -> None:
    constants, progress, retry = given["constants"], given["progress"], given["retry"]
    if constants is not None and not isinstance(constants, Mapping):
        raise TypeError(f"`constants` is {constants!r}; it must be a mapping of names to values")
    if progress is not None and not isinstance(progress, bool) and not callable(progress):
        raise TypeError(f"`progress` is {progress!r}; it must be True, False or a function")
    if retry is not None and not isinstance(retry, (int, Retry)):
        raise TypeError(f"`retry` is {retry!r}; it must be a whole number or a `Retry`")


def _check_count(name: str, value: Any, most: int = _MOST) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"`{name}` is {value!r}; it must be a whole number of 1 or more")
    if value > most:
        raise ValueError(f"`{name}` is {value}; it must be from 1 to {most}")


def _check_timeout(timeout: Any) -> None:
    if timeout is None:
        return
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)) or not 0 < timeout <= MOST_SECONDS:
        raise ValueError(f"`timeout` is {timeout!r}; it must be a number of seconds above 0, at most {MOST_SECONDS:.0e}")


def _bytes(size: int | str | None) -> int | None:
    if size is None:
        return None
    if isinstance(size, int) and not isinstance(size, bool) and 0 < size <= _MOST:
        return size
    if isinstance(size, str):
        found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([A-Za-z]*)\s*", size)
        unit = _UNITS.get(found[2].upper()) if found else None
        if found and unit and 1 <= float(found[1]) * unit <= _MOST:
            return int(float(found[1]) * unit)
    raise ValueError(f'`max_memory` is {size!r}; it must be a number of bytes above 0, or text such as "500MB" or "2GiB"')
