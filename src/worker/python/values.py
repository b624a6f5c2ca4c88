"""Converts values that are not plain JSON to something simpler, the text of a number, or null, or says why it cannot.

The encoder in Rust handles `str`, `int`, `bool`, `None`, `float`, `dict`, `list` and `tuple`, including subclasses of the
last four. For anything else it calls `convert`. No library is imported here: if there is a numpy value, numpy is imported.
"""

import sys

VALUE, NUMBER, NULL, FAIL = range(4)
CONVERTERS = {}


def convert(value):
    """Returns (VALUE, simpler value), (NUMBER, text), (NULL, None) or (FAIL, what the value is)."""
    kind = type(value)
    try:
        converter = CONVERTERS[kind]
    except KeyError:
        converter = CONVERTERS[kind] = choose(kind)
    return converter(value)


def choose(kind):
    """The converter for a type. Called once per type."""
    # If there is an enum value, `enum` is imported. A module of the user may have that name too.
    enumeration = getattr(sys.modules.get("enum"), "Enum", None)
    if isinstance(enumeration, type) and issubclass(kind, enumeration):
        return lambda value: (VALUE, value.value)
    families = {base.__module__.partition(".")[0] for base in kind.__mro__ if isinstance(base.__module__, str)}
    for family, converter in (("pandas", pandas), ("polars", polars), ("pyarrow", pyarrow), ("numpy", numpy)):
        if family in families:
            return converter
    return standard(kind) or protocol(kind) or refuse


def standard(kind):
    """The converter for a type of the standard library."""
    import datetime
    import decimal
    import pathlib
    import uuid

    if issubclass(kind, str):
        return lambda value: (VALUE, str.__str__(value))
    if issubclass(kind, int):
        return lambda value: (VALUE, int(value))
    if issubclass(kind, (datetime.datetime, datetime.date, datetime.time)):
        return lambda value: (VALUE, value.isoformat())
    if issubclass(kind, datetime.timedelta):
        return lambda value: (VALUE, value.total_seconds())
    if issubclass(kind, decimal.Decimal):
        return decimal_number
    if issubclass(kind, (uuid.UUID, pathlib.PurePath)):
        return lambda value: (VALUE, str(value))
    if issubclass(kind, (set, frozenset)):
        return lambda value: (VALUE, ordered(value))
    return None


def decimal_number(value):
    """All digits of a number that JSON's readers can hold: as an integer, or within the range of a float."""
    import math

    if not value.is_finite():
        return NULL, None
    text = str(value)
    if len(text) < 300 and "E" not in text:
        return NUMBER, text
    if text.lstrip("-").isdigit():
        return (NUMBER, text) if len(text) <= 4300 else (FAIL, f"an integer of {len(text)} digits (limit: 4300)")
    if math.isinf(float(value)):
        return FAIL, f"the number {text[:40]}, which is too large for a float"
    return NUMBER, text


def protocol(kind):
    """The converter for a type that implements a known protocol."""
    import collections
    import collections.abc as abc

    if hasattr(kind, "__dataclass_fields__"):
        return lambda value: (VALUE, {name: getattr(value, name) for name in fields(value)})
    if issubclass(kind, abc.Mapping):
        return lambda value: (VALUE, dict(value))
    if issubclass(kind, (bytes, bytearray, memoryview)):
        return None
    if issubclass(kind, (abc.Sequence, collections.deque, abc.KeysView, abc.ValuesView, abc.ItemsView)):
        return lambda value: (VALUE, list(value))
    return None


def fields(value):
    import dataclasses

    return [field.name for field in dataclasses.fields(value)]


def ordered(values):
    try:
        return sorted(values)
    except TypeError:
        return list(values)


def numpy(value):
    np = sys.modules["numpy"]
    if not isinstance(value, (np.ndarray, np.generic)):
        return refuse(value)
    if value.dtype.kind == "M":
        text = np.datetime_as_string(value)
        return VALUE, np.where(np.isnat(value), None, np.asarray(text).astype(object)).tolist()
    if value.dtype.kind == "m":
        return VALUE, (value / np.timedelta64(1, "s")).tolist()
    if isinstance(value, np.longdouble):
        return VALUE, float(value)
    return VALUE, value.tolist()


def pandas(value):
    pd = sys.modules["pandas"]
    if value is pd.NA or value is pd.NaT:
        return VALUE, None
    if isinstance(value, pd.DataFrame):
        try:
            return VALUE, flattened(pd, value).to_dict("records")
        except Clash as clash:
            return FAIL, str(clash)
    if isinstance(value, pd.Series):
        labels = value.index.tolist()
        if labels and all(isinstance(label, str) for label in labels):
            if len(set(labels)) < len(labels):
                return FAIL, f"a series with the label `{repeated(labels)}` twice: call `.reset_index()` or `.tolist()`"
            return VALUE, dict(zip(labels, value.tolist()))
        return VALUE, value.tolist()
    if isinstance(value, pd.Timestamp):
        return VALUE, value.isoformat()
    if isinstance(value, pd.Timedelta):
        return VALUE, value.total_seconds()
    if isinstance(value, (pd.Period, pd.Interval)):
        return VALUE, str(value)
    if hasattr(value, "tolist"):
        return VALUE, value.tolist()
    return standard_or_refuse(value)


class Clash(Exception):
    """Two columns would become one key."""


def repeated(names):
    """The first of some names that is there twice; None if there is none."""
    seen = set()
    return next((name for name in names if name in seen or seen.add(name)), None)


