"""Runs that are stopped: by Ctrl-C, or because the client or the engine is killed."""

import os
import signal

import pytest
from conftest import engine_of, hurry

import batchmill

# The item says that it has begun, then waits to be killed.
STUCK = """
import os, sys, threading, batchmill
workflow = {"name": "stuck", "steps": [{"name": "wait", "for_each": {"range": 5}, "task": "python", "max_parallel": 1,
    "inputs": {"code": "import os, time\\nif item == 2 and not os.path.exists('go'):\\n    os.open('began', os.O_WRONLY)\\n    time.sleep(600)\\nreturn item"}}]}
"""
RUN = """
try:
    run = batchmill.run(workflow)
except BaseException as error:
    print(type(error).__name__, error, flush=True)
"""


@pytest.fixture
def stuck(script):
    """Starts the workflow in a program of its own, and waits until its third item has begun."""

    def start(code=RUN):
        os.mkfifo("began")
        running = script(STUCK + code)
        # Opens when the item has begun.
        with open("began"):
            pass
        return running

    return start


def finished_by_resume():
    with open("go", "w"):
        pass
    run = batchmill.resume()
    assert (run.status, list(run.steps["wait"].results)) == ("succeeded", [0, 1, 2, 3, 4])


def test_ctrl_c_ends_the_engine_in_order_and_is_raised_once(stuck):
    running = stuck("try:\n    batchmill.run(workflow)\nexcept KeyboardInterrupt as error:\n    print('once:', error)\nprint('after')")
    engine = engine_of(running.process.pid)
    os.kill(running.process.pid, signal.SIGINT)
    hurry(engine)
    code, out, err = running.ends()
    run = batchmill.open()
    assert out == f"once: batchmill.resume('{run.id}') continues the run\nafter\n", err
    assert (code, run.status) == (0, "interrupted")
    assert list(run.steps["wait"].results) == [0, 1]
    finished_by_resume()


def test_ctrl_c_that_nobody_catches_ends_the_program(stuck):
    running = stuck("batchmill.run(workflow)")
    engine = engine_of(running.process.pid)
    os.kill(running.process.pid, signal.SIGINT)
    hurry(engine)
    code, _, err = running.ends()
    assert code == -signal.SIGINT and err.rstrip().endswith("continues the run")


def test_a_terminal_sends_ctrl_c_to_the_client_alone(stuck):
    running = stuck()
    assert os.getpgid(engine_of(running.process.pid)) != os.getpgid(running.process.pid)


def test_the_engine_ends_when_the_client_is_killed(stuck):
    running = stuck()
    engine = engine_of(running.process.pid)
    running.process.kill()
    running.ends()
    hurry(engine)
    assert batchmill.open().status == "interrupted"
    finished_by_resume()


def test_a_killed_engine_is_an_error_that_says_how_to_go_on(stuck):
    running = stuck()
    os.kill(engine_of(running.process.pid), signal.SIGKILL)
    _, out, _ = running.ends()
    run = batchmill.open()
    assert out == f"EngineDiedError the engine was killed by SIGKILL; batchmill.resume('{run.id}') continues the run\n"
    assert run.status == "interrupted"
    finished_by_resume()


def test_run_resume_continues_the_latest_run_of_a_mapping(stuck):
    running = stuck()
    os.kill(engine_of(running.process.pid), signal.SIGKILL)
    running.ends()
    killed = batchmill.open()
    with open("go", "w"):
        pass
    namespace = {}
    exec(STUCK, namespace)
    run = batchmill.run(namespace["workflow"], resume=True, check=True)
    assert (run.id, list(run.steps["wait"].results)) == (killed.id, [0, 1, 2, 3, 4])


def test_a_run_stopped_by_someone_else_is_interrupted(stuck):
    running = stuck("run = batchmill.run(workflow)\nprint(run.status, run.exit_code)")
    engine = engine_of(running.process.pid)
    os.kill(engine, signal.SIGTERM)
    hurry(engine)
    # Signals that wait together come in the order of their numbers.
    assert running.ends()[1] in ("interrupted 143\n", "interrupted 130\n")


def test_a_run_that_another_process_works_on_is_refused(stuck):
    running = stuck()
    found = batchmill.open()
    assert found.status == "running"
    with pytest.raises(batchmill.RunLockedError, match="in use by another process"):
        batchmill.resume()
    assert running.process.poll() is None


def test_a_run_in_a_thread_ends_with_the_program(stuck):
    running = stuck(
        "thread = threading.Thread(target=batchmill.run, args=(workflow,), daemon=True)\n"
        "thread.start()\nsys.stdin.read()\nprint('bye', flush=True)"
    )
    engine = engine_of(running.process.pid)
    _, out, _ = running.ends()
    assert out == "bye\n"
    hurry(engine)
    assert batchmill.open().status == "interrupted"
