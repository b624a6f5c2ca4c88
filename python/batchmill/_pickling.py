"""Pickles functions, items and results.

What a worker can import goes by reference, as in `pickle`. What it cannot, such as a function of a script or a notebook, goes
by value, with cloudpickle. Large buffers of a function and its constants, such as NumPy arrays, are mapped by all workers.
"""

from __future__ import annotations

import io
import os
import pickle
import struct
from collections.abc import Callable
from typing import Any, Final

__all__ = ["Pickler", "Program"]

_PROTOCOL: Final = 5
_MAGIC: Final = b"bmprog01"
# Buffers from this size on are mapped instead of copied, in bytes.
_LARGE: Final = 1 << 20
# Mapped buffers begin at a multiple of this, as NumPy and Arrow like it.
_ALIGNED: Final = 64


class _ByValue(Exception):
    """Something is defined where no worker can import it."""


class _ReferencePickler(pickle.Pickler):
    """Refuses classes and functions of `__main__`, which is another module in a worker."""

    def reducer_override(self, obj: Any) -> Any:
        if getattr(obj, "__module__", None) == "__main__":
            raise _ByValue
        return NotImplemented


class Pickler:
    """Pickles lists of items.

    Begins with `pickle`, and turns to cloudpickle when that does not do.
    """

    def __init__(self) -> None:
        self._by_value: Callable[..., bytes] | None = None

    def dumps(self, items: list[Any]) -> bytes:
        """Return a pickle of `items`.

        Raises
        ------
        TypeError
            If an item cannot be pickled. The message has its place in `items` and its type.
        """
        if self._by_value is None:
            try:
                out = io.BytesIO()
                _ReferencePickler(out, _PROTOCOL).dump(items)
                return out.getvalue()
            except Exception:
                # Whatever it was: either cloudpickle can do it, or it says best what is wrong.
                self._by_value = _cloudpickle()
        try:
            return self._by_value(items, _PROTOCOL)
        except Exception as error:
            raise _first_fault(items, error, self._by_value) from error


def _first_fault(items: list[Any], error: Exception, dumps: Callable[..., bytes]) -> TypeError:
    for place, item in enumerate(items):
        try:
            dumps(item, _PROTOCOL)
        except Exception as own:
            kind = type(item)
            name = f"{kind.__module__}.{kind.__qualname__}"
            return TypeError(f"cannot pickle items[{place}], a `{name}`: {own}")
    return TypeError(f"cannot pickle the items: {error}")


def _cloudpickle() -> Callable[..., bytes]:
    import cloudpickle

    return cloudpickle.dumps  # type: ignore[no-any-return, unused-ignore]


class Program:
    """A function and its constants in a file in memory, which workers map.

    Parameters
    ----------
    call
        What `_batchmill_pickled.Program` reads: `function`, `constants`, `star` and `on`.
    name
        The name of the function, for messages.

    Raises
    ------
    TypeError
        If it cannot be pickled.
    """

    def __init__(self, call: dict[str, Any], name: str) -> None:
        buffers: list[pickle.PickleBuffer] = []

        def keep(buffer: pickle.PickleBuffer) -> bool:
            with buffer.raw() as raw:
                if raw.nbytes < _LARGE:
                    return True
            buffers.append(buffer)
            return False

        try:
            pickled = _dumps_program(call, keep, buffers)
        except Exception as error:
            raise TypeError(f"cannot pickle {_culprit(call, name)}: {error}") from error
        self._file = os.memfd_create("batchmill-program", os.MFD_CLOEXEC)
        try:
            _write(self._file, [memoryview(pickled), *(buffer.raw() for buffer in buffers)])
        except BaseException:
            self.close()
            raise

    @property
    def path(self) -> str:
        """Where workers find it, for as long as this process keeps it open."""
        return f"/proc/{os.getpid()}/fd/{self._file}"

    def close(self) -> None:
        """Let go of it."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self.close()


def _dumps_program(
    call: dict[str, Any], keep: Callable[[pickle.PickleBuffer], bool], buffers: list[pickle.PickleBuffer]
) -> bytes:
    try:
        out = io.BytesIO()
        _ReferencePickler(out, _PROTOCOL, buffer_callback=keep).dump(call)
        return out.getvalue()
    except Exception:
        buffers.clear()
        return _cloudpickle()(call, _PROTOCOL, keep)


def _culprit(call: dict[str, Any], name: str) -> str:
    """Which part of a call cannot be pickled."""
    dumps = _cloudpickle()
    parts = [(f"`{name}`", call["function"]), ("`retry.on`", call["on"])]
    parts += [(f"constants[{constant!r}]", value) for constant, value in call["constants"].items()]
    for part, value in parts:
        try:
            dumps(value, _PROTOCOL)
        except Exception:
            return part
    return f"`{name}`"


def _write(file: int, parts: list[memoryview]) -> None:
    head = len(_MAGIC) + 8 + 16 * len(parts)
    places: list[int] = []
    end = head
    for part in parts:
        start = -(-end // _ALIGNED) * _ALIGNED
        places += [start, part.nbytes]
        end = start + part.nbytes
    os.truncate(file, end)
    _write_at(file, memoryview(_MAGIC + struct.pack(f"<Q{len(places)}Q", len(parts), *places)), 0)
    for part, start in zip(parts, places[::2]):
        _write_at(file, part.cast("B"), start)


def _write_at(file: int, data: memoryview, at: int) -> None:
    while data:
        written = os.pwrite(file, data, at)
        data, at = data[written:], at + written
