"""Batch steps on clusters: the same results as here, and nothing lost whoever dies."""

import http.server
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from conftest import is_gone

import batchmill
from batchmill import _binary

distributed = pytest.importorskip("distributed", reason="Dask is not installed for this interpreter")

# The longest that anything here should take, in seconds.
PATIENCE = 120
HERE = Path(__file__).parent


@pytest.fixture(autouse=True)
def modules(monkeypatch):
    """Executors are found in the module `clusters`."""
    monkeypatch.setenv("PYTHONPATH", str(HERE))


@pytest.fixture(scope="module")
def dask_address():
    """A scheduler with two worker processes."""
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, protocol="tcp"
    ) as cluster:
        yield cluster.scheduler_address


@pytest.fixture(scope="module")
def ray_address():
    """A Ray cluster of two processes."""
    ray = pytest.importorskip("ray", reason="Ray is not installed for this interpreter")
    try:
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    except Exception as error:
        pytest.skip(f"Ray does not start on this machine: {error}")
    yield ray.get_runtime_context().gcs_address
    ray.shutdown()


@pytest.fixture(params=["pool", "dask", "ray"])
def executor(request):
    """Each kind of executor."""
    if request.param == "pool":
        return "python=clusters:pool"
    return f"{request.param}={request.getfixturevalue(request.param + '_address')}"


def batch(name, items, task, **keys):
    """A step with a task for each item."""
    return {"name": name, "type": "batch", "inputs": {"items": items, "parallel": True, "task": task, **keys}}


def shell(command):
    return {"type": "shell", "inputs": {"command": command}}


def python(code, **keys):
    return {"type": "python", "code": code, **keys}


@pytest.fixture
def server():
    """A server that answers with what it was asked for; every seventh is busy at first."""
    asked = set()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self):
            number = int(self.path[1:])
            is_busy = number % 7 == 0 and number not in asked
            asked.add(number)
            body = json.dumps({"number": number, "square": number**2}).encode()
            self.send_response(503 if is_busy else 200)
            self.send_header("content-length", str(len(body)))
            if is_busy:
                self.send_header("retry-after", "0")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}", asked
    server.shutdown()


def results(workflow, executor=None):
    """All that a run leaves: the results of its steps, and its files."""
    run = batchmill.run(workflow, executor=executor, progress=False)
    found = {name: (list(step.results), step.stats.failed) for name, step in run.steps.items() if step.is_batch}
    files = {path.name: path.read_bytes() for path in Path("out").glob("*")}
    return run.status, found, files


def test_python_code_gives_what_it_gives_here(executor):
    flights = Path("flights")
    flights.mkdir()
    for month in range(6):
        rows = "".join(f"{day},{(day * 7 + month) % 50 - 10}\n" for day in range(200))
        (flights / f"{month}.csv").write_text("day,delay\n" + rows)
    workflow = {
        "name": "flights",
        "params": {"late": {"type": "integer", "default": 15}},
        "steps": [
            batch(
                "read",
                {"csv": "flights/*.csv"},
                python("print(len(item))\nreturn [{'late': int(one['delay']) > params['late']} for one in item]"),
                batch_size=50,
            ),
            {
                **batch(
                    "sum",
                    {"range": 3},
                    python("return sum(one['late'] for one in steps['read']['results']) * item"),
                ),
                "outputs": {"path": "out/sum.csv"},
            },
        ],
    }
    assert results(workflow, executor) == results(workflow)


def test_rows_to_parquet_give_the_same_bytes(executor):
    Path("rows.csv").write_text("a,b\n" + "".join(f"{number},{number / 3!r}\n" for number in range(3000)))
    step = batch(
        "double",
        {"csv": "rows.csv", "types": {"a": "integer", "b": "number"}},
        python("return [{**one, 'c': one['a'] * one['b']} for one in item]"),
        batch_size=100,
    )
    workflow = {"name": "parquet", "steps": [{**step, "outputs": {"path": "out/rows.parquet"}}]}
    assert results(workflow, executor) == results(workflow)


