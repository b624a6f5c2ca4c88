"""Python values as a workflow can hold them, and as JSON whose every line has one place."""

from __future__ import annotations

import datetime
import enum
import json
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any, cast

__all__ = ["layout", "plain", "printable"]

_PLAIN_KEY = re.compile(r"[A-Za-z_][\w-]*\Z")


def plain(value: object, path: str = "") -> Any:
    """Return a value as text, numbers, lists and mappings.

    Parameters
    ----------
    value : object
        What JSON can hold, and paths, dates, tuples, enumerations, and scalars and arrays of NumPy.
    path : str
        Where it is, for the message of an error.

    Raises
    ------
    TypeError
        If a workflow cannot hold it.

    Examples
    --------
    >>> plain({"since": datetime.date(2026, 11, 1), "sizes": (1, 2)})
    {'since': '2026-11-01', 'sizes': [1, 2]}
    """
    kind = type(value).__name__
    if isinstance(value, enum.Enum):
        return plain(value.value, path)
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise TypeError(f"{_at(path)} is {value}, which JSON cannot hold; use None")
        return float(value)
    if isinstance(value, os.PathLike):
        return os.fsdecode(cast("os.PathLike[str]", value))
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, Mapping):
        mapping = cast("Mapping[object, object]", value)
        return {_key(key, path): plain(inner, _join(path, str(key))) for key, inner in mapping.items()}
    to_list = getattr(value, "tolist", None)
    if callable(to_list):
        return plain(to_list(), path)
    if isinstance(value, (Sequence, Set)) and not isinstance(value, (bytes, bytearray, memoryview)):
        return [plain(inner, f"{path}[{index}]") for index, inner in enumerate(cast("Sequence[object]", value))]
    raise TypeError(f"{_at(path)} is of type `{kind}`, which a workflow cannot hold; use text, numbers, lists or mappings")


def _at(path: str) -> str:
    return f"`{path}`" if path else "the value"


def _key(key: object, path: str) -> str:
    if not isinstance(key, str):
        raise TypeError(f"{_at(path)} has the key {key!r}, but keys must be text")
    return str(key)


def _join(path: str, key: str) -> str:
    if not _PLAIN_KEY.match(key):
        return f"{path}[{json.dumps(key, ensure_ascii=False)}]"
    return f"{path}.{key}" if path else key


def layout(value: Any) -> tuple[str, list[str]]:
    """Return JSON with one value per line, and the path of the value in each line.

    Examples
    --------
    >>> text, paths = layout({"steps": [{"name": "load"}]})
    >>> paths
    ['', 'steps', 'steps[0]', 'steps[0].name', 'steps[0]', 'steps', '']
    """
    lines = list(_lines(value, "", 0))
    return "".join(f"{line}\n" for line, _ in lines), [path for _, path in lines]


def _lines(value: Any, path: str, depth: int, before: str = "", after: str = "") -> Iterator[tuple[str, str]]:
    margin = " " * depth
    inner: list[tuple[str, str, Any]] = []
    if isinstance(value, dict):
        mapping = cast("dict[str, Any]", value)
        inner = [(f"{_scalar(key)}: ", _join(path, key), one) for key, one in mapping.items()]
    elif isinstance(value, list):
        items = cast("Sequence[Any]", value)
        inner = [("", f"{path}[{index}]", one) for index, one in enumerate(items)]
    if not inner:
        yield f"{margin}{before}{_scalar(value)}{after}", path
        return
    start, end = "{}" if isinstance(value, dict) else "[]"
    yield f"{margin}{before}{start}", path
    for number, (key, place, one) in enumerate(inner, 1):
        yield from _lines(one, place, depth + 1, key, "," if number < len(inner) else "")
    yield f"{margin}{end}{after}", path


def _scalar(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    # YAML has no raw control characters, and reads some as line breaks.
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"


def printable(text: str) -> str:
    """Return text that a terminal shows and does not obey: on one line, with other characters escaped.

    Examples
    --------
    >>> printable("done\\x1b[2J")
    'done\\\\x1b[2J'
    """
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
