"""GET requests to a server on the same machine."""

import os
import re
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

from commands import CURL, NGINX, WRK, Bench, Command, Outcome, Workload, Wrong, at_most

CONNECTIONS = 16
BODY = "x" * 1023 + "\n"


def http_get(bench: Bench) -> Workload:
    n = bench.items(20_000)
    seconds = "3s" if bench.scale == 1 else "1s"
    port = free_port()
    url = f"http://127.0.0.1:{port}/f.txt"

    def check(outcome: Outcome) -> None:
        if outcome.command.own:
            bodies = [result["body"] for result in outcome.results()]
            if bodies != [BODY] * n:
                raise Wrong(f"{len(bodies)} bodies, not all of them right")
        elif outcome.command.tool is WRK:
            requests(outcome.stdout.read_text())
        else:
            found = outcome.stdout.read_text() + "".join(path.read_text() for path in outcome.out.iterdir())
            if found != BODY * n:
                raise Wrong(f"{len(found)} bytes, or not the right ones")

    curl = ["curl", "--silent", "--fail", "--no-progress-meter", "--parallel", "--parallel-max", str(CONNECTIONS)]
    return Workload(
        "http-get",
        "What does it cost to fetch an address and to keep its body?",
        f"{n:,} GETs of 1 KB, {CONNECTIONS} at once, from nginx with one worker on the same cores",
        [
            # It runs for a time and not for a count, and does not keep bodies.
            Command(
                f"wrk, scaled to {n:,} (bound)",
                ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}", url],
                tool=WRK,
                times=lambda stdout: requests(stdout) / n,
            ),
            Command("batchmill", bench.batchmill_run("http-get", n=n, url=url), own=True, limit=at_most(2.2)),
            Command("curl --parallel", [*curl, f"{url}?[1-{n}]"], tool=CURL),
            Command(
                f"aiohttp + uvloop in {bench.jobs} processes",
                bench.script("http_get", url, n, CONNECTIONS, bench.jobs, "{out}/bodies"),
            ),
        ],
        check,
        tool=NGINX,
        server=lambda: nginx(bench.tools, port),
    )


def requests(stdout: str) -> int:
    """How many requests wrk made. It ends with exit code 0 also where they failed."""
    done = re.search(r"(\d+) requests in", stdout)
    if not done or "Non-2xx" in stdout or "Socket errors" in stdout:
        raise Wrong(f"wrk said: {stdout.strip()}")
    return int(done[1])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def nginx(folder: Path, port: int):
    """Runs from a configuration and in a folder of its own; the machine's own nginx is left alone."""
    (folder / "www").mkdir()
    (folder / "www/f.txt").write_text(BODY)
    folder.chmod(0o755)
    temporary = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
    (folder / "nginx.conf").write_text(
        f"{'user root;' if os.getuid() == 0 else ''} worker_processes 1; daemon off; pid {folder}/nginx.pid;\n"
        f"error_log {folder}/error.log;\n"
        "events { worker_connections 1024; }\n"
        f"http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000; {temporary}\n"
        f"server {{ listen 127.0.0.1:{port}; root {folder}/www; }} }}\n"
    )
    argv = [NGINX.path, "-e", str(folder / "error.log"), "-c", str(folder / "nginx.conf")]
    server = subprocess.Popen(argv, stdin=subprocess.DEVNULL)
    try:
        answers(server, port)
        yield [server.pid]
    finally:
        server.terminate()
        server.wait()


def answers(server: subprocess.Popen, port: int) -> None:
    end = time.monotonic() + 10
    while server.poll() is None and time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.01)
    raise SystemExit("error: nginx does not answer")
