"""Dask: a scheduler that is there, a cluster or client that a function makes, or a cluster on this machine."""

from __future__ import annotations

import concurrent.futures
import logging
import threading
import time
from collections.abc import Callable, Collection
from typing import Any

from batchmill import _cluster
from batchmill._executors._base import (
    Executor,
    ExecutorRefusedError,
    Outcome,
    Program,
    Refused,
    Resources,
    imported,
    listed,
    made_by,
    outcome_of,
    room,
)
from batchmill._version import __version__

__all__ = ["DaskExecutor"]

# A program of so many bytes goes along with each frame; a larger one goes once.
_ALONG = 1 << 20
# How many results to fetch at a time. Dask runs all callbacks in one thread, so fetching there would be one by one.
_TAKERS = 8
# Seconds between two looks whether workers have what frames need.
_LOOK = 5.0


class DaskExecutor(Executor):
    """Submits frames to a Dask scheduler.

    Keys are unique and tasks impure, so that no two frames count as one call. Dask may run a task again whose worker has died,
    and one whose result has died with its worker before it was gathered; so results are gathered at once.
    """

    def __init__(self, which: str) -> None:
        distributed = imported("distributed", "'dask[distributed]'")
        logging.getLogger("distributed").setLevel(logging.ERROR)
        self._cluster: Any = None
        where: Any = which
        if _names_function(which):
            where = made_by(which)
        try:
            if which == "local":
                where = distributed.LocalCluster(threads_per_worker=1, processes=True, dashboard_address=None)
            if isinstance(where, distributed.Client):
                self._client: Any = where
            else:
                self._cluster = None if isinstance(where, str) else where
                self._client = distributed.Client(where, set_as_default=False, name="batchmill")
        except Exception as error:
            raise ExecutorRefusedError(
                f"{type(error).__name__}: {error}", "`dask scheduler` starts one and prints its address"
            ) from error
        self._which = which
        self._programs: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._takers = concurrent.futures.ThreadPoolExecutor(_TAKERS, thread_name_prefix="dask-result")
        # By the name of a frame: what it needs, and whom to tell.
        self._needing: dict[str, tuple[dict[str, float], Callable[[Outcome], None]]] = {}
        self._is_watched = False

    @property
    def name(self) -> str:
        address = self._client.scheduler_info().get("address", self._which)
        return f"Dask at {address}" if self._client.nthreads() else f"Dask at {address}, which has no workers yet"

    def slots(self, resources: Resources) -> int:
        needed = resources.by_name(memory="MEMORY")
        workers = self._workers()
        found = sum(_room(worker, needed) for worker in workers)
        if needed and workers and not found:
            lacking = _lacking(needed)
            raise ExecutorRefusedError(lacking.message, lacking.help)
        # Workers may yet come.
        return found or 1

    def _watch(self) -> None:
        """Notice that workers have come, or are left, of which none has what a frame needs: Dask would wait without end."""
        while True:
            time.sleep(_LOOK)
            with self._lock:
                waiting = list(self._needing.items())
            try:
                workers = self._workers() if waiting else []
            except Exception:
                # A scheduler that is gone ends its frames by itself.
                continue
            for name, (needed, done) in waiting:
                if workers and not any(_room(worker, needed) for worker in workers):
                    with self._lock:
                        still = self._needing.pop(name, None)
                    if still is not None:
                        done(_lacking(needed))

    def _needs(self, name: str, resources: Resources, done: Callable[[Outcome], None]) -> None:
        needed = resources.by_name(memory="MEMORY")
        if needed:
            with self._lock:
                self._needing[name] = (needed, done)
                if not self._is_watched:
                    self._is_watched = True
                    threading.Thread(target=self._watch, name="dask-watch", daemon=True).start()

    def _workers(self) -> list[dict[str, Any]]:
        try:
            # Otherwise it gives the first few only.
            known: Any = self._client.scheduler_info(n_workers=-1)
        except TypeError:
            known = self._client.scheduler_info()
        return list(known["workers"].values())

    def submit(self, name: str, program: Program, frame: bytes, done: Callable[[Outcome], None]) -> Callable[[], None]:
        try:
            future = self._client.submit(
                _run,
                program.digest,
                self._sent(program),
                _Opaque(frame),
                __version__,
                key=name,
                pure=False,
                retries=0,
                resources=program.resources.by_name(memory="MEMORY") or None,
            )
        except Exception as error:
            # A scheduler that is gone stays gone.
            done(Refused(f"{type(error).__name__}: {error}", "start a scheduler, then resume the run"))
            return lambda: None

        self._needs(name, program.resources, done)

        def ended(future: Any) -> None:
            with self._lock:
                if self._needing.pop(name, None) is None and program.resources.are_given:
                    # It has had its outcome.
                    return
            try:
                outcome: Outcome = future.result().data
            except BaseException as error:
                if self._client.status == "running":
                    # A program that was lost with its workers is no fault of the frame.
                    is_cancelled = isinstance(error, concurrent.futures.CancelledError)
                    outcome = outcome_of(error, shared=is_cancelled)
                else:
                    why = f"the Dask scheduler is gone ({type(error).__name__})"
                    outcome = Refused(why, "start one, then resume the run")
            future.release()
            done(outcome)

        def fetch(future: Any) -> None:
            self._takers.submit(ended, future)

        future.add_done_callback(fetch)
        return lambda: future.cancel(force=True)

    def _sent(self, program: Program) -> Any:
        if len(program.message) <= _ALONG:
            return _Opaque(program.message)
        with self._lock:
            known = self._programs.get(program.digest)
            if known is None or known.status != "finished":
                self._programs[program.digest] = self._client.scatter(
                    _Opaque(program.message), broadcast=True, hash=False
                )
            return self._programs[program.digest]

    def close(self, digests: Collection[str]) -> None:
        try:
            if self._client.status == "running":
                # Reaches workers that are busy, which a cancel does not.
                self._client.run(_cluster.end_hosts, tuple(digests), on_error="ignore")
        finally:
            self._client.close(timeout=5)
            if self._cluster is not None:
                self._cluster.close(timeout=5)


def _names_function(which: str) -> bool:
    """Whether this is `MODULE:FUNCTION`, and not an address: those end with a port."""
    module, colon, function = which.partition(":")
    return bool(colon) and all(part.isidentifier() for part in [*module.split("."), *function.split(".")])


def _lacking(needed: dict[str, float]) -> Refused:
    """Say that no worker has what a frame needs."""
    options = ",".join(f"{name}={amount:.15g}" for name, amount in needed.items())
    return Refused(
        f"no worker of the Dask scheduler has the resources {listed(needed)}",
        f"start workers with `dask worker ADDRESS --resources \"{options}\"`, or remove `resources`",
    )


def _room(worker: dict[str, Any], needed: dict[str, float]) -> int:
    """How many frames that need this a worker can run side by side."""
    return min(int(worker["nthreads"]), room(worker.get("resources") or {}, needed))


class _Opaque:
    """Bytes that Dask does not take for a key or look into."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data

    def __reduce__(self) -> tuple[type[_Opaque], tuple[bytes]]:
        return _Opaque, (self.data,)

    def __sizeof__(self) -> int:
        return 64 + len(self.data)


def _run(digest: str, program: _Opaque, frame: _Opaque, version: str) -> _Opaque:
    return _Opaque(_cluster.run(digest, program.data, frame.data, version))
