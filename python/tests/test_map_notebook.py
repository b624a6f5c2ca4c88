"""`map` in a notebook: a real kernel, which is interrupted and killed."""

import queue

import pytest
from conftest import is_gone

pytest.importorskip("ipykernel")
manager = pytest.importorskip("jupyter_client.manager")

PATIENCE = 120


@pytest.fixture
def kernel():
    kernel, client = manager.start_new_kernel(kernel_name="python3")
    yield kernel, client
    client.stop_channels()
    kernel.shutdown_kernel(now=True)


def run(client, code):
    """Run a cell. Return what it printed, and the name of the exception that ended it."""
    printed = []

    def hear(message):
        if message["msg_type"] == "stream":
            printed.append(message["content"]["text"])

    reply = client.execute_interactive(code, timeout=PATIENCE, output_hook=hear, store_history=False)
    return "".join(printed), reply["content"].get("ename")


HANG = """
import batchmill, os, signal
def hang(n):
    print(os.getpid(), flush=True)
    signal.pause()
list(batchmill.map(hang, [1]))
"""


def start_hanging(client):
    """Run a cell that hangs in a worker. Return the worker's process."""
    client.execute(HANG)
    while True:
        message = client.get_iopub_msg(timeout=PATIENCE)
        if message["msg_type"] == "stream":
            return int(message["content"]["text"])


def test_functions_and_classes_of_cells_will_do_and_may_change_between_calls(kernel):
    _, client = kernel
    run(client, "import batchmill\nclass Point:\n    def __init__(self, x):\n        self.x = x\ndef make(x):\n    return Point(x)")
    call = "print([(type(p) is Point, p.x) for p in batchmill.map(make, [1, 2])])"
    assert run(client, call) == ("[(True, 1), (True, 2)]\n", None)
    run(client, "class Point:\n    def __init__(self, x):\n        self.x = 10 * x")
    assert run(client, call) == ("[(True, 10), (True, 20)]\n", None)


def test_an_interrupt_ends_the_call_and_the_kernel_goes_on(kernel):
    manager, client = kernel
    worker = start_hanging(client)
    manager.interrupt_kernel()
    while (reply := client.get_shell_msg(timeout=PATIENCE))["msg_type"] != "execute_reply":
        pass
    assert reply["content"].get("ename") == "KeyboardInterrupt", reply["content"]
    assert is_gone(worker)
    with pytest.raises(queue.Empty):
        while True:
            client.get_iopub_msg(timeout=0.1)
    assert run(client, "print(*batchmill.map(abs, [-1]))") == ("1\n", None)


def test_workers_end_with_a_kernel_that_is_killed(kernel):
    manager, client = kernel
    worker = start_hanging(client)
    manager.shutdown_kernel(now=True)
    assert is_gone(worker)


def test_progress_is_one_line_that_is_written_again(kernel):
    _, client = kernel
    printed, error = run(client, "import batchmill\nlist(batchmill.map(abs, range(10), progress=True))")
    assert error is None and printed.rpartition("\r")[2].startswith("abs: 100% 10/10 items")
