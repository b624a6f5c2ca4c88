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
        pickled, buffers = parts_of(bundle)
        return pickle.loads(pickled, buffers=buffers)

    def rescue(self, bundle):
        """The items of a bundle of which some cannot be made again, and the exceptions of those by their numbers."""
        pickled, buffers = parts_of(bundle)
        import io

        return Rescuer(io.BytesIO(pickled), buffers=buffers).items()

    def __init__(self, start):
        self.path = start["program"]["path"]
        self.folder = start["program"]["folder"]
        self.search_path = start["import_path"]
        self.scope = {"inputs": {}}
        self.instance = None

    def compile(self):
        refuse_changed_modules()
        restore_process()
        if self.folder is not None:
            os.chdir(self.folder)
        own = [entry for entry in sys.path if entry not in self.search_path]
        sys.path[:] = [*self.search_path, *own]
        self.call = read_program(self.path)
        # Whether each result is a pickle of its own.
        self.apart = self.call["apart"]
        unset_variables(self.call["unset"])
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


def parts_of(bundle):
    """The pickle of a bundle, and the large buffers that it refers to."""
    if bundle[: len(BUNDLE)] != BUNDLE:
        return bundle, []
    (count,) = struct.unpack_from("<I", bundle, len(BUNDLE))
    at, buffers = len(BUNDLE) + 4, []
    for _ in range(count):
        (length,) = struct.unpack_from("<I", bundle, at)
        at += 4 + length
        buffers.append(mapped(bundle[at - length : at].decode()))
    return memoryview(bundle)[at:], buffers


class Broken:
    """Stands for an object that cannot be made again."""

    def __init__(self, error):
        self.error = error


# What refers to no object of an item.
LEAVES = (type, types.ModuleType, types.FunctionType, types.BuiltinFunctionType, types.CodeType, str, bytes, int, float)


def broken_in(*values):
    """Something broken in these values, however deep; None if there is nothing."""
    import gc

    seen, waiting = set(), list(values)
    while waiting:
        value = waiting.pop()
        if isinstance(value, Broken):
            return value
        if not isinstance(value, LEAVES) and id(value) not in seen:
            seen.add(id(value))
            waiting += gc.get_referents(value)
    return None


class Rescuer(pickle._Unpickler):
    """Unpickles a list of which some items cannot be made again.

    It goes on after an error, with something broken in place of the object. Whatever is made of that is broken as well, so an item
    with a broken object in it, however deep, has failed, and no other.
    """

    broke = False
    dispatch = dict(pickle._Unpickler.dispatch)

    def items(self):
        """The items, and the exceptions of those that are broken, by their numbers."""
        items = self.load()
        found = ((number, broken_in(item)) for number, item in enumerate(items))
        return items, {number: broken.error for number, broken in found if broken is not None}

    def find_class(self, module, name):
        try:
            return super().find_class(module, name)
        except Exception as error:
            return self.broken(error)

    def broken(self, error):
        self.broke = True
        return Broken(error)

    def make(self, function, *parts):
        """What the function returns, unless one of the parts that it is made of is broken."""
        found = broken_in(*parts) if self.broke else None
        if found is not None:
            return found
        try:
            return function(*parts)
        except Exception as error:
            return self.broken(error)

    def reduce(self):
        function, arguments = self.taken(2)
        self.append(self.make(lambda function, arguments: function(*arguments), function, arguments))

    def new(self):
        kind, arguments = self.taken(2)
        self.append(self.make(lambda kind, arguments: kind.__new__(kind, *arguments), kind, arguments))

    def new_with_names(self):
        kind, arguments, named = self.taken(3)
        self.append(self.make(lambda kind, arguments, named: kind.__new__(kind, *arguments, **named), kind, arguments, named))

    def frozenset(self):
        elements = self.pop_mark()  # Also changes what `append` is.
        self.append(self.make(frozenset, elements))

    def build(self):
        """Sets the state of the object below it."""
        depth = len(self.stack) - 2
        made = self.stack[depth]
        found = self.make(lambda *_: pickle._Unpickler.load_build(self), *self.stack[depth:])
        del self.stack[depth:]
        self.append(made)
        if isinstance(found, Broken):
            self.replace(found)

    def fill(load):
        """Fills the container below what goes into it."""

        def filled(self):
            try:
                load(self)
            except Exception as error:
                top = self.stack[-1]
                self.replace(top if isinstance(top, Broken) else self.broken(error))

        return filled

    def replace(self, broken):
        """Puts something broken in place of an object that is known already."""
        made, self.stack[-1] = self.stack[-1], broken
        for key in [key for key, known in self.memo.items() if known is made]:
            self.memo[key] = broken

    def taken(self, count):
        taken = self.stack[-count:]
        del self.stack[-count:]
        return taken

    dispatch.update({
        pickle.REDUCE[0]: reduce,
        pickle.NEWOBJ[0]: new,
        pickle.NEWOBJ_EX[0]: new_with_names,
        pickle.FROZENSET[0]: frozenset,
        pickle.BUILD[0]: build,
    })
    for opcode in (pickle.APPEND, pickle.APPENDS, pickle.SETITEM, pickle.SETITEMS, pickle.ADDITEMS):
        dispatch[opcode[0]] = fill(dispatch[opcode[0]])


# The recursion limit and the signal handlers that this process began with.
limit = None
handlers = {}


def restore_process():
    """Brings back what an earlier program may have changed for the whole process. Nothing else does: items of one call share it."""
    import _signal

    global limit
    if limit is None:
        limit = sys.getrecursionlimit()
        handlers.update((number, _signal.getsignal(number)) for number in _signal.valid_signals())
        return
    if sys.getrecursionlimit() != limit:
        sys.setrecursionlimit(limit)
    for timer in (_signal.ITIMER_REAL, _signal.ITIMER_VIRTUAL, _signal.ITIMER_PROF):
        _signal.setitimer(timer, 0)
    for number, handler in handlers.items():
        # One that was not set from Python cannot be set from there.
        if handler is not None and _signal.getsignal(number) is not handler:
            _signal.signal(number, handler)


# Variables that the client of an earlier program had removed.
removed = {}


def unset_variables(names):
    """Removes variables that the engine was started with, but that the client has no more."""
    for name, value in removed.items():
        os.environ.setdefault(name, value)
    removed.clear()
    for name in names:
        value = os.environ.pop(name, None)
        if value is not None:
            removed[name] = value


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
