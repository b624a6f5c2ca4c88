"""Nothing is lost on clusters whoever dies, and nothing is left."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import batchmill
import pytest
from batchmill import _binary
from conftest import is_gone
from workflows import batch, python

distributed = pytest.importorskip("distributed", reason="Dask is not installed for this interpreter")
# Executors are found in the module `clusters`.
pytestmark = pytest.mark.usefixtures("modules")

# The longest that anything here should take, in seconds.
PATIENCE = 40
HERE = Path(__file__).parent


def hanging(fifo):
    """A step whose first item hangs once, when it has said which process it is."""
    code = f"""
import os, signal
if item == 0 and not os.path.exists("hung"):
    open("hung", "w").close()
    with open({str(fifo)!r}, "w") as file:
        file.write(str(os.getpid()))
    signal.pause()
return item
"""
    return {"name": "hanging", "steps": [batch("step", {"range": 8}, python(code), batch_size=1, max_parallel=2)]}


@pytest.fixture
def started_with(here):
    """Starts the engine with a workflow that writes to `fifo`; gives the engine and the process of the worker."""
    fifo = here / "fifo"
    os.mkfifo(fifo)
    workflow = here / "workflow.json"
    engines = []

    def start(content, executor):
        workflow.write_text(json.dumps(content))
        command = [_binary.find_engine(), "run", str(workflow), "--executor", executor, "--python", sys.executable]
        engine = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        engines.append(engine)
        return engine, int(fifo.read_text())

    yield start
    for engine in engines:
        engine.kill()
        engine.wait()
        engine.stdout.close()


@pytest.fixture
def started(here, started_with):
    """Starts the engine with a step that hangs; gives the engine and the process of the worker."""
    return lambda executor: started_with(hanging(here / "fifo"), executor)


def parent(pid):
    """The parent of a process."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def ended(engine):
    """Exit code and output of an engine that ends by itself."""
    output, _ = engine.communicate(timeout=PATIENCE)
    return engine.returncode, output


def audited():
    """What `batchmill audit` says of the latest run."""
    done = subprocess.run([_binary.find_engine(), "audit"], capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


def test_a_process_of_a_pool_that_is_killed_costs_nothing(started):
    engine, worker = started("python=clusters:pool")
    os.kill(parent(parent(worker)), signal.SIGKILL)
    code, output = ended(engine)
    assert code == 0, output
    assert list(batchmill.open("latest").steps["step"].results) == list(range(8))
    assert is_gone(worker)
    assert audited()[0] == 0


def test_a_worker_of_dask_that_is_killed_costs_nothing(started, dask_address):
    engine, worker = started(f"dask={dask_address}")
    os.kill(parent(parent(worker)), signal.SIGKILL)
    code, output = ended(engine)
    assert code == 0, output
    assert list(batchmill.open("latest").steps["step"].results) == list(range(8))
    assert is_gone(worker)


def test_a_worker_of_ray_that_is_killed_costs_nothing(started, ray_address):
    engine, worker = started(f"ray={ray_address}")
    os.kill(parent(parent(worker)), signal.SIGKILL)
    code, output = ended(engine)
    assert code == 0, output
    assert list(batchmill.open("latest").steps["step"].results) == list(range(8))
    assert is_gone(worker)


def test_a_driver_that_is_killed_ends_the_run_and_another_executor_goes_on(started):
    engine, worker = started("python=clusters:threads")
    os.kill(parent(parent(worker)), signal.SIGKILL)
    code, output = ended(engine)
    assert code == 3
    assert "its driver has ended" in output
    assert is_gone(worker)
    assert batchmill.resume(executor="python=clusters:pool", progress=False).status == "succeeded"
    assert list(batchmill.open("latest").steps["step"].results) == list(range(8))


@pytest.mark.parametrize("kind", ["pool", "threads", "dask"])
def test_an_engine_that_is_killed_leaves_no_process_and_the_run_can_go_on(started, kind, dask_address):
    engine, worker = started(f"dask={dask_address}" if kind == "dask" else f"python=clusters:{kind}")
    engine.kill()
    assert is_gone(worker)
    assert batchmill.resume(progress=False).status == "succeeded"
    assert audited()[0] == 0


def test_a_scheduler_that_goes_away_ends_the_run_and_the_run_can_go_on(started):
    cluster = distributed.LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=None, protocol="tcp")
    engine, worker = started(f"dask={cluster.scheduler_address}")
    cluster.close()
    code, output = ended(engine)
    assert code == 3, output
    assert "Dask scheduler is gone" in output
    assert is_gone(worker)
    assert batchmill.resume(progress=False).status == "succeeded"


def test_ctrl_c_twice_ends_what_is_running_there(started):
    engine, worker = started("python=clusters:pool")
    engine.send_signal(signal.SIGINT)
    engine.send_signal(signal.SIGINT)
    code, output = ended(engine)
    assert code == 130, output
    assert is_gone(worker)


def test_an_item_that_takes_its_host_along_fails_alone():
    # The parent of a worker is the host.
    code = "import os, signal\nif item == 4:\n    os.kill(os.getppid(), signal.SIGKILL)\n    signal.pause()\nreturn item"
    step = batch("step", {"range": 8}, python(code), batch_size=2, continue_on_error=True)
    run = batchmill.run({"name": "lost", "steps": [step]}, executor="python=clusters:pool", progress=False)
    (failure,) = run.failures
    assert (failure.index, failure.type) == (4, "NodeLost")
    assert "lost 3 times" in failure.message
    assert run.steps["step"].stats.succeeded == 7


