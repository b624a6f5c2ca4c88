"""`batchmill.run` and what it returns."""

import asyncio
import datetime
import logging
import pickle
import threading
from pathlib import Path

import pytest

import batchmill

HALVES = """
params:
  count: {type: integer, default: 3}
steps:
  - name: halve
    for_each: {range: "{{ count }}"}
    task: python
    continue_on_error: true
    inputs:
      code: |
        if item == 1:
            raise ValueError("an <odd> one")
        return {"n": item, "half": item / 2}
    aggregate: {sum: n}
    outputs: {name: halves, path: out/halves.csv}
  - name: last
    task: python
    inputs: {code: "return sum(one['n'] for one in steps.halve.results)"}
"""


@pytest.fixture
def halves():
    path = Path("halves.yaml")
    path.write_text(HALVES)
    return path


def one_step(**keys):
    return {"name": "one", "steps": [{"name": "step", "task": "python", **keys}]}


def test_a_run_has_all_that_it_did(halves, here):
    run = batchmill.run(halves, {"count": 4})
    assert (run.status, run.exit_code, run.workflow) == ("partial", 1, "halves")
    assert list(run.steps) == ["halve", "last"]
    halve, last = run.steps.values()
    assert list(halve.results) == [{"n": 0, "half": 0.0}, {"n": 2, "half": 1.0}, {"n": 3, "half": 1.5}]
    assert (halve.status, halve.is_batch, halve.result) == ("partial", True, halve.results)
    assert (last.result, last.is_batch, last.stats.succeeded) == (5, False, 1)
    assert (halve.stats.total, halve.stats.succeeded, halve.stats.failed) == (4, 3, 1)
    assert (run.stats.total, run.stats.succeeded, run.stats.failed, run.stats.percent) == (5, 4, 1, 80)
    assert run.aggregate == {"halve": {"sum": {"n": 5}}}
    assert run.outputs == {"halve": here / "out/halves.csv"}
    assert run.outputs["halve"].read_text().startswith("n,half\n")
    assert run.finished - run.started <= datetime.timedelta(minutes=5)


def test_failed_items_are_no_exception_unless_asked_for(halves):
    [failure] = batchmill.run(halves).failures
    assert (failure.step, failure.item, failure.index, failure.type) == ("halve", 1, 1, "ValueError")
    assert (failure.message, failure.attempts) == ("an <odd> one", 1)
    assert 'raise ValueError("an <odd> one")' in failure.traceback
    with pytest.raises(batchmill.RunFailedError, match=r"partial, 1 failed\n  halve\[1\] ValueError: an <odd> one") as caught:
        batchmill.run(halves, check=True)
    assert caught.value.failures[0].item == 1
    assert caught.value.run.steps["halve"].results[1]["n"] == 2


def test_a_run_that_succeeds_passes_the_check():
    run = batchmill.run(one_step(inputs={"code": "return 1"}), check=True)
    run.raise_for_failures()
    assert (run.status, run.exit_code, len(run.failures)) == ("succeeded", 0, 0)


def test_a_step_that_stops_the_run_is_named():
    run = batchmill.run(one_step(inputs={"code": "raise KeyError('gone')"}))
    assert (run.status, run.exit_code, run.steps["step"].failure.type) == ("failed", 3, "KeyError")
    with pytest.raises(batchmill.RunFailedError, match="step `step`: KeyError"):
        run.raise_for_failures()


def test_a_run_without_items_is_empty():
    run = batchmill.run(one_step(for_each=[], inputs={"code": "return 1"}))
    assert (run.status, run.exit_code, list(run.steps["step"].results)) == ("empty", 4, [])
    with pytest.raises(batchmill.NothingToRunError, match="step `step` has no items"):
        run.raise_for_failures()


def test_an_unknown_step_is_named_with_the_known_ones(halves):
    run = batchmill.run(halves)
    with pytest.raises(KeyError, match="no step `halv`; its steps are `halve`, `last`"):
        run.steps["halv"]
    assert "halv" not in run.steps


def test_errors_of_a_file_have_their_places():
    Path("bad.yaml").write_text("steps:\n  - name: a\n    tsk: echo\n  - nam: b\n")
    with pytest.raises(batchmill.WorkflowError, match="unknown key `tsk`") as caught:
        batchmill.run("bad.yaml")
    error = next(error for error in caught.value.errors if error.path == "steps.a.tsk")
    assert (error.file, error.line, error.column, error.end_column) == ("bad.yaml", 3, 5, 8)
    assert str(error) == "bad.yaml:3:5: unknown key `tsk` (did you mean `task`?)"
    assert "3 |     tsk: echo" in str(caught.value), "the text of the engine is whole"
    assert not batchmill.runs()


