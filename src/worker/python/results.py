"""The results of an earlier step as a sequence that reads them from a file, so they take no memory until they are used.

The file has one result per line, in order, and does not change while a step runs. This module imports none of its siblings,
so that a process that is not a worker can unpickle a sequence.
"""

import operator
from collections.abc import Sequence

STRIDE = 128
SHOWN = 3


class Values(dict):
    """A mapping whose keys are also attributes, at every level."""

    __slots__ = ()

    def __getattr__(self, name):
        try:
            return self[name]
        except KeyError:
            known = ", ".join(f"`{key}`" for key in list(self)[:20]) or "none"
            raise AttributeError(f"no field `{name}`; available fields: {known}") from None


def wrap(value):
    """The same value, with every mapping in it turned into `Values`."""
    if isinstance(value, dict):
        return Values((key, wrap(inner)) for key, inner in value.items())
    if isinstance(value, list):
        return [wrap(inner) for inner in value]
    return value


sealed = False


def seal():
    """Makes everything that was shared read-only. Before that, `setup` may change it."""
    global sealed
    sealed = True


def _shared(kind, names):
    """A read-only kind of list or mapping. A copy of it, also a pickled one, is an ordinary one."""
    plain = list if issubclass(kind, list) else kind
    name = "list" if plain is list else "dict"

    def refusing(method):
        original = getattr(kind, method)

        def change(self, *args, **kwargs):
            if sealed:
                raise TypeError(
                    f"this {name} is the same for all items, so it is read-only; change a copy, such as `{name}(x)` or `copy.deepcopy(x)`"
                )
            return original(self, *args, **kwargs)

        return change

    members = {method: refusing(method) for method in names}
    members["__slots__"] = ()
    members["__reduce_ex__"] = lambda self, protocol: (plain, (list(_parts(self)),))
    members["__deepcopy__"] = lambda self, memo: plain(_copied(inner, memo) for inner in _parts(self))
    return type(f"Shared{kind.__name__.title()}", (kind,), members)


def _parts(value):
    return dict.items(value) if isinstance(value, dict) else value


def _copied(value, memo):
    import copy

    return copy.deepcopy(value, memo)


OF_LISTS = "append extend insert pop remove clear sort reverse __setitem__ __delitem__ __iadd__ __imul__".split()
OF_MAPPINGS = "pop popitem clear update setdefault __setitem__ __delitem__ __ior__".split()
SharedList = _shared(list, OF_LISTS)
SharedMapping = _shared(dict, OF_MAPPINGS)
SharedValues = _shared(Values, OF_MAPPINGS)


def share(value):
    """The same value, of lists and mappings that are read-only once they are sealed."""
    if isinstance(value, ResultList):
        return SharedResults.of(map(share, value), value.source)
    if isinstance(value, list):
        return SharedList(map(share, value))
    if isinstance(value, dict):
        kind = SharedValues if isinstance(value, Values) else SharedMapping
        return kind((key, share(inner)) for key, inner in value.items())
    return value


def reachable(steps):
    """The same mapping, in which a step with the name of a method, such as `get`, hides the method."""
    hidden = [name for name in steps if hasattr(dict, name)]
    if not hidden:
        return steps
    members = {name: property(operator.itemgetter(name)) for name in hidden}
    kind = type(steps)
    return type(kind.__name__, (kind,), {"__slots__": (), **members})(dict.items(steps))


class Tables:
    """What makes data frames of results."""

    __slots__ = ()

    def to_pandas(self):
        """A pandas data frame with a row for each result, or for each row of a data frame."""
        pd = library("pandas", "to_pandas")
        columns = {name: pandas_column(pd, values) for name, values in self._columns().items()}
        return pd.DataFrame(columns)

    def to_polars(self):
        """A polars data frame with a row for each result."""
        pl = library("polars", "to_polars")
        columns = {name: uniform(name, values) for name, values in self._columns().items()}
        made = [pl.Series(name, values, dtype=pl.UInt64 if wide else None) for name, (values, wide) in columns.items()]
        return pl.DataFrame(made)

    def to_arrow(self):
        """A pyarrow table with a row for each result."""
        pa = library("pyarrow", "to_arrow")
        columns = {name: uniform(name, values) for name, values in self._columns().items()}
        return pa.table({name: pa.array(values, pa.uint64() if wide else None) for name, (values, wide) in columns.items()})

    def _columns(self):
        """The columns that output files have: values by field, in order of first appearance, with None for missing ones."""
        columns, number = {}, -1
        for number, value in enumerate(self._rows()):
            row = value if isinstance(value, dict) else {} if value is None else {"value": value}
            for field, inner in row.items():
                try:
                    column = columns[field]
                except KeyError:
                    column = columns[field] = [None] * number
                column.append(inner)
            if len(row) != len(columns):
                for column in columns.values():
                    if len(column) == number:
                        column.append(None)
        return columns or ({"value": [None] * (number + 1)} if number >= 0 else {})


