"""A step on a cluster of which some process is killed again and again: nothing is lost, whichever it is."""

import json
import random
import signal
import subprocess
import sys
from contextlib import suppress

import batchmill
import pytest
from batchmill import _binary
from conftest import is_gone
from workflows import batch, python

pytest.importorskip("distributed", reason="Dask is not installed for this interpreter")
psutil = pytest.importorskip("psutil")
# Executors are found in the module `clusters`.
pytestmark = pytest.mark.usefixtures("modules")

ITEMS = 1200
EXECUTORS = ("python=clusters:pool", "python=clusters:threads", "dask=local")
# How many batches end between two kills.
BETWEEN = (3, 20)
# More executions than a run should ever take.
MANY = 100


def family(process):
    """A process and all below it."""
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def execute(command, rng):
    """Run the engine and kill one of its processes every few batches. Return its exit code when nothing of it is left."""
    engine = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    left, pids = rng.randint(*BETWEEN), set()
    for line in engine.stderr:
        left -= line.startswith('{"event":"batch_finished"')
        if left == 0:
            left = rng.randint(*BETWEEN)
            members = family(psutil.Process(engine.pid))
            pids.update(member.pid for member in members)
            with suppress(psutil.NoSuchProcess):
                rng.choice(members).send_signal(signal.SIGKILL)
    engine.stderr.close()
    engine.wait()
    assert all(is_gone(pid) for pid in pids - {engine.pid})
    return engine.returncode


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_nothing_is_lost_whoever_is_killed_and_wherever_it_goes_on(seed, here):
    rng = random.Random(seed)
    step = batch(
        "step",
        {"range": ITEMS},
        python("sum(range(20_000))\nreturn [item, item**2]"),
        batch_size=4,
        # Each batch travels alone, so that there are many frames.
        batch_timeout=60,
        continue_on_error=True,
        retry={"max_attempts": 20, "delay": 0, "on": "crash"},
    )
    (here / "w.json").write_text(json.dumps({"name": "chaos", "steps": [step]}))
    verb = ["run", "w.json"]
    for _ in range(MANY):
        options = ["--executor", rng.choice(EXECUTORS), "--python", sys.executable, "--progress", "json"]
        code = execute([_binary.find_engine(), *verb, *options], rng)
        verb = ["resume"]
        if code == 0:
            break
    assert code == 0
    assert list(batchmill.open("latest").steps["step"].results) == [[item, item**2] for item in range(ITEMS)]
    subprocess.run([_binary.find_engine(), "audit"], check=True, stdout=subprocess.DEVNULL)
