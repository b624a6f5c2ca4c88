"""Processes that carry a marker in their environment: finding them, telling them apart, killing them, waiting for their end."""

import os
import signal
import time
from dataclasses import dataclass

NAME = "BATCHMILL_CHAOS"


@dataclass(frozen=True)
class Process:
    pid: int
    kind: str  # `engine`, `guard`, `worker`, or `task` for what a task started.
    command: str

    def kill(self) -> bool:
        """Whether there was something to kill."""
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return False
        return True


def marked(marker: str) -> list[Process]:
    """The processes that live and have the marker."""
    wanted = f"{NAME}={marker}".encode()
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/environ", "rb") as file:
                if wanted not in file.read().split(b"\0"):
                    continue
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                words = file.read().decode(errors="replace").split("\0")
        except OSError:
            continue  # It ended meanwhile, or is somebody else's.
        found.append(Process(int(entry), kind_of(words), " ".join(words).strip()))
    return found


def kind_of(words: list[str]) -> str:
    if "guard-children" in words:
        return "guard"
    program = os.path.basename(words[0])
    if program == "batchmill":
        return "engine"
    return "worker" if program == "batchmill-python" or "batchmill" in " ".join(words[:3]) else "task"


def orphans(marker: str, seconds: float = 60.0) -> list[Process]:
    """The processes with the marker that are still there when the time is over."""
    deadline = time.monotonic() + seconds
    while (left := marked(marker)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left