@pytest.mark.parametrize(
    ("params", "message", "hint"),
    [
        ({"cuont": 1}, "no parameter `cuont`", "did you mean `count`?"),
        ({"count": "x"}, "`count` must be an integer", None),
        ({"count": None}, "`count`", None),
        ({"count": [1]}, "`count` must be an integer", None),
    ],
)
def test_a_wrong_parameter_is_an_error_of_the_workflow(halves, params, message, hint):
    with pytest.raises(batchmill.WorkflowError, match=message) as caught:
        batchmill.run(halves, params)
    assert caught.value.errors[0].file == "halves.yaml"
    assert hint in (None, caught.value.errors[0].hint)


def test_parameters_keep_their_types():
    code = "return [type(params[name]).__name__ for name in sorted(params)] + [params.day, params.place]"
    given = {"day": datetime.date(2026, 1, 2), "flag": True, "many": (1, 2.5), "place": Path("a/b"), "text": "007"}
    run = batchmill.run(one_step(inputs={"code": code}), given)
    assert run.steps["step"].result == ["str", "bool", "list", "str", "str", "2026-01-02", "a/b"]


def test_values_that_a_workflow_cannot_hold_are_refused_with_their_path():
    with pytest.raises(TypeError, match=r"`params\.a\[1\]` is of type `bytes`"):
        batchmill.run(one_step(inputs={"code": "return 1"}), {"a": [1, b"x"]})
    with pytest.raises(TypeError, match=r"`steps\[0\]\.inputs\.code` is of type `function`"):
        batchmill.run(one_step(inputs={"code": one_step}))
    with pytest.raises(TypeError, match="has the key 1, but keys must be text"):
        batchmill.run({1: 2})
    with pytest.raises(TypeError, match="`params` must be a mapping of names to values, not `list`"):
        batchmill.run(one_step(inputs={"code": "return 1"}), ["a=1"])
    with pytest.raises(TypeError, match="is nan"):
        batchmill.run(one_step(for_each=[float("nan")]))
    assert not Path(".batchmill").exists()


def test_options_that_the_engine_refuses_are_errors(halves):
    with pytest.raises(batchmill.EngineError, match="invalid value '0' for '--jobs"):
        batchmill.run(halves, jobs=0)
    with pytest.raises(batchmill.EngineError, match="not-there/python"):
        batchmill.run(halves, python="not-there/python")
    with pytest.raises(ValueError, match="exclude each other"):
        batchmill.run(halves, resume=True, incremental=True)


def test_a_missing_file_is_an_error_of_the_workflow():
    with pytest.raises(batchmill.WorkflowError, match="cannot read workflow file `-gone.yaml`") as caught:
        batchmill.run("-gone.yaml")
    assert caught.value.errors[0].file == "-gone.yaml"


def test_there_is_a_message_if_the_engine_is_not_there(halves, monkeypatch):
    monkeypatch.setenv("BATCHMILL_BIN", "/not/there")
    with pytest.raises(batchmill.BatchmillError, match="/not/there"):
        batchmill.run(halves)


def test_tasks_run_in_this_interpreter_and_directory(here):
    import sys

    Path("mine.py").write_text("import sys\ndef where():\n    return sys.executable, sys.path[0]\n")
    run = batchmill.run(one_step(inputs={"function": "mine:where"}))
    assert Path(run.steps["step"].result[0]).resolve() == Path(sys.executable).resolve()


def test_what_a_workflow_writes_to_stdout_is_written_here(capfd):
    batchmill.run(one_step(for_each={"range": 2}, inputs={"code": "return item"}, outputs={"path": "-", "format": "jsonl"}))
    assert capfd.readouterr().out == "0\n1\n"


def test_warnings_are_logged(caplog):
    caplog.set_level(logging.INFO, "batchmill")
    state = Path("elsewhere").absolute()
    run = batchmill.run(one_step(inputs={"code": "return 1"}), state_dir=state)
    batchmill.resume(run)
    assert run.state_dir == str(state)


