"""Batch steps on clusters: the same results as here."""

import http.server
import json
import re
import shutil
import threading
import time
from pathlib import Path

import batchmill
import pytest
from batchmill._executors._base import Lost, Refused, outcome_of
from workflows import batch, python, refused, results, shell

distributed = pytest.importorskip("distributed", reason="Dask is not installed for this interpreter")
# Executors are found in the module `clusters`.
pytestmark = pytest.mark.usefixtures("modules")

# The longest that anything here should take, in seconds.
PATIENCE = 120
HERE = Path(__file__).parent


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


def test_a_function_makes_a_cluster_of_dask():
    workflow = {"name": "made", "steps": [batch("step", {"range": 8}, python("return item"))]}
    assert results(workflow, "dask=clusters:dask_cluster") == results(workflow)


def test_a_client_of_dask_is_an_executor(dask_address):
    workflow = {"name": "client", "steps": [batch("step", {"range": 8}, python("return item"))]}
    with distributed.Client(dask_address) as client:
        assert results(workflow, client) == results(workflow)


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


def test_a_step_that_needs_files_is_refused_by_hosts_that_do_not_share_them(here):
    (here / "data").mkdir()
    (here / "data" / "a.txt").write_text("a")
    (here / "step.py").write_text("result = 1\n")
    task = python("return 1")
    earlier = python("return len(steps['first']['results'])")
    for why, steps in {
        "the items of the step are files (`glob`)": [batch("s", {"glob": "data/*"}, task)],
        "a command lists the items of the step": [batch("s", "$(ls data)", task)],
        "(`glob`)": [batch("s", {"product": {"file": {"glob": "data/*"}, "n": [1, 2]}}, task)],
        "collects files of its items": [{**batch("s", [1], task), "outputs": {"item_files": "made"}}],
        "(`item_files`, `item_dir`)": [batch("s", [1], python("return str(item_dir)"))],
        "reads an earlier one": [batch("first", [1], task), batch("s", [1], earlier)],
        "its code is in a file (`script`)": [batch("s", [1], {"type": "python", "script": "step.py"})],
    }.items():
        said = refused("python=clusters:elsewhere", {"name": "files", "steps": steps})
        assert "does not see the directory of the run" in said and why in said
        assert "must share the file system" in said


def test_a_step_that_needs_no_files_runs_where_they_are_not_shared(here):
    (here / "rows.csv").write_text("n\n" + "".join(f"{n}\n" for n in range(40)))
    (here / "extra.py").write_text("here = True\n")
    code = "import os\nopen('made', 'a').close()\nreturn [int(item['n']) * params['factor'], os.getcwd()]"
    rows = batch("rows", {"csv": "rows.csv"}, python(code))
    shells = batch("shells", {"range": 4}, shell("echo {{ item + params.factor }}"))
    workflow = {"name": "apart", "params": {"factor": 3}, "steps": [rows, shells]}
    notices = []
    run = batchmill.run(workflow, executor="python=clusters:elsewhere", progress=notices.append)
    assert [one for one, _ in run.steps["rows"].results] == [3 * n for n in range(40)]
    assert [one["stdout"] for one in run.steps["shells"].results] == ["3", "4", "5", "6"]
    places = {place for _, place in run.steps["rows"].results}
    assert str(here) not in places and not any(Path(place).exists() for place in places)
    assert not (here / "made").exists()
    said = [event.text for event in notices if getattr(event, "text", "").startswith("host `")]
    assert len(said) == 2 and all("does not share the files of this machine" in text for text in said)
    # A module of the same path there would be another one.
    imports = {"name": "imports", "steps": [batch("step", [1], python("import extra\nreturn extra.here"))]}
    failed = batchmill.run(imports, executor="python=clusters:elsewhere", progress=False)
    assert "No module named 'extra'" in str(failed.steps["step"].failure)


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


def test_what_an_executor_says_shows_no_secret(monkeypatch):
    monkeypatch.setenv("TOKEN", "s3cr3t-value-99")
    workflow = {"name": "no", "secrets": ["TOKEN"], "steps": [batch("step", {"range": 2}, python("return item"))]}
    said = refused("python=clusters:telling", workflow)
    assert "s3cr3t" not in said and "***" in said


def test_a_package_that_a_scheduler_misses_is_named_with_the_line_to_type():
    # As Dask's scheduler tells it, whose error is about a graph.
    try:
        try:
            raise ModuleNotFoundError("No module named 'batchmill'", name="batchmill._cluster")
        except ModuleNotFoundError as missing:
            raise RuntimeError("Error during deserialization of the task graph.") from missing
    except RuntimeError as error:
        outcome = outcome_of(error)
    assert isinstance(outcome, Refused)
    assert f"pip install batchmill=={batchmill.__version__}" in outcome.message
    other = outcome_of(ModuleNotFoundError("No module named 'numpy'", name="numpy"))
    assert isinstance(other, Lost)
