"""The readers: each takes a file, and its parameters or none, and gives rows of text, the header first.

With parameters a reader is *told* how the file is written; without, it *finds* it out. What a reader is given is what its own
documentation offers for such files: options that keep going where records do not fit.
"""

import csv
import json
import subprocess
import tempfile
import warnings
from pathlib import Path

from measure import Rows, rows_of

BATCHMILL = ["batchmill"]


class Unread(Exception):
    """A reader could not read a file."""


def plain(value) -> str:
    return "" if value is None else str(value)


def python_csv(path: Path, told: dict | None) -> Rows:
    with open(path, encoding="utf-8", newline="", errors="replace") as file:
        if told is None:
            sample = file.read(64 << 10)
            file.seek(0)
            return list(csv.reader(file, csv.Sniffer().sniff(sample))) if sample else []
        escape = told["escapechar"]
        options = {"escapechar": escape, "doublequote": False} if escape and escape != told["quotechar"] else {}
        # It knows no delimiter of two characters.
        delimiter = (told["delimiter"] or ",")[0]
        rows = list(csv.reader(file, delimiter=delimiter, quotechar=told["quotechar"] or '"', skipinitialspace=len(told["delimiter"]) > 1, **options))
    return joined(rows[told["preamble_lines"]:], told["header_lines"])


def joined(rows: Rows, header_lines: int) -> Rows:
    """The rows with a header of several lines in one."""
    if header_lines < 2:
        return rows
    return [[" ".join(names) for names in zip(*rows[:header_lines])], *rows[header_lines:]]


def pandas(path: Path, told: dict | None) -> Rows:
    import pandas as pd

    if path.stat().st_size == 0:
        return []
    options = {"dtype": str, "keep_default_na": False, "on_bad_lines": "warn", "encoding": "utf-8"}
    if told is None:
        frame = pd.read_csv(path, sep=None, engine="python", **options)
        return [[str(name) for name in frame.columns], *frame.map(plain).values.tolist()]
    escape = told["escapechar"]
    if escape and escape != told["quotechar"]:
        options |= {"escapechar": escape, "doublequote": False}
    if len(told["delimiter"]) > 1:
        options |= {"engine": "python"}
    header = told["header_lines"]
    names = told["column_names"] or None
    frame = pd.read_csv(path, sep=told["delimiter"] or ",", quotechar=told["quotechar"] or '"', header=None, names=names,
                        index_col=False, skiprows=told["preamble_lines"] + header, **options)
    return ([names] if names else []) + frame.map(plain).values.tolist()


def duckdb(path: Path, told: dict | None) -> Rows:
    import duckdb as db

    if path.stat().st_size == 0:
        return []
    options = {"all_varchar": True, "null_padding": True, "ignore_errors": True, "parallel": False}
    if told is not None:
        quote = told["quotechar"] or '"'
        options |= {"delimiter": told["delimiter"] or ",", "quotechar": quote, "escapechar": told["escapechar"] or quote,
                    "header": False, "skiprows": told["preamble_lines"] + told["header_lines"], "strict_mode": False, "auto_detect": False}
        names = told["column_names"] or [f"column{at}" for at in range(told["n_columns"])]
        options["columns"] = {f"{name or 'column'} {at}": "VARCHAR" for at, name in enumerate(names)}
    with db.connect() as connection:
        relation = connection.read_csv(str(path), **options)
        rows = [[plain(cell) for cell in row] for row in relation.fetchall()]
        if told is not None:
            return ([told["column_names"]] if told["header_lines"] else []) + rows
        return [list(relation.columns), *rows]


def clevercsv(path: Path, told: dict | None) -> Rows:
    import clevercsv as clever

    if told is not None:
        raise NotImplementedError
    if path.stat().st_size == 0:
        return []
    return clever.read_table(str(path))


def batchmill(path: Path, told: dict | None) -> Rows:
    """An `echo` step that gives each row as it is, written as CSV."""
    source = proposed(path) if told is None else source_of(path, told)
    if source is None:
        return []
    source["on_bad_row"] = "skip"  # As the others do.
    with tempfile.TemporaryDirectory(prefix="batchmill-pollock-") as folder:
        out = Path(folder) / "out.csv"
        step = {"name": "rows", "task": "echo", "for_each": source, "inputs": {"message": "{{ item }}"},
                "outputs": {"path": str(out)}}
        workflow = Path(folder) / "rows.yaml"
        workflow.write_text(json.dumps({"steps": [step]}))  # JSON is YAML.
        run = subprocess.run([*BATCHMILL, "run", str(workflow), "--progress", "none", "--state-dir", folder], capture_output=True, text=True)
        rows = rows_of(out) if out.exists() else []
        if not rows:
            # A step has no items where there is only a header.
            if "has no items" not in run.stderr:
                raise Unread(run.stderr)
            rows = [[column["name"] for column in surveyed(path)["files"][0]["columns"]]]
    if source.get("header") is False:
        return rows[1:]
    # Its names for columns that have none.
    return [["" if name == f"column_{at}" else name for at, name in enumerate(rows[0], 1)], *rows[1:]]


def surveyed(path: Path) -> dict:
    """What `inspect` finds."""
    found = subprocess.run([*BATCHMILL, "inspect", str(path), "--format", "json"], capture_output=True, text=True)
    if not found.stdout:
        raise Unread(found.stderr)
    return json.loads(found.stdout)


def proposed(path: Path) -> dict | None:
    """The source that `inspect` proposes, without what changes the text of values."""
    import yaml

    items = surveyed(path)["items"]
    if items is None:
        return None
    source = yaml.safe_load(items)["items"]
    return {key: value for key, value in source.items() if key not in ("types", "null", None)}


def source_of(path: Path, told: dict) -> dict:
    """The source that the parameters of a file describe. Records that do not fit are mended, as in the other readers."""
    source: dict = {"csv": str(path), "ragged": "truncate", "stray_quotes": "literal"}
    delimiter, quote, escape = told["delimiter"], told["quotechar"], told["escapechar"]
    if delimiter and delimiter != ",":
        source["delimiter"] = "tab" if delimiter == "\t" else delimiter
    if quote and quote != '"':
        source["quote"] = quote
    if escape and escape != quote:
        source["escape"] = escape
    # It has a line for names, of which we are told.
    header = told["header_lines"]
    if told["preamble_lines"] + header:
        source["skip_lines"] = told["preamble_lines"] + header
    names = told["column_names"]
    if header and len(set(names)) == len(names) and all(names):
        source["header"] = names
    elif header:
        source["skip_lines"] -= header
        if not source["skip_lines"]:
            del source["skip_lines"]
        if header > 1:
            source["header_lines"] = header
    else:
        source["header"] = False
    return source


READERS = {"batchmill": batchmill, "DuckDB": duckdb, "pandas": pandas, "CleverCSV": clevercsv, "Python csv": python_csv}


def read(name: str, path: Path, told: dict | None) -> Rows | None:
    """What a reader makes of a file; none if it fails."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return READERS[name](path, told)
        except NotImplementedError:
            raise
        except Exception:  # Whatever a reader raises, it has not read the file.
            return None
