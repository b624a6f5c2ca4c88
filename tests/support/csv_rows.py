"""Prints what Python's `csv` module reads from each CSV file in a folder, as batchmill is to read it.

    python tests/support/csv_rows.py FOLDER DELIMITER QUOTE

QUOTE may be `none`. The answer is JSON: the rows of all files in the order of their names, without those that have another
number of fields than the first one of their file, and the names of the files in which a quote is never closed, without the open row.
"""

import csv
import io
import json
import sys
from pathlib import Path

# What comes behind a file. It is a row of its own unless a quote is open.
END = "the end"


def main() -> None:
    folder, delimiter, quote = sys.argv[1:]
    csv.field_size_limit(1 << 30)
    rules = {"delimiter": "\t" if delimiter == "tab" else delimiter}
    rules |= {"quoting": csv.QUOTE_NONE} if quote == "none" else {"quotechar": quote}
    rows, unclosed = [], []
    for path in sorted(Path(folder).glob("*.csv")):
        text = path.read_bytes().decode("utf-8-sig")
        records = list(csv.reader(io.StringIO(text, newline=""), **rules))
        *_, last = csv.reader(io.StringIO(f"{text}\n{END}", newline=""), **rules)
        if last != [END]:
            unclosed.append(path.name)
            records.pop()
        records = [record for record in records if record]
        for record in records:
            if len(record) == len(records[0]):
                rows.append({f"column_{at}": field for at, field in enumerate(record, 1)} | {"file": path.name})
    print(json.dumps({"rows": rows, "unclosed": unclosed}))


main()
