"""The results of a step as a sequence over a file, so they take no memory until they are used."""

from __future__ import annotations

import json
import operator
from array import array
from collections.abc import Callable, Iterator, Sequence
from typing import Any, BinaryIO, SupportsIndex, cast, overload

from batchmill._tables import Tables

__all__ = ["Results"]

# An offset is kept for each so many results.
_STRIDE = 128
_SHOWN = 3
# So the lines of data frames begin, and no others.
_FRAME = b"[ "


class Results(Tables, Sequence[Any]):
    """The results of a step in item order, without the failed items. Read-only.

    It reads from a file what you ask for. Iterating reads one result at a time, so results may be larger than memory.
    """

    __slots__ = ("_count", "_find", "_offsets", "_path")

    def __init__(self, find: Callable[[], tuple[str, int]]) -> None:
        self._find = find
        self._path: str | None = None
        self._count = 0
        self._offsets = array("Q", [0])

    def _located(self) -> str:
        if self._path is None:
            self._path, self._count = self._find()
        return self._path

    @property
    def path(self) -> str:
        """The file: one JSON value per line, in item order. Don't write to it."""
        return self._located()

    def __len__(self) -> int:
        self._located()
        return self._count

    def __iter__(self) -> Iterator[Any]:
        return self._lines(0, len(self))

    def __reversed__(self) -> Iterator[Any]:
        count = len(self)
        for start in range((count - 1) // _STRIDE * _STRIDE, -1, -_STRIDE):
            yield from reversed(list(self._lines(start, min(start + _STRIDE, count))))

    @overload
    def __getitem__(self, key: SupportsIndex) -> Any: ...
    @overload
    def __getitem__(self, key: slice) -> list[Any]: ...
    def __getitem__(self, key: SupportsIndex | slice) -> Any:
        count = len(self)
        if isinstance(key, slice):
            return self._slice(range(count)[key])
        try:
            index = operator.index(key)
        except TypeError:
            raise TypeError(f"result indices must be integers or slices, not {type(key).__name__}") from None
        place = index + count if index < 0 else index
        if not 0 <= place < count:
            raise IndexError(f"result index {index} out of range: there are {count:,} results")
        return next(self._lines(place, place + 1))

    def _slice(self, rows: range) -> list[Any]:
        if not rows:
            return []
        if abs(rows.step) > _STRIDE:
            return [self[index] for index in rows]
        forward = rows if rows.step > 0 else rows[::-1]
        found = list(self._lines(forward[0], forward[-1] + 1, forward.step))
        return found if rows.step > 0 else found[::-1]

    def to_list(self) -> list[Any]:
        """Return all results as a list in memory."""
        return list(self)

    def _rows(self) -> Iterator[Any]:
        return self._lines(0, len(self), opened=True)

    def _lines(self, start: int, stop: int, step: int = 1, *, opened: bool = False) -> Iterator[Any]:
        """Yield the results of `range(start, stop, step)`; with `opened`, the rows of those that are data frames."""
        if start >= stop:
            return
        with self._open() as file:
            file.seek(self._offset(start // _STRIDE))
            index = start // _STRIDE * _STRIDE
            for line in file:
                if index >= start and (index - start) % step == 0:
                    value = json.loads(line)
                    if opened and line.startswith(_FRAME):
                        yield from value
                    else:
                        yield value
                index += 1
                if index >= stop:
                    return
        raise EOFError(f"`{self._path}` is truncated: it ends after {index:,} of {self._count:,} results")

    def _open(self) -> BinaryIO:
        try:
            return open(self._located(), "rb", buffering=1 << 16)
        except FileNotFoundError:
            # The run was resumed since, so its results are in another file.
            path, count = self._find()
            if count != self._count:
                raise RuntimeError(f"the run has {count:,} results now instead of {self._count:,}; open it again") from None
            self._path, self._offsets = path, array("Q", [0])
            return open(path, "rb", buffering=1 << 16)

    def _offset(self, stretch: int) -> int:
        offsets = self._offsets
        if stretch >= len(offsets):
            with self._open() as file:
                offset = file.seek(offsets[-1])
                found = offsets[:0]
                for number, line in enumerate(file, 1):
                    offset += len(line)
                    if number % _STRIDE == 0:
                        found.append(offset)
                        if len(offsets) + len(found) > stretch:
                            break
            # A single assignment, because another thread may read at the same time.
            self._offsets = offsets = offsets + found
        if stretch >= len(offsets):
            raise EOFError(f"`{self._path}` is truncated: it ends before result {stretch * _STRIDE:,} of {self._count:,}")
        return offsets[stretch]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, (list, Results)):
            return NotImplemented
        others = cast("Sequence[Any]", other)
        return len(self) == len(others) and all(one == another for one, another in zip(self, others))

    __hash__ = None  # type: ignore[assignment] # pyright: ignore[reportAssignmentType]

    def __repr__(self) -> str:
        shown = ", ".join(_short(value) for value in self[:_SHOWN])
        more = ", ..." if len(self) > _SHOWN else ""
        return f"<{len(self):,} result{'' if len(self) == 1 else 's'}: {shown}{more}>"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
