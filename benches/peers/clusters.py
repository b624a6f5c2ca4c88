#!/usr/bin/env python3
"""Compares `batchmill run --executor` with the engines' own ways to map a Python function, and prints tables as Markdown.

    make bench-clusters                                    # sets up what this needs, and runs everything
    make bench-clusters ARGS='--only py-noop --runs 10'
    make bench-clusters ARGS=--check                       # exit code 1 if batchmill misses what it must reach
    make bench-clusters ARGS='--scale 0.01 --runs 1'       # does everything work at all?

The cluster is up before anything starts: two worker processes on this machine. Times are from the first submit until all
results are here, in order. For a peer, its imports and its connection come before that; for batchmill it is the time of its step,
from the events `step_started` and `step_finished`: its hosts, its workers, its ledger and its output file are in it, the start and
the end of the engine and of its driver are shown apart. Each figure comes from a process of its own. The rounds of all who use a
cluster are interleaved, and a ratio is of two figures of the same round.
"""

from __future__ import annotations

import argparse
import csv
import datetime
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import up

up.prepare()

from functions import double, grade, spin  # noqa: E402 (the functions under test)
from workloads.python import write_records  # noqa: E402

PEERS = {"dask": ["dask.bag", "client.map"], "ray": ["ray.data", "ray.remote"], "pool": ["ProcessPoolExecutor"]}
SIZES = {"py-noop": 1_000_000, "py-records": 1_000_000, "py-cpu": 2_000}
# How many times as long as batchmill each peer must take. The last allows for the noise of two equal figures.
AIMS = {"py-noop": 1.0, "py-records": 1.0, "py-cpu": 0.97}
LIMIT_S = 300


class Failed(Exception):
    """There is no figure."""


@dataclass
class Row:
    name: str
    seconds: list[float] = field(default_factory=list)
    # The rest of batchmill's command: the start of the engine, of the driver and its connection, and their end.
    around: list[float] = field(default_factory=list)
    failure: str = ""


@dataclass(frozen=True)
class Job:
    """What one process has to do, and where."""

    engine: str
    address: str
    workload: str
    n: int
    data: Path


def run(argv: list[str]) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=LIMIT_S)
    if done.returncode:
        raise Failed((done.stderr.strip().splitlines() or ["no output"])[-1][:200])
    return done.stdout


def peer(name: str, job: Job, folder: Path, check: bool) -> float:
    out = folder / "records.jsonl"
    script = str(up.HERE / "scripts" / "cluster_map.py")
    argv = [sys.executable, script, name, job.address, job.workload, str(job.n), str(job.data), str(out)]
    seconds = float(run([*argv, "--check"] if check else argv))
    if check and job.workload == "py-records":
        same_records(out, job)
    return seconds


def jobs(engine: str) -> int:
    """Follow the advice in docs/scale.md: on Dask, queue a second frame for each thread."""
    return 2 * up.WORKERS if engine == "dask" else up.WORKERS


def own(job: Job, folder: Path, check: bool) -> tuple[float, float]:
    """The seconds of the step, and of all the rest."""
    events, out, state = folder / "events", folder / "records.jsonl", folder / "state"
    batchmill = str(Path(sys.executable).with_name("batchmill"))
    params = [f"data={job.data}", f"out={out}"] if job.workload == "py-records" else [f"n={job.n}"]
    argv = [batchmill, "run", str(up.HERE / "workflows" / f"{job.workload}.yaml"), *params, f"jobs={jobs(job.engine)}"]
    argv += ["--executor", up.executor(job.engine, job.address), "--python", sys.executable]
    began = time.perf_counter()
    run([*argv, "--state-dir", str(state), "--progress", "none", "--events", str(events)])
    wall = time.perf_counter() - began
    told = [json.loads(line) for line in events.read_text().splitlines()]
    times = {event["event"]: event["time"] for event in told}
    step = (times["step_finished"] - times["step_started"]) / 1000
    if check and job.workload == "py-records":
        same_records(out, job)
    elif check:
        function = double if job.workload == "py-noop" else spin
        found = run([batchmill, "results", "latest", "--state-dir", str(state)])
        if [json.loads(line) for line in found.splitlines()] != [function(item) for item in range(job.n)]:
            raise Failed("the results are not the right ones")
    return step, wall - step