def flattened(pd, frame):
    """Turns a named index, such as from `groupby`, into columns, and joins nested column labels with `_`."""
    if any(name is not None for name in frame.index.names):
        for name in frame.index.names:
            if name in frame.columns:
                raise Clash(f"a data frame whose index is named `{name}` like a column: rename one, or drop the index")
        frame = frame.reset_index()
    if isinstance(frame.columns, pd.MultiIndex):
        frame = frame.copy(deep=False)
        frame.columns = ["_".join(str(part) for part in label if part != "") for label in frame.columns]
    if not frame.columns.is_unique:
        raise Clash(f"a data frame with two columns named `{repeated(frame.columns)}`: rename one")
    return frame


def polars(value):
    if hasattr(value, "to_dicts"):
        return VALUE, value.to_dicts()
    if hasattr(value, "to_list"):
        return VALUE, value.to_list()
    return refuse(value)


def pyarrow(value):
    names = getattr(value, "column_names", None) or getattr(getattr(value, "schema", None), "names", None)
    if names is not None and len(set(names)) < len(names):
        return FAIL, f"a table with two columns named `{repeated(names)}`: rename one"
    for name in ("to_pylist", "as_py"):
        if hasattr(value, name):
            return VALUE, getattr(value, name)()
    return refuse(value)


def standard_or_refuse(value):
    return (standard(type(value)) or protocol(type(value)) or refuse)(value)


def refuse(value):
    """Describes the value in words that follow "`result.x` is"."""
    import types

    if isinstance(value, (bytes, bytearray, memoryview)):
        return FAIL, "bytes: decode them, or encode them as base64"
    if isinstance(value, type):
        return FAIL, f"the class `{value.__name__}`"
    if isinstance(value, (types.FunctionType, types.BuiltinFunctionType, types.MethodType)):
        return FAIL, "a function"
    if isinstance(value, types.ModuleType):
        return FAIL, f"the module `{value.__name__}`"
    if isinstance(value, (types.GeneratorType, map, filter, zip)):
        return FAIL, "an iterator: convert it to a list"
    if isinstance(value, types.CoroutineType):
        return FAIL, "a coroutine: run it with `asyncio.run(...)`"
    if type(value).__name__ == "LazyFrame":
        return FAIL, "a LazyFrame: call `.collect()` first"
    return FAIL, f"a `{type(value).__qualname__.rpartition('<locals>.')[2]}` object"


def records(value):
    """The rows of a data frame, or the results of an earlier step, as a list; None for anything else."""
    if type(value).__module__ == "_batchmill_results" and type(value).__name__ == "Results":
        return value
    if library_of(value):
        tag, rows = convert(value)
        if tag == VALUE and isinstance(rows, list):
            return rows
    return None


def library_of(value):
    """The library of a data frame or table, or of a subclass of one; None for anything else."""
    for library, names in (("pandas", ("DataFrame",)), ("polars", ("DataFrame",)), ("pyarrow", ("Table", "RecordBatch"))):
        module = sys.modules.get(library)
        for name in names if module is not None else ():
            # A module of the user may have that name too.
            kind = getattr(module, name, None)
            if isinstance(kind, type) and isinstance(value, kind):
                return library
    return None


def table(value):
    """A data frame as (bytes of an Arrow IPC stream, number of NaN that became null); None if it must become records."""
    family = library_of(value)
    try:
        if family == "pyarrow":
            return ipc(sys.modules["pyarrow"], value), 0
        if family == "polars":
            return polars_ipc(value), 0
        if family == "pandas":
            import pyarrow as pa

            return pandas_ipc(sys.modules["pandas"], pa, value)
    except Exception:
        # pyarrow is missing or rejects the values. The records are encoded instead, or fail with a better message.
        return None


def ipc(pa, table):
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write(table)
    return sink.getvalue().to_pybytes()


def polars_ipc(frame):
    import io

    pl = sys.modules["polars"]
    sink = io.BytesIO()
    frame.write_ipc_stream(sink, compat_level=pl.CompatLevel.oldest())
    return sink.getvalue()


def pandas_ipc(pd, pa, frame):
    """Takes object columns only if Arrow gives them the type that Python sees: not integers as floats, for example."""
    frame = flattened(pd, frame)
    if not all(isinstance(name, (str, int)) and not isinstance(name, bool) for name in frame.columns):
        return None
    table = pa.Table.from_pandas(frame, preserve_index=False)
    plain = (pa.types.is_string, pa.types.is_boolean, pa.types.is_int64, pa.types.is_date32, pa.types.is_null)
    lost = 0
    for at, kind in enumerate(frame.dtypes):
        if kind == object and not any(test(table.schema.field(at).type) for test in plain):
            return None
        # A NaN becomes null in the table, and is counted. Other missing values are not.
        values = frame.iloc[:, at]
        if kind == object and values.isna().any():
            lost += sum(value != value for value in values if isinstance(value, float))
        elif kind in ("float64", "float32", "float16"):
            lost += int(values.isna().sum())
    return ipc(pa, table), lost


def decode(text):
    """Decodes what the fast decoder rejects: very deep JSON, very long numbers, lone surrogates."""
    import json

    def constant(name):
        raise ValueError(f"`{name}` is not valid JSON")

    return json.loads(text, parse_constant=constant)


class ErrorView(dict):
    """`error` of `on_item_error`: `message`, `type`, `detail`, `attempts`, by key or by attribute. Displays as its message."""

    __slots__ = ()

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"`error` has no `{name}`, only {', '.join(f'`{key}`' for key in self)}") from None

    def __str__(self):
        return str(self.get("message", ""))
