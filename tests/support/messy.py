"""Writes random tables as messy CSV files, and a workflow that is told how they are written.

usage: messy.py FOLDER COUNT SEED    writes FOLDER/N.csv, FOLDER.jsonl with their rows, and messy.yaml with a step a file
"""

import csv
import io
import json
import os
import random
import sys

WORDS = ["", "x", "two words", "comma, semi;", "tab\there", 'say "hi"', "it's", "line\nbreak", "back\\slash", " padded ", "größe", "a::b", "#1", "\\N", "1.5", "|"]


def table(rng):
    width, height = rng.randint(2, 5), rng.randint(1, 12)
    names = [f"c{at}" for at in range(width)]
    return names, [[rng.choice(WORDS) for _ in range(width)] for _ in range(height)]


def written(rows, rng, options):
    """The lines of the rows, and the options that say how they are written."""
    kind = rng.choice(["python", "python", "escape", "text", "whitespace", "trim"])
    end = rng.choice(["\n", "\r\n", "\r"])
    quote = rng.choice(['"', "'"])
    if kind in ("python", "escape"):
        delimiter = rng.choice([",", ";", "\t", "|", ":", " "])
        text = io.StringIO()
        dialect = dict(delimiter=delimiter, quotechar=quote, lineterminator=end, quoting=rng.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
        if end == "\r":
            # Older versions of the module leave a line feed unquoted if records end otherwise.
            dialect["quoting"] = csv.QUOTE_ALL
        if kind == "escape":
            dialect.update(escapechar="\\", doublequote=False)
            options["escape"] = "\\"
        options.update(delimiter=delimiter, quote=quote)
        lines = []
        for row in rows:
            text.seek(0), text.truncate()
            csv.writer(text, **dialect).writerow(row)
            lines.append(text.getvalue())
        return lines, end
    blanks = rng.choice([" ", "  ", "\t", " \t "])
    delimiter = {"text": rng.choice(["::", ", ", "<|>", "§"]), "whitespace": "whitespace", "trim": rng.choice(",;|")}[kind]
    between = blanks if kind == "whitespace" else delimiter

    def field(value):
        special = any(char in value for char in between + quote + "\r\n \t") or value == "" and (kind == "whitespace" or len(rows[0]) == 1)
        value = quote + value.replace(quote, quote * 2) + quote if special or rng.random() < 0.2 else value
        pad = lambda: rng.choice(["", " ", "\t "]) if kind == "trim" else ""
        return pad() + value + pad()

    options.update(delimiter=delimiter, quote=quote, **({"trim": True} if kind == "trim" else {}))
    return [between.join(map(field, row)) + end for row in rows], end


def main(folder, count, seed):
    rng = random.Random(seed)
    os.makedirs(folder, exist_ok=True)
    workflow = "steps:\n"
    with open(f"{folder}.jsonl", "w", encoding="utf-8") as expected:
        for number in range(count):
            names, rows = table(rng)
            options = {}
            lines, end = written([names, *rows], rng, options)
            header, lines = lines[0], lines[1:]
            if rng.random() < 0.3:
                skip = rng.randint(1, 3)
                header = "".join(rng.choice(["A title", '"', ";;,", "# note", "x\ty"]) + end for _ in range(skip)) + header
                options["skip_lines"] = skip
            if rng.random() < 0.3:
                header += rng.choice(["units: '\"", "----", ""]) + end
                options["skip_after_header"] = 1
            if rng.random() < 0.3:
                options["comment"] = "%%"
                for _ in range(3):
                    lines.insert(rng.randint(0, len(lines)), rng.choice(['%% "', "%%", "%% a,b"]) + end)
            if rng.random() < 0.3:
                foot = rng.randint(1, 2)
                lines += [rng.choice(["total", "source;x,y"]) + end for _ in range(foot)]
                options["skip_footer"] = foot
            text = header + "".join(lines)
            if rng.random() < 0.3:
                text = text[: -len(end)]
            with open(f"{folder}/{number}.csv", "w", encoding="utf-8", newline="") as file:
                file.write(text)
            items = json.dumps({"csv": f"{folder}/{number}.csv", **options}, ensure_ascii=False)
            workflow += f"  - {{name: file{number}, task: batch, inputs: {{items: {items}, task: {{type: python, code: return item}}}}}}\n"
            json.dump([dict(zip(names, row)) for row in rows], expected)
            expected.write("\n")
    with open("messy.yaml", "w", encoding="utf-8") as file:
        file.write(workflow)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
