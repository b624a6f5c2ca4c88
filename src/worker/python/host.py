"""The worker's environment: interpreter paths, captured output, `env`, and descriptions of exceptions.

Everything here runs before or around the user's code, but never inside it. Modules are imported when they are first needed,
so that a worker starts about as fast as CPython itself.
"""

import _warnings
import io
import os
import sys

OURS = "<batchmill"
FRAMES = ("pandas", "polars", "arrow")
MESSAGE_LIMIT = 2_000
DETAIL_LIMIT = 32_768


def activate(found):
    """Makes this interpreter use the environment that `BATCHMILL_PYTHON_SITE` describes, which may be a virtual one."""
    for name in ("executable", "prefix", "base_prefix", "exec_prefix"):
        if found.get(name):
            setattr(sys, name, found[name])
    if found.get("base_prefix"):
        sys.base_exec_prefix = found["base_prefix"]
    if found.get("path"):
        sys.path[:] = [folder for folder in found["path"] if folder]
    # The interpreter was started without `site`, so this does what `site` does otherwise.
    import site

    for folder in found.get("site_packages") or ():
        site.addsitedir(folder)
    site.setquit()
    site.setcopyright()
    site.sethelper()
    site.execsitecustomize()
    if found.get("user_site"):
        site.ENABLE_USER_SITE = True
        site.execusercustomize()
    # Child processes of user code must not inherit what is meant for this process.
    for name in ("PYTHONHOME", "BATCHMILL_PYTHON_SITE"):
        os.environ.pop(name, None)


class Sink(io.BufferedIOBase):
    """The binary layer of a captured stream. `fileno` is the worker's log file, for child processes that inherit it."""

    # In a forked child, also for whoever kept the stream, such as a handler of `logging`.
    forked = False

    def __init__(self, capture, stream):
        self._capture = capture
        self._stream = stream
        self.name = "<stderr>" if stream else "<stdout>"
        self.mode = "wb"

    def writable(self):
        return True

    def write(self, data):
        data = bytes(data)
        if Sink.forked:
            return os.write(self.fileno(), data)
        self._capture.write(self._stream, data)
        return len(data)

    def fileno(self):
        return 2 if self._stream else 1

    def close(self):
        """Does nothing, because the next item needs the stream again."""


def install(capture):
    """Installs the captured streams. This must come before any user code, because `logging` keeps the stream it finds."""
    import _signal  # `signal` would import `enum`, which takes longer than everything else here.
    import faulthandler

    not_inherited = os.environ.pop("BATCHMILL_NOT_INHERITED", "")
    for name in not_inherited.split():
        os.environ.pop(name, None)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    own = []
    for stream in (0, 1):
        own.append(
            io.TextIOWrapper(
                Sink(capture, stream), encoding="utf-8", errors="backslashreplace", newline="\n", write_through=True
            )
        )
    sys.stdout, sys.stderr = own

    def in_child():
        # A forked child has no thread that sends its output, so the output goes to the log file.
        capture.mark_forked()
        Sink.forked = True
        if sys.stdout is own[0]:
            sys.stdout = sys.__stdout__
        if sys.stderr is own[1]:
            sys.stderr = sys.__stderr__

    os.register_at_fork(after_in_child=in_child)
    # Ctrl-C reaches every process of the terminal, but the engine handles it. Unlike SIG_IGN, a handler is not inherited by
    # programs that user code starts.
    _signal.signal(_signal.SIGINT, lambda *_: None)
    global surroundings
    surroundings = Surroundings(capture)
    # Integers keep all digits in both directions. CPython's limit protects servers that parse untrusted text.
    if hasattr(sys, "set_int_max_str_digits"):
        sys.set_int_max_str_digits(0)
    faulthandler.enable(2)


