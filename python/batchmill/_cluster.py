"""Runs frames in a process of a cluster. Each frame is handed to a `batchmill host`, a process of its own.

The process of the cluster runs no code of the user's: what crashes, hangs or takes too much memory is a process below the host,
and the host lives on. A host is kept for the next frame of the same step.
"""

from __future__ import annotations

import json
import multiprocessing.util
import os
import platform
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Collection
from contextlib import suppress
from typing import Final

from batchmill._binary import find_engine
from batchmill._version import __version__

__all__ = ["HostDiedError", "OtherVersionError", "end_hosts", "run"]

# Seconds for which a host waits for its next frame.
_IDLE: Final = 30.0
# Seconds that `teardown` may take.
_TEARDOWN: Final = 25.0
_HEADER: Final = struct.Struct("<BI")
_HELLO: Final = 1
_READY: Final = 3


class HostDiedError(RuntimeError):
    """The host has ended in the middle of a frame."""


class OtherVersionError(RuntimeError):
    """This process has another version of batchmill than the driver."""


class _Host:
    """A process `batchmill host` that has got its step."""

    def __init__(self, digest: str, program: bytes) -> None:
        self.digest = digest
        self.idle_since = 0.0
        version = platform.python_version()
        command = [find_engine(), "host", "--python", sys.executable, "--python-version", version]
        # A session of its own: what ends the process of the cluster closes its stdin, and it ends what it is running.
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True
        )
        try:
            hello = self._read()
            if hello[0] != _HELLO:
                raise HostDiedError(f"`{command[0]} host` has not greeted")
            _check(str(json.loads(hello[_HEADER.size :])["batchmill"]), __version__)
            self._send(program)
            # Ready, or why it cannot run this step: that is the answer to each of its frames.
            answer = self._read()
            self.refusal = None if answer[0] == _READY else answer
        except BaseException:
            self.end()
            raise

    def run(self, frame: bytes) -> bytes:
        """Run a frame and return its outcome."""
        if self.refusal is not None:
            return self.refusal
        self._send(frame)
        return self._read()

    def _send(self, message: bytes) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(message)
            self._process.stdin.flush()
        except OSError as error:
            raise self._died() from error

    def _read(self) -> bytes:
        header = self._exactly(_HEADER.size)
        _, length = _HEADER.unpack(header)
        return header + self._exactly(length)

    def _exactly(self, count: int) -> bytes:
        assert self._process.stdout is not None
        data = self._process.stdout.read(count)
        if len(data) < count:
            raise self._died()
        return data

    def _died(self) -> HostDiedError:
        self.end()
        return HostDiedError(f"the host has ended with status {self._process.returncode}")

    def end(self, patience: float = 10.0) -> None:
        """End the host and what it is running. Another thread may be waiting for its answer."""
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        with suppress(OSError):
            process.stdin.close()
        try:
            # It ends with its stdin, after the processes of its tasks.
            process.wait(timeout=patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        # Only now: until here, the other thread may hold it.
        process.stdout.close()


class _Hosts:
    """The hosts of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: dict[str, list[_Host]] = {}
        self._busy: set[_Host] = set()
        self._sweeper: threading.Timer | None = None

    def take(self, digest: str) -> _Host | None:
        """Return an idle host of a step, if there is one."""
        with self._lock:
            hosts = self._idle.get(digest)
            host = hosts.pop() if hosts else None
            if host is not None:
                self._busy.add(host)
            return host

    def enter(self, host: _Host) -> None:
        """Note that a new host is at work."""
        with self._lock:
            self._busy.add(host)

    def give_back(self, digest: str, host: _Host) -> None:
        """Keep a host for the next frame."""
        host.idle_since = time.monotonic()
        with self._lock:
            self._busy.discard(host)
            self._idle.setdefault(digest, []).append(host)
            if self._sweeper is None:
                self._sweep_later()

    def leave(self, host: _Host) -> None:
        """Forget a host that has ended."""
        with self._lock:
            self._busy.discard(host)

    def end(self, digests: Collection[str] | None) -> None:
        """End the hosts of these programs, busy ones too; all hosts for None."""
        with self._lock:
            hosts = {*self._busy, *(host for hosts in self._idle.values() for host in hosts)}
            hosts = {host for host in hosts if digests is None or host.digest in digests}
            for host in hosts:
                self._idle.pop(host.digest, None)
        # Side by side: each may have a `teardown` to run.
        threads = [threading.Thread(target=host.end, args=(_TEARDOWN,)) for host in hosts]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _sweep_later(self) -> None:
        self._sweeper = threading.Timer(_IDLE, self._sweep)
        self._sweeper.daemon = True
        self._sweeper.start()

    def _sweep(self) -> None:
        old: list[_Host] = []
        with self._lock:
            before = time.monotonic() - _IDLE
            for digest, hosts in list(self._idle.items()):
                old += [host for host in hosts if host.idle_since <= before]
                self._idle[digest] = [host for host in hosts if host.idle_since > before]
                if not self._idle[digest]:
                    del self._idle[digest]
            self._sweeper = None
            if self._idle:
                self._sweep_later()
        for host in old:
            host.end()


_hosts = _Hosts()
_ends_with_process = False


def _forget() -> None:
    """After a fork: the hosts belong to the parent."""
    global _ends_with_process, _hosts
    _hosts = _Hosts()
    _ends_with_process = False


def _end_with_process() -> None:
    """Have hosts end in order when this process does: one of a pool runs no `atexit`."""
    global _ends_with_process
    if not _ends_with_process:
        _ends_with_process = True
        multiprocessing.util.Finalize(None, end_hosts, exitpriority=10)


os.register_at_fork(after_in_child=_forget)


def _check(found: str, wanted: str) -> None:
    """Raise an error unless both versions are the same."""
    if found != wanted:
        raise OtherVersionError(f"a process of the cluster has batchmill {found}, and this is {wanted}")


def run(digest: str, program: bytes, frame: bytes, version: str) -> bytes:
    """Run a frame and return its outcome, as a message of the host.

    Parameters
    ----------
    digest : str
        Identifies the program.
    program : bytes
        The message that tells a host what to run.
    frame : bytes
        The message with the items.
    version : str
        The version of batchmill that the driver has.

    Raises
    ------
    OtherVersionError
        If this process has another one.
    HostDiedError
        If the host has ended meanwhile, for a reason that is not the task's.
    """
    _check(__version__, version)
    hosts = _hosts
    host = hosts.take(digest)
    _end_with_process()
    if host is None:
        host = _Host(digest, program)
        hosts.enter(host)
    try:
        answer = host.run(frame)
    except BaseException:
        hosts.leave(host)
        host.end()
        raise
    hosts.give_back(digest, host)
    return answer


def end_hosts(digests: Collection[str] | None = None) -> None:
    """End the hosts of these programs in this process, and what they are running. One that is idle runs `teardown` first."""
    _hosts.end(digests)
