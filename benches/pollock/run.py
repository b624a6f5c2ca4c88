#!/usr/bin/env python3
"""Scores how well messy CSV files are read, by batchmill and by others, and prints a table as Markdown.

    make bench-pollock POLLOCK=~/pollock                        # an unpacked copy of the benchmark, or its .tar.xz
    make bench-pollock POLLOCK=~/pollock ARGS='--only batchmill --kinds'

Files come from the Pollock benchmark (see `measure.py`), which has no licence that lets us keep a copy, and from `generate.py`,
which does the same to tables of our own. `told` is what a reader makes of a file whose dialect it is told, `found` what it makes
of the file alone. The simple score is the mean over files; the weighted one counts each kind as often as the paper met it. In our own
files each kind counts as often as in the benchmark, too.
"""

import argparse
import collections
import datetime
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tarfile
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import readers
from measure import kind_of, rows_of, score

HERE = Path(__file__).parent


class Corpus:
    """Files with their parameters, the tables that they should be read as, and how much each kind counts."""

    def __init__(self, folder: Path, names: list[str]):
        self.folder, self.names = folder, names
        self.files = collections.Counter(map(kind_of, names))

    def task(self, name: str, mode: str):
        parameters = self.folder / "parameters" / f"{name}_parameters.json"
        return (self.folder / "csv" / name, self.folder / "clean" / name, parameters if mode == "told" else None)


def main() -> int:
    args = arguments()
    if args.batchmill:
        readers.BATCHMILL = [str(args.batchmill.resolve())]
    with tempfile.TemporaryDirectory(prefix="batchmill-pollock-") as scratch:
        benchmark = unpacked(args.pollock, Path(scratch))
        own = Path(scratch) / "own"
        subprocess.run([sys.executable, HERE / "generate.py", own, "--seed", str(args.seed)], check=True)
        weights = json.loads((benchmark / "pollock_weights.json").read_text())
        corpora = {"Pollock": corpus(benchmark, args), "own tables": corpus(own, args)}
        print(f"{datetime.date.today()}, seed {args.seed}: {', '.join(f'{len(c.names):,} files of {n}' for n, c in corpora.items())}; {versions(args)}\n")
        print("| reader | dialect | " + " | ".join(f"{name}: simple | weighted | not read" for name in corpora) + " |")
        print("|---|---|" + "---:|---:|---:|" * len(corpora), flush=True)
        lost = {}
        with ProcessPoolExecutor(args.jobs) as pool:
            for reader in args.only or readers.READERS:
                for mode in ("told", "found"):
                    if (reader, mode) == ("CleverCSV", "told"):
                        continue
                    cells = []
                    for name, files in corpora.items():
                        scores = dict(zip(files.names, pool.map(one, *columns(reader, mode, files), chunksize=8)))
                        cells += summary(scores, corpora["Pollock"].files, weights)
                        lost[reader, mode, name] = scores
                    print(f"| {reader} | {mode} | " + " | ".join(cells) + " |", flush=True)
    if args.kinds:
        kinds(lost)
    return 0


def columns(reader: str, mode: str, files: Corpus):
    tasks = [files.task(name, mode) for name in files.names]
    return [reader] * len(tasks), *zip(*tasks), [readers.BATCHMILL] * len(tasks)


def one(reader: str, path: Path, clean: Path, parameters: Path | None, batchmill: list[str]) -> float:
    """The score of one file."""
    readers.BATCHMILL = batchmill
    told = json.loads(parameters.read_text()) if parameters else None
    return score(rows_of(clean), readers.read(reader, path, told))


def means(scores: dict[str, float]) -> dict[str, float]:
    """The mean score of each kind."""
    by_kind = collections.defaultdict(list)
    for name, value in scores.items():
        by_kind[kind_of(name)].append(value)
    return {kind: sum(values) / len(values) for kind, values in by_kind.items()}


def summary(scores: dict[str, float], files: collections.Counter, weights: dict[str, float]) -> list[str]:
    by_kind = means(scores)
    weight = collections.Counter()
    for name, value in weights.items():
        weight[kind_of(name)] += value

    def mean(counts):
        known = {kind: count for kind, count in counts.items() if kind in by_kind}
        return sum(by_kind[kind] * count for kind, count in known.items()) / sum(known.values())

    unread = sum(value == 0 for value in scores.values())
    return [f"{mean(files):.3f}", f"{mean(weight):.3f}", f"{unread:,}"]


def kinds(lost) -> None:
    """Prints which kinds lose something."""
    print("\n| reader | dialect | files | kind | score |\n|---|---|---|---|---:|")
    for (reader, mode, name), scores in lost.items():
        for kind, value in sorted(means(scores).items(), key=lambda pair: pair[1]):
            if value < 9.995:
                print(f"| {reader} | {mode} | {name} | `{kind}` | {value:.3f} |")


def corpus(folder: Path, args) -> Corpus:
    return Corpus(folder, sorted(os.listdir(folder / "csv"))[::args.every])


def unpacked(path: Path, scratch: Path) -> Path:
    """The folder of a copy of the benchmark."""
    if path.is_dir():
        return path
    folder = scratch / "benchmark"
    with tarfile.open(path) as archive:
        archive.extractall(folder, filter="data")
    return next(found.parent for found in folder.rglob("csv") if (found.parent / "clean").is_dir())


def versions(args) -> str:
    packages = {"DuckDB": "duckdb", "pandas": "pandas", "CleverCSV": "clevercsv"}
    known = [f"{name} {importlib.metadata.version(package)}" for name, package in packages.items() if not args.only or name in args.only]
    return ", ".join([*known, f"Python {platform.python_version()}"])


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pollock", type=Path, help="a copy of the benchmark: a folder with csv/, clean/ and parameters/, or its archive")
    parser.add_argument("--batchmill", type=Path, help="the program")
    parser.add_argument("--only", nargs="+", choices=list(readers.READERS), help="these readers only")
    parser.add_argument("--seed", type=int, default=1, help="of our own files")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="only every Nth file")
    parser.add_argument("--jobs", type=int, default=os.cpu_count())
    parser.add_argument("--kinds", action="store_true", help="print which kinds lose something")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