class Surroundings:
    """What the items of a worker share without a name: the working directory, the environment, the decimal context,
    the module search path, the filters of `warnings`.

    An item finds them as `setup` left them. Changes are noticed by an audit hook, so an item that changes nothing costs nothing.
    Variables that a module sets while it is imported stay, because it is imported once.
    """

    def __init__(self, capture):
        self._mark = capture.mark_touched
        self._folder = self._environment = self._decimal = None
        self._path, self._modules = list(sys.path), len(sys.modules)
        self._paths, self._filters = sys.path, list(_warnings.filters)
        self._moved = self._set = False
        sys.addaudithook(self._notice)

    def _notice(self, event, args):
        if event == "os.chdir" or event == "os.fchdir":
            self._moved = True
            self._mark()
        elif event == "os.putenv" or event == "os.unsetenv":
            if self._environment is not None and _is_importing():
                name = os.fsdecode(args[0])
                if event == "os.putenv":
                    self._environment[name] = os.fsdecode(args[1])
                else:
                    self._environment.pop(name, None)
            self._set = True
            self._mark()
        elif event == "import" and args[0] == "decimal":
            self._mark()

    def keep(self):
        """Takes them as they are, for all items to come."""
        try:
            self._folder = os.getcwd()
        except OSError:
            self._folder = None
        self._environment = dict(os.environ)
        self._path, self._modules = list(sys.path), len(sys.modules)
        self._paths, self._filters = sys.path, list(_warnings.filters)
        decimal = sys.modules.get("decimal")
        if decimal is not None:
            self._decimal = decimal.getcontext().copy()
            self._mark()
        self._moved = self._set = False

    def restore(self):
        """Brings them back after an item. True if the next item is to be followed by another look."""
        if self._environment is None:
            return True
        # A module that was imported may have added folders and filters that it needs later.
        imported = len(sys.modules) > self._modules
        now = getattr(sys, "path", None)
        if now is not self._paths or now != self._path:
            if imported and now and set(self._path) <= set(now):
                self._path = list(now)
            sys.path = self._paths
            sys.path[:] = self._path
        self._restore_filters(imported)
        self._modules = len(sys.modules)
        if self._set:
            for name in [name for name in os.environ if name not in self._environment]:
                del os.environ[name]
            os.environ.update(self._environment)
        if self._moved and self._folder is not None:
            os.chdir(self._folder)
        self._moved = self._set = False
        decimal = sys.modules.get("decimal")
        if decimal is None:
            return False
        if self._decimal is None:
            self._decimal = decimal.DefaultContext.copy()
        now, kept = decimal.getcontext(), self._decimal
        settings = ("prec", "rounding", "Emin", "Emax", "capitals", "clamp", "traps")
        if any(getattr(now, name) != getattr(kept, name) for name in settings):
            decimal.setcontext(kept.copy())
        return True


    def _restore_filters(self, imported):
        if _warnings.filters == self._filters:
            return
        if imported and all(one in _warnings.filters for one in self._filters):
            self._filters = list(_warnings.filters)
            return
        import warnings

        warnings.resetwarnings()  # It also forgets what was decided by the filters so far.
        _warnings.filters[:] = self._filters
        warnings.filters = _warnings.filters


def _is_importing():
    frame = sys._getframe(2)
    while frame is not None:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return True
        frame = frame.f_back
    return False


surroundings = None


def leave_child():
    """Ends a forked child that has returned from user code, without running the exit handlers of its parent."""
    os._exit(0)


def finish():
    """Joins threads and runs `atexit` functions, because an embedded interpreter is never finalized."""
    import atexit

    threading = sys.modules.get("threading")
    if threading is not None:
        threading._shutdown()
    atexit._run_exitfuncs()


class MissingVariable(KeyError, AttributeError):
    """Raised for an environment variable that is not set, by key or by attribute."""

    def __init__(self, name):
        super().__init__(name)
        self.missing = name

    def __str__(self):
        import difflib

        near = difflib.get_close_matches(str(self.missing), list(os.environ), 3)
        hint = f" (did you mean {' or '.join(f'`{name}`' for name in near)}?)" if near else ""
        return f"`{self.missing}` is not set in the environment{hint}"


MissingVariable.__module__ = "batchmill"


class Environment:
    """`env`: the current environment of the process, by key or by attribute. Its repr never shows values."""

    __slots__ = ()

    def __getitem__(self, name):
        try:
            return os.environ[name]
        except KeyError:
            raise MissingVariable(name) from None

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return self[name]

    def get(self, name, default=None):
        return os.environ.get(name, default)

    def __contains__(self, name):
        return name in os.environ

    def __iter__(self):
        return iter(os.environ)

    def __len__(self):
        return len(os.environ)

    def keys(self):
        return os.environ.keys()

    def values(self):
        return os.environ.values()

    def items(self):
        return os.environ.items()

    def __repr__(self):
        return f"<env: {len(self)} variables>"