def test_runs_are_listed_and_opened_again(halves):
    first, second = batchmill.run(halves, {"count": 1}), batchmill.run(halves)
    listed = batchmill.runs()
    assert [run.id for run in listed] == [first.id, second.id]
    assert (listed[0].params, listed[1].failed, listed[1].path) == ({"count": 1}, 1, Path("halves.yaml"))
    assert batchmill.open().id == second.id
    again = listed[0].open()
    assert (again.id, again.status, again.exit_code) == (first.id, "succeeded", None)
    with pytest.raises(batchmill.RunNotFoundError, match="no run `nope`"):
        batchmill.open("nope")
    with pytest.raises(batchmill.RunNotFoundError):
        batchmill.open("--version")


def test_a_report_is_a_page(halves):
    run = batchmill.run(halves)
    assert run.report() == Path(f"report-{run.id}.html")
    assert "<html" in run.report("-page.html").read_text()
    with pytest.raises(batchmill.EngineError, match="cannot write `no/page.html`"):
        run.report("no/page.html")


def test_a_run_is_a_table_in_a_notebook(halves):
    html = batchmill.run(halves)._repr_html_()
    assert "<td>halve</td><td>partial</td><td>3</td><td>2</td><td>1</td>" in html
    assert "an &lt;odd&gt; one" in html and "<odd>" not in html


def test_a_callable_gets_events(halves):
    events = []
    run = batchmill.run(halves, progress=events.append)
    assert isinstance(events[0], batchmill.RunStarted) and events[0].run == run.id
    assert isinstance(events[-1], batchmill.RunFinished) and events[-1].status == "partial"
    failed = [item for event in events if isinstance(event, batchmill.BatchFinished) for item in event.failed]
    assert failed == [batchmill.FailedItem(index=1, type="ValueError", error="an <odd> one", attempts=1)]
    finished = [event for event in events if isinstance(event, batchmill.StepFinished)]
    assert [event.stats.total for event in finished] == [3, 1]


def test_a_callable_that_raises_stops_the_run():
    def refuse(event):
        if isinstance(event, batchmill.BatchFinished):
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        batchmill.run(one_step(for_each={"range": 10**9}, inputs={"code": "return item"}), progress=refuse)
    assert batchmill.open().status == "interrupted"


def test_progress_is_silent_without_a_terminal(halves, capfd):
    batchmill.run(halves)
    batchmill.run(halves, progress=False)
    assert capfd.readouterr() == ("", "")
    run = batchmill.run(halves, progress=True)
    lines = capfd.readouterr().err.splitlines()
    assert lines[0] == "halve: 2 records written to `out/halves.csv`"
    assert lines[1].startswith("halve: 3 items, 1 failed in ")
    assert lines[-1] == f"run {run.id}: partial"


COUNTED = one_step(for_each={"range": "{{ params.count }}"}, inputs={"code": "return item"})


def test_runs_go_on_side_by_side_in_threads():
    runs = {}

    def go(count):
        runs[count] = batchmill.run(COUNTED, {"count": count})

    threads = [threading.Thread(target=go, args=(count,)) for count in (2, 3, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {count: len(run.steps["step"].results) for count, run in runs.items()} == {2: 2, 3: 3, 4: 4}


def test_a_run_works_under_asyncio():
    async def main():
        return await asyncio.gather(*(asyncio.to_thread(batchmill.run, COUNTED, {"count": count}) for count in (2, 3)))

    assert [len(run.steps["step"].results) for run in asyncio.run(main())] == [2, 3]


def test_runs_and_errors_can_be_pickled(halves):
    run = pickle.loads(pickle.dumps(batchmill.run(halves)))
    assert (run.steps["halve"].results[0]["n"], run.failures[0].index) == (0, 1)
    for make in (lambda: run.raise_for_failures(), lambda: batchmill.run(halves, {"x": 1}), lambda: batchmill.open("x")):
        with pytest.raises(batchmill.BatchmillError) as caught:
            make()
        again = pickle.loads(pickle.dumps(caught.value))
        assert (type(again), str(again)) == (type(caught.value), str(caught.value))


def test_the_current_directory_may_change_after_a_run(halves, tmp_path_factory, monkeypatch):
    run = batchmill.run(halves)
    monkeypatch.chdir(tmp_path_factory.mktemp("other"))
    assert run.steps["halve"].results[0]["n"] == 0
    assert run.outputs["halve"].exists()
    assert batchmill.resume(run).id == run.id
