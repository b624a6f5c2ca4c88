"""Hashes of values that are the same in every process, unlike those of pickles.

A function is what it does: its code, its defaults, what it closes over, and the globals that it uses; or, if it is in a module, the
source of that module and of your own modules that it takes something from. Installed packages are known by their names alone.
"""

from __future__ import annotations

import copyreg
import dis
import functools
import hashlib
import struct
import sys
import types
from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePath
from typing import Any, Final

__all__ = ["NotPlainError", "fingerprint_of", "key_of"]

_SIZE: Final = 16
_MAIN: Final = ("__main__", "__mp_main__")
_CACHED: Final[Any] = type(functools.lru_cache(maxsize=1)(len))
# What a class has that says nothing of what it does, or that differs between processes.
_OF_CLASSES: Final = {
    "__dict__", "__weakref__", "__doc__", "__module__", "__firstlineno__", "__static_attributes__", "__abstractmethods__", "_abc_impl",
}  # fmt: skip
_GLOBALS: Final = ("LOAD_GLOBAL", "LOAD_NAME")


class NotPlainError(TypeError):
    """A value is not made of None, booleans, numbers, text, bytes and paths."""


def key_of(value: Any) -> bytes:
    """Return a hash of 16 bytes of a plain value. Equal values have the same one.

    Raises
    ------
    NotPlainError
        If it is not plain.
    """
    hashed = hashlib.blake2b(digest_size=_SIZE)
    _add_plain(hashed.update, value)
    return hashed.digest()


def fingerprint_of(*values: Any) -> str:
    """Return a hash of functions and other values, as hexadecimal digits.

    Raises
    ------
    TypeError
        If one of them is of a kind that cannot be pickled.
    """
    walk = _Walk()
    for value in values:
        walk.add(value)
    return walk.digest()


def _class_of(value: object) -> Any:
    return type(value)


def _add_scalar(add: Callable[[bytes], object], value: Any) -> bool:
    kind = _class_of(value)
    if kind is str:
        text = value.encode("utf-8", "surrogatepass")
        add(b"s%d:" % len(text) + text)
    elif kind is int:
        add(b"i%x:" % value)
    elif kind is float:
        add(b"f" + struct.pack("<d", value))
    elif kind is bytes:
        add(b"b%d:" % len(value) + value)
    elif value is None or kind is bool:
        add(b"n" if value is None else b"t" if value else b"u")
    elif isinstance(value, PurePath):
        text = str(value).encode("utf-8", "surrogateescape")
        add(b"p%d:" % len(text) + text)
    else:
        return False
    return True


def _add_plain(add: Callable[[bytes], object], value: Any) -> None:
    if _add_scalar(add, value):
        return
    kind = _class_of(value)
    if kind is tuple or kind is list:
        add(b"%c%d:" % (b"("[0] if kind is tuple else b"["[0], len(value)))
        for element in value:
            _add_plain(add, element)
    elif kind is dict:
        # Mappings are equal whatever the order of their keys is.
        add(b"{%d:" % len(value))
        for pair in sorted(key_of(key) + key_of(element) for key, element in value.items()):
            add(pair)
    else:
        raise NotPlainError(f"a `{kind.__module__}.{kind.__qualname__}` has no name of its own")


