#!/usr/bin/env python3
"""Compares `batchmill.map` with the other ways to map a Python function in processes, and prints a table as Markdown.

    make bench-map                                    # sets up what this needs, and runs everything
    make bench-map ARGS='--only py-noop --runs 10'

Each figure comes from a process of its own, which calls twice: cold, with what starts workers, and warm, as the second cell
of a notebook does. Imports are excluded. Peers are called as their docs advise, with chunks where they have them. The rounds
of all peers are interleaved.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

WORKERS = 2
PEERS = ["batchmill.map", "joblib", "Pool.map", "Pool.imap", "ProcessPoolExecutor", "mpire.imap", "mpire.map"]
# How many times as long a peer takes, at the least.
LIMITS = {("py-noop", "joblib"): 4.0, ("py-noop", "mpire.imap"): 4.0, ("py-noop", "Pool.map"): 1.0, ("py-cpu", "*"): 1.0}


def noop(x: int) -> int:
    return x


def cpu(x: int) -> int:
    total = 0
    for n in range(2_000):
        total += n * x
    return total


def use_constant(x: int, table: Any) -> float:
    return float(table[x])


def double(array: Any) -> Any:
    return array * 2


def constant() -> Any:
    import numpy

    return numpy.ones(4_000_000)


def arrays() -> Iterator[Any]:
    import numpy

    for n in range(10_000):
        yield numpy.full(12_500, float(n))


class Work:
    """A function, its items, and what is the same for all of them."""

    def __init__(self, function: Callable[..., Any], items: Callable[[], Iterable[Any]], count: int, table: Any = None) -> None:
        self.function, self.items, self.count, self.table = function, items, count, table
        # About eight chunks for each worker, as `Pool.map` makes them, but no more than ten thousand items in memory.
        self.chunk = max(1, min(count // (8 * WORKERS), 10_000))


WORKLOADS: dict[str, Callable[[], Work]] = {
    "py-noop": lambda: Work(noop, lambda: range(1_000_000), 1_000_000),
    "py-cpu": lambda: Work(cpu, lambda: range(20_000), 20_000),
    "constants": lambda: Work(use_constant, lambda: range(1_000), 1_000, constant()),
    "arrays": lambda: Work(double, arrays, 10_000),
    "first-call": lambda: Work(noop, lambda: range(10), 10),
}


@contextlib.contextmanager
def caller(peer: str, work: Work) -> Iterator[Callable[[], int]]:
    """A function that does the work once, and returns how many results there were."""
    import functools

    table = {} if work.table is None else {"table": work.table}
    function = functools.partial(work.function, **table) if table else work.function

    def counted(results: Iterable[Any]) -> int:
        return sum(1 for _ in results)

    if peer == "batchmill.map":
        import batchmill

        yield lambda: counted(batchmill.map(work.function, work.items(), workers=WORKERS, constants=table))
    elif peer == "joblib":
        import joblib

        yield lambda: counted(
            joblib.Parallel(n_jobs=WORKERS, return_as="generator")(joblib.delayed(work.function)(x, **table) for x in work.items())
        )
    elif peer.startswith("Pool."):
        import multiprocessing

        started: list[Any] = []

        def pool() -> Any:
            # Starting it is a part of the first call.
            if not started:
                started.append(multiprocessing.get_context("fork").Pool(WORKERS))
            return started[0]

        if peer == "Pool.map":
            yield lambda: len(pool().map(function, work.items()))
        else:
            yield lambda: counted(pool().imap(function, work.items(), chunksize=work.chunk))
        started[0].terminate()
    elif peer == "ProcessPoolExecutor":
        from concurrent.futures import ProcessPoolExecutor

        with ProcessPoolExecutor(WORKERS) as executor:
            yield lambda: counted(executor.map(function, work.items(), chunksize=work.chunk))
    else:
        import mpire

        with mpire.WorkerPool(n_jobs=WORKERS, keep_alive=True) as workers:
            call = workers.imap if peer == "mpire.imap" else workers.map
            yield lambda: counted(
                call(function, work.items(), iterable_len=work.count, chunk_size=work.chunk, concatenate_numpy_output=False)
                if peer == "mpire.map"
                else call(function, work.items(), iterable_len=work.count, chunk_size=work.chunk)
            )


def one(peer: str, workload: str) -> None:
    work = WORKLOADS[workload]()
    times = {}
    with caller(peer, work) as call:
        for when in ("cold", "warm"):
            began = time.perf_counter()
            count = call()
            times[when] = time.perf_counter() - began
            if count != work.count:
                sys.exit(f"{peer} gave {count} results of {work.count}")
    print(json.dumps(times))


def measure(peer: str, workload: str) -> dict[str, float] | str:
    command = [sys.executable, __file__, "--one", peer, workload]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["no output"])[-1]
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=WORKLOADS, default=list(WORKLOADS))
    parser.add_argument("--peers", nargs="+", choices=PEERS, default=PEERS)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        one(*arguments.one)
        return 0
    print(f"{datetime.date.today()}, {os.cpu_count()} cores, Python {sys.version.split()[0]}, {WORKERS} workers, "
          f"median of {arguments.runs} interleaved runs, seconds\n")
    failed = False
    for workload in arguments.only:
        figures: dict[str, list[dict[str, float]]] = {peer: [] for peer in arguments.peers}
        errors: dict[str, str] = {}
        for number in range(arguments.runs):
            order = [peer for peer in arguments.peers if peer not in errors]
            random.Random(number).shuffle(order)
            for peer in order:
                found = measure(peer, workload)
                if isinstance(found, str):
                    errors[peer] = found
                else:
                    figures[peer].append(found)
        failed |= "batchmill.map" in errors
        print(table(workload, figures, errors), flush=True)
    return int(failed)


def table(workload: str, figures: dict[str, list[dict[str, float]]], errors: dict[str, str]) -> str:
    rows = [f"### {workload}\n", "| | cold | of batchmill's | warm | of batchmill's | limit |", "| --- | --: | --: | --: | --: | --- |"]
    own = figures.get("batchmill.map") or []
    for peer, found in figures.items():
        if peer in errors:
            rows.append(f"| {peer} | failed: {errors[peer]} | | | | |")
            continue
        cells = [peer]
        ratios = {}
        for when in ("cold", "warm"):
            cells.append(f"{statistics.median(one[when] for one in found):.3f}")
            ratios[when] = statistics.median(theirs[when] / ours[when] for theirs, ours in zip(found, own)) if own else 1.0
            cells.append(f"{ratios[when]:.2f}")
        limit = LIMITS.get((workload, peer)) or (LIMITS.get((workload, "*")) if peer != "batchmill.map" else None)
        cells.append("" if limit is None else f"{limit:g}: {'met' if min(ratios.values()) >= limit else 'missed'}")
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    sys.exit(main())
