"""How far a call has come."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TextIO

__all__ = ["Progress", "Reporter"]

# How often a bar or a function hears of it, in seconds.
_EVERY: Final = 0.1


@dataclass(frozen=True)
class Progress:
    """How far a call has come.

    Attributes
    ----------
    name
        The name of the function.
    done
        Items that have a result or have failed.
    failed
        Items that have failed.
    total
        The number of items; None if the iterable has no length.
    seconds
        The time since the call began.
    """

    name: str
    done: int
    failed: int
    total: int | None
    seconds: float

    @property
    def rate(self) -> float:
        """Items per second."""
        return self.done / self.seconds if self.seconds > 0 else 0.0


class Reporter:
    """Counts items, and reports now and then."""

    def __init__(self, progress: bool | Callable[[Progress], None] | None, name: str, total: int | None) -> None:
        self.done = 0
        self._failed = 0
        self._name, self._total = name, total
        self._began = time.monotonic()
        self._next = self._began + _EVERY
        self._report: Callable[[Progress], None] | None = None
        self._line: _Line | None = None
        if callable(progress):
            self._report = progress
        elif progress and sys.stderr is not None:
            self._line = _Line(sys.stderr)
            self._report = self._line.show

    def count(self, items: int, *, failed: bool) -> None:
        """Count items that have ended."""
        self.done += items
        self._failed += items if failed else 0
        if self._report is not None:
            now = time.monotonic()
            if now >= self._next:
                self._next = now + _EVERY
                self._report(self._now(now))

    def _now(self, now: float) -> Progress:
        return Progress(self._name, self.done, self._failed, self._total, now - self._began)

    def close(self) -> None:
        """Report once more, the last time."""
        report, self._report = self._report, None
        if report is not None:
            report(self._now(time.monotonic()))
        if self._line is not None:
            self._line.end()
            self._line = None


class _Line:
    """One line that is written again and again, on a terminal or in a notebook."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._length = 0

    def show(self, progress: Progress) -> None:
        share = "" if not progress.total else f" {100 * progress.done // progress.total}%"
        total = "" if progress.total is None else f"/{progress.total:,}"
        failed = f", {progress.failed:,} failed" if progress.failed else ""
        text = f"{progress.name}:{share} {progress.done:,}{total} items{failed}, {progress.rate:,.0f}/s, {progress.seconds:.1f} s"
        self._out.write("\r" + text.ljust(self._length))
        self._out.flush()
        self._length = len(text)

    def end(self) -> None:
        if self._length:
            self._out.write("\n")
            self._out.flush()
