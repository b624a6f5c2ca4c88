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
BUNDLE = b"bmitem01"
# How cloudpickle calls the file of a function that it has pickled by value.
DYNAMIC = "<dynamic-code>"
PROTOCOL = 5


class Program:
    """The program of a call. Call `compile`, `setup`, `function`, `freeze`, and at the end `teardown`."""

    def loads(self, bundle):
        """The items of a bundle: a pickle, or the paths of files with large buffers and then a pickle."""
        if bundle[: len(BUNDLE)] != BUNDLE:
            return pickle.loads(bundle)
        (count,) = struct.unpack_from("<I", bundle, len(BUNDLE))
        at, buffers = len(BUNDLE) + 4, []
        for _ in range(count):
            (length,) = struct.unpack_from("<I", bundle, at)
            at += 4 + length
            buffers.append(mapped(bundle[at - length : at].decode()))
        return pickle.loads(memoryview(bundle)[at:], buffers=buffers)

    def __init__(self, start):
        self.path = start["program"]["path"]
        self.folder = start["program"]["folder"]
        self.search_path = start["import_path"]
        self.scope = {"inputs": {}}
        self.instance = None

    def compile(self):
        refuse_changed_modules()
        if self.folder is not None:
            os.chdir(self.folder)
        own = [entry for entry in sys.path if entry not in self.search_path]
        sys.path[:] = [*self.search_path, *own]
        self.call = read_program(self.path)
        # Whether each result is a pickle of its own.
        self.apart = self.call["apart"]
        if self.call["file"]:
            name_file(self.call["function"], self.call["file"])

    def setup(self):
        function, constants = self.call["function"], self.call["constants"]
        if is_stateful(function):
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
        # Nothing is taken out of the garbage collection: the worker outlives what belongs to this program.
        import _batchmill_host as host

        if host.surroundings is not None:
            host.surroundings.keep()

    def teardown(self):
        note_modules(self.search_path)
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
        pickled = self.dumped_exception(exc)
        return types.SimpleNamespace(**{
            "class": name,
            "message": message,
            "detail": detail,
            "exception": pickled,
            "retryable": self.is_retryable(exc),
        })

    def dumped_exception(self, exc):
        """The exception as hexadecimal digits, if it survives that: whole, or else in parts."""
        try:
            pickled = self.dumps(exc)
            # Many exceptions can be pickled, but not made again: their class wants other arguments than it passes on.
            if type(pickle.loads(pickled)) is type(exc):
                return pickled.hex()
        except Exception:
            pass
        try:
            pickled = self.dumps((type(exc), exc.args, exc.__dict__))
            kind, arguments, _ = pickle.loads(pickled)
            kind.__new__(kind).args = arguments
            return "parts:" + pickled.hex()
        except Exception:
            return None

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


# The files of modules that earlier programs have imported, as they were.
modules = {}


def state_of(file):
    try:
        state = os.stat(file)
    except OSError:
        return None
    return state.st_mtime_ns, state.st_size


def note_modules(search_path):
    """Notes the user's own modules: those outside the interpreter and its packages."""
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and file not in modules and "site-packages" not in file:
            if not file.startswith((sys.prefix, sys.base_prefix, "<")):
                modules[file] = state_of(file)


def refuse_changed_modules():
    """Raises if a module has changed since it was imported: then a fresh worker has to import it."""
    for file, state in modules.items():
        if state_of(file) != state:
            raise ImportError(f"`{file}` has changed since this worker imported it")


def is_stateful(function):
    """Whether it is a class whose instances can be called. Others, such as `int`, are functions."""
    is_class = isinstance(function, type) and not issubclass(function, type)
    return is_class and any("__call__" in vars(base) for base in function.__mro__)


def read_program(path):
    """The object in a program's file."""
    program = mapped(path)
    if program[: len(MAGIC)] != MAGIC:
        raise ValueError(f"`{path}` is not a program")
    (count,) = struct.unpack_from("<Q", program, len(MAGIC))
    places = struct.iter_unpack("<QQ", program[len(MAGIC) + 8 : len(MAGIC) + 8 + 16 * count])
    first, *buffers = [program[offset : offset + length] for offset, length in places]
    return pickle.loads(first, buffers=buffers)


def mapped(path):
    """The bytes of a file. Whoever writes to them has a copy."""
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        protection = mmap.PROT_READ | mmap.PROT_WRITE
        return memoryview(mmap.mmap(file.fileno(), size, flags=mmap.MAP_PRIVATE, prot=protection))


def name_file(function, file):
    """Names the file of a function that was pickled by value, and of those around it, for tracebacks."""
    seen = set()

    def name(code):
        parts = tuple(name(part) if isinstance(part, types.CodeType) else part for part in code.co_consts)
        return code.replace(co_filename=file, co_consts=parts)

    def visit(value):
        if isinstance(value, types.FunctionType) and value.__code__.co_filename == DYNAMIC:
            if id(value) not in seen:
                seen.add(id(value))
                value.__code__ = name(value.__code__)
                for other in list(value.__globals__.values()):
                    visit(other)
        elif isinstance(value, type) and value.__module__ == "__main__" and id(value) not in seen:
            seen.add(id(value))
            for other in list(vars(value).values()):
                visit(other)

    visit(function)


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
