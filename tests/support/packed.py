"""Writes small Parquet files and compressed text files of every kind into a folder.

    python tests/support/packed.py FOLDER
"""

import bz2
import datetime
import decimal
import gzip
import lzma
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

ROWS = 40


def main() -> None:
    folder = Path(sys.argv[1])
    for number, options in enumerate(
        [
            {"compression": "none"},
            {"compression": "snappy", "data_page_version": "2.0"},
            {"compression": "gzip", "row_group_size": 7},
            {"compression": "zstd", "use_dictionary": False, "write_page_index": True, "write_page_checksum": True},
            {"compression": "lz4", "data_page_size": 64, "version": "1.0"},
        ]
    ):
        pq.write_table(table(number), folder / f"{number}.parquet", **options)
    encodings = {"i": "DELTA_BINARY_PACKED", "s": "DELTA_BYTE_ARRAY", "f": "BYTE_STREAM_SPLIT"}
    plain = table(0).select(list(encodings))
    pq.write_table(plain, folder / "encodings.parquet", use_dictionary=False, column_encoding=encodings)
    text = "n,text\n" + "".join(f'{number},"{"ab" * number}\n"\n' for number in range(ROWS))
    lines = "".join(f'{{"n": {number}, "text": "{"ab" * number}"}}\n' for number in range(ROWS))
    for kind, written in {"csv": text.encode(), "jsonl": lines.encode()}.items():
        packed = {
            "gz": gzip.compress(written[:90]) + gzip.compress(written[90:], mtime=0),
            "zst": bytes(pa.compress(written, codec="zstd")),
            "bz2": bz2.compress(written),
            "xz": lzma.compress(written),
        }
        for name, data in packed.items():
            (folder / f"{kind}.{name}").write_bytes(data)


def table(seed: int) -> pa.Table:
    numbers = [number * (seed + 1) for number in range(ROWS)]
    day = datetime.date(2026, 1, 31)
    return pa.table(
        {
            "i": pa.array([None if number % 5 == 1 else number for number in numbers], pa.int32()),
            "f": [number / 7 for number in numbers],
            "s": [f"{number}é" * (number % 4) for number in numbers],
            "b": [number % 2 == 0 for number in numbers],
            "d": [day] * ROWS,
            "t": pa.array([datetime.datetime(2026, 1, 31, 10)] * ROWS, pa.timestamp("us", "Europe/Berlin")),
            "dec": [decimal.Decimal(number) / 4 for number in numbers],
            "l": [[number, None][: number % 3] for number in numbers],
            "m": [{"a": [number], "b": str(number)} for number in numbers],
            "c": pa.array([str(number % 3) for number in numbers]).dictionary_encode(),
            "n": pa.nulls(ROWS),
        }
    )


main()