def test_nothing_is_left_when_a_run_has_ended():
    code = "import os\nreturn [os.getpid(), os.getppid()]"
    step = batch("step", {"range": 4}, python(code), batch_size=1)
    run = batchmill.run({"name": "left", "steps": [step]}, executor="python=clusters:pool", progress=False)
    pids = {pid for pair in run.steps["step"].results for pid in pair}
    before = time.monotonic()
    assert all(is_gone(pid) for pid in pids), time.monotonic() - before


def test_a_run_that_ends_leaves_other_runs_of_the_cluster_alone(started, dask_address):
    engine, worker = started(f"dask={dask_address}")
    quick = {"name": "quick", "steps": [batch("step", {"range": 4}, python("return item"))]}
    # The first workers are busy; one of the two is left.
    assert batchmill.run(quick, executor=f"dask={dask_address}", progress=False).status == "succeeded"
    os.kill(worker, 0)
    engine.send_signal(signal.SIGINT)
    engine.send_signal(signal.SIGINT)
    assert ended(engine)[0] == 130


@pytest.mark.parametrize("executor", ["python=clusters:pool", "dask=local"])
def test_items_of_a_frame_that_was_sent_can_be_cancelled_and_skipped(started_with, here, executor):
    code = """
import os, signal
if item == 0:
    with open("fifo", "w") as file:
        file.write(str(os.getpid()))
    signal.pause()
return item
"""
    step = batch("step", {"range": 4}, python(code), batch_size=4, max_parallel=1, batched=False)
    engine, worker = started_with({"name": "withdrawn", "steps": [step]}, executor)
    ctl = [_binary.find_engine(), "ctl"]
    subprocess.run([*ctl, "skip", "step:2"], check=True)
    done = subprocess.run([*ctl, "cancel", "step:0"], check=True, capture_output=True, text=True)
    assert "cancelling item 0" in done.stdout + done.stderr
    code, output = ended(engine)
    assert list(batchmill.open("latest").steps["step"].results) == [1, 3], output
    assert batchmill.open("latest").steps["step"].stats.cancelled == 2
    assert is_gone(worker)
    assert audited()[0] == 0


def test_a_step_that_stops_keeps_what_its_frames_have_done(started_with):
    # The first frame is told of the stop while it runs its second item; its third one never begins.
    code = """
import glob, os, time
if item == 1:
    with open("fifo", "w") as file:
        file.write(str(os.getpid()))
    (token,) = glob.glob(".batchmill/runs/*/shared-*")
    while not open(token).read().endswith("stop\\n"):
        time.sleep(0.01)
    time.sleep(2)
return item
"""
    step = batch("step", {"range": 4}, python(code), batch_size=4, max_parallel=1, batched=False)
    engine, _ = started_with({"name": "stops", "steps": [step]}, "python=clusters:pool")
    engine.send_signal(signal.SIGINT)
    code, output = ended(engine)
    assert code == 130, output
    stats = batchmill.open("latest").steps["step"].stats
    assert (stats.succeeded, stats.skipped) == (2, 2)


def test_a_failure_that_stops_a_step_stops_frames_that_were_not_sent():
    code = "if item == 20:\n    raise ValueError('no')\nreturn item"
    step = batch("step", {"range": 60}, python(code), batch_size=10, max_parallel=1, batched=False)
    workflow = {"name": "stops", "steps": [step]}
    there = batchmill.run(workflow, executor="python=clusters:pool", progress=False).steps["step"].stats
    here = batchmill.run(workflow, progress=False).steps["step"].stats
    assert (there.succeeded, there.failed, there.skipped) == (here.succeeded, here.failed, here.skipped)


@pytest.mark.parametrize("executor", ["python=clusters:pool", "python=clusters:threads", "dask=local"])
def test_teardown_runs_before_a_run_has_ended(executor):
    task = python("return item", teardown="import os, time\ntime.sleep(1)\nopen(f'{os.getpid()}.done', 'w').close()")
    run = batchmill.run({"name": "down", "steps": [batch("step", {"range": 4}, task)]}, executor=executor, progress=False)
    assert run.status == "succeeded"
    assert list(Path().glob("*.done"))


def test_an_item_that_breaks_a_pool_costs_no_other_item():
    # The grandparent of a worker is the process of the pool.
    code = """
import os, signal, time
if item == 0:
    host = os.getppid()
    pool = int(open(f"/proc/{host}/stat").read().rpartition(")")[2].split()[1])
    os.kill(pool, signal.SIGKILL)
    signal.pause()
time.sleep(2)
return item
"""
    step = batch("step", {"range": 3}, python(code), batch_size=1, continue_on_error=True)
    run = batchmill.run({"name": "breaks", "steps": [step]}, executor="python=clusters:pool", progress=False)
    assert [(one.index, one.type) for one in run.failures] == [(0, "NodeLost")]
    assert list(run.steps["step"].results) == [1, 2]


def test_ctrl_c_ends_an_executor_that_hangs_while_it_starts(here):
    os.mkfifo(here / "starting")
    (here / "w.json").write_text(json.dumps({"name": "w", "steps": [batch("s", {"range": 2}, python("return item"))]}))
    command = [_binary.find_engine(), "run", "w.json", "--executor", "python=clusters:hanging", "--python", sys.executable]
    engine = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    driver = int((here / "starting").read_text())
    engine.send_signal(signal.SIGINT)
    code, output = ended(engine)
    assert code != 0 and "stopped while the executor was starting" in output
    assert is_gone(driver)
