"""The ledger of a call: where its results are kept, and by which names."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from batchmill._fingerprint import NotPlainError, fingerprint_of, key_of
from batchmill._workflow import state_directory

__all__ = ["Ledger", "check_ledger", "ledger_of"]

# The longest name, in bytes. It becomes the name of a file.
_MOST_NAME: Final = 200


@dataclass
class Ledger:
    """Where results of a call are kept, and what names its items.

    Attributes
    ----------
    name
        The name of the ledger.
    function
        The fingerprint of the function.
    resume
        Whether to take over what is kept already.
    key
        Names an item; None if items are their own names.
    """

    name: str
    function: str
    resume: bool
    key: Callable[[Any], Any] | None

    def message(self) -> dict[str, Any]:
        """Return what the engine has to know."""
        return {
            "state": state_directory(None),
            "name": self.name,
            "function": self.function,
            "resume": self.resume,
            "unique": self.key is not None,
        }

    def keys(self, items: list[Any], first: int) -> bytes:
        """Return the keys of items, one after the other; `first` is the index of the first of them, for messages.

        Raises
        ------
        TypeError
            If an item has no name that is the same in every process.
        """
        keys: list[bytes] = []
        for index, item in enumerate(items, first):
            name = item if self.key is None else self.key(item)
            try:
                keys.append(key_of(name))
            except NotPlainError as error:
                what = f"items[{index}]" if self.key is None else f"what `key` returns for items[{index}]"
                way_out = "give `key=`, a function that returns" if self.key is None else "return"
                raise TypeError(
                    f"{what} cannot be found again in a ledger: {error}; {way_out} None, booleans, numbers, text, bytes or paths, "
                    "or tuples, lists and mappings of them"
                ) from None
        return b"".join(keys)


def check_ledger(ledger: Any, key: Any, *, resume: Any) -> None:
    """Raise an error if these arguments of `map` make no sense."""
    if ledger is None or ledger is False:
        for name, is_given in (("key", key is not None), ("resume", resume is not True)):
            if is_given:
                raise ValueError(f'`{name}` needs a ledger, such as `ledger="nightly"`')
        return
    if key is not None and not callable(key):
        raise TypeError(f"`key` is {key!r}; it must be a function of an item")
    if not isinstance(resume, bool):
        raise TypeError(f"`resume` is {resume!r}; it must be True or False")
    if ledger is True:
        return
    if not isinstance(ledger, str):
        raise TypeError(f"`ledger` is {ledger!r}; it must be a name, or True for the name of the function")
    if not re.fullmatch(r"\w[\w.-]*", ledger) or len(ledger.encode(errors="replace")) > _MOST_NAME:
        raise ValueError(
            f"`ledger` is {ledger!r}; it must be a name of letters, digits, `_`, `-` and `.`, of at most {_MOST_NAME} bytes"
        )


def ledger_of(arguments: Any, func: Callable[..., Any], *, star: bool) -> Ledger | None:
    """Return the ledger of a call with these arguments; None if it has none."""
    given: str | bool | None = arguments.ledger
    if given is None or given is False:
        return None
    fingerprint = fingerprint_of(func, dict(arguments.constants or {}), star)
    name = _name_of(func) if given is True else str(given)
    return Ledger(name, fingerprint, arguments.resume, arguments.key)


def _name_of(func: Any) -> str:
    named: object = func if hasattr(func, "__qualname__") else func.__class__
    name = f"{getattr(named, '__module__', None) or 'builtins'}.{getattr(named, '__qualname__', 'map')}"
    fitting = re.sub(r"[^\w.-]", "-", name).lstrip(".-")
    return fitting.encode(errors="replace")[:_MOST_NAME].decode(errors="ignore") or "map"
