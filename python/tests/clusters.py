"""Executors for the tests: functions that `--executor python=clusters:NAME` and `dask=clusters:NAME` call."""

import concurrent.futures
import json
import os
import signal
import struct
import threading


def pool():
    """Two processes."""
    return concurrent.futures.ProcessPoolExecutor(2)


def threads():
    """Two threads of the driver."""
    return concurrent.futures.ThreadPoolExecutor(2)


def number():
    """Not an executor."""
    return 7


def broken():
    """Nothing at all."""
    raise OSError("no queue today")


def dask_cluster():
    """As a function that starts a cluster of dask-jobqueue would."""
    import distributed

    return distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)


class Elsewhere(concurrent.futures.ThreadPoolExecutor):
    """As if its hosts were on machines with other files."""

    def submit(self, function, digest, program, frame, version):
        assignment = json.loads(program[5:])
        assignment["token"] = "/nowhere/" + assignment["token"]
        payload = json.dumps(assignment).encode()
        program = program[:1] + struct.pack("<I", len(payload)) + payload
        return super().submit(function, digest, program, frame, version)


def elsewhere():
    """Two threads, as if on other machines."""
    return Elsewhere(2)


def telling():
    """Tells a secret."""
    raise ValueError("no entry with " + os.environ["TOKEN"])


def hanging():
    """Never comes back, after it has said which process it is."""
    with open("starting", "w") as file:
        file.write(str(os.getpid()))
    signal.pause()


class Other(concurrent.futures.ThreadPoolExecutor):
    """As if the driver had another version than its cluster."""

    def submit(self, function, digest, program, frame, version):
        return super().submit(function, digest, program, frame, version + ".1")


def other():
    """Two threads."""
    return Other(2)


def growing():
    """One worker, and two more once somebody writes to `more`."""
    import distributed

    cluster = distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None)

    def grow():
        with open("more") as file:
            file.readline()
        cluster.scale(3)
        with distributed.Client(cluster) as client:
            client.wait_for_workers(3)
        with open("more", "w") as file:
            file.write("there\n")

    threading.Thread(target=grow, daemon=True).start()
    return cluster