class Results(Tables, Sequence):
    """Results in item order, as a read-only list. With `views`, mappings are `Values`."""

    __slots__ = ("path", "_count", "_views", "_offsets")
    __hash__ = None

    def __init__(self, path, count, views=False):
        from array import array  # Imported here, because most workers do not need it.

        self.path = path
        self._count = count
        self._views = views
        # The offset of each `STRIDE`-th line, as far as it was needed so far.
        self._offsets = array("Q", [0])

    def __len__(self):
        return self._count

    def __iter__(self):
        return self._lines(0, self._count)

    def __reversed__(self):
        for start in range((self._count - 1) // STRIDE * STRIDE, -1, -STRIDE):
            yield from reversed(list(self._lines(start, min(start + STRIDE, self._count))))

    def __getitem__(self, key):
        if isinstance(key, slice):
            return self._slice(range(self._count)[key])
        try:
            index = operator.index(key)
        except TypeError:
            raise TypeError(f"result indices must be integers or slices, not {type(key).__name__}") from None
        if index < 0:
            index += self._count
        if not 0 <= index < self._count:
            raise IndexError(f"result index {operator.index(key)} out of range: there are {self._count:,} results")
        return next(self._lines(index, index + 1))

    def _slice(self, rows):
        if not rows:
            return []
        if abs(rows.step) > STRIDE:
            return [self[index] for index in rows]
        forward = rows if rows.step > 0 else rows[::-1]
        found = list(self._lines(forward[0], forward[-1] + 1, forward.step))
        return found if rows.step > 0 else found[::-1]

    def _lines(self, start, stop, step=1, opened=False):
        """Yields the results of `range(start, stop, step)`; with `opened`, the rows of those that are data frames."""
        import json

        if start >= stop:
            return
        with open(self.path, "rb", buffering=1 << 16) as file:
            file.seek(self._offset(start // STRIDE))
            index = start // STRIDE * STRIDE
            for line in file:
                if index >= start and (index - start) % step == 0:
                    value = json.loads(str(line, "utf-8"))
                    value = wrap(value) if self._views else value
                    # Only data frames have a blank there.
                    if opened and line.startswith(b"[ "):
                        yield from value
                    else:
                        yield value
                index += 1
                if index >= stop:
                    return
        raise EOFError(f"`{self.path}` is truncated: it ends after {index:,} of {self._count:,} results")

    def _offset(self, stretch):
        offsets = self._offsets
        if stretch >= len(offsets):
            with open(self.path, "rb", buffering=1 << 20) as file:
                offset = file.seek(offsets[-1])
                found = offsets[:0]
                for number, line in enumerate(file, 1):
                    offset += len(line)
                    if number % STRIDE == 0:
                        found.append(offset)
                        if len(offsets) + len(found) > stretch:
                            break
            # A single assignment, because another thread may read at the same time.
            self._offsets = offsets = offsets + found
        if stretch >= len(offsets):
            raise EOFError(f"`{self.path}` is truncated: it ends before result {stretch * STRIDE:,} of {self._count:,}")
        return offsets[stretch]

    def __eq__(self, other):
        if not isinstance(other, (list, Results)):
            return NotImplemented
        return len(self) == len(other) and all(one == another for one, another in zip(self, other))

    def __repr__(self):
        shown = ", ".join(short(value) for value in self[:SHOWN])
        more = ", ..." if self._count > SHOWN else ""
        return f"<{self._count:,} result{'' if self._count == 1 else 's'}: {shown}{more}>"

    def __reduce__(self):
        # A process pool may start an interpreter without this module, so the pickle contains its source.
        known = {"NAME": __name__, "SOURCE": SOURCE, "ARGUMENTS": (self.path, self._count, self._views)}
        return eval, (RESTORE, known)

    def to_list(self):
        """All results as a list in memory."""
        return list(self)

    def _rows(self):
        return self._lines(0, self._count, opened=True)


class ResultList(Tables, list):
    """A few results as a list. With a source, their file, it knows which of them are data frames."""

    __slots__ = ("source",)

    @classmethod
    def of(cls, values, source):
        results = cls(values)
        results.source = source
        return results

    def __reduce_ex__(self, protocol):
        return list, (list(self),)

    def __deepcopy__(self, memo):
        return [_copied(value, memo) for value in self]

    def to_list(self):
        """All results as a plain list."""
        return list(self)

    def _rows(self):
        source = getattr(self, "source", None)
        # `setup` may have changed the list.
        return source._rows() if source and source == list(self) else iter(self)


SharedResults = _shared(ResultList, OF_LISTS)


def pandas_column(pd, values):
    """The values as pandas holds them without a change: integers with nulls as `Int64`, and not as floats."""
    kinds = {type(value) for value in values}
    if kinds == {int, type(None)} and all(value is None or -(2**63) <= value < 2**63 for value in values):
        return pd.array(values, dtype="Int64")
    if kinds == {bool, type(None)}:
        return pd.array(values, dtype="boolean")
    if int in kinds and (float in kinds or type(None) in kinds) and not exact(values):
        return pd.Series(values, dtype=object)
    return values


def exact(values):
    """Whether no integer among the values changes as a float."""
    try:
        return all(float(value) == value for value in values if type(value) is int)
    except OverflowError:
        return False


def uniform(name, values):
    """The values if a column of one type can hold them as they are, and whether they are integers beyond 63 bits."""
    kinds = {type(value) for value in values if value is not None}
    if kinds == {int, float} and exact(values):
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


# Restores the sequence in any process: with the module if it is loaded, else with a module made from the source.
RESTORE = """(lambda modules, new: (
    modules.get(NAME) or (new.__dict__.update(SOURCE=SOURCE), exec(SOURCE, new.__dict__), modules.setdefault(NAME, new))[2]
).Results(*ARGUMENTS))(__import__('sys').modules, __import__('types').ModuleType(NAME))"""


def library(name, method):
    import importlib
    import sys

    try:
        return importlib.import_module(name)
    except ImportError as error:
        if error.name not in (name, None):
            raise
        message = f"`{method}()` requires {name}, which {sys.executable or 'this Python'} does not have; install it there, "
        raise ImportError(message + "or iterate over the results", name=name) from None


def short(value):
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