def test_commands_see_parameters_and_earlier_results(executor):
    workflow = {
        "name": "commands",
        "env": {"GREETING": "hello"},
        "params": {"name": {"default": "it's; $(me)"}},
        "steps": [
            batch("first", {"range": 20}, shell("printf '%s %s %s' \"$GREETING\" {{ params.name }} {{ item }}")),
            batch(
                "second",
                "{{ steps.first.results }}",
                shell("test {{ index }} -ne 7 && echo {{ item.stdout }} {{ steps.first.results | length }}"),
                continue_on_error=True,
            ),
        ],
    }
    there, here = results(workflow, executor), results(workflow)
    assert there == here
    assert there[1]["second"][1] == 1


def test_requests_are_retried_by_the_engine(executor, server):
    url, asked = server
    task = {
        "type": "http_request",
        "inputs": {"url": url + "/{{ item }}", "fields": ["status", "json.square"]},
    }
    workflow = {"name": "requests", "steps": [batch("get", {"range": 30}, task, retry=3)]}
    there = results(workflow, executor)
    asked.clear()
    assert there == results(workflow)
    assert there[0] == "succeeded"


def test_a_crash_costs_one_item(executor):
    code = "import os\nif item == 5:\n    os._exit(3)\nreturn item"
    workflow = {"name": "crash", "steps": [batch("step", {"range": 10}, python(code), continue_on_error=True)]}
    run = batchmill.run(workflow, executor=executor, progress=False)
    assert run.status == "partial"
    assert [(one.index, one.type) for one in run.failures] == [(5, "Crash")]


def test_an_item_that_takes_too_long_is_killed(executor):
    code = "import time\nif item == 3:\n    time.sleep(600)\nreturn item"
    # Long enough for the others, however busy the machine is.
    step = batch("step", {"range": 6}, python(code), continue_on_error=True, timeout=5)
    run = batchmill.run({"name": "late", "steps": [step]}, executor=executor, progress=False)
    assert [(one.index, one.type) for one in run.failures] == [(3, "Timeout")]


def test_a_batch_on_other_machines_is_a_table_there_too(executor):
    task = python("item['b'] = item['a'] * 2\nreturn item")
    step = batch("step", [{"a": 1}, {"a": 2}, {"a": 3}], task, batch_size=2, batch_format="pandas")
    workflow = {"name": "tables", "steps": [step]}
    assert results(workflow, executor) == results(workflow)


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


def test_a_function_makes_a_cluster_of_dask():
    workflow = {"name": "made", "steps": [batch("step", {"range": 8}, python("return item"))]}
    assert results(workflow, "dask=clusters:dask_cluster") == results(workflow)


def test_a_client_of_dask_is_an_executor(dask_address):
    workflow = {"name": "client", "steps": [batch("step", {"range": 8}, python("return item"))]}
    with distributed.Client(dask_address) as client:
        assert results(workflow, client) == results(workflow)


def refused(executor, workflow=None):
    """Return the message of the error."""
    step = batch("step", {"range": 2}, python("return item"))
    with pytest.raises(batchmill.BatchmillError) as caught:
        run = batchmill.run(workflow or {"name": "no", "steps": [step]}, executor=executor, progress=False, check=True)
        raise AssertionError(run)
    return str(caught.value)


def test_what_cannot_be_an_executor_is_refused_with_the_way_out():
    assert "MODULE:FUNCTION" in refused("spark=local")
    assert "MODULE:FUNCTION" in refused("python=clusters")
    assert "No module named 'nowhere'" in refused("python=nowhere:pool")
    assert "has no attribute 'pond'" in refused("python=clusters:pond")
    assert "returned int, which is not a concurrent.futures.Executor" in refused("python=clusters:number")
    assert "raised OSError: no queue today" in refused("python=clusters:broken")
    with pytest.raises(TypeError, match="not `int`"):
        refused(7)


def test_a_scheduler_that_is_not_there_is_said(monkeypatch):
    monkeypatch.setenv("DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT", "500ms")
    said = refused("dask=tcp://127.0.0.1:9")
    assert "the executor `dask=tcp://127.0.0.1:9` cannot be used" in said
    assert "dask scheduler" in said


def test_hosts_that_do_not_share_the_files_are_refused():
    said = refused("python=clusters:elsewhere")
    assert "does not see the directory of the run" in said
    assert "must share the file system" in said


