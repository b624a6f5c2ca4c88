"""Results as a lazy sequence, and as tables."""

import pickle
import random
import tracemalloc

import pytest

import batchmill


def results(code, count=3, **keys):
    step = {"name": "step", "for_each": {"range": count}, "task": "python", "inputs": {"code": code}, **keys}
    return batchmill.run({"steps": [step]}, check=True).steps["step"].results


def test_a_sequence_is_that_of_a_list():
    found = results("return item * 3", 1000)
    same = [item * 3 for item in range(1000)]
    chance = random.Random(7)
    assert (len(found), list(found), list(reversed(found)), found) == (1000, same, same[::-1], same)
    for _ in range(300):
        index = chance.randrange(-1000, 1000)
        assert found[index] == same[index]
        part = slice(*(chance.choice([None, chance.randrange(-1200, 1200)]) for _ in range(2)), chance.choice([None, 1, -1, 7, -300]))
        assert found[part] == same[part], part
    assert 3 in found and found.index(6) == 2 and found.count(1) == 0
    assert repr(found) == "<1,000 results: 0, 3, 6, ...>"
    for wrong in (1000, -1001):
        with pytest.raises(IndexError, match="out of range: there are 1,000 results"):
            found[wrong]
    with pytest.raises(TypeError, match="must be integers or slices, not str"):
        found["a"]
    with pytest.raises(TypeError):
        hash(found)
    assert pickle.loads(pickle.dumps(found)) == same


def test_no_results_are_an_empty_sequence():
    run = batchmill.run({"steps": [{"name": "step", "for_each": [], "task": "echo", "inputs": {"message": "x"}}]})
    found = run.steps["step"].results
    assert (len(found), list(found), found[:], list(reversed(found)), repr(found)) == (0, [], [], [], "<0 results: >")
    assert len(found.to_pandas()) == 0


def test_large_results_take_no_memory_until_they_are_used():
    found = results("return 'x' * 10_000", 5000, batch_size=500)
    assert len(found) == 5000
    tracemalloc.start()
    assert sum(map(len, found)) == 50_000_000
    assert (found[-1], found[2500][:3]) == ("x" * 10_000, "xxx")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5_000_000


def test_results_that_came_late_are_in_place():
    late = "if item < 3 and batch.attempt == 1:\n    raise ValueError('late')\nreturn item"
    assert list(results(late, 200, retry={"max_attempts": 2, "delay": 0})) == list(range(200))


def test_results_of_a_run_that_was_resumed_meanwhile_are_still_read():
    late = "if item < 3 and batch.attempt == 1:\n    raise ValueError('late')\nreturn item"
    step = {"name": "step", "for_each": {"range": 200}, "task": "python", "retry": {"max_attempts": 2, "delay": 0}}
    found = batchmill.run({"name": "a", "steps": [{**step, "inputs": {"code": late}}]}).steps["step"].results
    assert found[199] == 199
    batchmill.run({"name": "a", "steps": [{**step, "inputs": {"code": late + " + 0"}}]}, resume=True)
    assert list(found) == list(range(200))


ROWS = "return {'n': item, 'text': f't{item}', 'maybe': None if item == 1 else item, **({'late': True} if item == 2 else {})}"


def test_tables_have_a_row_for_each_result():
    found = results(ROWS)
    frame = found.to_pandas()
    assert list(frame.columns) == ["n", "text", "maybe", "late"]
    assert (list(frame.n), str(frame.maybe.dtype), frame.maybe.isna().tolist()) == ([0, 1, 2], "Int64", [False, True, False])
    rows = [
        {"n": 0, "text": "t0", "maybe": 0, "late": None},
        {"n": 1, "text": "t1", "maybe": None, "late": None},
        {"n": 2, "text": "t2", "maybe": 2, "late": True},
    ]
    assert found.to_polars().to_dicts() == rows
    assert found.to_arrow().to_pylist() == rows


def test_other_results_are_in_a_column_value():
    assert results("return item + 0.5").to_pandas()["value"].tolist() == [0.5, 1.5, 2.5]
    assert results("return 2**63 + item").to_polars()["value"].to_list() == [2**63, 2**63 + 1, 2**63 + 2]
    with pytest.raises(TypeError, match="`value` has values of several types"):
        results("return 'a' if item else 1").to_arrow()


def test_rows_of_data_frames_are_rows():
    code = "import pandas\nreturn pandas.DataFrame({'a': range(200), 'b': item})"
    found = results(code)
    frame = found.to_pandas()
    assert (len(found), len(frame), frame.b.tolist()[::200]) == (3, 600, [0, 1, 2])


def test_the_first_failures_are_read_alone():
    step = {"name": "step", "for_each": {"range": 20}, "task": "python", "continue_on_error": True, "inputs": {"code": "1 / item"}}
    run = batchmill.run({"steps": [{**step, "inputs": {"code": "assert not item"}}, {**step, "name": "other"}]})
    assert [failure.index for failure in run.failures.first(2)] == [1, 2]
    assert [failure.step for failure in run.failures.first(30)] == ["step"] * 19 + ["other"]
    assert run.failures[19:] == run.failures.first(30)[19:]
    assert run.steps["other"].failures.first(5) == list(run.steps["other"].failures)
    assert "<li>15 more</li>" in run._repr_html_()
    with pytest.raises(batchmill.RunFailedError, match="and 17 more; `failures` has all"):
        run.raise_for_failures()


def test_failures_are_a_table_too():
    step = {"name": "step", "for_each": [{"a": 1}, "b"], "task": "python", "continue_on_error": True, "inputs": {"code": "1 / 0"}}
    failures = batchmill.run({"steps": [step]}).failures
    frame = failures.to_pandas()
    assert list(frame["index"]) == [0, 1]
    assert list(frame["type"]) == ["ZeroDivisionError"] * 2
    assert frame["item"][0] == {"a": 1}
    assert repr(failures).splitlines() == ["<2 failures>"] + [f"  step[{n}] ZeroDivisionError: division by zero" for n in (0, 1)]
