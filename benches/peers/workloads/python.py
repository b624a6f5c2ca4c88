"""Python functions: one that costs nothing, one that makes records, one that computes."""

import csv
import json
import random
import sys
from pathlib import Path

from commands import HERE, Bench, Command, Ideal, Limit, Outcome, Workload, Wrong, at_most, same_list

sys.path.append(str(HERE / "workflows"))
from functions import grade, spin  # noqa: E402 (the functions under test)


def py_map(bench: Bench, name: str, *arguments: object) -> Command:
    return Command(name, bench.script("py_map", *arguments), check_argv=("--write", "{out}/results.jsonl"))


def py_noop(bench: Bench) -> Workload:
    n = bench.items(1_000_000)

    def peer(name, how, *flags):
        return py_map(bench, name, how, "double", n, "--jobs", bench.jobs, *flags)

    def own(size, limit):
        argv = bench.batchmill_run("py-noop", n=n, batch_size=size, jobs=bench.jobs)
        return Command(f"batchmill, `batch_size: {size}`", argv, own=True, limit=at_most(limit))

    return Workload(
        "py-noop",
        "What does it cost to bring an item to a Python function and its result back, in order?",
        f"{n:,} items of `x * 2`",
        [
            peer("list comprehension (bound)", "listcomp"),
            own(1000, 1.4),
            own(1, 4),
            peer("Pool.map, chunks of 10,000", "pool", "--chunk", 10_000),
            peer("Pool.imap_unordered, chunks of 2,000", "imap", "--chunk", 2_000),
            peer("joblib, its own batches", "joblib"),
        ],
        lambda outcome: same_list(outcome.results(), list(range(0, 2 * n, 2))),
    )


def py_cpu(bench: Bench) -> Workload:
    n = bench.items(2_000)
    expected = []

    def check(outcome: Outcome) -> None:
        if not expected:
            expected.extend(map(spin, range(n)))
        same_list(outcome.results(), expected)

    return Workload(
        "py-cpu",
        "Does pure Python use every core?",
        f"{n:,} items of about 2 ms",
        [
            py_map(bench, "plain loop", "loop", "spin", n),
            Command(
                "batchmill",
                bench.batchmill_run("py-cpu", n=n, jobs=bench.jobs),
                own=True,
                limit=Limit("ratio", 1 / 0.97, "at least 97 % of the ideal (1.03)"),
            ),
            py_map(bench, "Pool.map, chunks of 8", "pool", "spin", n, "--jobs", bench.jobs, "--chunk", 8),
        ],
        check,
        ideal=Ideal(f"ideal: plain loop / {bench.jobs} (bound)", lambda wall: wall / bench.jobs),
    )


def py_records(bench: Bench) -> Workload:
    n = bench.items(1_000_000)
    data = bench.tools / "records.csv"
    write_records(data, n)

    def peer(name, how, env=None):
        return Command(name, bench.script("records", how, data, "{out}/records.jsonl", bench.jobs), env=env or {})

    def check(outcome: Outcome) -> None:
        with data.open(newline="") as rows, (outcome.out / "records.jsonl").open() as lines:
            found = 0
            for row, line in zip(csv.DictReader(rows), lines):
                if json.loads(line) != grade(row):
                    raise Wrong(f"line {found + 1} is {line.strip()}, expected {grade(row)}")
                found += 1
            if found != n or lines.readline():
                raise Wrong(f"expected {n} lines")

    return Workload(
        "py-records",
        "What does a Python function per row take, from a CSV file to JSON Lines in order?",
        f"{n:,} rows",
        [
            peer("plain loop (bound)", "loop"),
            Command(
                "batchmill",
                bench.batchmill_run("py-records", data=data, out="{out}/records.jsonl", jobs=bench.jobs),
                own=True,
                limit=at_most(0.165),
            ),
            peer("Pool over raw lines, orjson", "pool"),
            peer("polars expression, no Python function", "polars", env={"POLARS_MAX_THREADS": str(bench.jobs)}),
        ],
        check,
    )


def write_records(path: Path, n: int) -> None:
    chance = random.Random(1)
    with path.open("w") as file:
        file.write("id,name,score\n")
        for row in range(n):
            file.write(f"{row},name{chance.randrange(10**6)},{chance.randrange(5000, 10001) / 100}\n")
