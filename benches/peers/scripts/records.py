"""Peers of py-records: rows of a CSV file -> `grade` -> JSON Lines, in order.

    records.py loop|pool|polars DATA OUT JOBS
"""

import csv
import itertools
import json
import multiprocessing
import sys

from functions import grade

COLUMNS = ["id", "name", "score"]
LINES = 10_000  # Per message of the pool.


def loop(data, out, jobs):
    with open(data, newline="") as rows, open(out, "w") as lines:
        for row in csv.DictReader(rows):
            lines.write(json.dumps(grade(row)) + "\n")


def pool(data, out, jobs):
    """Raw lines go to the workers, which parse, call the function and encode; so the parent only copies text."""
    with open(data, "rb") as rows, open(out, "wb") as lines, multiprocessing.Pool(jobs) as workers:
        next(rows)
        batches = iter(lambda: list(itertools.islice(rows, LINES)), [])
        lines.writelines(workers.imap(batch, batches))


def batch(lines):
    import orjson

    rows = csv.DictReader([line.decode() for line in lines], COLUMNS)
    return b"".join([orjson.dumps(grade(row)) + b"\n" for row in rows])


def polars(data, out, jobs):
    """No Python function at all: the same as an expression."""
    import polars as pl

    score = pl.col("score").cast(pl.Float64)
    letter = pl.when(score >= 90).then(pl.lit("A")).otherwise(pl.lit("B"))
    pl.scan_csv(data).select("id", pl.col("name").str.to_uppercase(), score, grade=letter).sink_ndjson(out)


if __name__ == "__main__":
    how, data, out, jobs = sys.argv[1:]
    {"loop": loop, "pool": pool, "polars": polars}[how](data, out, int(jobs))
