"""What a terminal shows of a run."""

import os
import re

WORKFLOW = {
    "name": "shown",
    "steps": [
        {"name": "count", "for_each": {"range": 3}, "task": "python", "inputs": {"code": "return item"}},
        {"name": "say", "task": "echo", "inputs": {"message": "a {{ '\x1b[31m' }} b\nnext"}},
    ],
}


def shown(script, code):
    """What a program writes to the terminal that is its stderr."""
    ours, theirs = os.openpty()
    running = script(f"import batchmill\nworkflow = {WORKFLOW!r}\n{code}", stderr=theirs, env={**os.environ, "TERM": "xterm"})
    os.close(theirs)
    text = b""
    try:
        while data := os.read(ours, 65536):
            text += data
    except OSError:
        # Nobody writes to it any more.
        pass
    os.close(ours)
    running.process.communicate()
    assert running.process.returncode == 0, text
    return text.decode()


def test_a_terminal_has_a_bar_that_lines_take_the_place_of(script):
    text = shown(script, "batchmill.run(workflow)")
    assert "count  ─" in text
    kept = [line.rpartition("\x1b[2K")[2] for line in text.split("\r\n")]
    assert re.fullmatch(r"count: 3 items in [\d.e-]+ s: succeeded", kept[0])
    assert kept[1:3] == ["say: a \\x1b[31m b", "say: next"]
    assert kept[-1] == ""
    assert kept[-2].endswith(": succeeded") and kept[-2].startswith("run ")


def test_a_terminal_has_nothing_if_nothing_is_wanted(script):
    assert shown(script, "batchmill.run(workflow, progress=False)") == ""
    assert shown(script, "batchmill.run(workflow, progress=lambda event: None)") == ""


def test_a_program_without_stderr_runs_all_the_same(script):
    code = "import sys\nsys.stderr = None\nprint(batchmill.run(workflow).status)"
    running = script(f"import batchmill\nworkflow = {WORKFLOW!r}\n{code}")
    assert running.ends()[1] == "succeeded\n"
