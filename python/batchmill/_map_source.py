"""Takes items from an iterable, in batches of a size that is learnt while they run."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sized
from itertools import islice
from typing import Any, Final

__all__ = ["Source"]

# How long a batch should take a worker, in seconds: long beside the 0.2 ms that it costs, short beside the end of a call.
_BATCH: Final = 0.02
# How long to take items for one batch, in seconds. A slow iterable should not keep workers waiting.
_TAKING: Final = 0.01
# How many times as large as the one before a batch may be.
_GROWTH: Final = 4
# The most bytes of a batch, as far as that can be foreseen.
_MOST_BYTES: Final = 4 << 20
_MOST_ITEMS: Final = 1 << 20
# How many items to look up at a time while all of them are in a ledger, and the most bytes of them: enough to keep the engine busy,
# and few that go to one worker when the first are not in it.
_FOUND: Final = 64
_FOUND_BYTES: Final = 256 << 10
# Each worker gets at least so many batches of a sized iterable, so that all of them end at about the same time.
_SHARES: Final = 4


class Source:
    """The items of a call.

    Parameters
    ----------
    items
        The items.
    workers
        How many workers share them.
    batch_size
        The size of each batch; None to learn it.
    ahead
        How many items may be taken before the results of the first are.
    """

    def __init__(self, items: Iterable[Any], workers: int, batch_size: int | None, ahead: int | None = None) -> None:
        self.total = _length(items)
        self.exhausted = False
        # What the iterable has raised, if it did.
        self.error: BaseException | None = None
        self._iterator: Iterator[Any] = iter(items)
        self._is_quick = isinstance(items, (list, tuple, range))
        self._fixed = batch_size
        self._size = batch_size or 1
        self._most = _MOST_ITEMS
        # Whether the items of the last batch that was answered were all in a ledger, and how many of such to take.
        self._all_found = False
        self._most_found = _FOUND
        if self.total is not None:
            self._most = max(1, min(_MOST_ITEMS, -(-self.total // (_SHARES * workers))))
        if ahead is not None:
            self._most = max(1, min(self._most, ahead // (2 * workers)))
            self._size = min(self._size, ahead)

    @property
    def size(self) -> int:
        """How many items the next batch has."""
        if self._all_found and self._fixed is None:
            return max(self._size, min(self._most_found, self._most))
        return self._size

    @property
    def running_size(self) -> int:
        """How many items a worker should get at a time."""
        return self._size

    def take(self) -> list[Any]:
        """Return the items of the next batch; none at the end, or after an error of the iterable."""
        if self.exhausted:
            return []
        batch: list[Any] = []
        try:
            if self._is_quick:
                batch = list(islice(self._iterator, self.size))
                self.exhausted = len(batch) < self.size
            else:
                self._take_slowly(batch)
        except Exception as error:
            self.exhausted, self.error = True, error
        return batch

    def _take_slowly(self, batch: list[Any]) -> None:
        until = time.monotonic() + _TAKING
        step = 1
        size = self.size
        while len(batch) < size:
            before = len(batch)
            wanted = min(step, size - before)
            # `extend` keeps what it has got if the iterable raises.
            batch.extend(islice(self._iterator, wanted))
            if len(batch) - before < wanted:
                self.exhausted = True
                break
            if self._fixed is None and time.monotonic() > until:
                break
            step *= 2

    def learn(self, seconds: float, items: int, size: int) -> None:
        """Learn from a batch of `items` that took a worker so long, and whose results have `size` bytes."""
        self._all_found = False
        self._cap(size, items)
        if self._fixed is not None or not items:
            return
        wanted = int(_BATCH * items / max(seconds, 1e-9)) or 1
        if wanted < self._size:
            self._size = max(wanted, self._size // _GROWTH, 1)
        elif items * 2 >= self._size:
            # Smaller batches than asked for teach nothing about larger ones.
            self._size = min(wanted, self._size * _GROWTH, self._most)

    def found(self, items: int, of: int) -> None:
        """Learn that so many items of a batch were in a ledger."""
        self._all_found = items == of

    def learn_bytes(self, size: int, items: int) -> None:
        """Learn from a batch of `items` whose pickle has `size` bytes."""
        self._most_found = min(_FOUND, max(1, int(_FOUND_BYTES * items / max(size, 1))))
        self._cap(size, items)

    def _cap(self, size: int, items: int) -> None:
        if self._fixed is None and size > _MOST_BYTES and items:
            self._most = max(1, int(_MOST_BYTES * items / size))
            self._size = min(self._size, self._most)


def _length(items: Iterable[Any]) -> int | None:
    try:
        return len(items) if isinstance(items, Sized) else None
    except TypeError:
        return None  # Such as a data loader whose data set has none.
