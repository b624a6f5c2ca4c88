"""Ray: a cluster that is there, or one on this machine."""

from __future__ import annotations

import concurrent.futures
import importlib
import logging
import threading
import time
from collections.abc import Callable, Collection
from typing import Any

from batchmill import _cluster
from batchmill._executors._base import Executor, ExecutorRefusedError, Outcome, Program, Refused, outcome_of
from batchmill._version import __version__

__all__ = ["RayExecutor"]

# Seconds between two looks whether the cluster is there, and how long it may take to answer.
_LOOK = 5.0
_PATIENCE = 30.0


class RayExecutor(Executor):
    """Submits frames as Ray tasks, which Ray does not repeat."""

    def __init__(self, which: str) -> None:
        try:
            ray: Any = importlib.import_module("ray")
        except ImportError as error:
            raise ExecutorRefusedError(
                f"{type(error).__name__}: {error}", "install it for this interpreter: `pip install ray`"
            ) from error
        self._ray = ray
        options: dict[str, Any] = {"include_dashboard": False} if which == "local" else {"address": which}
        try:
            ray.init(logging_level=logging.ERROR, log_to_driver=False, configure_logging=False, **options)
        except Exception as error:
            first = (str(error).strip().splitlines() or [""])[0]
            raise ExecutorRefusedError(
                f"{type(error).__name__}: {first}", "`ray start --head` starts a cluster, and `ray=auto` finds it"
            ) from error
        self._which = which
        remote: Any = ray.remote(max_retries=0, retry_exceptions=False)
        self._run: Any = remote(_cluster.run)
        self._programs: dict[str, Any] = {}
        self._waiting: dict[Any, Callable[[Outcome], None]] = {}
        self._lock = threading.Lock()
        threading.Thread(target=self._watch, name="ray-watch", daemon=True).start()

    @property
    def name(self) -> str:
        return f"Ray ({self._which})"

    def slots(self) -> int:
        return int(self._ray.cluster_resources().get("CPU", 1)) or 1

    def submit(self, name: str, program: Program, frame: bytes, done: Callable[[Outcome], None]) -> Callable[[], None]:
        try:
            with self._lock:
                if program.digest not in self._programs:
                    self._programs[program.digest] = self._ray.put(program.message)
                sent = self._programs[program.digest]
            ref = self._run.options(name=name).remote(program.digest, sent, frame, __version__)
        except Exception as error:
            done(outcome_of(error))
            return lambda: None
        with self._lock:
            self._waiting[ref] = done

        def ended(future: concurrent.futures.Future[bytes]) -> None:
            with self._lock:
                waits = self._waiting.pop(ref, None)
            if waits is not None:
                error = future.exception()
                waits(future.result() if error is None else outcome_of(_cause(error)))

        ref.future().add_done_callback(ended)
        return lambda: self._ray.cancel(ref, force=True)

    def _watch(self) -> None:
        """Notice that the cluster is gone: Ray itself would wait for it without end."""
        with concurrent.futures.ThreadPoolExecutor(1) as asking:
            while True:
                time.sleep(_LOOK)
                try:
                    asking.submit(self._ray.nodes).result(timeout=_PATIENCE)
                except Exception as error:
                    return self._give_up(f"the Ray cluster is gone ({type(error).__name__})")

    def _give_up(self, why: str) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, {}
        for done in waiting.values():
            done(Refused(why, "start one, then resume the run"))

    def close(self, digests: Collection[str]) -> None:
        with self._lock:
            refs = list(self._waiting)
        for ref in refs:
            self._ray.cancel(ref, force=True)
        self._ray.shutdown()


def _cause(error: BaseException) -> BaseException:
    """What a task raised, for an error that Ray has wrapped."""
    cause = getattr(error, "cause", None)
    return cause if isinstance(cause, BaseException) else error
