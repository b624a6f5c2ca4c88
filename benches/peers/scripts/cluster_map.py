"""Peers of `clusters.py`: the same work through the engines' own interfaces, each as its docs advise.

    cluster_map.py PEER ADDRESS WORKLOAD N DATA OUT [--check]

Prints the seconds from the first submit until all results are here, in order: in a list, or in the file OUT. Imports and the
connection to the cluster are before that.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import functions
import records

# The chunks of a step, a few for each worker. Dask advises tasks of over 100 ms, Ray ones that are not tiny. Not tuned.
CHUNKS = {"py-noop": 16, "py-records": 40, "py-cpu": 40}
FUNCTIONS = {"py-noop": functions.double, "py-cpu": functions.spin}

Job = Any


def mapped(function: Callable[[int], Any], chunk: Iterable[int]) -> list[Any]:
    return [function(item) for item in chunk]


def graded(lines: bytes) -> bytes:
    return records.batch(lines.splitlines(keepends=True))


def graded_text(lines: Iterable[str]) -> list[bytes]:
    return [records.batch([line.encode() for line in lines if not line.startswith("id,")])]


def chunks_of_text(path: str, count: int) -> Iterator[bytes]:
    """The lines after the header, in pieces of about the same size."""
    import os

    size = os.path.getsize(path) // count + 1
    with open(path, "rb") as file:
        next(file)
        while block := file.read(size):
            yield block + file.readline()


def work(job: Job) -> tuple[Callable[[Any], Any], list[Any]]:
    """A function of a chunk, and the chunks."""
    count = CHUNKS[job.workload]
    if job.workload == "py-records":
        return graded, list(chunks_of_text(job.data, count))
    size = -(-job.n // count)
    chunks = [range(first, min(first + size, job.n)) for first in range(0, job.n, size)]
    return functools.partial(mapped, FUNCTIONS[job.workload]), chunks


def gathered(job: Job, results: Iterable[Any]) -> list[Any]:
    """All results in order: in a file, or in a list."""
    if job.workload != "py-records":
        return list(itertools.chain.from_iterable(results))
    with open(job.out, "wb") as out:
        out.writelines(results)
    return []


def dask_bag(job: Job) -> Callable[[], list[Any]]:
    import dask.bag
    import distributed

    distributed.Client(job.address)
    count = CHUNKS[job.workload]

    def call() -> list[Any]:
        if job.workload == "py-records":
            import os

            lines = dask.bag.read_text(job.data, blocksize=os.path.getsize(job.data) // count + 1)
            return gathered(job, lines.map_partitions(graded_text).compute())
        return list(dask.bag.range(job.n, npartitions=count).map(FUNCTIONS[job.workload]).compute())

    return call


def client_map(job: Job) -> Callable[[], list[Any]]:
    import distributed

    client = distributed.Client(job.address)

    def call() -> list[Any]:
        function, chunks = work(job)
        return gathered(job, client.gather(client.map(function, chunks, pure=False)))

    return call


def ray_connected(job: Job) -> Any:
    import logging

    import ray

    ray.init(address=job.address, log_to_driver=False, logging_level=logging.ERROR)
    return ray


def ray_remote(job: Job) -> Callable[[], list[Any]]:
    ray = ray_connected(job)

    def call() -> list[Any]:
        function, chunks = work(job)
        task = ray.remote(lambda chunk: function(chunk))
        return gathered(job, ray.get([task.remote(chunk) for chunk in chunks]))

    return call


def ray_data(job: Job) -> Callable[[], list[Any]]:
    ray = ray_connected(job)
    import numpy
    import ray.data

    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.execution_options.preserve_order = True
    function = FUNCTIONS.get(job.workload)
    size = -(-job.n // CHUNKS[job.workload])

    def of_ids(batch: dict[str, Any]) -> dict[str, Any]:
        return {"value": numpy.array([function(item) for item in batch["id"].tolist()])}

    def of_rows(batch: dict[str, Any]) -> dict[str, Any]:
        import orjson

        columns = [column.tolist() for column in batch.values()]
        rows = (dict(zip(batch, values)) for values in zip(*columns))
        lines = b"".join([orjson.dumps(functions.grade(row)) + b"\n" for row in rows])
        return {"lines": [lines]}

    def call() -> list[Any]:
        if job.workload == "py-records":
            dataset = ray.data.read_csv(job.data).map_batches(of_rows, batch_size=size)
            return gathered(job, (row["lines"] for row in dataset.iter_rows()))
        dataset = ray.data.range(job.n).map_batches(of_ids, batch_size=size)
        return gathered(job, (batch["value"].tolist() for batch in dataset.iter_batches(batch_size=None)))

    return call


def pool_map(job: Job) -> Callable[[], list[Any]]:
    import up

    executor = up.pool()

    def call() -> list[Any]:
        function, chunks = work(job)
        return gathered(job, executor.map(function, chunks))

    return call


PEERS = {
    "dask.bag": dask_bag,
    "client.map": client_map,
    "ray.data": ray_data,
    "ray.remote": ray_remote,
    "ProcessPoolExecutor": pool_map,
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("address")
    parser.add_argument("workload", choices=CHUNKS)
    parser.add_argument("n", type=int)
    parser.add_argument("data")
    parser.add_argument("out")
    parser.add_argument("--check", action="store_true", help="look at the results")
    job = parser.parse_args()
    call = PEERS[job.peer](job)
    began = time.perf_counter()
    results = call()
    print(time.perf_counter() - began)
    if job.workload in FUNCTIONS:
        if len(results) != job.n or job.check and results != mapped(FUNCTIONS[job.workload], range(job.n)):
            sys.exit("the results are not the right ones")


if __name__ == "__main__":
    main()
