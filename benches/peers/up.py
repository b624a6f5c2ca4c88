"""Clusters on this machine, each with two worker processes, which are up before anything is timed.

Workers find the functions under test, and batchmill's own executors find `pool`, on PYTHONPATH.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

WORKERS = 2
HERE = Path(__file__).resolve().parent
ENGINES = ["dask", "ray", "pool"]


def pool() -> concurrent.futures.ProcessPoolExecutor:
    """What `--executor python=up:pool` calls."""
    return concurrent.futures.ProcessPoolExecutor(WORKERS)


def prepare() -> None:
    """Have all processes that are started from here find the modules of the benches."""
    paths = [str(HERE), str(HERE / "workflows"), str(HERE / "scripts")]
    os.environ["PYTHONPATH"] = os.pathsep.join(paths)
    sys.path[:0] = paths
    # A Ray that is started here asks for a token where the machine has one. Ours is for our clusters only.
    os.environ.update(RAY_AUTH_MODE="token", RAY_AUTH_TOKEN=secrets.token_hex(32), RAY_USAGE_STATS_ENABLED="0")


@contextlib.contextmanager
def up(engine: str) -> Iterator[str]:
    """The address of a cluster, as its own clients and `--executor ENGINE=ADDRESS` take it."""
    if engine == "pool":
        yield "up:pool"
    elif engine == "dask":
        import distributed

        with distributed.LocalCluster(
            n_workers=WORKERS, threads_per_worker=1, dashboard_address=":0", protocol="tcp", silence_logs="CRITICAL"
        ) as cluster:
            with distributed.Client(cluster, set_as_default=False) as client:
                client.wait_for_workers(WORKERS)
            yield cluster.scheduler_address
    else:
        # Not `ray start`: what ends that ends every Ray of this machine.
        code = f"import ray; ray.init('local', num_cpus={WORKERS}, include_dashboard=False, log_to_driver=False)\n"
        code += "print(ray.get_runtime_context().gcs_address, flush=True); input()"
        holder = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        assert holder.stdin and holder.stdout
        try:
            address = holder.stdout.readline().strip()
            if not address:
                raise SystemExit("error: Ray has not started")
            yield address
        finally:
            holder.communicate("\n")


def executor(engine: str, address: str) -> str:
    """What `--executor` takes."""
    return f"{'python' if engine == 'pool' else engine}={address}"