def same_records(out: Path, job: Job) -> None:
    with job.data.open(newline="") as rows, out.open() as lines:
        expected = (grade(row) for row in csv.DictReader(rows))
        same = [json.loads(line) == record for line, record in zip(lines, expected)]
    if not all(same) or len(same) != job.n:
        raise Failed("the records are not the right ones")


def measure(row: Row, job: Job, check: bool) -> None:
    try:
        with tempfile.TemporaryDirectory(prefix="batchmill-clusters-") as folder:
            if row.name.startswith("batchmill"):
                step, around = own(job, Path(folder), check)
            else:
                step, around = peer(row.name, job, Path(folder), check), 0.0
    except (Failed, subprocess.TimeoutExpired) as error:
        row.failure = str(error)
        return
    if not check:
        row.seconds.append(step)
        row.around.append(around)


def compare(job: Job, runs: int) -> list[Row]:
    """Those who use one cluster: batchmill first. One more round comes first, which checks the work and is not counted."""
    rows = [Row(f"batchmill, `--executor {'python' if job.engine == 'pool' else job.engine}=..`")]
    rows += [Row(name) for name in PEERS[job.engine]]
    for number in range(runs + 1):
        order = [row for row in rows if not row.failure]
        random.Random(number).shuffle(order)
        for row in order:
            measure(row, job, check=number == 0)
    return rows


def verdict(workload: str, ratio: float) -> str:
    aim = AIMS[workload]
    wanted = "at least 0.97" if aim < 1 else "above 1"
    return f"{wanted}: {'reached' if ratio >= aim else '**missed**'}"


def shown(workload: str, groups: list[list[Row]], judge: bool) -> tuple[str, bool]:
    """A table, and whether all limits are kept."""
    lines = [f"### {workload}, {SIZES[workload]:,} items\n" if judge else f"### {workload}, scaled\n"]
    lines += ["| | seconds: median (min to max) | times batchmill's | must be | start and end of engine and driver |", "|---|--:|--:|---|--:|"]
    kept = True
    for rows in groups:
        mine = rows[0]
        for row in rows:
            name = f"**{row.name}**" if row is mine else row.name
            if row.failure or not row.seconds:
                kept = False
                lines.append(f"| {name} | failed: {row.failure} | | | |")
                continue
            seconds = f"{statistics.median(row.seconds):.3f} ({min(row.seconds):.3f} to {max(row.seconds):.3f})"
            around = f"{statistics.median(row.around):.2f} s" if row is mine else ""
            ratio, said = "", ""
            if row is not mine and mine.seconds and not mine.failure:
                of = statistics.median(theirs / ours for theirs, ours in zip(row.seconds, mine.seconds))
                ratio, said = f"{of:.2f}", verdict(workload, of) if judge else ""
                kept &= not judge or "missed" not in said
            lines.append(f"| {name} | {seconds} | {ratio} | {said} | {around} |")
    return "\n".join(lines) + "\n", kept


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=SIZES, default=list(SIZES))
    parser.add_argument("--engines", nargs="+", choices=up.ENGINES, default=up.ENGINES)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--scale", type=float, default=1.0, help="part of the items; scaled work is not judged")
    parser.add_argument("--check", action="store_true", help="exit code 1 if batchmill misses a limit")
    arguments = parser.parse_args()
    print(f"{datetime.date.today()}, {os.cpu_count()} cores, Python {sys.version.split()[0]}, {up.WORKERS} worker processes, "
          f"load {os.getloadavg()[0]:.1f}, median of {arguments.runs} interleaved runs\n", flush=True)
    judge, all_kept = arguments.scale == 1, True
    with tempfile.TemporaryDirectory(prefix="batchmill-clusters-") as folder:
        data = Path(folder) / "records.csv"
        for workload in arguments.only:
            n = max(100, round(SIZES[workload] * arguments.scale))
            if workload == "py-records":
                write_records(data, n)
            groups = []
            for engine in arguments.engines:
                with up.up(engine) as address:
                    groups.append(compare(Job(engine, address, workload, n, data), arguments.runs))
            table, kept = shown(workload, groups, judge)
            all_kept &= kept
            print(table, flush=True)
    return int(arguments.check and not all_kept)


if __name__ == "__main__":
    sys.exit(main())
