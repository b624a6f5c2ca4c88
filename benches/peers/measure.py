"""One run of one command: its wall time, its CPU time, the memory of its processes.

Knows processes. What is run, in which order, and whether the work was done is not its business. When `run` is back, the
command and everything it left behind are gone, so no run is disturbed by the one before.
"""

import ctypes
import os
import select
import shutil
import signal
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from commands import Command

LIMIT_S = 600  # What takes longer has failed.
LEAVE_S = 5  # How long what a command left behind may take to go by itself.
PR_SET_CHILD_SUBREAPER = 36


class Failed(Exception):
    """The command did not end with exit code 0."""


@dataclass(frozen=True)
class Sample:
    wall: float
    cpu: float  # User and system time of the command and of all children that were waited for.
    memory: int  # Peak of the processes' PSS in KiB; 0 where it was not watched.


@dataclass(frozen=True)
class Scratch:
    """The folder of one run."""

    folder: Path

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def stdout(self) -> Path:
        return self.folder / "stdout"

    @property
    def stderr(self) -> Path:
        return self.folder / "stderr"


@contextmanager
def scratch():
    """Made before the clock starts and deleted after it has stopped."""
    folder = Path(tempfile.mkdtemp(prefix="batchmill-run-"))
    try:
        its = Scratch(folder)
        its.out.mkdir()
        its.state.mkdir()
        yield its
    finally:
        shutil.rmtree(folder)


class Stopwatch:
    """Runs commands. Processes that were there before, such as a server, are not counted."""

    def __init__(self, bystanders: "list[int]"):
        self.bystanders = set(bystanders)
        # What a command leaves behind becomes our child and not that of process 1, so it is seen, and waited for.
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)

    def run(self, command: Command, folder: Scratch, check: bool = False) -> Sample:
        """With `check` the memory is watched, which costs time, and `check_argv` is added: no such run is to be timed."""
        argv = [*command.argv, *(command.check_argv if check else ())]
        argv = [part.replace("{out}", str(folder.out)).replace("{state}", str(folder.state)) for part in argv]
        env = {**os.environ, **command.env}
        with open(command.stdin or os.devnull) as source, folder.stdout.open("wb") as sink, folder.stderr.open("wb") as errors:
            files = [(os.POSIX_SPAWN_DUP2, file.fileno(), fd) for fd, file in enumerate((source, sink, errors))]
            try:
                start = time.perf_counter()
                pid = os.posix_spawnp(argv[0], argv, env, file_actions=files)
            except OSError as error:
                raise Failed(f"`{argv[0]}` cannot be started: {error.strerror}") from error
            in_time, memory = self.wait(pid, check)
            wall = time.perf_counter() - start
        if not in_time:
            self.clear(0)
            raise Failed(f"took more than {LIMIT_S} s")
        _, status, usage = os.wait4(pid, 0)
        self.clear(LEAVE_S)
        if (code := os.waitstatus_to_exitcode(status)) != 0:
            said = folder.stderr.read_text(errors="replace").strip()
            raise Failed(f"exit code {code}: {said[-500:]}")
        return Sample(wall, usage.ru_utime + usage.ru_stime, memory)

    def wait(self, pid: int, watch: bool) -> "tuple[bool, int]":
        """Waits until the process has ended; gives false where it took too long, and the peak of the memory if watched."""
        peak, end = 0, time.monotonic() + LIMIT_S
        fd = os.pidfd_open(pid)
        try:
            poller = select.poll()
            poller.register(fd, select.POLLIN)
            if watch:
                peak = self.memory()
            while not poller.poll(2 if watch else 1000):
                if watch:
                    peak = max(peak, self.memory())
                if time.monotonic() > end:
                    return False, peak
        finally:
            os.close(fd)
        return True, peak

    def memory(self) -> int:
        """PSS of all processes of the command in KiB: a page that several share is counted once."""
        total = 0
        for pid in self.processes():
            try:
                with open(f"/proc/{pid}/smaps_rollup") as file:
                    total += next((int(line.split()[1]) for line in file if line.startswith("Pss:")), 0)
            except OSError:
                pass  # It has just ended.
        return total

    def processes(self) -> "list[int]":
        found, todo = [], children(os.getpid())
        while todo:
            pid = todo.pop()
            if pid not in self.bystanders:
                found.append(pid)
                todo += children(pid)
        return found

    def clear(self, patience: float) -> None:
        """Waits for what the command left behind; after a while, ends it."""
        end = time.monotonic() + patience
        while left := self.processes():
            if time.monotonic() > end:
                for pid in left:
                    try:
                        os.kill(pid, signal.SIGKILL)
                    except ProcessLookupError:
                        pass
            for pid in left:
                try:
                    os.waitpid(pid, os.WNOHANG)
                except ChildProcessError:
                    pass  # Not ours yet: its parent still lives.
            time.sleep(0.002)


def children(pid: int) -> "list[int]":
    found = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children") as file:
                found += map(int, file.read().split())
    except OSError:
        pass  # It has just ended.
    return found
