"""The functions under test. Both sides import them: batchmill's Python tasks by name, the peers' scripts from here."""

import json
from pathlib import Path

TURNS = 48_000  # Of the loop in `spin`: about 2 ms on a core of 2026.


def double(item):
    return item * 2


def spin(item):
    total = item
    for turn in range(TURNS):
        total = (total * 31 + turn) % 1000003
    return total


def grade(record):
    """A record of text, as `csv.DictReader` gives it."""
    score = float(record["score"])
    return {"id": int(record["id"]), "name": record["name"].upper(), "score": score, "grade": "A" if score >= 90 else "B"}


def pandas_file(path, out):
    import pandas as pd

    table = pd.read_csv(path, usecols=["category", "value"])
    groups = table.groupby("category", sort=False)["value"].agg(["sum", "mean", "count"])
    write_groups(path, out, groups.to_dict("index"))


def polars_file(path, out):
    import polars as pl

    value = pl.col("value")
    groups = pl.scan_csv(path).group_by("category").agg(sum=value.sum(), mean=value.mean(), count=pl.len()).collect()
    write_groups(path, out, {row.pop("category"): row for row in groups.iter_rows(named=True)})


def write_groups(path, out, groups):
    (Path(out) / Path(path).with_suffix(".json").name).write_text(json.dumps(groups))
