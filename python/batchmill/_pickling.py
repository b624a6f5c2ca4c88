"""Pickles functions, items and results.

What a worker can import goes by reference, as in `pickle`. What it cannot, such as a function of a script or a notebook, goes
by value, with cloudpickle. Large buffers of a function and its constants, such as NumPy arrays, are mapped by all workers.
"""

from __future__ import annotations

import functools
import importlib
import io
import os
import pickle
import struct
import sys
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["BufferFile", "Bundle", "Pickler", "Program"]

_PROTOCOL: Final = 5
_MAGIC: Final = b"bmprog01"
_BUNDLE: Final = b"bmitem01"
# Buffers from this size on are mapped instead of copied, in bytes.
_LARGE: Final = 1 << 20
# Mapped buffers begin at a multiple of this, as NumPy and Arrow like it.
_ALIGNED: Final = 64
# How many buffers of a bundle are mapped: each needs a descriptor.
_MOST_MAPPED: Final = 64
# The module of a script, and what it is called in a process that `multiprocessing` has spawned.
_MAIN: Final = ("__main__", "__mp_main__")
_CACHED: Final[Any] = type(functools.lru_cache(maxsize=1)(len))

# Address of an object, of its data, and the length of that; a weak reference to the object, and the file with its data.
_Key = tuple[int, int, int]
_Shared = dict[_Key, tuple[Any, "BufferFile"]]


class _ByValue(Exception):
    """Something is defined where no worker can import it."""


class _ReferencePickler(pickle.Pickler):
    """Refuses classes and functions of `__main__`, which is another module in a worker."""

    def reducer_override(self, obj: Any) -> Any:
        if getattr(obj, "__module__", None) in _MAIN:
            raise _ByValue
        return NotImplemented


@dataclass
class Bundle:
    """Items as one pickle, and the files with their large buffers."""

    parts: list[bytes]
    files: list[BufferFile]

    @property
    def size(self) -> int:
        """The number of bytes, buffers included."""
        return sum(len(part) for part in self.parts) + sum(file.size for file in self.files)


class Pickler:
    """Pickles lists of items.

    Begins with `pickle`, and turns to cloudpickle when that does not do. Large buffers go through files in memory.

    Parameters
    ----------
    share
        Whether a buffer of the same object is written only once, however often it is pickled. Then it must not change.
    """

    def __init__(self, *, share: bool = False) -> None:
        self._by_value: Callable[..., bytes] | None = None
        self._shared: _Shared | None = {} if share else None

    def dumps(self, items: list[Any], first: int = 0) -> Bundle:
        """Return `items` as a bundle; `first` is the index of the first of them, for messages.

        Raises
        ------
        TypeError
            If an item cannot be pickled. The message has its index and its type.
        """
        large: list[pickle.PickleBuffer] = []
        keep = _keeper(large)
        pickled = None
        if self._by_value is None:
            try:
                out = io.BytesIO()
                _ReferencePickler(out, _PROTOCOL, buffer_callback=keep).dump(items)
                pickled = out.getvalue()
            except Exception:
                # Whatever it was: either cloudpickle can do it, or it says best what is wrong.
                self._by_value = _cloudpickle()
        if pickled is None:
            assert self._by_value is not None
            large.clear()
            try:
                pickled = self._by_value(items, _PROTOCOL, keep)
            except Exception as error:
                raise _first_fault(items, first, error, self._by_value) from error
        if not large:
            return Bundle([pickled], [])
        files = [self._file(buffer) for buffer in large]
        paths = [file.path.encode() for file in files]
        head = _BUNDLE + struct.pack("<I", len(paths)) + b"".join(struct.pack("<I", len(path)) + path for path in paths)
        return Bundle([head, pickled], files)

    def _file(self, buffer: pickle.PickleBuffer) -> BufferFile:
        if self._shared is None:
            return BufferFile(buffer)
        view = memoryview(buffer)
        owner: Any = view.obj
        described: dict[str, Any] | None = getattr(owner, "__array_interface__", None)
        if described is None:
            return BufferFile(buffer)
        # NumPy pickles a Fortran-ordered array as a transposed view, which is a new object each time.
        while getattr(owner, "base", None) is not None:
            owner = owner.base
        key = (id(owner), described["data"][0], view.nbytes)
        known = self._shared.get(key)
        if known is not None and known[0]() is owner:
            return known[1]
        file, shared = BufferFile(buffer), self._shared
        try:
            shared[key] = (weakref.ref(owner, lambda gone: _drop(shared, key, gone)), file)
        except TypeError:
            pass  # Of a class without weak references, such as `bytearray`.
        return file

    def renew(self) -> None:
        """Forget what was shared so far."""
        if self._shared is not None:
            self._shared = {}

    def close(self) -> None:
        """Let go of shared buffers."""
        shared, self._shared = self._shared, None
        if shared:
            shared.clear()  # The last one to let go of a file closes it: see `_MemoryFile.__del__`.


