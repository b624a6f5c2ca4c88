#!/usr/bin/env python3
"""Writes polluted CSV files over tables of our own, laid out like the Pollock benchmark.

    generate.py FOLDER --seed 7     FOLDER gets csv/, clean/ and parameters/

What is done to a table follows the kinds of Vitagliano et al., "Pollock: A Data Loading Benchmark", PVLDB 16(8), 2023: one
change to the whole file, or one to a single record. The benchmark applies them to one table; here they meet twenty, so that what
is tuned to its table shows. A file is named `TABLE-KIND.csv`; the kinds have the names that the benchmark gives them.
"""

import argparse
import csv
import io
import json
import random
from pathlib import Path

from tables import ALL, table

# How many files of a kind that changes one record are made of each table.
ROW_FILES = 10


class Spec:
    """One file: its text, the table that it should be read as, and what a reader may be told."""

    def __init__(self, text: str, clean: list[list[str]], **told):
        self.text, self.clean = text, clean
        header = told.pop("header", 1)
        self.parameters = {"encoding": "utf-8", "delimiter": ",", "quotechar": '"', "escapechar": '"', "row_delimiter": "\n",
                           "header_lines": header, "preamble_lines": 0, "footnote_lines": 0,
                           "column_names": clean[0] if header and clean else [], "n_columns": len(clean[0]) if clean else 0} | told


def written(rows, delimiter=",", quote='"', end="\n", escape=None) -> str:
    """The rows as Python's `csv` writes them; a delimiter of two characters stands for its first one."""
    out = io.StringIO()
    options = {"doublequote": False, "escapechar": "\\"} if escape else {}
    writer = csv.writer(out, delimiter=delimiter[0], quotechar=quote, lineterminator=end, **options)
    if delimiter == ", ":
        # Each field on its own, as `csv` knows no such delimiter.
        return "".join(delimiter.join(written([[cell]], end="") if cell else "" for cell in row) + end for row in rows)
    writer.writerows(rows)
    text = out.getvalue()
    return text.replace('\\"', escape + '"') if escape else text


def file_kinds(rows):
    """The kinds that change a whole file."""
    header, body = rows[0], rows[1:]
    plain = written(rows)
    width = len(header)
    yield "source", Spec(plain, rows)
    yield "file_double_trailing_newline", Spec(plain + "\n", rows)
    yield "file_no_trailing_newline", Spec(plain[:-1], rows)
    yield "file_no_payload", Spec("", [], header=0)
    yield "file_header_only", Spec(written(rows[:1]), rows[:1])
    yield "file_one_data_row", Spec(written(rows[:2]), rows[:2])
    yield "file_no_header", Spec(written(body), body, header=0, column_names=[])
    yield "file_preamble", Spec("PREAMBLE" + "," * (width - 1) + "\n" + "," * (width - 1) + "\n" + plain, rows, preamble_lines=2)
    for lines in (2, 3):
        names = [" ".join([name] * lines).strip() for name in header]
        yield f"file_header_multirow_{lines}", Spec(written([header] * (lines - 1) + rows), [names, *body], header=lines)
    for name, delimiter in (("0x3B", ";"), ("0x9", "\t"), ("0x20", " "), ("0x2C_0x20", ", ")):
        yield f"file_field_delimiter_{name}", Spec(written(rows, delimiter), rows, delimiter=delimiter)
    yield "file_quotation_char_0x27", Spec(written(rows, quote="'"), rows, quotechar="'", escapechar="'")
    for name, escape in (("0x5C", "\\"), ("0x00", "\0")):
        yield f"file_escape_char_{name}", Spec(written(rows, escape=escape), rows, escapechar=escape)
    yield "file_record_delimiter_0xA", Spec(plain, rows, row_delimiter="\n")
    yield "file_record_delimiter_0xD", Spec(written(rows, end="\r"), rows, row_delimiter="\r")
    yield "file_record_delimiter_0xD_0xA", Spec(written(rows, end="\r\n"), rows, row_delimiter="\r\n")
    second = {"less": [row[:-1] for row in rows], "same": rows, "more": [[*row, "col1" if at == 0 else ""] for at, row in enumerate(rows)]}
    for name, other in second.items():
        yield f"file_multitable_{name}", Spec(plain + written(other[:-1]), rows)


def row_kinds(rows, rng: random.Random):
    """The kinds that change one record, at random places."""
    lines = written(rows).split("\n")[:-1]
    cells = [[written([[cell]], end="") if cell else "" for cell in row] for row in rows]
    width = len(rows[0])

    def changed(at, line):
        return "\n".join([*lines[:at], line, *lines[at + 1:]]) + "\n"

    for number in range(ROW_FILES):
        at = rng.randrange(len(rows))
        column = rng.randrange(width)
        own = cells[at]
        yield f"row_more_sep_{number}", Spec(changed(at, ",".join([*own[:column], "", *own[column:]])), rows)
        column = rng.randrange(1, width)
        merged = written([[rows[at][column - 1] + rows[at][column]]], end="")
        yield f"row_less_sep_{number}", Spec(changed(at, ",".join([*own[:column - 1], merged, *own[column + 1:]])), rows)
        column = rng.randrange(width)
        quoted = [*rows[at][:column], '"' + rows[at][column], *rows[at][column + 1:]]
        extra = ",".join([*own[:column], '"' + own[column], *own[column + 1:]])
        told = {"column_names": quoted} if at == 0 else {}
        yield f"row_extra_quote_{number}", Spec(changed(at, extra), [*rows[:at], quoted, *rows[at + 1:]], **told)
        if number < 2:
            yield f"row_field_delimiter_{number}", Spec(changed(at, written([rows[at]], " ", end="")), rows)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    for part in ("csv", "clean", "parameters"):
        (args.folder / part).mkdir(parents=True, exist_ok=True)
    for kind in ALL:
        rng = random.Random(f"{args.seed} {kind.__name__}")
        rows = table(kind, rng)
        for name, spec in [*file_kinds(rows), *row_kinds(rows, rng)]:
            name = f"{kind.__name__}-{name}.csv"
            (args.folder / "csv" / name).write_bytes(spec.text.encode())
            out = io.StringIO()
            csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(spec.clean)
            (args.folder / "clean" / name).write_bytes(out.getvalue().encode())
            (args.folder / "parameters" / f"{name}_parameters.json").write_text(json.dumps(spec.parameters))


if __name__ == "__main__":
    main()
