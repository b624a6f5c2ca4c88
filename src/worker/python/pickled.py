"""Makes a callable of what a Python client has pickled, and pickles what it returns.

The file of a program begins with MAGIC and the number of its parts, then has the offset and the length of each: first the
pickle, then the large buffers that it refers to. They are mapped, not read: every worker shares them until it writes to one.
"""

import mmap
import os
import pickle
import struct
import sys
import types

from _batchmill_host import describe

MAGIC = b"bmprog01"
PROTOCOL = 5


class Program:
    """The program of a call. Call `compile`, `setup`, `function`, `freeze`, and at the end `teardown`."""

    loads = staticmethod(pickle.loads)

    def __init__(self, start):
        self.path = start["program"]["path"]
        self.folder = start["program"]["folder"]
        self.search_path = start["import_path"]
        self.scope = {"inputs": {}}
        self.instance = None

    def compile(self):
        if self.folder is not None:
            os.chdir(self.folder)
        own = [entry for entry in sys.path if entry not in self.search_path]
        sys.path[:] = [*self.search_path, *own]
        self.call = read_program(self.path)

    def setup(self):
        function, constants = self.call["function"], self.call["constants"]
        if isinstance(function, type):
            # Made once for each worker and call. What it takes is the constants; its items come alone.
            function, constants = function(**constants), {}
            self.instance = function
        if self.call["star"]:
            self.function_called = starred(function, constants)
        elif constants:
            import functools

            self.function_called = functools.partial(function, **constants)
        else:
            self.function_called = function

    def function(self):
        return self.function_called, ["item"]

    def freeze(self):
        import gc

        import _batchmill_host as host

        if host.surroundings is not None:
            host.surroundings.keep()
        gc.freeze()

    def teardown(self):
        close = getattr(self.instance, "close", None)
        if close is not None:
            close()

    def dumps(self, value):
        try:
            return pickle.dumps(value, PROTOCOL)
        except Exception as error:
            return by_value(value, error)

    def describe(self, exc):
        """An exception in words, as a pickle if it survives that, and whether another attempt may help."""
        name, message, detail = describe(exc)
        try:
            pickled = self.dumps(exc)
            # Many exceptions can be pickled, but not made again: their class wants other arguments than it passes on.
            if type(pickle.loads(pickled)) is not type(exc):
                pickled = None
        except Exception:
            pickled = None
        return types.SimpleNamespace(**{
            "class": name,
            "message": message,
            "detail": detail,
            "exception": None if pickled is None else pickled.hex(),
            "retryable": self.is_retryable(exc),
        })

    def is_retryable(self, exc):
        on = self.call["on"]
        if on is None:
            return True
        if isinstance(on, tuple):
            return isinstance(exc, on)
        try:
            return bool(on(exc))
        except Exception:
            return False


def read_program(path):
    """The object in a program's file."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        mapped = memoryview(mmap.mmap(file.fileno(), size, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_WRITE))
    if mapped[: len(MAGIC)] != MAGIC:
        raise ValueError(f"`{path}` is not a program")
    (count,) = struct.unpack_from("<Q", mapped, len(MAGIC))
    places = struct.iter_unpack("<QQ", mapped[len(MAGIC) + 8 : len(MAGIC) + 8 + 16 * count])
    first, *buffers = [mapped[offset : offset + length] for offset, length in places]
    return pickle.loads(first, buffers=buffers)


def starred(function, constants):
    """A function of one item that is called with the elements of it."""
    if constants:
        return lambda item: function(*item, **constants)
    return lambda item: function(*item)


def by_value(value, error):
    """The pickle of a value that Python's own pickler refuses, such as an instance of a class of the client's script."""
    try:
        import cloudpickle
    except ImportError:
        cloudpickle = None
    if cloudpickle is not None:
        try:
            return cloudpickle.dumps(value, PROTOCOL)
        except Exception as other:
            error = other
    kind = type(value)
    raise TypeError(f"cannot pickle the result, a `{kind.__module__}.{kind.__qualname__}`: {error}") from None
