"""`batchmill.run` in a notebook, with a real kernel."""

import os

import nbformat
import pytest
from conftest import engine_of, hurry
from jupyter_client.manager import start_new_kernel
from nbclient import NotebookClient

WORKFLOW = """
import batchmill
workflow = {"name": "cells", "steps": [{"name": "square", "for_each": {"range": 4}, "task": "python", "continue_on_error": True,
    "inputs": {"code": "assert item != 2, '<two>'\\nreturn item ** 2"}}]}
"""


@pytest.fixture
def notebook(here):
    """Executes cells, and returns their outputs."""

    def execute(*cells):
        made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        NotebookClient(made, timeout=120, resources={"metadata": {"path": str(here)}}).execute()
        return [cell.outputs for cell in made.cells]

    return execute


def test_a_run_shows_one_line_while_it_runs_and_is_a_table(notebook):
    _, [shown, table], [number], errors = notebook(
        WORKFLOW,
        "run = batchmill.run(workflow)\nrun",
        "run.steps['square'].results.to_pandas()['value'].sum()",
        "try:\n    batchmill.run({**workflow, 'stps': []})\nexcept batchmill.WorkflowError as error:\n    print(error.errors[0].path)",
    )
    assert shown.output_type == "display_data"
    lines = shown.data["text/plain"].splitlines()
    assert lines[0].startswith("square: 4 items, 1 failed in ") and lines[1].endswith(": partial") and len(lines) == 2
    assert "<td>partial</td><td>4</td><td>3</td><td>1</td>" in table.data["text/html"]
    assert "AssertionError: &lt;two&gt;" in table.data["text/html"]
    assert "10" in number.data["text/plain"]
    assert [output.text for output in errors] == ["stps\n"]


def reply(client):
    """What the kernel answers to the code."""
    while (message := client.get_shell_msg(timeout=120))["msg_type"] != "execute_reply":
        pass
    return message["content"]


def test_interrupting_the_kernel_ends_the_run_and_keeps_the_kernel(here):
    os.mkfifo("began")
    kernel, client = start_new_kernel(cwd=str(here))
    try:
        code = "import os, time\\nos.open('began', os.O_WRONLY)\\ntime.sleep(600)"
        client.execute(
            "import batchmill\nbatchmill.run({'name': 'stuck', 'steps': [{'name': 'a', 'for_each': [1], 'task': 'python',"
            f' "inputs": {{"code": "{code}"}}}}]}})'
        )
        with open("began"):
            pass
        engine = engine_of(kernel.provisioner.pid)
        kernel.interrupt_kernel()
        hurry(engine)
        assert reply(client)["ename"] == "KeyboardInterrupt"
        client.execute("print(batchmill.open().status)")
        assert reply(client)["status"] == "ok"
        printed = ""
        while "interrupted" not in printed:
            message = client.get_iopub_msg(timeout=120)
            printed += message["content"].get("text", "") if message["msg_type"] == "stream" else ""
    finally:
        client.stop_channels()
        kernel.shutdown_kernel(now=True)
