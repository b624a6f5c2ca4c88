"""Starts the engine for one command, hears what it says, and has it end with this process.

The engine is a child in a session of its own: Ctrl-C in a terminal or a notebook reaches this process alone, which passes it
on. The engine watches this process, and stops in order when it is gone, however it went.
"""

from __future__ import annotations

import json
import logging
import os
import selectors
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import IO, Any

from batchmill._binary import find_engine
from batchmill._errors import (
    BatchmillError,
    EngineDiedError,
    EngineError,
    RunLockedError,
    RunNotFoundError,
    WorkflowError,
)
from batchmill._events import Event, event_of
from batchmill._workflow import diagnostics_of

__all__ = ["Said", "ask", "attend", "error_of"]

Listener = Callable[[Event], object]
Bytes = Callable[[bytes], object]

_LOG = logging.getLogger("batchmill")
_EVENT = b'{"event":'
_RUN_EVENT = b'{"event":"run_'
_ERROR = b'{"error":'
_CHUNK = 1 << 16


@dataclass
class Said:
    """What the engine said on stderr."""

    run_id: str | None = None
    status: str | None = None
    error: Mapping[str, Any] | None = None
    texts: list[str] = field(default_factory=list)

    def hear(self, line: bytes, listener: Listener | None) -> None:
        """Take a line; the listener gets the event that it is."""
        if line.startswith(_EVENT):
            # Few lines matter if nobody listens, and there may be a million.
            if listener is None and not line.startswith(_RUN_EVENT):
                return
            fields: dict[str, Any] = json.loads(line)
            if fields["event"] in ("run_started", "run_finished"):
                self.run_id = fields["run"]
                self.status = fields.get("status")
            if listener is not None:
                listener(event_of(fields))
        elif line.startswith(_ERROR):
            self.error = json.loads(line)["error"]
        else:
            text = line.decode(errors="replace")
            self.texts.append(text)
            _LOG.log(logging.WARNING if text.startswith("warning:") else logging.INFO, "%s", text)


def ask(arguments: Sequence[str], given: object = None) -> tuple[int, bytes, Said]:
    """Have the engine do something, and return its exit code, what it printed, and what else it said."""
    printed: list[bytes] = []
    code, said = attend(arguments, given, None, printed.append)
    return code, b"".join(printed), said


def attend(arguments: Sequence[str], given: object, listener: Listener | None, out: Bytes) -> tuple[int, Said]:
    """Have the engine do something, and attend until it has ended.

    Parameters
    ----------
    arguments : sequence of str
        The verb and its arguments.
    given : object
        What it reads from stdin, as JSON; None for nothing.
    listener : callable or None
        Gets each event. If it raises, the engine stops as after SIGTERM, and the exception goes on.
    out : callable
        Gets what the engine prints to stdout.
    """
    command = [find_engine(), "--errors", "json", "--client", str(os.getpid()), *arguments]
    stdin = subprocess.DEVNULL if given is None else _memory(given)
    try:
        process = subprocess.Popen(
            command, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )
    except OSError as error:
        raise EngineError(f"cannot start the engine `{command[0]}`: {error.strerror}") from error
    finally:
        if stdin >= 0:
            os.close(stdin)
    said = Said()
    pipes = _Pipes(process, said, out)
    try:
        pipes.read_all(listener)
    except BaseException as error:
        _end(process, pipes, signal.SIGINT if isinstance(error, KeyboardInterrupt) else signal.SIGTERM)
        if isinstance(error, KeyboardInterrupt) and said.run_id is not None:
            raise KeyboardInterrupt(f"batchmill.resume({said.run_id!r}) continues the run") from None
        raise
    finally:
        pipes.close()
    return process.wait(), said


def _memory(given: object) -> int:
    """A descriptor to read this from. Nobody else can see it, and nobody waits for it."""
    memory = os.memfd_create("batchmill-params")
    with open(memory, "wb", closefd=False) as file:
        file.write(json.dumps(given).encode())
    os.lseek(memory, 0, os.SEEK_SET)
    return memory


def _end(process: subprocess.Popen[bytes], pipes: _Pipes, with_signal: signal.Signals) -> None:
    """Stop the engine in order. A second Ctrl-C ends running items at once, a third one the engine."""
    for number in (with_signal, signal.SIGINT, signal.SIGKILL):
        with suppress(KeyboardInterrupt):
            process.send_signal(number)
            pipes.read_all(None)
            process.wait()
            return
    process.wait()


class _Pipes:
    """The pipes of an engine, read side by side."""

    def __init__(self, process: subprocess.Popen[bytes], said: Said, out: Bytes) -> None:
        self._said = said
        self._out = out
        self._rest = b""
        self._selector = selectors.DefaultSelector()
        self._files: list[IO[bytes]] = []
        for file, is_stdout in ((process.stdout, True), (process.stderr, False)):
            if file is not None:
                self._files.append(file)
                self._selector.register(file, selectors.EVENT_READ, is_stdout)

    def read_all(self, listener: Listener | None) -> None:
        """Read to the end of both."""
        while self._selector.get_map():
            for key, _ in self._selector.select():
                data = os.read(key.fd, _CHUNK)
                if not data:
                    self._selector.unregister(key.fileobj)
                elif key.data:
                    self._out(data)
                else:
                    *lines, self._rest = (self._rest + data).split(b"\n")
                    for line in lines:
                        self._said.hear(line, listener)

    def close(self) -> None:
        self._selector.close()
        for file in self._files:
            file.close()


def error_of(code: int, said: Said, file: str = "") -> BatchmillError:
    """Return the exception for an engine that ended with this code. `file` is the workflow file that it worked on."""
    error = said.error
    if code < 0:
        # It said nothing of this itself.
        name = signal.Signals(-code).name
        text = f"the engine was killed by {name}"
        if said.run_id is not None:
            text += f"; batchmill.resume({said.run_id!r}) continues the run"
        return EngineDiedError(text, code, said.run_id)
    if error is None:
        return EngineError("\n".join(said.texts) or f"the engine ended with exit code {code}", code)
    text = str(error["text"])
    topic = error["topic"]
    if topic == "workflow":
        found = diagnostics_of([{**one, "file": one["file"] or file} for one in error["diagnostics"]])
        return WorkflowError(found.text or text, found.errors)
    if topic == "run_not_found":
        return RunNotFoundError(text, code)
    if topic == "run_locked":
        return RunLockedError(text, code)
    return EngineError(text, code)
