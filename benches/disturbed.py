"""Does a run mind a hundred clients? Runs in turn, undisturbed and with clients that connect to its page and to its socket, stall
and vanish, and prints the ratio of the times.

Its tasks wait, and leave the cores free: clients and the server of the page need some CPU time, which is not the question here.
The question is whether the run ever waits for a client.

    make bench-disturbed

Exits with 1 if the disturbed runs take more than a hundredth longer, by the median of the pairs.
"""

import argparse
import json
import os
import random
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

WORKFLOW = """
name: disturbed
steps:
  - name: wait
    task: batch
    inputs:
      items: {range: ITEMS}
      batch_size: 1
      max_parallel: 2
      task: {type: shell, command: "sleep 0.02"}
"""

CLIENTS = 100

# For how long a client stalls, in seconds.
STALL = 3


class Crowd:
    """Clients, each in a thread, until they are told to leave."""

    def __init__(self, port: int, token: str, control: Path):
        self.port, self.token, self.control = port, token, control
        self.gone = threading.Event()
        self.met = 0
        ways = [self.stall, self.vanish, self.listen, self.talk]
        self.threads = [threading.Thread(target=self.come, args=(ways[number % len(ways)],)) for number in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def come(self, way) -> None:
        while not self.gone.is_set():
            try:
                way()
                self.met += 1
            except OSError:
                pass
            self.gone.wait(random.uniform(0, 2))

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=2)

    def stall(self) -> None:
        """Half a request, then silence."""
        with self.connect() as client:
            client.sendall(b"GET / HTTP/1.1\r\nHost: ")
            self.gone.wait(STALL)

    def vanish(self) -> None:
        """A whole request, and nobody there for the answer."""
        with self.connect() as client:
            client.sendall(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nAuthorization: Bearer {self.token}\r\n\r\n".encode())

    def listen(self) -> None:
        """Asks for the page, and reads a byte at a time."""
        with self.connect() as client:
            client.sendall(f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nAuthorization: Bearer {self.token}\r\n\r\n".encode())
            for _ in range(3):
                client.recv(1)
                self.gone.wait(STALL / 3)

    def talk(self) -> None:
        """Half a command on the run's socket, then silence."""
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(2)
            client.connect(str(self.control))
            client.sendall(b'{"command":')
            self.gone.wait(STALL)

    def leave(self) -> int:
        self.gone.set()
        for thread in self.threads:
            thread.join()
        return self.met


def run(batchmill: str, work: Path, crowded: bool) -> tuple[float, int]:
    """The seconds of a run, and how often clients came."""
    arguments = [batchmill, "run", "workflow.yaml", "--progress", "none", "--ui=127.0.0.1:0"]
    # The page's own process lingers for a while: its output must not be waited for.
    started = time.perf_counter()
    engine = subprocess.Popen(arguments, cwd=work, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    crowd = None
    for line in engine.stderr:
        found = re.search(r"http://127\.0\.0\.1:(\d+)/\S*?token=(\S+)", line)
        if found:
            break
    if crowded:
        newest = max((work / ".batchmill/runs").iterdir(), key=lambda path: path.name)
        # Clients are elsewhere, so what they do themselves must not count: they get what the run leaves of the cores.
        where = json.dumps([int(found[1]), found[2], str(newest / "ctl")])
        crowd = subprocess.Popen(["nice", "-n", "19", sys.executable, __file__, "--crowd", where], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    code = engine.wait()
    took = time.perf_counter() - started
    met = int(crowd.communicate("")[0]) if crowd else 0
    if code:
        sys.exit(f"the run ended with {code}")
    return took, met


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("batchmill", nargs="?")
    parser.add_argument("--crowd", help=argparse.SUPPRESS)
    parser.add_argument("--items", type=int, default=500)
    parser.add_argument("--pairs", type=int, default=20)
    options = parser.parse_args()
    if options.crowd:
        port, token, control = json.loads(options.crowd)
        crowd = Crowd(port, token, Path(control))
        sys.stdin.read()
        print(crowd.leave())
        return
    ratios = []
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        work = Path(folder)
        (work / "workflow.yaml").write_text(WORKFLOW.replace("ITEMS", str(options.items)))
        run(options.batchmill, work, crowded=False)
        for pair in range(options.pairs):
            # The first of a pair is another one each time.
            order = [False, True] if pair % 2 else [True, False]
            times = {crowded: run(options.batchmill, work, crowded) for crowded in order}
            ratios.append(times[True][0] / times[False][0])
            print(f"{times[False][0]:.2f} s alone, {times[True][0]:.2f} s with {times[True][1]} visits: {ratios[-1]:.3f}", flush=True)
    median = statistics.median(ratios)
    print(f"median of {len(ratios)} pairs: {median:.3f} (from {min(ratios):.3f} to {max(ratios):.3f}), {os.cpu_count()} cores")
    sys.exit(median > 1.01)


if __name__ == "__main__":
    main()
