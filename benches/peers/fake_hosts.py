"""An executor without hosts: each frame has its outcome after a given time, and nothing runs.

What is left is what batchmill itself does for a frame: source, slots, engine, driver, ledger. `width.py` measures that.
"""

from __future__ import annotations

import concurrent.futures
import heapq
import itertools
import json
import os
import struct
import threading
import time

_HEADER = struct.Struct("<BI")
_BATCH = struct.Struct("<QIQIB")
_RANGE = struct.Struct("<QQ")
_OUTCOME = 6


def _counts(frame: bytes) -> list[int]:
    """The numbers of items of the batches in a message `Frame`, whose indexes follow each other."""
    at = _HEADER.size + 1
    (batches,) = struct.unpack_from("<I", frame, at)
    at += 4
    counts = []
    for _ in range(batches):
        *_, listed = _BATCH.unpack_from(frame, at)
        at += _BATCH.size
        if listed:
            raise ValueError("the items of a batch do not follow each other")
        first, end = _RANGE.unpack_from(frame, at)
        # After the range come the form of the items and that they are of no file.
        at += _RANGE.size + 5
        counts.append(end - first)
    return counts


def _outcome(frame: bytes) -> bytes:
    """The message `Outcome` in which each item has the result null."""
    counts = _counts(frame)
    batch = {"unrun": [], "failures": [], "form": "lines", "list": False, "nulls": 0, "files": []}
    batches = [{**batch, "bytes": 5 * count} for count in counts]
    host = {"machine": "simulated", "process": 1, "shares_files": True}
    head = json.dumps({"host": host, "batches": batches, "fatal": None, "logs": [], "spent": [0, 0, 0]}).encode()
    payload = struct.pack("<I", len(head)) + head + bytes(8) + b"null\n" * sum(counts)
    return _HEADER.pack(_OUTCOME, len(payload)) + payload


class FakeHosts(concurrent.futures.Executor):
    """So many hosts, each of which takes so long for a frame. One thread serves all of them."""

    def __init__(self, hosts: int, seconds: float) -> None:
        self._max_workers = hosts
        self._seconds = seconds
        self._due: list[tuple[float, int, concurrent.futures.Future[bytes], bytes]] = []
        self._number = itertools.count()
        self._changed = threading.Condition()
        threading.Thread(target=self._serve, daemon=True).start()

    def submit(self, function, digest, program, frame, version):  # type: ignore[no-untyped-def, override]
        future: concurrent.futures.Future[bytes] = concurrent.futures.Future()
        with self._changed:
            heapq.heappush(self._due, (time.monotonic() + self._seconds, next(self._number), future, frame))
            self._changed.notify()
        return future

    def _serve(self) -> None:
        while True:
            with self._changed:
                while not self._due or self._due[0][0] > time.monotonic():
                    self._changed.wait(self._due[0][0] - time.monotonic() if self._due else None)
                _, _, future, frame = heapq.heappop(self._due)
            future.set_result(_outcome(frame))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        pass


def hosts() -> FakeHosts:
    """As many as `FAKE_HOSTS` says, each of which takes `FAKE_SECONDS` for a frame."""
    return FakeHosts(int(os.environ["FAKE_HOSTS"]), float(os.environ["FAKE_SECONDS"]))