def test_what_writes_files_where_it_runs_is_refused():
    task = {"type": "http_request", "inputs": {"url": "http://127.0.0.1:9/{{ item }}", "save_to": "{{ item }}.html"}}
    saved = {"name": "saved", "steps": [batch("get", {"range": 2}, task)]}
    assert "`save_to` is not possible with an executor" in refused("python=clusters:pool", saved)


def test_another_version_in_the_cluster_is_refused_with_the_line_to_type():
    said = refused("python=clusters:other")
    assert "a process of the cluster has batchmill" in said and "pip install batchmill==" in said


def files_and_results(workflow, executor=None):
    """What a run leaves of a step with files of items."""
    run = batchmill.run(workflow, executor=executor, progress=False)
    step = run.steps["step"]
    files = {str(path.relative_to("made")): path.read_text() for path in Path("made").rglob("*") if path.is_file()}
    shutil.rmtree("made", ignore_errors=True)
    return run.status, list(step.results), [(one.index, one.type, one.message) for one in step.failures], files


def test_files_of_items_are_put_in_place_by_the_engine(executor):
    code = """
(item_dir / "deep").mkdir()
(item_dir / "deep" / f"{item}.txt").write_text(str(item ** 2))
if item == 3:
    raise ValueError("no file of mine is kept")
return item
"""
    step = batch("step", {"range": 10}, python(code), batch_size=2, batched=False, continue_on_error=True)
    workflow = {"name": "files", "steps": [{**step, "outputs": {"item_files": "made"}}]}
    there = files_and_results(workflow, executor)
    assert there == files_and_results(workflow)
    assert len(there[3]) == 9 and there[3]["deep/4.txt"] == "16"


@pytest.mark.parametrize("batched", [False, True])
def test_files_that_two_items_claim_belong_to_the_first(batched):
    code = """
(item_dir / "same.txt").write_text("x") if index in (0, 5) else (item_dir / f"{index}.txt").write_text("y")
return index
"""
    step = batch("step", {"range": 8}, python(code), batch_size=2, batched=batched, continue_on_error=True, max_parallel=1)
    workflow = {"name": "clash", "steps": [{**step, "outputs": {"item_files": "made"}}]}
    there = files_and_results(workflow, "python=clusters:pool")
    assert there == files_and_results(workflow)


def test_files_of_commands_are_put_in_place_by_the_engine():
    task = shell("printf %s {{ item }} > {{ item_dir }}/{{ item }}.txt")
    workflow = {"name": "made", "steps": [{**batch("step", {"range": 5}, task), "outputs": {"item_files": "made"}}]}
    there = files_and_results(workflow, "python=clusters:pool")
    assert there == files_and_results(workflow)
    assert there[3]["4.txt"] == "4"


def test_where_it_runs_can_be_named_by_the_environment(monkeypatch):
    monkeypatch.setenv("BATCHMILL_EXECUTOR", "python=clusters:pool")
    code = "import os\nreturn open(f'/proc/{os.getppid()}/cmdline').read().split('\\0')[1]"
    run = batchmill.run({"name": "env", "steps": [batch("step", {"range": 2}, python(code))]}, progress=False)
    assert list(run.steps["step"].results) == ["host", "host"]
    here = batchmill.run({"name": "env", "steps": [batch("step", {"range": 2}, python(code))]}, executor="", progress=False)
    assert "host" not in here.steps["step"].results
    monkeypatch.setenv("BATCHMILL_EXECUTOR", "")
    assert "host" not in batchmill.resume(here, progress=False).steps["step"].results


def test_only_batch_steps_run_elsewhere():
    code = "import os\nreturn open(f'/proc/{os.getppid()}/cmdline').read().split('\\0')[1]"
    plain = {"name": "plain", "task": "python", "inputs": {"code": code}}
    workflow = {"name": "both", "steps": [batch("many", {"range": 2}, python(code)), plain]}
    run = batchmill.run(workflow, executor="python=clusters:pool", progress=False)
    assert list(run.steps["many"].results) == ["host", "host"]
    assert run.steps["plain"].result != "host"