class _Walk:
    """A hash of everything that can be reached from what is added. Whether two equal objects are the same one does not matter."""

    def __init__(self) -> None:
        self._hash = hashlib.blake2b(digest_size=_SIZE)
        # The hash of each object, empty while it is being made; and the object, so that nothing else gets its `id`.
        self._seen: dict[int, tuple[bytes, Any]] = {}

    def digest(self) -> str:
        return self._hash.hexdigest()

    def _tag(self, *parts: str) -> None:
        for part in parts:
            _add_scalar(self._hash.update, part)

    def add(self, value: Any) -> None:
        """Add a value, and what it refers to."""
        if not _add_scalar(self._hash.update, value):
            known = self._seen.get(id(value))
            # What refers to itself, such as a recursive function, ends here.
            self._hash.update((known[0] or b"itself") if known is not None else self._digest_of(value))

    def _digest_of(self, value: Any) -> bytes:
        around, self._hash = self._hash, hashlib.blake2b(digest_size=_SIZE)
        self._seen[id(value)] = (b"", value)
        try:
            if not self._add_container(value) and not self._add_code(value):
                self._add_reduced(value)
            made = self._hash.digest()
        finally:
            self._hash = around
        self._seen[id(value)] = (made, value)
        return made

    def _add_all(self, values: Iterable[Any]) -> None:
        for value in values:
            self.add(value)

    def _add_container(self, value: Any) -> bool:
        kind = _class_of(value)
        if kind in (tuple, list):
            self._tag(kind.__name__, str(len(value)))
            self._add_all(value)
        elif kind is dict:
            self._tag("dict", str(len(value)))
            for pair in value.items():
                self._add_all(pair)
        elif kind in (set, frozenset):
            # Their order differs between processes.
            self._tag(kind.__name__)
            self._add_all(sorted(fingerprint_of(element) for element in value))
        elif kind is types.MappingProxyType:
            # Such as the metadata of the fields of a dataclass.
            self._tag("proxy")
            self._add_all(value.items())
        else:
            return False
        return True

    def _add_code(self, value: Any) -> bool:
        """Add something that runs; false if it does not."""
        if isinstance(value, types.ModuleType):
            self._add_module(value)
        elif isinstance(value, (types.FunctionType, types.BuiltinFunctionType, type, _CACHED)):
            self._add_named(value)
        elif isinstance(value, types.CodeType):
            self._add_code_object(value)
        elif isinstance(value, types.MethodType):
            self._tag("method")
            self._add_all((value.__func__, value.__self__))
        elif _class_of(value) in (staticmethod, classmethod):
            wrapper: Any = value
            self._tag(_class_of(wrapper).__name__)
            self.add(wrapper.__func__)
        elif isinstance(value, property):
            self._tag("property")
            self._add_all((value.fget, value.fset, value.fdel))
        elif isinstance(value, (types.GetSetDescriptorType, types.MemberDescriptorType)):
            self._tag("descriptor", value.__name__)
        else:
            return False
        return True

    def _add_named(self, value: Any) -> None:
        """Add a function or a class: by its module if it is there under its name."""
        module = sys.modules.get(getattr(value, "__module__", None) or "")
        name: str = value.__qualname__
        if module is not None and module.__name__ not in _MAIN and _member(module, name) is value:
            self._tag("named", module.__name__, name)
            self._add_module(module)
        elif isinstance(value, type):
            self._tag("class", name)
            self._add_all(value.__bases__)
            for own, member in sorted(vars(value).items()):
                if own not in _OF_CLASSES:
                    self._tag(own)
                    self.add(member)
        elif isinstance(value, types.FunctionType):
            self._add_function(value)
        elif isinstance(value, _CACHED):
            self._tag("cached")
            self.add(value.__wrapped__)
        else:
            self._tag("builtin", name)
            self.add(getattr(value, "__self__", None))

    def _add_function(self, function: types.FunctionType) -> None:
        self._tag("function")
        self._add_all((function.__code__, function.__defaults__, function.__kwdefaults__))
        for cell in function.__closure__ or ():
            try:
                self.add(cell.cell_contents)
            except ValueError:
                self._tag("empty")  # Of a name that has no value yet.
        for name in sorted(set(_globals_of(function.__code__))):
            if name in function.__globals__:
                self._tag("global", name)
                self.add(function.__globals__[name])

    def _add_code_object(self, code: types.CodeType) -> None:
        self._tag("code", code.co_name)
        self._hash.update(code.co_code)
        self._hash.update(getattr(code, "co_exceptiontable", b""))
        counts = (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags)
        self._add_all((counts, code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars))
        self._add_all(code.co_consts)

    def _add_module(self, module: types.ModuleType) -> None:
        found: dict[str, str] = {}
        _find_own(module, found)
        self._tag("module", module.__name__)
        for name, file in sorted(found.items()):
            self._tag(name)
            try:
                with open(file, "rb") as source:
                    self._hash.update(hashlib.blake2b(source.read()).digest())
            except OSError:
                self._tag("gone")

    def _add_reduced(self, value: Any) -> None:
        """Add any other object by what `pickle` would make it of."""
        kind = _class_of(value)
        reduce = copyreg.dispatch_table.get(kind)
        try:
            reduced: Any = reduce(value) if reduce is not None else value.__reduce_ex__(4)
        except Exception as error:
            raise TypeError(f"cannot tell whether a `{kind.__module__}.{kind.__qualname__}` has changed: {error}") from error
        self._tag("object")
        if isinstance(reduced, str):
            self._tag(kind.__module__, reduced)
            return
        function, arguments, *more = reduced
        # The state, and iterators of elements.
        state, *elements = [*more, None, None, None][:3]
        self._add_all((function, arguments, state, *(list(some) if some is not None else None for some in elements)))


def _member(module: types.ModuleType, name: str) -> Any:
    found: Any = module
    for part in name.split("."):
        found = getattr(found, part, None)
    return found


def _globals_of(code: types.CodeType) -> Iterator[str]:
    for instruction in dis.get_instructions(code):
        if instruction.opname in _GLOBALS:
            yield str(instruction.argval)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _globals_of(constant)


def _find_own(module: types.ModuleType, found: dict[str, str]) -> None:
    """Find the file of a module of the user, and those of their modules that it takes something from."""
    file = getattr(module, "__file__", None)
    name = module.__name__
    if not isinstance(file, str) or name in found or not _is_own(file):
        return
    found[name] = file
    for value in list(vars(module).values()):
        other = value if isinstance(value, types.ModuleType) else sys.modules.get(_home_of(value))
        # A package has those of its modules that anybody has imported so far.
        if other is not None and not other.__name__.startswith(f"{name}."):
            if other.__name__ not in _MAIN:
                _find_own(other, found)


def _home_of(value: Any) -> str:
    home = getattr(value, "__module__", None) if isinstance(value, (types.FunctionType, type)) else None
    return home if isinstance(home, str) else ""


def _is_own(file: str) -> bool:
    """Return whether a file belongs to the user, not to the interpreter or to a package."""
    return "site-packages" not in file and not file.startswith((sys.prefix, sys.base_prefix, "<"))
