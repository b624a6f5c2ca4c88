"""Ray: a cluster that is there, or one on this machine."""

from __future__ import annotations

import concurrent.futures
import logging
import socket
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
    outcome_of,
    room,
)
from batchmill._version import __version__

__all__ = ["RayExecutor"]

# Seconds between two looks whether the cluster is there, and how long it may take to answer.
_LOOK = 5.0
_PATIENCE = 30.0
# Seconds for which an address may not answer.
_THERE = 10.0
_START = "`ray start --head` starts a cluster, and `ray=auto` finds it"


class RayExecutor(Executor):
    """Submits frames as Ray tasks, which Ray does not repeat."""

    def __init__(self, which: str) -> None:
        ray = imported("ray", "ray")
        self._ray = ray
        _check_there(which)
        options: dict[str, Any] = {"include_dashboard": False} if which == "local" else {"address": which}
        try:
            ray.init(logging_level=logging.ERROR, log_to_driver=False, configure_logging=False, **options)
        except Exception as error:
            first = (str(error).strip().splitlines() or [""])[0]
            raise ExecutorRefusedError(
                f"{type(error).__name__}: {first}", _START
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

    def slots(self, resources: Resources) -> int:
        # Ray itself says so only when it gets a task.
        if resources.gpus is not None and resources.gpus > 1 and not float(resources.gpus).is_integer():
            raise ExecutorRefusedError(
                f"Ray takes {resources.gpus:g} GPUs for no task", "write 1 or less, or a whole number, in `gpus`"
            )
        needed = {"CPU": 1.0, **resources.by_name(memory="memory")}
        nodes: list[dict[str, Any]] = [node for node in self._ray.nodes() if node["Alive"]]
        found = sum(room(node["Resources"], needed) for node in nodes)
        if resources.are_given and not found:
            raise ExecutorRefusedError(
                f"no node of the Ray cluster has the resources {listed(needed)}",
                "start a node that has them (`ray start` takes `--num-cpus`, `--num-gpus`, `--memory` and `--resources`), or "
                "ask for less",
            )
        return found or 1

    def submit(self, name: str, program: Program, frame: bytes, done: Callable[[Outcome], None]) -> Callable[[], None]:
        try:
            with self._lock:
                if program.digest not in self._programs:
                    self._programs[program.digest] = self._ray.put(program.message)
                sent = self._programs[program.digest]
            ref = self._run.options(name=name, **_options(program.resources)).remote(
                program.digest, sent, frame, __version__
            )
        except ValueError as error:
            done(Refused(f"Ray takes no such frame: {error}", "change `resources` of the step"))
            return lambda: None
        except Exception as error:
            done(Refused(f"Ray takes no more frames: {type(error).__name__}: {error}", "resume the run when it does"))
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


def _options(resources: Resources) -> dict[str, Any]:
    """Return resources as Ray takes them."""
    known = {"num_cpus": resources.cpus, "num_gpus": resources.gpus, "memory": resources.memory}
    options: dict[str, Any] = {name: amount for name, amount in known.items() if amount is not None}
    if resources.custom:
        options["resources"] = resources.custom
    return options


def _check_there(which: str) -> None:
    """Look whether something listens at an address: Ray itself tries for more than a minute.

    Raises
    ------
    ExecutorRefusedError
        If nothing does.
    """
    host, colon, port = which.removeprefix("ray://").rpartition(":")
    if not colon or not port.isdecimal():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_THERE).close()
    except (OSError, OverflowError) as error:
        raise ExecutorRefusedError(f"nothing listens at `{which}`: {error}", _START) from error