def test_a_width_holds_over_all_processes_together():
    code = """
import os, time
os.mkdir("running")
time.sleep(0.01)
os.rmdir("running")
return item
"""
    step = batch("one", {"range": 20}, python(code), batch_size=1, max_parallel=1)
    run = batchmill.run({"name": "narrow", "steps": [step]}, executor="python=clusters:pool", progress=False)
    assert run.status == "succeeded"


def test_nothing_is_left_when_a_run_has_ended():
    code = "import os\nreturn [os.getpid(), os.getppid()]"
    step = batch("step", {"range": 4}, python(code), batch_size=1)
    run = batchmill.run({"name": "left", "steps": [step]}, executor="python=clusters:pool", progress=False)
    pids = {pid for pair in run.steps["step"].results for pid in pair}
    before = time.monotonic()
    assert all(is_gone(pid) for pid in pids), time.monotonic() - before


def test_a_rate_limit_holds_for_all_processes_together():
    arrived = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            arrived.append(time.monotonic())
            self.send_response(200)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *arguments):
            pass

    counting = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=counting.serve_forever, daemon=True).start()
    task = {"type": "http_request", "inputs": {"url": f"http://127.0.0.1:{counting.server_address[1]}", "rate_limit": 20}}
    step = batch("get", {"range": 30}, task, batch_size=1)
    run = batchmill.run({"name": "slow", "steps": [step]}, executor="python=clusters:pool", progress=False)
    counting.shutdown()
    assert run.status == "succeeded" and len(arrived) == 30
    # Two slots may begin at once; from then on, requests are 50 ms apart on average. A slow machine only makes that more.
    assert arrived[-1] - arrived[0] > 28 / 20 - 0.1


@pytest.mark.skipif(not (HERE.parents[1] / "docs").exists(), reason="the package is tested without its source tree")
def test_the_example_of_the_page_runs_with_a_cluster_in_place_of_slurm(here):
    page = (HERE.parents[1] / "docs/scale.md").read_text()
    files = dict(re.findall(r"^`([\w.]+)`:\n\n```\w+\n(.*?)^```$", page, re.MULTILINE | re.DOTALL))
    (here / "squares.yaml").write_text(files["squares.yaml"])
    stand_in = "import distributed\n\n\nclass SLURMCluster(distributed.LocalCluster):\n    def __init__(self, **job):\n        assert job['cores'] == 32\n        super().__init__(n_workers=1, threads_per_worker=2, dashboard_address=None)\n\n    def scale(self, jobs):\n        assert jobs == 8\n"
    (here / "dask_jobqueue.py").write_text(stand_in)
    (here / "cluster.py").write_text(files["cluster.py"])
    run = batchmill.run("squares.yaml", executor="dask=cluster:slurm", progress=False)
    assert list(run.steps["square"].results) == [number**2 for number in range(1000)]


def test_a_run_that_ends_leaves_other_runs_of_the_cluster_alone(started, dask_address):
    engine, worker = started(f"dask={dask_address}")
    quick = {"name": "quick", "steps": [batch("step", {"range": 4}, python("return item"))]}
    # The first workers are busy; one of the two is left.
    assert batchmill.run(quick, executor=f"dask={dask_address}", progress=False).status == "succeeded"
    os.kill(worker, 0)
    engine.send_signal(signal.SIGINT)
    engine.send_signal(signal.SIGINT)
    assert ended(engine)[0] == 130


def test_a_step_that_stops_keeps_what_its_frames_have_done(started_with):
    # The first frame is told of the stop while it runs its second item; its third one never begins.
    code = """
import glob, os, time
if item == 1:
    with open("fifo", "w") as file:
        file.write(str(os.getpid()))
    (token,) = glob.glob(".batchmill/runs/*/shared-*")
    while not open(token).read().endswith("stop"):
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


def test_what_an_executor_says_shows_no_secret(monkeypatch):
    monkeypatch.setenv("TOKEN", "s3cr3t-value-99")
    workflow = {"name": "no", "secrets": ["TOKEN"], "steps": [batch("step", {"range": 2}, python("return item"))]}
    said = refused("python=clusters:telling", workflow)
    assert "s3cr3t" not in said and "***" in said


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
