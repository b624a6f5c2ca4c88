"""How well a file was read, as Vitagliano et al. measure it in "Pollock: A Data Loading Benchmark", PVLDB 16(8), 2023.

Ten measures of at most 1 each: whether anything was read; then precision, recall and F1 of the header's names, of the records
and of the cells, each as multisets. Cells are compared as text: a reader that changes `$5.00` or a date gets no credit, which
is stricter than the paper, where dates and prices are normalised.
"""

import collections
import csv
import re
from pathlib import Path

csv.field_size_limit(1 << 30)

Rows = list[list[str]]


def score(clean: Rows, loaded: Rows | None) -> float:
    """The sum of the measures; none if nothing was read."""
    if loaded is None:
        return 0.0
    if not clean:
        return 10.0
    total = 1.0
    total += overlap(clean[0], loaded[0] if loaded else [])
    total += overlap(["".join(row) for row in clean[1:]], ["".join(row) for row in loaded[1:]])
    return total + overlap([cell for row in clean for cell in row], [cell for row in loaded for cell in row])


def overlap(expected: list[str], found: list[str]) -> float:
    """Precision, recall and F1 of what was found, added up."""
    if not expected:
        return 3.0
    common = (collections.Counter(expected) & collections.Counter(found)).total()
    if not common:
        return 0.0
    precision, recall = common / len(found), common / len(expected)
    return precision + recall + 2 * precision * recall / (precision + recall)


def rows_of(path: Path) -> Rows:
    with open(path, encoding="utf-8-sig", newline="", errors="replace") as file:
        return list(csv.reader(file))


def kind_of(name: str) -> str:
    """The kind of a file: what its name says but for places and, in files of our own, the table."""
    name = name.rsplit("-", 1)[-1].removesuffix(".csv")
    row = re.match(r"row_[a-z_]*[a-z]", name)
    return re.sub(r"_row$", "", row[0]) if row else name