def clean(text):
    """The same text as valid UTF-8: a lone surrogate must not break the message that carries it."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def interpreter():
    """The interpreter, for messages about what is missing in it."""
    version = ".".join(map(str, sys.version_info[:3]))
    return f"`{sys.executable or 'python'}`, Python {version}"


def class_name(kind):
    """The name to count and search by: qualified, unless it is a built-in."""
    name = kind.__qualname__.rpartition("<locals>.")[2]
    return name if kind.__module__ in ("builtins", "__main__", None) else f"{kind.__module__}.{name}"


def first_line(exc):
    try:
        text = str(exc).strip()
    except BaseException as error:
        text = f"`str()` of the exception raised {class_name(type(error))}"
        try:
            text += f": {error}"
        except BaseException:
            pass
    text = text.split("\n", 1)[0].strip()
    if len(text) > MESSAGE_LIMIT:
        text = text[:MESSAGE_LIMIT] + "..."
    return text


def user_traceback(exc):
    """The traceback without the first frames that belong to batchmill or the import system."""
    trace = exc.__traceback__
    while trace is not None:
        name = trace.tb_frame.f_code.co_filename
        if not (name.startswith((OURS, "<frozen importlib")) or name.endswith("/importlib/__init__.py")):
            break
        trace = trace.tb_next
    return trace


def come_forward():
    """Prepares the interpreter for the terminal: Ctrl-C raises KeyboardInterrupt, and integers keep all digits."""
    import signal

    signal.signal(signal.SIGINT, signal.default_int_handler)
    if hasattr(sys, "set_int_max_str_digits"):
        sys.set_int_max_str_digits(0)


def debug(exc):
    """Opens the debugger in the innermost frame of the user's code."""
    import linecache
    import pdb

    # The debugger looks up sources by absolute path, even those of code blocks, which are not files.
    for name, entry in list(linecache.cache.items()):
        linecache.cache.setdefault(os.path.abspath(name), entry)

    trace = user_traceback(exc) or exc.__traceback__
    if trace is not None:
        pdb.post_mortem(trace)


# The text of each frame that was in a traceback, by its code and place. The code is kept, so that no other gets its `id`.
FRAME_TEXTS = {}
MOST_FRAME_TEXTS = 1000


def quick_traceback(exc, trace):
    """What `traceback.format_exception` gives for an exception without others behind it, at a fifth of the time: where thousands
    of items fail, they fail at the same places. None for any other exception."""
    import traceback

    if exc.__cause__ is not None or exc.__context__ is not None or isinstance(exc, SyntaxError) or hasattr(exc, "exceptions"):
        return None
    texts = ["Traceback (most recent call last):\n"] if trace is not None else []
    before = None
    while trace is not None:
        code = trace.tb_frame.f_code
        place = (id(code), trace.tb_lasti)
        if place == before:
            return None  # The module shortens recursions.
        known = FRAME_TEXTS.get(place)
        if known is None:
            if len(FRAME_TEXTS) >= MOST_FRAME_TEXTS:
                FRAME_TEXTS.clear()
            known = FRAME_TEXTS[place] = (code, "".join(traceback.format_tb(trace, 1)))
        texts.append(known[1])
        before, trace = place, trace.tb_next
    return "".join(texts + traceback.format_exception_only(type(exc), exc))


def advice(name, message):
    """What helps with an error that people meet, but whose message does not say so."""
    if "pickle" in message and "<lambda>" in message:
        return " (a `lambda` cannot be sent; write a function with `def`)"
    if "pickle" in message and "task.<locals>" in message:
        return " (a function or class that uses the variables of the item cannot be sent; pass them as arguments)"
    if name == "AttributeError" and any(f"{mark}to_{kind}{mark}" in message for mark in "'`" for kind in FRAMES):
        return " (the results of a step have it, and lists and data frames that a plain step returns)"
    if name.endswith(".BrokenProcessPool"):
        return (
            " (with the start methods `spawn` and `forkserver`, the functions and classes of the step's code must be in a module)"
        )
    return ""


def describe(exc):
    """Class, one-line message and traceback of an exception."""
    kind = type(exc)
    name = class_name(kind)
    message = first_line(exc) or name
    if isinstance(exc, ModuleNotFoundError):
        message += f" (in {interpreter()})"
    message += advice(name, message)
    try:
        import traceback

        if isinstance(exc, SyntaxError) and exc.text is None and exc.filename and exc.lineno:
            import linecache

            exc.text = linecache.getline(exc.filename, exc.lineno) or None
        trace = user_traceback(exc)
        detail = quick_traceback(exc, trace) or "".join(traceback.format_exception(kind, exc, trace))
    except BaseException:
        detail = ""
    if len(detail) > DETAIL_LIMIT:
        half = DETAIL_LIMIT // 2
        # The marks are where the text is cut: so the engine finds what is left of a secret there.
        detail = f"{detail[:half]}…\n  [{len(detail) - 2 * half} characters omitted]\n…{detail[-half:]}"
    return clean(name), clean(message), clean(detail)
