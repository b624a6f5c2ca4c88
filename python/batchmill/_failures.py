"""The failed items of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, overload

from batchmill._tables import pandas_frame
from batchmill._values import printable

if TYPE_CHECKING:
    import pandas

__all__ = ["Failure", "Failures"]


@dataclass(frozen=True)
class Failure:
    """An item whose last attempt failed.

    Attributes
    ----------
    step : str
        Its step.
    item : object
        The item.
    index : int
        Its place among the items of the step, from 0.
    type : str
        The class of the exception, or another type of error such as `ExitStatus`.
    message : str
        Why it failed.
    traceback : str or None
        The traceback, or what a command printed to stderr.
    attempts : int
        How often it was tried.
    duration : float or None
        How long its last attempt took, in seconds.
    printed : str
        What it printed.
    key : str
        The hash of its content, as `retry(only=..)` takes it.
    on_item_error : str or None
        Why the task in `on_item_error` failed, if it did.
    """

    step: str
    item: Any
    index: int
    type: str
    message: str
    attempts: int
    traceback: str | None = field(default=None, repr=False)
    duration: float | None = None
    printed: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    on_item_error: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return printable(f"{self.step}[{self.index}] {self.type}: {self.message}")


class Failures(Sequence[Failure]):
    """Failed items, in order of steps and items. They are read when you first use one."""

    def __init__(self, read: Callable[[int | None], list[Failure]]) -> None:
        self._read = read
        self._found: list[Failure] | None = None

    @property
    def _all(self) -> list[Failure]:
        if self._found is None:
            self._found = self._read(None)
        return self._found

    def first(self, count: int) -> list[Failure]:
        """Return the first few, without reading the others."""
        return self._read(count) if self._found is None else self._found[:count]

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Failure]:
        return iter(self._all)

    @overload
    def __getitem__(self, key: int) -> Failure: ...
    @overload
    def __getitem__(self, key: slice) -> list[Failure]: ...
    def __getitem__(self, key: int | slice) -> Failure | list[Failure]:
        return self._all[key]

    def to_pandas(self) -> pandas.DataFrame:
        """Return a pandas data frame with a row for each failed item, and a column for each attribute.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        rows = [asdict(failure) for failure in self._all]
        names = Failure.__dataclass_fields__
        return pandas_frame({name: [row[name] for row in rows] for name in names}, "to_pandas")

    def __repr__(self) -> str:
        count = len(self)
        shown = "".join(f"\n  {failure}" for failure in self._all[:5])
        return f"<{count:,} failure{'' if count == 1 else 's'}>{shown}" + ("\n  ..." if count > 5 else "")


def failure_of(raw: dict[str, Any]) -> Failure:
    """Return the failure in the engine's JSON."""
    return Failure(
        step=raw["step"],
        item=raw["item"],
        index=raw["index"],
        type=raw["type"],
        message=raw["error"],
        attempts=raw["attempts"],
        traceback=raw["detail"],
        duration=raw["duration"],
        printed=raw["log"],
        key=raw["key"],
        on_item_error=raw["on_item_error"],
    )
