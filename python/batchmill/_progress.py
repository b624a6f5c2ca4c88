"""Shows the progress of a run: a bar on a terminal, a line in a notebook, lines elsewhere."""

from __future__ import annotations

import importlib
import os
import shutil
import sys
import time
from collections.abc import Callable
from typing import Any, Protocol, TextIO, Union

from batchmill._events import (
    BatchFinished,
    Event,
    Notice,
    RunFinished,
    Stats,
    StepFinished,
    StepLoad,
    StepStarted,
)
from batchmill._values import printable

__all__ = ["Progress", "listener_for"]

Progress = Union[bool, Callable[[Event], object], None]

# A bar is drawn again after so many seconds, not for each event.
_PAUSE = 0.1
_CELLS = 25


class _Place(Protocol):
    """Where lines are shown: the last one can be replaced."""

    def update(self, text: str) -> None: ...
    def keep(self, text: str) -> None: ...


def listener_for(progress: Progress) -> Callable[[Event], object] | None:
    """Return who hears of the run; None if nobody does."""
    if callable(progress):
        return progress
    if progress is False:
        return None
    place = _notebook() or _terminal(sys.stderr)
    if place is None and progress:
        place = _Plain(sys.stderr)
    return None if place is None else _Shown(place)


def _terminal(stream: TextIO | None) -> _Place | None:
    try:
        is_terminal = stream is not None and stream.isatty() and os.environ.get("TERM") != "dumb"
    except ValueError:
        # It is closed.
        return None
    return _Terminal(stream) if is_terminal and stream is not None else None


def _notebook() -> _Place | None:
    python: Any = sys.modules.get("IPython")
    shell = python.get_ipython() if python is not None else None
    # IPython on a terminal has no kernel.
    return _Notebook() if getattr(shell, "kernel", None) is not None else None


class _Terminal:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def update(self, text: str) -> None:
        width = shutil.get_terminal_size().columns - 1
        self._write(f"\r\x1b[2K{text[:width]}")

    def keep(self, text: str) -> None:
        self._write(f"\r\x1b[2K{text}\n" if text else "\r\x1b[2K")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()


class _Plain:
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def update(self, text: str) -> None:
        pass

    def keep(self, text: str) -> None:
        if text:
            self._stream.write(f"{text}\n")
            self._stream.flush()


class _Notebook:
    """One output below the cell: what is kept, and the line that changes."""

    def __init__(self) -> None:
        self._kept: list[str] = []
        self._handle: Any = None

    def update(self, text: str) -> None:
        display: Any = importlib.import_module("IPython.display")
        bundle = {"text/plain": "\n".join([*self._kept, text] if text else self._kept)}
        if self._handle is None:
            self._handle = display.display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)

    def keep(self, text: str) -> None:
        if text:
            self._kept.append(text)
        self.update("")


class _Shown:
    """Draws the step that is running."""

    def __init__(self, place: _Place) -> None:
        self._place = place
        self._step = ""
        self._stats = Stats()
        self._busy = ""
        self._drawn = 0.0

    def __call__(self, event: Event) -> None:
        if isinstance(event, StepStarted):
            self._step, self._stats, self._busy = event.step, Stats(total=event.total or 0, succeeded=event.done), ""
            self._draw()
        elif isinstance(event, BatchFinished):
            self._stats = event.stats
            if time.monotonic() - self._drawn >= _PAUSE:
                self._draw()
        elif isinstance(event, StepLoad):
            paused = " · paused" if event.paused else ""
            self._busy = f" · {event.busy_workers:.0f}/{event.workers} busy{paused}"
            self._draw()
        elif isinstance(event, Notice):
            step = f"{event.step}: " if event.step else ""
            for line in event.text.splitlines():
                self._place.keep(f"{step}{printable(line)}")
            self._draw()
        elif isinstance(event, StepFinished):
            self._place.keep(f"{event.step}: {_counts(event.stats)} in {event.stats.duration:.3g} s: {event.status}")
            self._step = ""
        elif isinstance(event, RunFinished):
            self._place.keep(f"run {event.run}: {event.status}")

    def _draw(self) -> None:
        if self._step:
            self._drawn = time.monotonic()
            self._place.update(f"{self._step}  {_bar(self._stats)}{self._busy}")


def _counts(stats: Stats) -> str:
    failed = f", {stats.failed:,} failed" if stats.failed else ""
    return f"{stats.total:,} item{'' if stats.total == 1 else 's'}{failed}"


def _bar(stats: Stats) -> str:
    done = stats.succeeded + stats.failed + stats.cancelled + stats.bad_rows
    failed = f" · failed {stats.failed:,}" if stats.failed else ""
    rate = f"  {stats.items_per_second:.3g}/s" if stats.items_per_second else ""
    if stats.total < max(done, 1):
        return f"{done:,} items{rate}{failed}"
    full = _CELLS * done // stats.total
    left = (stats.total - done) / stats.items_per_second if stats.items_per_second else 0.0
    eta = f"  eta {left:.0f}s" if left >= 1 else ""
    share = f"{'━' * full}{'─' * (_CELLS - full)}  {100 * done // stats.total:3}%"
    return f"{share}  {done:,}/{stats.total:,} items{rate}{eta}{failed}"
