"""Any `concurrent.futures.Executor`, which a function of the user makes."""

from __future__ import annotations

import concurrent.futures
import os
import threading
from collections.abc import Callable, Collection

from batchmill import _cluster
from batchmill._executors._base import Executor, ExecutorRefusedError, Outcome, Program, Resources, made_by, outcome_of
from batchmill._version import __version__

__all__ = ["FuturesExecutor"]


class FuturesExecutor(Executor):
    """Submits frames to the executor that `MODULE:FUNCTION` returns, and asks for a new one if that breaks."""

    def __init__(self, which: str) -> None:
        self._which = which
        self._lock = threading.Lock()
        self._running: set[concurrent.futures.Future[bytes]] = set()
        self._executor = self._make()

    def _make(self) -> concurrent.futures.Executor:
        executor = made_by(self._which)
        if not isinstance(executor, concurrent.futures.Executor):
            raise ExecutorRefusedError(
                f"`{self._which}` returned {type(executor).__name__}, which is not a concurrent.futures.Executor"
            )
        return executor

    @property
    def name(self) -> str:
        return f"{type(self._executor).__name__} of {self._which}"

    def slots(self, resources: Resources) -> int:
        # An `Executor` knows nothing of resources.
        del resources
        # Executors of the standard library and loky have this; others may say nothing of it.
        workers = getattr(self._executor, "_max_workers", None)
        return workers if isinstance(workers, int) and workers > 0 else os.cpu_count() or 1

    def submit(self, name: str, program: Program, frame: bytes, done: Callable[[Outcome], None]) -> Callable[[], None]:
        def submitted() -> concurrent.futures.Future[bytes]:
            return self._executor.submit(_cluster.run, program.digest, program.message, frame, __version__)

        with self._lock:
            try:
                future = submitted()
            except concurrent.futures.BrokenExecutor:
                # It is of no use any more. What was running has its outcome.
                self._executor.shutdown(wait=False)
                self._executor = self._make()
                future = submitted()

        def ended(future: concurrent.futures.Future[bytes]) -> None:
            with self._lock:
                self._running.discard(future)
            if future.cancelled():
                return done(outcome_of(concurrent.futures.CancelledError("cancelled")))
            error = future.exception()
            if error is None:
                return done(future.result())
            # All frames of a pool break with it.
            shared = isinstance(error, concurrent.futures.BrokenExecutor)
            done(outcome_of(error, shared=shared))

        with self._lock:
            self._running.add(future)
        future.add_done_callback(ended)
        return lambda: (future.cancel(), None)[1]

    def close(self, digests: Collection[str]) -> None:
        with self._lock:
            is_idle = not self._running
            executor = self._executor
        # Those of threads are in this process.
        _cluster.end_hosts(digests)
        # Processes that are idle end in order, after their hosts. Nothing reaches a frame that is running: its process ends with
        # the group of this one, and its host with its stdin.
        executor.shutdown(wait=is_idle, cancel_futures=True)
