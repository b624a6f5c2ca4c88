"""Writes random tables as CSV files in random dialects, for readers that find out by themselves how they are written.

usage: sniffed.py FOLDER COUNT SEED    writes FOLDER/N.csv, and FOLDER.jsonl with their names (or null) and rows
"""

import csv
import io
import json
import os
import random
import sys

WORDS = "amber basin cedar delta ember fjord grove harbor island jungle".split()


def column(rng, rows):
    """A name, and values of one kind."""
    kinds = {
        "count": lambda: str(rng.randint(0, 5000)),
        "price": lambda: f"{rng.uniform(0, 99):.2f}",
        "day": lambda: f"20{rng.randint(10, 29)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}",
        "colour": lambda: rng.choice(["red", "green", "blue"]),
        "code": lambda: f"{rng.choice('ABC')}{rng.choice('XYZ')}-{rng.randint(1000, 9999)}",
        "note": lambda: rng.choice(["", "plain", "two words", "with, comma", "semi; colon", 'say "hi" twice', "it's so", "a | b"]),
    }
    name = rng.choice(list(kinds))
    return name, [kinds[name]() for _ in range(rows)]


def table(rng):
    height = rng.randint(8, 40)
    columns = [("id", [str(at + 100) for at in range(height)])] + [column(rng, height) for _ in range(rng.randint(2, 5))]
    columns = list({name: (name, values) for name, values in columns}.values())
    rng.shuffle(columns)
    return [name for name, _ in columns], [list(row) for row in zip(*(values for _, values in columns))]


def text_of(rows, end, **options):
    text = io.StringIO()
    csv.writer(text, lineterminator=end, **options).writerows(rows)
    return text.getvalue()


def file(rng):
    names, rows = table(rng)
    kind = rng.choice(["plain", "plain", "pandas", "r", "headerless", "title", "padded title", "comment", "total", "source", "separator",
                       "units", "short", "trailing", "blanks"])
    end = rng.choice(["\n", "\r\n", "\r"])
    options = {"delimiter": rng.choice([",", ";", "\t", "|"]), "quoting": rng.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])}
    if rng.random() < 0.2:
        options |= {"quotechar": "'", "quoting": csv.QUOTE_ALL}
    elif rng.random() < 0.2:
        options |= {"escapechar": "\\", "doublequote": False}
    delimiter = options["delimiter"]
    write = lambda lines: text_of(lines, end, **options)
    expected = [list(row) for row in rows]
    before = after = ""
    match kind:
        case "pandas":
            names, expected = ["", *names], [[str(at), *row] for at, row in enumerate(rows)]
        case "title":
            before = "Figures of the year" + end + rng.choice(["", end])
        case "padded title":
            before = "Figures" + delimiter * (len(names) - 1) + end + delimiter * (len(names) - 1) + end
        case "comment":
            before = "# made by a program" + end + "# on some day" + end
        case "total":
            after = "Total" + delimiter * (len(names) - 1) + end
        case "source":
            after = end + "Source: our own figures" + end
        case "separator":
            before = f"sep={delimiter}{end}"
    lines = [names, *expected]
    if kind == "r":
        lines, names = [names, *([f"row {at}", *row] for at, row in enumerate(rows))], ["row_names", *names]
        options["quoting"] = csv.QUOTE_ALL
        expected = lines[1:]
    if kind == "headerless":
        lines, names = expected, None
    if kind == "units":
        lines = [names, ["(unit)"] * len(names), *expected]
    if kind == "short":
        at = rng.randrange(1, len(expected))
        expected[at][-1] = ""
        lines = [names, *expected[:at], expected[at][:-1], *expected[at + 1:]]
    text = write(lines)
    if kind == "trailing":
        text = "".join(text_of([line], "", **options) + delimiter + end for line in lines)
    if kind == "blanks":
        # A blank after each delimiter.
        text = "".join((delimiter + " ").join(text_of([[cell]], "", **options) if cell else "" for cell in line) + end for line in lines)
    return kind, before + text + after, names, expected


def main(folder, count, seed):
    rng = random.Random(int(seed))
    os.makedirs(folder)
    with open(f"{folder}.jsonl", "w") as out:
        for number in range(int(count)):
            kind, text, names, rows = file(rng)
            with open(f"{folder}/{number}.csv", "w", newline="") as made:
                made.write(text)
            print(json.dumps({"kind": kind, "names": names, "rows": rows}), file=out)


main(*sys.argv[1:])
