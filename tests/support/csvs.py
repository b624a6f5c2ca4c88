"""Writes CSV files of every shape into a folder, and beside it what Python's `csv` module makes of them.

    python tests/support/csvs.py FOLDER COUNT [DELIMITER QUOTE]

FOLDER.jsonl gets the rows of all files, in the order of their names, as `csv.DictReader` reads them. QUOTE may be `none`.
Files are made from a fixed seed: the same ones each time.
"""

import csv
import json
import random
import sys
from pathlib import Path

LETTERS = ["a", "b", "7", " ", "\t", "é", "ß", "中", "😀", "\u2028", "\u0085", "\ufeff", "'", ";", "|"]


def main() -> None:
    folder, count = Path(sys.argv[1]), int(sys.argv[2])
    delimiter = sys.argv[3] if len(sys.argv) > 3 else ","
    quote = None if sys.argv[4:] == ["none"] else (sys.argv[4] if len(sys.argv) > 4 else '"')
    csv.field_size_limit(1 << 30)
    folder.mkdir(parents=True)
    chance = random.Random(20130101)
    rows = []
    made = 0
    for text in special(delimiter, quote) if quote else ():
        rows += write(folder / f"0{made:05}.csv", text, delimiter, quote)
        made += 1
    while made < count:
        text = anything(chance, delimiter, quote)
        read = write(folder / f"1{made:05}.csv", text, delimiter, quote)
        if read is not None:
            rows += read
            made += 1
    with Path(f"{folder}.jsonl").open("w", encoding="utf-8") as out:
        for row in rows:
            print(json.dumps(row), file=out)


def special(delimiter: str, quote: str):
    d, q = delimiter, quote
    yield ""
    yield f"a{d}b\n"
    yield f"a{d}b"
    yield f"\ufeffa{d}b\r\n1{d}2\r\n"
    yield f"\ufeff{q}a{d}{q}{d}b\n\ufeff1{d}{q}2{q}"
    yield f"a{d}b\n\n\r\n1{d}2\n\n\n3{d}4\n\n"
    yield d.join(f"column {number}" for number in range(1000)) + "\n" + 3 * (d.join("x" * 1000) + "\n")
    yield f"a{d}b\n1{d}" + "é" * (1 << 19) + f"\n{q}" + f"{q}{q}x{d}\r\n" * (1 << 17) + f"{q}{d}2\n3{d}4"
    yield f"a{d}b\r1{d}2\r{q}x\ry{q}{d}\r"


def anything(chance: random.Random, delimiter: str, quote: "str | None") -> str:
    """A file of some columns. A few of its fields are written as no tool would, but can be read."""
    special = [delimiter, "\n", "\r", "\r\n"]
    columns = chance.choice([1, 2, 2, 3, 5])
    breaks = chance.choice([["\n"], ["\r\n"], ["\r"], ["\n", "\r\n", "\r"]])

    def field() -> str:
        letters = LETTERS + (special + [quote] * 3 if quote and chance.random() < 0.5 else [])
        text = "".join(chance.choice(letters) for _ in range(chance.choice([0, 0, 1, 2, 5, 20])))
        if quote is None:
            return text.replace(delimiter, "")
        how = chance.random()
        if how < 0.1:
            # A quote in the middle, and text behind a closing quote, are odd, but read.
            return f"x{quote}y" if how < 0.05 else f"{quote}a{quote}{quote}b{quote}c{quote}d"
        if how < 0.5 or any(letter in text for letter in [*special, quote]):
            return quote + text.replace(quote, 2 * quote) + quote
        return text

    def record(fields: "list[str]") -> str:
        empty = "".join(chance.choice(breaks) for _ in range(chance.choice([0, 0, 0, 0, 1, 2])))
        return delimiter.join(fields) + chance.choice(breaks) + empty

    header = record([f"{number}{chance.choice(LETTERS)}" for number in range(columns)])
    text = header + "".join(record([field() for _ in range(columns)]) for _ in range(chance.choice([0, 1, 3, 8, 20])))
    if chance.random() < 0.3:
        text = text.rstrip("\r\n")
    return chance.choice(["", "", "\ufeff"]) + text


def write(path: Path, text: str, delimiter: str, quote: "str | None") -> "list[dict] | None":
    """Writes a file and gives its rows; none where a row has too few or too many fields."""
    with path.open("w", encoding="utf-8", newline="") as out:
        out.write(text)
    rules = {"quoting": csv.QUOTE_NONE} if quote is None else {"quotechar": quote}
    with path.open(encoding="utf-8-sig", newline="") as read:
        rows = list(csv.DictReader(read, delimiter=delimiter, **rules))
    if any(None in row or None in row.values() for row in rows):
        path.unlink()
        return None
    return rows


main()
