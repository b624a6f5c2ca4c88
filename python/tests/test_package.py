"""The package as a user meets it; the worker itself is tested by `tests/worker` in Rust."""

import subprocess
import sys

import batchmill


def run(*arguments):
    command = [sys.executable, "-m", "batchmill", *arguments]
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)


def test_a_worker_started_by_hand_says_so():
    done = run("worker")
    assert done.returncode == 2
    assert "internal command: only batchmill itself runs this" in done.stderr


def test_anything_else_prints_the_usage():
    done = run()
    assert (done.returncode, done.stdout) == (2, "")
    assert "usage: python -m batchmill worker" in done.stderr


def test_the_version_is_that_of_the_engine():
    assert run("--version").stdout == f"batchmill {batchmill.__version__}\n"
