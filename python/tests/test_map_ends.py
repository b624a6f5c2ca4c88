"""How a call ends: closed, interrupted, or because someone was killed. Nothing of it is left."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import threading

import batchmill
import pytest
from batchmill import _client
from conftest import is_gone

# The longest that anything here should take, in seconds.
PATIENCE = 60


def write_pid_and_hang(path):
    # A FIFO: whoever reads it knows that this item runs.
    with open(path, "w") as file:
        file.write(str(os.getpid()))
    signal.pause()


def hanging(tmp_path):
    """A call whose item hangs, and the process of its worker."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    results = batchmill.map(write_pid_and_hang, [str(fifo)])
    return results, int(fifo.read_text())


def test_closing_ends_what_is_running(tmp_path):
    results, worker = hanging(tmp_path)
    results.close()
    assert is_gone(worker)
    assert list(results) == [], "what is closed gives nothing more"


def test_leaving_a_block_ends_what_is_running(tmp_path):
    with pytest.raises(LookupError), hanging(tmp_path)[0] as results:
        worker = int(subprocess.check_output(["pgrep", "-n", "-f", "batchmill worker"]))
        assert results is not None
        raise LookupError
    assert is_gone(worker)


def test_results_that_nobody_has_end_what_is_running(tmp_path):
    results, worker = hanging(tmp_path)
    del results
    assert is_gone(worker)


def test_a_call_that_was_closed_early_leaves_others_alone():
    other = batchmill.map(abs, range(10_000), ahead=100)
    first = batchmill.map(abs, range(10_000), ahead=100)
    assert next(first) == 0
    first.close()
    assert list(other) == list(range(10_000))


def script(code):
    """A Python process that runs this code, in a group of its own, as a shell starts it."""
    code = "import batchmill, os, signal, sys\n" + textwrap.dedent(code)
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=os.setpgrp
    )


HANG = """
def hang(n):
    print(os.getpid(), flush=True)
    signal.pause()
"""


@pytest.fixture
def hanging_script():
    process = script(HANG + "list(batchmill.map(hang, range(2), workers=2, batch_size=1))\n")
    workers = [int(process.stdout.readline()) for _ in range(2)]
    yield process, workers
    process.kill()
    process.wait()


def test_ctrl_c_ends_everything_at_once(hanging_script):
    process, workers = hanging_script
    # To the whole group, as a terminal does.
    os.killpg(process.pid, signal.SIGINT)
    _, stderr = process.communicate(timeout=PATIENCE)
    assert process.returncode == -signal.SIGINT
    assert stderr.count("KeyboardInterrupt") == 1 and stderr.count("Traceback") == 1
    assert all(is_gone(worker) for worker in workers)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_with_their_client(hanging_script, number):
    process, workers = hanging_script
    process.send_signal(number)
    assert process.wait(PATIENCE) == -number
    assert all(is_gone(worker) for worker in workers)


def test_a_client_is_told_that_its_engine_was_killed(tmp_path):
    results, worker = hanging(tmp_path)
    os.kill(_client._engine._process.pid, signal.SIGKILL)
    with pytest.raises(batchmill.EngineDiedError, match="the engine was killed by signal 9"):
        list(results)
    assert is_gone(worker)
    assert list(batchmill.map(abs, [-1])) == [1], "the next call starts another one"


def test_an_idle_worker_that_was_killed_is_replaced():
    pids = set(batchmill.map(lambda _: os.getpid(), range(20), workers=2, batch_size=1))
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        assert is_gone(pid)
    assert list(batchmill.map(abs, [-1, -2], workers=2)) == [1, 2]


def test_the_end_of_a_program_is_the_end_of_its_workers():
    process = script("print(*batchmill.map(lambda _: os.getpid(), [1]))\n")
    stdout, stderr = process.communicate(timeout=PATIENCE)
    assert (process.returncode, stderr) == (0, "")
    assert is_gone(int(stdout))


def test_a_forked_process_has_an_engine_of_its_own():
    code = """
    list(batchmill.map(abs, [1]))
    pid = os.fork()
    if pid == 0:
        print("child", *batchmill.map(abs, [-1]))
        sys.exit()
    os.waitpid(pid, 0)
    print("parent", *batchmill.map(abs, [-2]))
    """
    process = script(code)
    stdout, stderr = process.communicate(timeout=PATIENCE)
    assert (stdout, stderr, process.returncode) == ("child 1\nparent 2\n", "", 0)


def test_a_script_needs_no_guard(tmp_path):
    path = tmp_path / "script.py"
    path.write_text("import batchmill\ndef double(x):\n    return 2 * x\nprint(list(batchmill.map(double, [1, 2])))\n")
    done = subprocess.run([sys.executable, path], capture_output=True, text=True, timeout=PATIENCE)
    assert (done.stdout, done.stderr) == ("[2, 4]\n", "")


def test_an_engine_of_another_version_is_refused(tmp_path, monkeypatch):
    fake = tmp_path / "batchmill"
    fake.write_text(
        f"#!{sys.executable}\n"
        + textwrap.dedent(
            """
            import json, os, socket, struct
            sock = socket.socket(fileno=0)
            sock.recv(4096)
            hello = json.dumps({"protocol": 99, "batchmill": "9.9.9", "role": "engine"}).encode()
            sock.sendall(struct.pack("<BI", 1, len(hello)) + hello)
            sock.recv(1)
            """
        )
    )
    fake.chmod(0o755)
    code = """
    try:
        batchmill.map(abs, [1])
    except batchmill.VersionMismatchError as error:
        print(error)
    """
    monkeypatch.setenv("BATCHMILL_BIN", str(fake))
    stdout, stderr = script(code).communicate(timeout=PATIENCE)
    assert f"the engine {fake} is batchmill 9.9.9 (protocol 99), but this package is batchmill" in stdout
    assert stderr == ""


def test_an_engine_that_does_not_start_says_why(tmp_path, monkeypatch):
    fake = tmp_path / "batchmill"
    fake.write_text("#!/bin/sh\necho 'no room' >&2\nexit 3\n")
    fake.chmod(0o755)
    monkeypatch.setenv("BATCHMILL_BIN", str(fake))
    stdout, stderr = script("list(batchmill.map(abs, [1]))\n").communicate(timeout=PATIENCE)
    assert "EngineDiedError: the engine ended with status 3:\nno room" in stderr


def test_closing_from_another_thread_ends_the_call_at_once(tmp_path):
    results, worker = hanging(tmp_path)
    closing = threading.Timer(0.01, results.close)
    closing.start()
    assert list(results) == []
    closing.join()
    assert is_gone(worker)


def test_closing_from_another_task_ends_who_awaits(tmp_path):
    results, worker = hanging(tmp_path)

    async def consume():
        return [value async for value in results]

    async def main():
        consumer = asyncio.create_task(consume())
        await asyncio.sleep(0)
        results.close()
        return await asyncio.wait_for(consumer, PATIENCE)

    assert asyncio.run(main()) == []
    assert is_gone(worker)


def test_a_forked_process_keeps_no_call_alive(tmp_path):
    results, worker = hanging(tmp_path)
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(writer)
        os.read(reader, 1)
        os._exit(0)
    results.close()
    assert is_gone(worker)
    os.close(writer)
    os.waitpid(pid, 0)


def test_the_rest_of_what_was_taken_has_its_indexes():
    results = batchmill.map(abs, range(10), batch_size=5, workers=1)
    assert next(results) == 0 and next(results) == 1
    assert list(results.indexed()) == [(n, n) for n in range(2, 10)]
