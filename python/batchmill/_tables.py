"""Data frames and Arrow tables of results: the columns that output files have.

The worker's `results.py` does the same in a process that may lack this package: `batchmill-python` brings its Python half along, and
what a task pickles must open anywhere. So there are two, and a test compares what they make.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import pandas
    import polars

__all__ = ["Tables", "columns_of", "pandas_frame"]


class Tables:
    """What makes tables of results. A result that is a mapping is a row, one that is a data frame is its rows."""

    __slots__ = ()

    def _rows(self) -> Iterable[Any]:
        raise NotImplementedError

    def to_pandas(self) -> pandas.DataFrame:
        """Return a pandas data frame with a row for each result, or for each row of a data frame.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        return pandas_frame(columns_of(self._rows()), "to_pandas")

    def to_polars(self) -> polars.DataFrame:
        """Return a polars data frame with a row for each result, or for each row of a data frame.

        Raises
        ------
        ImportError
            If polars is not installed.
        TypeError
            If a field has values of several types.
        """
        pl = _library("polars", "to_polars")
        columns = {name: _uniform(name, values) for name, values in columns_of(self._rows()).items()}
        made = [pl.Series(name, values, dtype=pl.UInt64 if wide else None) for name, (values, wide) in columns.items()]
        return cast("polars.DataFrame", pl.DataFrame(made))

    def to_arrow(self) -> Any:
        """Return a pyarrow table with a row for each result, or for each row of a data frame.

        Raises
        ------
        ImportError
            If pyarrow is not installed.
        TypeError
            If a field has values of several types.
        """
        pa = _library("pyarrow", "to_arrow")
        columns = {name: _uniform(name, values) for name, values in columns_of(self._rows()).items()}
        made = {name: pa.array(values, pa.uint64() if wide else None) for name, (values, wide) in columns.items()}
        return pa.table(made)


def columns_of(rows: Iterable[Any]) -> dict[str, list[Any]]:
    """Return the values by field, in order of first appearance, with None for missing ones."""
    columns: dict[str, list[Any]] = {}
    number = -1
    for number, value in enumerate(rows):
        row = _row(value)
        for name, inner in row.items():
            column = columns.get(name)
            if column is None:
                column = columns[name] = [None] * number
            column.append(inner)
        if len(row) != len(columns):
            for column in columns.values():
                if len(column) == number:
                    column.append(None)
    return columns or ({"value": [None] * (number + 1)} if number >= 0 else {})


def _row(value: Any) -> dict[str, Any]:
    if isinstance(value, dict):
        return cast("dict[str, Any]", value)
    return {} if value is None else {"value": value}


def pandas_frame(columns: Mapping[str, list[Any]], method: str) -> pandas.DataFrame:
    """Return a data frame whose values are not changed: integers with nulls become `Int64`, and not floats."""
    pd = _library("pandas", method)
    return cast("pandas.DataFrame", pd.DataFrame({name: _pandas_column(pd, values) for name, values in columns.items()}))


def _pandas_column(pd: Any, values: list[Any]) -> Any:
    kinds: set[type] = {type(value) for value in values}
    if kinds == {int, type(None)} and all(value is None or -(2**63) <= value < 2**63 for value in values):
        return pd.array(values, dtype="Int64")
    if kinds == {bool, type(None)}:
        return pd.array(values, dtype="boolean")
    if int in kinds and (float in kinds or type(None) in kinds) and not _exact(values):
        return pd.Series(values, dtype=object)
    return values


def _exact(values: Iterable[Any]) -> bool:
    """Whether no integer among the values changes as a float."""
    try:
        return all(float(value) == value for value in values if type(value) is int)
    except OverflowError:
        return False


def _uniform(name: str, values: list[Any]) -> tuple[list[Any], bool]:
    """The values if a column of one type can hold them as they are, and whether they are integers beyond 63 bits."""
    kinds: set[type] = {type(value) for value in values if value is not None}
    if kinds == {int, float} and _exact(values):
        return [None if value is None else float(value) for value in values], False
    if len(kinds) > 1:
        known = ", ".join(sorted("mapping" if issubclass(kind, dict) else kind.__name__ for kind in kinds))
        raise TypeError(f"the field `{name}` has values of several types ({known}), which a column cannot hold unchanged")
    if kinds == {int}:
        given = [value for value in values if value is not None]
        low, high = min(given), max(given)
        if low >= 0 and 2**63 <= high < 2**64:
            return values, True
        if low < -(2**63) or high >= 2**63:
            raise TypeError(f"the field `{name}` has integers beyond 64 bits, which a column cannot hold")
    return values, False


def _library(name: str, method: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        if error.name not in (name, None):
            raise
        message = f"`{method}()` requires {name}, which {sys.executable or 'this Python'} does not have; install it there"
        raise ImportError(message, name=name) from None
