"""Makes data frames of batches.

`maker` returns two functions, which make a data frame of columns or of records, and whether the first takes columns one by
one. It imports only the library that the step names. Tables are objects with Arrow's C stream interface. For pandas without
pyarrow, each column is (name, kind, values, validity), with native-endian values.
"""


def maker(library):
    if library == "pyarrow":
        import pyarrow as pa

        def column(values):
            try:
                return pa.array(values)
            except OverflowError:
                # Integers are taken for 64 bits with a sign, though all of these may fit without one.
                return pa.array(values, pa.uint64())

        def table(records):
            return pa.table({name: column(values) for name, values in columns_of(records).items()})

        return pa.table, table, False
    if library == "polars":
        import polars as pl

        return pl.DataFrame, lambda records: pl.DataFrame(columns_of(records)), False
    import pandas as pd

    try:
        import pyarrow as pa
    except ImportError:
        return pandas_of_columns, pandas_of_records, True

    # Creating these types takes a while, so it is done once.
    nullable = {pa.int64(): pd.Int64Dtype(), pa.bool_(): pd.BooleanDtype()}
    return lambda stream: pandas_of_table(pd, pa.table(stream), nullable), pandas_of_records, False


def columns_of(records):
    """The records by column, with None for missing fields."""
    for record in records:
        if not isinstance(record, dict):
            # By its value: bad rows are not among the records, so its number here is not the one in the batch.
            text = repr(record)
            text = text if len(text) <= 40 else text[:40] + "..."
            raise TypeError(f"`{text}` in the batch is not a mapping but of type `{type(record).__name__}`; data frames need mappings")
    names = dict.fromkeys(name for record in records for name in record)
    return {name: [record.get(name) for record in records] for name in names}


def pandas_of_records(records):
    import pandas as pd

    from _batchmill_results import pandas_column

    columns = {name: pandas_column(pd, values) for name, values in columns_of(records).items()}
    return pd.DataFrame(columns, index=pd.RangeIndex(len(records)))


def pandas_of_table(pd, table, nullable):
    """Gives each column the pandas type that preserves its values: dates stay dates, and integers stay integers."""
    import pyarrow as pa

    def values(column):
        if pa.types.is_date(column.type):
            return column.to_pandas(types_mapper=pd.ArrowDtype)
        if column.null_count and column.type in nullable:
            return nullable[column.type].__from_arrow__(column)
        return column.to_pandas()

    columns = {name: values(column) for name, column in zip(table.column_names, table.columns)}
    return pd.DataFrame(columns, index=pd.RangeIndex(len(table)))


def pandas_of_columns(columns, rows):
    import numpy as np
    import pandas as pd

    def values(kind, values, valid):
        # NumPy uses a bytearray without a copy, and may write to it.
        missing = None if valid is None else ~np.frombuffer(valid, bool)
        if kind == "null":
            return np.full(rows, None, object)
        if kind == "text":
            return pd.Series(values, dtype="str" if int(pd.__version__.partition(".")[0]) > 2 else object)
        if kind == "integer":
            values = np.frombuffer(values, "int64")
            return values if missing is None else pd.arrays.IntegerArray(values, missing)
        if kind == "boolean":
            values = np.frombuffer(values, bool)
            return values if missing is None else pd.arrays.BooleanArray(values, missing)
        if kind == "number":
            values = np.frombuffer(values, "float64")
            return values if missing is None else np.where(missing, np.nan, values)
        if kind == "date":
            values = np.frombuffer(values, "int32").astype("M8[D]").astype(object)
            return values if missing is None else np.where(missing, None, values)
        values = np.frombuffer(values, "M8[us]")
        values = pd.Series(values if missing is None else np.where(missing, np.datetime64("NaT"), values))
        return values.dt.tz_localize("UTC") if kind == "utc" else values

    columns = {name: values(*column) for name, *column in columns}
    return pd.DataFrame(columns, index=pd.RangeIndex(rows))
