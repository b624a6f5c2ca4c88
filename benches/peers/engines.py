#!/usr/bin/env python3
"""Measures what Dask, Ray and `ProcessPoolExecutor` do with a task such as batchmill's, and prints tables as Markdown.

    make bench-engines                                     # after an upgrade of Dask or Ray: has anything changed?
    make bench-engines ARGS='--engines dask --only facts'

*facts* is what reliability rests on: how often a task runs, and what a cancel reaches, with the settings that batchmill's driver
uses. *costs* are of a bare task, and of a frame of batchmill with one item that does nothing, on the same cluster: two worker
processes on this machine. The costs of batchmill are the difference of a long and a short step, so starts are not in them.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import datetime
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import up

up.prepare()

WINDOWS = (4, 16, 64)
# Tasks for a figure of costs: a second or two of each engine.
TASKS = {"dask": 400, "ray": 1500, "pool": 6000}
FRAMES, MB = 60, 1 << 20
# Seconds that a task which is to be cancelled takes, and after which nothing more is expected.
LONG, PATIENCE = 3.0, 90.0


def echo(data: Any) -> Any:
    return data


def note(path: str, text: str) -> None:
    """One write, which cannot be torn."""
    with open(path, "a") as file:
        file.write(text + "\n")


def crash(path: str) -> None:
    note(path, "ran")
    os._exit(3)


def large(path: str) -> bytes:
    """A result that stays where it was made until it is asked for."""
    note(path, str(os.getpid()))
    return bytes(MB)


def long(path: str) -> None:
    note(path, "began")
    time.sleep(LONG)
    note(path, "ended")


def once(path: str) -> int:
    note(path, "ran")
    return 7


class Dask:
    """A client with the settings of batchmill's driver."""

    name = "Dask"

    def __init__(self, address: str) -> None:
        import distributed

        self.version = distributed.__version__
        self.client = distributed.Client(address, set_as_default=False)

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return self.client.submit(function, *arguments, key=uuid.uuid4().hex, pure=False, retries=0)

    def submit_by_default(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return self.client.submit(function, *arguments)

    def result(self, future: Any) -> Any:
        return future.result(timeout=PATIENCE)

    def first(self, futures: list[Any]) -> list[Any]:
        import distributed

        with self.client.as_current():
            return list(distributed.wait(futures, return_when="FIRST_COMPLETED").done)

    def cancel(self, future: Any) -> None:
        future.cancel(force=True)

    def close(self) -> None:
        self.client.close()


class Ray:
    """A driver with the settings of batchmill's."""

    name = "Ray"

    def __init__(self, address: str) -> None:
        import ray

        self.version, self.ray = ray.__version__, ray
        ray.init(address=address, log_to_driver=False, logging_level="ERROR")
        self._remotes: dict[Any, Any] = {}

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Any:
        if function not in self._remotes:
            self._remotes[function] = self.ray.remote(max_retries=0, retry_exceptions=False)(function)
        return self._remotes[function].remote(*arguments)

    def submit_by_default(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return self.ray.remote(function).remote(*arguments)

    def result(self, ref: Any) -> Any:
        return self.ray.get(ref, timeout=PATIENCE)

    def first(self, refs: list[Any]) -> list[Any]:
        return list(self.ray.wait(refs, num_returns=1, timeout=PATIENCE, fetch_local=True)[0])

    def cancel(self, ref: Any) -> None:
        self.ray.cancel(ref, force=True)

    def close(self) -> None:
        self.ray.shutdown()


class Pool:
    """`ProcessPoolExecutor`, which has no settings."""

    name = "ProcessPoolExecutor"

    def __init__(self, address: str) -> None:
        self.version = sys.version.split()[0]
        self.executor = up.pool()

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return self.executor.submit(function, *arguments)

    submit_by_default = submit

    def result(self, future: Any) -> Any:
        return future.result(timeout=PATIENCE)

    def first(self, futures: list[Any]) -> list[Any]:
        return list(concurrent.futures.wait(futures, return_when="FIRST_COMPLETED").done)

    def cancel(self, future: Any) -> None:
        future.cancel()

    def close(self) -> None:
        self.executor.shutdown(wait=False, cancel_futures=True)


CLIENTS: dict[str, Any] = {"dask": Dask, "ray": Ray, "pool": Pool}


def per_task(client: Any, data: bytes, window: int, count: int) -> float:
    """Seconds per task, with so many on their way at a time."""
    for future in [client.submit(echo, data) for _ in range(4)]:
        client.result(future)
    pending: list[Any] = []
    began = time.perf_counter()
    submitted = done = 0
    while done < count:
        while submitted < count and len(pending) < window:
            pending.append(client.submit(echo, data))
            submitted += 1
        for future in client.first(pending):
            assert client.result(future) == data
            pending.remove(future)
            done += 1
    return (time.perf_counter() - began) / count


def lines(path: str) -> list[str]:
    return Path(path).read_text().split() if os.path.exists(path) else []


def until(true: Callable[[], bool]) -> bool:
    end = time.monotonic() + PATIENCE
    while not true() and time.monotonic() < end:
        time.sleep(0.02)
    return true()


def crashes(client: Any, path: str, submit: Callable[..., Any]) -> str:
    """How often a task runs that ends its process."""
    future = submit(crash, path)
    try:
        client.result(future)
        return "no error"
    except Exception as error:
        return f"{len(lines(path))}, `{type(error).__name__}`"


def lost_result(client: Any, path: str) -> str:
    """How often a task runs whose process dies when it is finished, and before its result was asked for."""
    if isinstance(client, Pool):
        return "not possible: results go to the client at once"
    future = client.submit(large, path)
    if isinstance(client, Dask):
        client.first([future])
    else:
        # Here, "ready" would be fetched, and with it the result would be elsewhere.
        client.ray.wait([future], timeout=PATIENCE, fetch_local=False)
    os.kill(int(lines(path)[0]), signal.SIGKILL)
    try:
        client.result(future)
        return str(len(lines(path)))
    except Exception as error:
        return f"{len(lines(path))}, `{type(error).__name__}`"


def cancelled(client: Any, path: str) -> str:
    """Whether a cancel ends a task that is running."""
    future = client.submit(long, path)
    if not until(lambda: "began" in lines(path)):
        return "it did not begin"
    client.cancel(future)
    time.sleep(LONG + 2)
    return "no: it runs to its end" if "ended" in lines(path) else "yes"


def twice(client: Any, path: str, submit: Callable[..., Any]) -> str:
    """How often two equal calls run."""
    futures = [submit(once, path) for _ in range(2)]
    for future in futures:
        client.result(future)
    return str(len(lines(path)))


FACTS: dict[str, Callable[[Any, str], str]] = {
    "executions of a task that calls `os._exit`, our settings": lambda client, path: crashes(client, path, client.submit),
    "the same, the engine's defaults": lambda client, path: crashes(client, path, client.submit_by_default),
    "executions if the worker dies after the task, before its result was asked for": lost_result,
    "does a cancel end a running task?": cancelled,
    "executions of two equal calls, our settings": lambda client, path: twice(client, path, client.submit),
    "the same, the engine's defaults ": lambda client, path: twice(client, path, client.submit_by_default),
}


def facts(engine: str, folder: Path) -> dict[str, str]:
    """Each on a cluster of its own, because they kill workers."""
    found = {}
    for number, (what, ask) in enumerate(FACTS.items()):
        with up.up(engine) as address:
            client = CLIENTS[engine](address)
            try:
                found[what] = ask(client, str(folder / f"{engine}-{number}"))
            except Exception as error:
                found[what] = " ".join(f"failed: {type(error).__name__}: {error}".split())[:120]
            finally:
                client.close()
    return found


def batchmill_step(engine: str, address: str, window: int, n: int) -> float:
    """The seconds of a step whose batches travel alone, one item in each."""
    task = {"type": "python", "code": "return item"}
    inputs = {"items": {"range": n}, "batch_size": 1, "queue_size": 1024, "max_parallel": window, "task": task}
    workflow = {"name": "frames", "steps": [{"name": "frames", "task": "batch", "inputs": inputs}]}
    with tempfile.TemporaryDirectory(prefix="batchmill-engines-") as folder:
        path, events = Path(folder) / "frames.yaml", Path(folder) / "events"
        path.write_text(json.dumps(workflow))
        argv = [str(Path(sys.executable).with_name("batchmill")), "run", str(path), "--executor", up.executor(engine, address)]
        argv += ["--python", sys.executable, "--state-dir", folder, "--progress", "none", "--events", str(events)]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=300)
        if done.returncode:
            raise RuntimeError(done.stderr.strip()[-300:])
        times = {event["event"]: event["time"] for event in map(json.loads, events.read_text().splitlines())}
        return (times["step_finished"] - times["step_started"]) / 1000


def per_frame(engine: str, address: str, window: int, count: int) -> float:
    few = max(64, count // 10)
    return (batchmill_step(engine, address, window, few + count) - batchmill_step(engine, address, window, few)) / count


def costs(engine: str, runs: int, tasks: int) -> dict[str, str]:
    found: dict[str, str] = {}
    with up.up(engine) as address:
        client = CLIENTS[engine](address)
        for window in WINDOWS:
            bare, frames = [], []
            for _ in range(runs):
                bare.append(per_task(client, bytes(1024), window, tasks))
                frames.append(per_frame(engine, address, window, tasks))
            found[f"ms a task, 1 KB in and out, window {window}"] = f"{1000 * statistics.median(bare):.2f}"
            found[f"ms a frame of batchmill, window {window}"] = f"{1000 * statistics.median(frames):.2f}"
        speed = statistics.median(per_task(client, os.urandom(MB), 4, FRAMES) for _ in range(runs))
        found["MB/s each way, 1 MB in and out, window 4"] = f"{1 / speed:.0f}"
        client.close()
    return found


def table(columns: dict[str, dict[str, str]]) -> str:
    names = list(next(iter(columns.values())))
    rows = ["| | " + " | ".join(columns) + " |", "|---|" + "---|" * len(columns)]
    rows += [f"| {name.strip()} | " + " | ".join(column.get(name, "") for column in columns.values()) + " |" for name in names]
    return "\n".join(rows) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=["facts", "costs"], default=["facts", "costs"])
    parser.add_argument("--engines", nargs="+", choices=up.ENGINES, default=up.ENGINES)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--scale", type=float, default=1.0, help="part of the tasks")
    arguments = parser.parse_args()
    versions = f"Dask {version('distributed')}, Ray {version('ray')}, Python {sys.version.split()[0]}"
    print(f"{datetime.date.today()}, {os.cpu_count()} cores, {versions}, {up.WORKERS} worker processes, load {os.getloadavg()[0]:.1f}, "
          f"median of {arguments.runs} runs\n", flush=True)
    with tempfile.TemporaryDirectory(prefix="batchmill-engines-") as folder:
        for what in arguments.only:
            columns = {}
            for engine in arguments.engines:
                tasks = max(20, round(TASKS[engine] * arguments.scale))
                name = CLIENTS[engine].name
                # Ray prints what it thinks of crashes.
                with contextlib.redirect_stdout(sys.stderr):
                    columns[name] = facts(engine, Path(folder)) if what == "facts" else costs(engine, arguments.runs, tasks)
            print(table(columns), flush=True)
    return 0


def version(package: str) -> str:
    import importlib.metadata

    return importlib.metadata.version(package)


if __name__ == "__main__":
    sys.exit(main())
