"""The messages between this package and the engine. `docs/protocol.md` describes them."""

from __future__ import annotations

import json
import os
import select
import socket
import struct
from collections.abc import Callable
from typing import Any, Final

from batchmill._errors import EngineDiedError

__all__ = ["PROTOCOL", "Connection", "Kind", "indexes_of", "segments_of"]

# Both ends must have the same.
PROTOCOL: Final = 8

_HEADER: Final = struct.Struct("<BI")
_RETURNED: Final = struct.Struct("<QIIB")
_SEGMENT: Final = struct.Struct("<II")
# The most bytes of a message, which its length of four bytes allows.
_MOST: Final = (1 << 32) - 1
_CHUNK: Final = 1 << 18
# The longest wait without a look for signals, in milliseconds. Python would notice a Ctrl-C that arrives right before a wait only
# after it.
_LOOK: Final = 200


class Kind:
    """The kinds of messages."""

    HELLO: Final = 1
    OPEN: Final = 2
    GIVEN: Final = 3
    END: Final = 4
    RETURNED: Final = 5
    LOST: Final = 6
    LOG: Final = 7
    NOTICE: Final = 8
    ENDED: Final = 9
    KEYED: Final = 10


class Connection:
    """A socket that carries messages: a header of five bytes, and a payload."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self._pid = os.getpid()
        self._poll = select.poll()
        self._poll.register(sock, select.POLLIN)
        self._buffer = bytearray()
        self._start = 0

    def send(self, kind: int, *parts: bytes | memoryview) -> None:
        """Send a message whose payload is these parts."""
        length = sum(len(part) for part in parts)
        if length > _MOST:
            raise OverflowError(f"a message of {length} bytes; the most is {_MOST}")
        waiting = [memoryview(_HEADER.pack(kind, length)), *(memoryview(part) for part in parts)]
        while waiting:
            sent = self.socket.sendmsg(waiting)
            while waiting and sent >= len(waiting[0]):
                sent -= len(waiting.pop(0))
            if sent:
                waiting[0] = waiting[0][sent:]

    def send_json(self, kind: int, value: object) -> None:
        """Send a message whose payload is JSON."""
        self.send(kind, json.dumps(value).encode())

    def receive(self, *, wait: bool = True) -> tuple[int, memoryview] | None:
        """Return the next message, or None if it is not here and nobody should wait for it.

        Raises
        ------
        EngineDiedError
            If the engine has closed the connection.
        """
        while True:
            here = len(self._buffer) - self._start
            if here >= _HEADER.size:
                kind, length = _HEADER.unpack_from(self._buffer, self._start)
                if here >= _HEADER.size + length:
                    first = self._start + _HEADER.size
                    self._start = first + length
                    payload = memoryview(bytes(memoryview(self._buffer)[first : self._start]))
                    self._compact()
                    return kind, payload
            if not self._read(wait):
                return None

    def _compact(self) -> None:
        if self._start == len(self._buffer) or self._start > 4 * _CHUNK:
            del self._buffer[: self._start]
            self._start = 0

    def _read(self, wait: bool) -> bool:
        data = self._received()
        while data is None:
            if not wait:
                return False
            self._poll.poll(_LOOK)
            data = self._received()
        if not data:
            raise EngineDiedError("the engine has ended")
        self._buffer += data
        return True

    def _received(self) -> bytes | None:
        """Return what has arrived, nothing at the end, and None if there is nothing yet."""
        try:
            return self.socket.recv(_CHUNK, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def close(self) -> None:
        """Close the socket. The engine ends what belongs to it."""
        if self._pid == os.getpid() and self.socket.fileno() >= 0:
            try:
                self.socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.socket.close()

    def fileno(self) -> int:
        """Return the descriptor of the socket."""
        return self.socket.fileno()


class Returned:
    """What a message with results begins with."""

    __slots__ = ("count", "first", "indexes", "of", "segments", "took")

    def __init__(self, payload: memoryview) -> None:
        self.took, self.of, self.count, listed = _RETURNED.unpack_from(payload)
        end = _RETURNED.size + (8 * self.count if listed else 8)
        numbers = payload[_RETURNED.size : end].cast("Q")
        self.first: int = numbers[0] if self.count else 0
        self.indexes: list[int] | None = numbers.tolist() if listed else None
        self.segments = payload[end:]


def indexes_of(returned: Returned) -> list[tuple[int, int]]:
    """Return the runs of consecutive indexes, each as its first index and how many there are."""
    if returned.indexes is None:
        return [(returned.first, returned.count)]
    runs: list[tuple[int, int]] = []
    for index in returned.indexes:
        if runs and runs[-1][0] + runs[-1][1] == index:
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((index, 1))
    return runs


def segments_of(segments: memoryview, loads: Callable[[memoryview], Any]) -> list[Any]:
    """Return the results in these segments."""
    values: list[Any] = []
    at = 0
    while at < len(segments):
        count, length = _SEGMENT.unpack_from(segments, at)
        at += _SEGMENT.size
        value = loads(segments[at : at + length])
        at += length
        if count:
            values += value
        else:
            values.append(value)
    return values
