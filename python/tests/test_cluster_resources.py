"""What steps need of the machines of a cluster, and which of them ran what."""

import json
import os
import platform
import subprocess
import sys

import batchmill
import pytest
from batchmill import _binary
from workflows import batch, python, refused, results

distributed = pytest.importorskip("distributed", reason="Dask is not installed for this interpreter")
# Executors are found in the module `clusters`.
pytestmark = pytest.mark.usefixtures("modules")


def needing(**resources):
    """A workflow with a step that needs this."""
    needs = {"resources": resources} if resources else {}
    return {"name": "needing", "steps": [batch("step", {"range": 40}, python("return item ** 2"), **needs)]}


def report():
    """The figures of the newest run."""
    subprocess.run([_binary.find_engine(), "report", "--format", "json", "--output", "report.json"], check=True)
    with open("report.json") as file:
        return {step["name"]: step for step in json.load(file)["steps"]}


def width(executor, **resources):
    """How many frames of such a step run side by side."""
    run = batchmill.run(needing(**resources), executor=executor, progress=False)
    assert list(run.steps["step"].results) == [item**2 for item in range(40)]
    return report()["step"]["time"]["slots"]


@pytest.fixture(scope="module")
def rich_dask():
    """Two workers with four threads, of which each has some resources."""
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=4,
        resources={"GPU": 1, "MEMORY": 8e9, "license": 3},
        dashboard_address=None,
        protocol="tcp",
    ) as cluster:
        yield f"dask={cluster.scheduler_address}"


def test_dask_runs_as_many_frames_as_its_workers_have_resources_for(rich_dask):
    assert width(rich_dask) == 8
    assert width(rich_dask, gpus=1) == 2
    assert width(rich_dask, memory="4GB") == 4
    assert width(rich_dask, gpus=0.25, custom={"license": 1}) == 6


def test_dask_gives_no_frame_to_a_worker_that_lacks_what_it_needs(rich_dask):
    os.mkdir("running")
    code = """
import os
open(f'running/{item}', 'w').close()
seen = 0
for _ in range(200):
    seen = max(seen, len(os.listdir('running')))
os.remove(f'running/{item}')
return seen
"""
    step = batch("step", {"range": 100}, python(code), max_parallel=8, batch_timeout=60, resources={"gpus": 1})
    run = batchmill.run({"name": "crowd", "steps": [step]}, executor=rich_dask, progress=False)
    assert max(run.steps["step"].results) == 2, "though eight frames are on their way"


def test_what_no_worker_has_is_refused_with_the_options_to_type(rich_dask, dask_address):
    message = refused(rich_dask, needing(gpus=2, custom={"license": 1}))
    assert "no worker of the Dask scheduler has the resources GPU=2 and license=1" in message
    assert 'dask worker ADDRESS --resources "GPU=2,license=1"' in message and "resources" in message
    assert "has the resources CPU=1" in refused(f"dask={dask_address}", needing(cpus=1))


def test_ray_runs_as_many_frames_as_its_nodes_have_resources_for(ray_address):
    executor = f"ray={ray_address}"
    assert width(executor) == 2
    assert width(executor, cpus=0.5) == 4
    assert width(executor, cpus=2) == 1
    assert "no node of the Ray cluster has the resources CPU=3" in refused(executor, needing(cpus=3))
    assert "has the resources CPU=1 and license=1" in refused(executor, needing(custom={"license": 1}))
    assert "Ray takes 1.5 GPUs for no task" in refused(executor, needing(gpus=1.5))


def test_a_pool_knows_nothing_of_resources():
    assert width("python=clusters:pool", cpus=64, gpus=1) == 2


def test_how_large_a_cluster_is_counts_when_a_step_begins(here):
    os.mkfifo(here / "more")
    steps = [
        batch("before", {"range": 40}, python("return item")),
        # The second line comes when the worker is there.
        {"name": "grow", "task": "shell", "inputs": {"command": "echo > more; read there < more"}},
        batch("after", {"range": 40}, python("return item")),
    ]
    run = batchmill.run({"name": "growing", "steps": steps}, executor="dask=clusters:growing", progress=False)
    assert run.status == "succeeded"
    assert [report()[name]["time"]["slots"] for name in ("before", "after")] == [1, 3]


def test_the_report_has_a_row_per_host_whose_figures_add_up(executor):
    code = "if item % 10 == 0: raise ValueError(item)\nreturn item"
    step = batch("step", {"range": 200}, python(code), continue_on_error=True, retry={"max_attempts": 2, "delay": 0})
    run = batchmill.run({"name": "hosts", "steps": [step]}, executor=executor, progress=False)
    assert run.steps["step"].stats.failed == 20
    figures = report()["step"]
    (host,) = figures["hosts"]
    assert host["host"] == platform.node() and 1 <= host["processes"] <= 2
    assert (host["succeeded"], host["failed"], host["retried"]) == (180, 20, 20)
    assert host["frames"] == figures["time"]["frames"] and host["seconds"] > 0
    page = subprocess.run(
        [_binary.find_engine(), "report", "--output", "-"], check=True, capture_output=True, text=True
    ).stdout
    assert ">Hosts<" in page
    assert "Python code ran in" in figures["time"]["limited_by"] and "on 1 host" in figures["time"]["limited_by"]


def test_a_run_without_an_executor_has_no_row_of_hosts():
    batchmill.run({"name": "here", "steps": [batch("step", {"range": 4}, python("return item"))]}, progress=False)
    assert report()["step"]["hosts"] == []


def test_what_a_step_needs_changes_no_result(executor):
    # The workers of Dask here have none.
    needs = {} if executor.startswith("dask") else {"cpus": 1}
    assert results(needing(**needs), executor) == results(needing())


def test_frames_that_no_worker_can_run_are_refused_when_the_workers_are_there(here):
    # As with a batch queue: the scheduler is there first, and its workers come without the resources.
    with distributed.LocalCluster(n_workers=0, dashboard_address=None, protocol="tcp") as cluster:
        (here / "w.json").write_text(json.dumps(needing(gpus=1)))
        command = [_binary.find_engine(), "run", "w.json", "--executor", f"dask={cluster.scheduler_address}"]
        engine = subprocess.Popen([*command, "--python", sys.executable], stderr=subprocess.PIPE, text=True)
        assert any("step step" in line for line in engine.stderr), "it waits for workers"
        cluster.scale(1)
        _, said = engine.communicate(timeout=60)
    assert engine.returncode == 3 and "no worker of the Dask scheduler has the resources GPU=1" in said


@pytest.mark.parametrize(
    ("resources", "message"),
    [
        ({"custom": {"CPU": 1}}, "write `cpus` next to `custom`"),
        ({"custom": {'a"b': 1}}, "names are letters, digits"),
        ({"custom": {"": 1}}, "names are letters, digits"),
        ({"custom": {"a": 1, "b": -1}}, "needs a number of at least 0.0001 for `b`"),
        ({"custom": {}}, "a mapping of names to numbers"),
        ({"cpus": 1e-300}, "a number of at least 0.0001"),
    ],
)
def test_wrong_resources_are_refused_with_what_to_write(resources, message):
    assert message in refused(None, needing(**resources))