class _MemoryFile:
    """A file in memory that workers open by its path, for as long as this process keeps it open."""

    def __init__(self) -> None:
        self._file = os.memfd_create("batchmill", os.MFD_CLOEXEC)
        self._open = [self._file]

    @property
    def path(self) -> str:
        """Where workers find it."""
        return f"/proc/{os.getpid()}/fd/{self._file}"

    def write(self, parts: list[tuple[int, memoryview]]) -> None:
        """Write each part at its place."""
        try:
            for at, part in parts:
                data = part.cast("B") if part.nbytes else memoryview(b"")
                while data:
                    written = os.pwrite(self._file, data, at)
                    data, at = data[written:], at + written
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of it."""
        try:
            # Of two threads that close it, one gets it.
            file = self._open.pop()
        except IndexError:
            return
        self._file = -1
        os.close(file)

    def __del__(self) -> None:
        if hasattr(self, "_open"):
            self.close()


class BufferFile(_MemoryFile):
    """A file with one buffer."""

    def __init__(self, buffer: pickle.PickleBuffer) -> None:
        super().__init__()
        with buffer.raw() as raw:
            self.size = raw.nbytes
            self.write([(0, raw)])


def _keeper(large: list[pickle.PickleBuffer]) -> Callable[[pickle.PickleBuffer], bool]:
    """Return a `buffer_callback` that takes large buffers out of the pickle."""

    def keep(buffer: pickle.PickleBuffer) -> bool:
        with buffer.raw() as raw:
            if raw.nbytes < _LARGE or len(large) >= _MOST_MAPPED:
                return True
        large.append(buffer)
        return False

    return keep


def _first_fault(items: list[Any], first: int, error: Exception, dumps: Callable[..., bytes]) -> TypeError:
    for place, item in enumerate(items, first):
        try:
            dumps(item, _PROTOCOL)
        except Exception as own:
            return TypeError(f"cannot pickle items[{place}], a `{_name_of_class(item)}`: {own}")
    return TypeError(f"cannot pickle the items: {error}")


def _name_of_class(item: object) -> str:
    kind = type(item)
    return f"{kind.__module__}.{kind.__qualname__}"


def _cloudpickle() -> Callable[..., bytes]:
    cloudpickle: Any = importlib.import_module("cloudpickle")
    if "__mp_main__" in sys.modules:
        cloudpickle.register_pickle_by_value(sys.modules["__mp_main__"])

    def reducer_override(self: Any, value: Any) -> Any:
        # Other wrappers are functions; this one is made in C, and cloudpickle would look for it in `__main__`.
        if type(value) is _CACHED and value.__module__ in _MAIN:
            parameters = value.cache_parameters()
            return cached, (value.__wrapped__, parameters["maxsize"], parameters["typed"])
        return cloudpickle.Pickler.reducer_override(self, value)

    pickler: Any = type("ByValuePickler", (cloudpickle.Pickler,), {"reducer_override": reducer_override})

    def dumps(value: Any, protocol: int, buffer_callback: Any = None) -> bytes:
        out = io.BytesIO()
        pickler(out, protocol=protocol, buffer_callback=buffer_callback).dump(value)
        return out.getvalue()

    return dumps


def cached(function: Callable[..., Any], maxsize: int | None, typed: bool) -> Callable[..., Any]:
    """Return a function with a cache of its own."""
    return functools.lru_cache(maxsize, typed)(function)


class Program(_MemoryFile):
    """A function and its constants in a file in memory, which workers map.

    Parameters
    ----------
    call
        What `_batchmill_pickled.Program` reads: `function`, `constants`, `star`, `on` and `file`.
    name
        The name of the function, for messages.

    Raises
    ------
    TypeError
        If it cannot be pickled.
    """

    def __init__(self, call: dict[str, Any], name: str) -> None:
        large: list[pickle.PickleBuffer] = []
        try:
            pickled = _dumps_program(call, _keeper(large), large)
        except Exception as error:
            raise TypeError(f"cannot pickle {_culprit(call, name)}: {error}") from error
        super().__init__()
        buffers = [memoryview(pickled), *(buffer.raw() for buffer in large)]
        end = len(_MAGIC) + 8 + 16 * len(buffers)
        placed: list[tuple[int, memoryview]] = []
        places: list[int] = []
        for buffer in buffers:
            start = -(-end // _ALIGNED) * _ALIGNED
            placed.append((start, buffer))
            places += [start, buffer.nbytes]
            end = start + buffer.nbytes
        head = _MAGIC + struct.pack(f"<Q{len(places)}Q", len(buffers), *places)
        self.write([(0, memoryview(head)), *placed])


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


def _drop(shared: _Shared, key: _Key, gone: object) -> None:
    known = shared.get(key)
    if known is not None and known[0] is gone:
        del shared[key]
