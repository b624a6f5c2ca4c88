"""The engine that calls of this process share. It starts with the first call, and ends with this process."""

from __future__ import annotations

import atexit
import json
import os
import socket
import subprocess
import tempfile
import threading
from typing import IO, Any, Final

from batchmill._binary import find_engine
from batchmill._errors import EngineDiedError, VersionMismatchError
from batchmill._protocol import PROTOCOL, Connection, Kind

__all__ = ["changed_environment", "how_it_ended", "is_utf8", "open_call", "removed_variables"]

# How much of what a dead engine has said is shown, in characters.
_MOST_SAID: Final = 2000
# How long the engine may take to end its workers, in seconds.
_PATIENCE: Final = 10.0
# How long an engine that has closed a connection may take to end, if it is ending, in seconds.
_MOMENT: Final = 2.0


class _Engine:
    """A process of the engine, and the connection to it."""

    def __init__(self) -> None:
        self.program = find_engine()
        self.pid = os.getpid()
        self.environment = dict(os.environ)
        ours, theirs = socket.socketpair()
        self._stderr: IO[bytes] = tempfile.TemporaryFile()
        try:
            # In a session of its own: a Ctrl-C at the terminal is for this process, which ends its calls itself.
            self._process = subprocess.Popen(
                [self.program, "serve-client"],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=self._stderr,
                start_new_session=True,
            )
        finally:
            theirs.close()
        self._connection = Connection(ours)
        self._greet()

    def _greet(self) -> None:
        from batchmill import __version__

        ours = {"protocol": PROTOCOL, "batchmill": __version__, "role": "client"}
        try:
            self._connection.send_json(Kind.HELLO, ours)
            message = self._connection.receive()
        except (ConnectionError, EngineDiedError):
            raise self.lost() from None
        assert message is not None
        theirs: dict[str, Any] = json.loads(bytes(message[1]))
        if theirs.get("protocol") != PROTOCOL:
            self.close()
            raise VersionMismatchError(
                f"the engine {self.program} is batchmill {theirs.get('batchmill')} (protocol {theirs.get('protocol')}), "
                f"but this package is batchmill {__version__} (protocol {PROTOCOL}); install the same version of both"
            )

    def open_call(self) -> Connection:
        """Return a connection for one call."""
        ours, theirs = socket.socketpair()
        try:
            socket.send_fds(self._connection.socket, [b"\0"], [theirs.fileno()])
        except ConnectionError:
            ours.close()
            raise self.lost() from None
        except BaseException:
            ours.close()
            raise
        finally:
            theirs.close()
        return Connection(ours)

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def ends_within(self, seconds: float) -> bool:
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def lost(self) -> EngineDiedError:
        """Say how the engine has ended."""
        self._connection.close()
        try:
            status = self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            status = self._process.wait()
        how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
        self._stderr.seek(0)
        said = self._stderr.read().decode(errors="replace").strip()[-_MOST_SAID:]
        return EngineDiedError(f"the engine {how}" + (f":\n{said}" if said else ""), status)

    def close(self) -> None:
        """End the engine, and with it all workers."""
        self._connection.close()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._stderr.close()

    def forget(self) -> None:
        """Let go of an engine that belongs to the parent of this process, which was forked."""
        self._connection.close()
        self._process.returncode = 0


# A signal handler may call while its thread is in here.
_lock = threading.RLock()
_engine: _Engine | None = None


def open_call() -> Connection:
    """Return a connection for one call, and start the engine if there is none.

    Raises
    ------
    EngineNotFoundError
        If the engine is not installed.
    VersionMismatchError
        If it is of another version.
    EngineDiedError
        If it ends at once.
    """
    global _engine
    with _lock:
        if _engine is not None and not _engine.is_alive():
            _engine = None
        if _engine is None:
            made = _Engine()
            # A signal handler may have been quicker.
            if _engine is None:
                _engine = made
            else:
                made.close()
        return _engine.open_call()


def how_it_ended() -> EngineDiedError:
    """Say how the engine has ended, or that it has closed the connection of a call."""
    with _lock:
        # Its sockets close a moment before it can be waited for.
        if _engine is None or not _engine.ends_within(_MOMENT):
            return EngineDiedError("the engine has ended the call")
        return _engine.lost()


def changed_environment() -> dict[str, str]:
    """Return the variables that were set since the engine was started, which workers would not have otherwise."""
    with _lock:
        before = _engine.environment if _engine is not None else {}
    changed = {name: value for name, value in os.environ.items() if before.get(name) != value}
    return {name: value for name, value in changed.items() if is_utf8(name) and is_utf8(value)}


def removed_variables() -> list[str]:
    """Return the names of variables that the engine was started with, but that are set no more."""
    with _lock:
        before = _engine.environment if _engine is not None else {}
    return [name for name in before if name not in os.environ and is_utf8(name)]


def is_utf8(text: str) -> bool:
    """Return whether this text can be sent: bytes that are not UTF-8 become lone surrogates in Python."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _close() -> None:
    global _engine
    with _lock:
        engine, _engine = _engine, None
    if engine is not None:
        engine.close()


def _forget() -> None:
    global _engine, _lock
    _lock = threading.RLock()
    engine, _engine = _engine, None
    if engine is not None:
        engine.forget()


atexit.register(_close)
os.register_at_fork(after_in_child=_forget)
