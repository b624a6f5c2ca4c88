"""Peer of http-get: aiohttp on uvloop, each process with its share of the items and of the connections.

    http_get.py URL N CONNECTIONS PROCESSES OUT
"""

import asyncio
import multiprocessing
import sys

import aiohttp
import uvloop


async def fetch(url, items, connections):
    bodies, todo = {}, iter(items)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=connections)) as session:

        async def worker():
            for item in todo:
                async with session.get(f"{url}?{item}") as answer:
                    answer.raise_for_status()
                    bodies[item] = await answer.read()

        await asyncio.gather(*(worker() for _ in range(connections)))
    return b"".join(bodies[item] for item in items)


def share(task):
    return uvloop.run(fetch(*task))


if __name__ == "__main__":
    url, n, connections, processes, out = sys.argv[1:]
    n, connections, processes = int(n), int(connections), int(processes)
    edges = [n * process // processes for process in range(processes + 1)]
    tasks = [(url, range(*pair), connections // processes) for pair in zip(edges, edges[1:])]
    with multiprocessing.Pool(processes) as workers, open(out, "wb") as file:
        file.writelines(workers.map(share, tasks, chunksize=1))
