"""The driver: hands the frames of an engine to a distributed engine, and its outcomes back. `docs/protocol.md` has the messages.

The engine starts it as a child, with a socket as stdin. Frames and outcomes are messages of a host, which nobody here opens. When
the engine closes the socket, the driver cancels what is left and ends.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import struct
import threading
import time
from collections.abc import Callable
from typing import Final, Union

from batchmill._errors import EngineDiedError
from batchmill._executors import Executor, ExecutorRefusedError, executor_for
from batchmill._executors._base import Lost, Outcome, Program, Refused, Resources
from batchmill._protocol import PROTOCOL, Connection
from batchmill._version import __version__

__all__ = ["drive"]

_HELLO: Final = 1
_READY: Final = 2
_REFUSED: Final = 3
_PROGRAM: Final = 4
_SUBMIT: Final = 5
_CANCEL: Final = 6
_OUTCOME: Final = 7
_LOST: Final = 8
_ASK: Final = 9
_ROOM: Final = 10

# Seconds that it may take to leave a cluster.
_LEAVE: Final = 30.0

_TICKET: Final = struct.Struct("<Q")
_SUBMITTED: Final = struct.Struct("<QII")
_ANNOUNCED: Final = struct.Struct("<II")

_Part = Union[bytes, memoryview]


class _Engine:
    """The engine at the other end. Outcomes are sent by any thread."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._lock = threading.Lock()

    def send(self, kind: int, *parts: _Part) -> None:
        try:
            with self._lock:
                self.connection.send(kind, *parts)
        except OSError:
            # It is gone, which the thread that reads sees as well.
            pass

    def send_json(self, kind: int, value: object) -> None:
        self.send(kind, json.dumps(value).encode())


class _Driver:
    """Frames on their way."""

    def __init__(self, engine: _Engine, executor: Executor) -> None:
        self._engine = engine
        self._executor = executor
        self._programs: dict[int, Program] = {}
        self._cancels: dict[int, Callable[[], None]] = {}
        self._lock = threading.Lock()

    def digests(self) -> list[str]:
        """Return what identifies its programs."""
        return [program.digest for program in self._programs.values()]

    def serve(self) -> None:
        """Hear the engine until it is gone."""
        while True:
            message = self._engine.connection.receive()
            assert message is not None
            kind, payload = message
            if kind == _ASK:
                self._engine.send_json(_ROOM, self._room(_resources(payload)))
            elif kind == _PROGRAM:
                number, length = _ANNOUNCED.unpack_from(payload)
                end = _ANNOUNCED.size + length
                resources = _resources(payload[_ANNOUNCED.size : end])
                self._programs[number] = Program(bytes(payload[end:]), resources)
            elif kind == _SUBMIT:
                ticket, program, length = _SUBMITTED.unpack_from(payload)
                name_end = _SUBMITTED.size + length
                name = bytes(payload[_SUBMITTED.size : name_end]).decode()
                self._submit(ticket, name, self._programs[program], bytes(payload[name_end:]))
            elif kind == _CANCEL:
                (ticket,) = _TICKET.unpack_from(payload)
                with self._lock:
                    cancel = self._cancels.pop(ticket, None)
                if cancel is not None:
                    cancel()

    def _room(self, resources: Resources) -> dict[str, object]:
        try:
            return {"slots": self._executor.slots(resources), "refusal": None}
        except ExecutorRefusedError as error:
            return {"slots": 1, "refusal": {"message": error.message, "help": error.help}}
        except Exception as error:
            message = f"it does not say what it has room for: {type(error).__name__}: {error}"
            return {"slots": 1, "refusal": {"message": message, "help": None}}

    def _submit(self, ticket: int, name: str, program: Program, frame: bytes) -> None:
        def done(outcome: Outcome) -> None:
            with self._lock:
                self._cancels.pop(ticket, None)
                ended.append(ticket)
            if isinstance(outcome, Lost):
                self._engine.send_json(_LOST, {"ticket": ticket, "why": outcome.why, "shared": outcome.shared})
            elif isinstance(outcome, Refused):
                self._engine.send_json(_REFUSED, {"message": outcome.message, "help": outcome.help})
            else:
                self._engine.send(_OUTCOME, _TICKET.pack(ticket), outcome)

        ended: list[int] = []
        try:
            cancel = self._executor.submit(name, program, frame, done)
        except ExecutorRefusedError as error:
            return done(Refused(error.message, error.help))
        except Exception as error:
            return done(Refused(f"it takes no more frames: {type(error).__name__}: {error}"))
        with self._lock:
            if not ended:
                self._cancels[ticket] = cancel


def _resources(message: memoryview) -> Resources:
    return Resources(**json.loads(bytes(message)))


def _moved_from_stdin() -> int:
    """Return a descriptor of the socket that no process inherits, and leave nothing to read at stdin."""
    descriptor = os.dup(0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return descriptor


def drive(name: str) -> int:
    """Serve the engine at the other end of stdin with this executor, and return the exit status."""
    descriptor = _moved_from_stdin()
    connection = Connection(socket.socket(fileno=descriptor))
    # Processes that are forked must not keep it open: the engine would not be seen to end.
    os.register_at_fork(after_in_child=lambda: os.close(descriptor))
    # The engine decides when this ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    has_started = threading.Event()
    threading.Thread(target=_end_with, args=(connection.socket, has_started), name="engine", daemon=True).start()
    engine = _Engine(connection)
    engine.send_json(_HELLO, {"protocol": PROTOCOL, "batchmill": __version__, "role": "driver"})
    try:
        executor = executor_for(name)
        ready = {"slots": executor.slots(Resources()), "name": executor.name}
    except ExecutorRefusedError as error:
        engine.send_json(_REFUSED, {"message": error.message, "help": error.help})
        return 2
    engine.send_json(_READY, ready)
    driver = _Driver(engine, executor)
    has_started.set()
    try:
        driver.serve()
    except EngineDiedError:
        pass
    try:
        executor.close(driver.digests())
    finally:
        _end_group()
    return 0


def _end_with(engine: socket.socket, has_started: threading.Event) -> None:
    """Wait until the engine is gone, and see to it that this process is gone soon after."""
    gone = select.poll()
    gone.register(engine, select.POLLRDHUP)
    gone.poll()
    # A function that starts a cluster may hang, and a cluster may not answer when this leaves it.
    if has_started.is_set():
        time.sleep(_LEAVE)
    _end_group()


def _end_group() -> None:
    """End this process, and those that an executor has started in its group."""
    os.killpg(0, signal.SIGKILL)
