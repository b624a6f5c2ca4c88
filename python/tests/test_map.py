"""`map` and `starmap`, as a script uses them."""

import asyncio
import itertools
import math
import os
import threading

import batchmill
import pytest


class Account:
    """Adds up amounts, and prints the sum when it is closed."""

    def __init__(self, start=0, log=None):
        self.total, self.log = start, log

    def __call__(self, amount):
        self.total += amount
        return self.total

    def close(self):
        print(f"closed at {self.total}")


def reciprocal(x):
    return 1 / x


def same(x):
    return x


def test_results_come_in_the_order_of_their_items():
    assert list(batchmill.map(math.sqrt, [9.0, 4.0, 1.0])) == [3.0, 2.0, 1.0]
    assert list(batchmill.map(same, range(50_000), workers=3)) == list(range(50_000))


def test_results_come_as_they_are_ready_if_that_will_do():
    results = batchmill.map(same, range(5_000), workers=3, batch_size=7, ordered=False)
    assert sorted(results.indexed()) == [(n, n) for n in range(5_000)]


@pytest.mark.parametrize("items", [[], (), range(0), iter([]), {}], ids=repr)
def test_no_items_are_no_results(items):
    assert list(batchmill.map(same, items)) == []


def test_several_iterables_go_side_by_side_up_to_the_shortest():
    assert list(batchmill.map(pow, [2, 3, 4], itertools.count(1))) == [2, 9, 64]
    assert list(batchmill.map(lambda a, b, c: a + b + c, "ab", "cd", "ef")) == ["ace", "bdf"]
    assert list(batchmill.starmap(pow, [(2, 3), (3, 2)])) == [8, 9]
    assert list(batchmill.starmap(pow, [(2, 3, 5)], workers=1)) == [3]


def test_constants_are_the_same_for_every_item():
    assert list(batchmill.map(lambda x, k: x * k, range(4), constants={"k": 10})) == [0, 10, 20, 30]
    assert list(batchmill.starmap(lambda a, b, k: a * b + k, [(2, 3)], constants={"k": 1})) == [7]


def test_functions_without_a_name_that_a_worker_could_import_go_by_value():
    offset = 7

    def shifted(x):
        return helper(x) + offset

    def helper(x):
        return 10 * x

    assert list(batchmill.map(shifted, [1, 2])) == [17, 27]
    assert list(batchmill.map(lambda x: x + offset, [1])) == [8]


def test_a_class_is_made_once_in_each_worker_and_closed_at_the_end(capfd):
    assert list(batchmill.map(Account, [1, 2, 3], workers=1, constants={"start": 100})) == [101, 103, 106]
    assert capfd.readouterr().out == "closed at 106\n"
    assert list(batchmill.map(Account, [1], workers=1)) == [1], "the next call begins anew"


@pytest.mark.parametrize("function", [int, str, float, complex], ids=lambda function: function.__name__)
def test_a_class_whose_instances_cannot_be_called_is_a_function(function):
    assert list(batchmill.map(function, ["1", "2"])) == [function("1"), function("2")]


def test_what_the_function_prints_is_printed_here(capfd):
    assert list(batchmill.map(print, ["one", "two"], workers=1)) == [None, None]
    assert capfd.readouterr().out == "one\ntwo\n"


@pytest.mark.parametrize(
    "value",
    [
        None, True, False, 0, 255, 256, 65_535, 65_536, -1, 2**31 - 1, -(2**31), 2**31, 2**63 - 1, -(2**63), 2**63, 10**400,
        0.1, -0.0, float("inf"), 1e-320, "", "ä", "\ud800", "x" * 255, "x" * 256, "x" * 70_000, b"", b"\0" * 256,
        (), (1,), (1, "a", None, 2.5), [], [1, 2], {"a": 1}, {1: "x", None: 2.0}, {"a": [1]}, [[1], [2]], {1, 2}, range(3),
        1 + 2j, [None] * 65, ("x" * 300, b"y" * 300), list(range(1000)),
    ],
    ids=lambda value: repr(value)[:30],
)  # fmt: skip
def test_values_come_back_as_they_were(value):
    (back,) = batchmill.map(same, [value], workers=1)
    assert back == value and type(back) is type(value) and repr(back) == repr(value)


def test_an_object_that_is_in_a_result_twice_is_one_object():
    inner = [1]
    (back,) = batchmill.map(lambda _: (lambda part: [part, part])([1]), [0], workers=1)
    assert back == [inner, inner] and back[0] is back[1]


def test_a_function_may_return_the_same_object_again_and_change_it():
    class Buffer:
        def __init__(self):
            self.kept = []

        def __call__(self, x):
            self.kept.append(x)
            return self.kept

    assert list(batchmill.map(Buffer, [1, 2, 3], workers=1, batch_size=3)) == [[1], [1, 2], [1, 2, 3]]


def test_instances_of_classes_of_a_script_are_instances_of_the_same_class_here():
    class Point:
        def __init__(self, x):
            self.x = x

    Point.__module__ = "__main__"
    points = list(batchmill.map(lambda point: Point(point.x + 1), [Point(1), Point(2)]))
    assert [(type(point) is Point, point.x) for point in points] == [(True, 2), (True, 3)]


def test_the_working_folder_the_search_path_and_the_environment_are_those_of_the_call(tmp_path, monkeypatch):
    list(batchmill.map(same, [1]))
    (tmp_path / "fresh_module.py").write_text("def answer(x):\n    return x, __name__\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("FRESH_VARIABLE", "here")
    import fresh_module

    seen = list(batchmill.map(lambda _: (os.getcwd(), os.environ.get("FRESH_VARIABLE")), [1]))
    assert seen == [(str(tmp_path), "here")]
    assert list(batchmill.map(fresh_module.answer, [1])) == [(1, "fresh_module")]


def test_workers_stay_warm_between_calls():
    first = set(batchmill.map(lambda _: os.getpid(), range(50), batch_size=1, workers=2))
    second = set(batchmill.map(lambda _: os.getpid(), range(50), batch_size=1, workers=2))
    assert second <= first and os.getpid() not in first


def test_threads_may_call_side_by_side():
    sums = []
    threads = [threading.Thread(target=lambda: sums.append(sum(batchmill.map(abs, range(1000))))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sums == [499_500] * 6


def test_a_call_inside_a_worker_runs_there():
    def nested(x):
        import batchmill

        return [os.getpid(), *batchmill.map(lambda y: (os.getpid(), x + y), [1, 2])]

    for pid, *inner in batchmill.map(nested, [10, 20]):
        assert {there for there, _ in inner} == {pid}


def test_a_call_inside_a_worker_has_failures_and_retries_like_any_other():
    def nested(_):
        import batchmill

        results = batchmill.map(reciprocal, [1, 0, 2], on_error="return", retry=batchmill.Retry(attempts=2, delay=0))
        return [getattr(one, "attempts", one) for one in results], [one.type for one in results.failures]

    assert list(batchmill.map(nested, [1])) == [([1.0, 2, 0.5], ["ZeroDivisionError"])]


def test_results_can_be_awaited():
    async def both():
        async def squares(start):
            return [n async for n in batchmill.map(lambda x: x * x, range(start, start + 3))]

        return await asyncio.gather(squares(0), squares(10))

    assert asyncio.run(both()) == [[0, 1, 4], [100, 121, 144]]


def test_waiting_runs_all_items_and_raises_what_they_raise(tmp_path):
    batchmill.map(lambda n: (tmp_path / str(n)).touch(), range(3)).wait()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0", "1", "2"]
    with pytest.raises(ZeroDivisionError):
        batchmill.map(reciprocal, [0]).wait()


def test_progress_counts_items():
    seen = []
    list(batchmill.map(reciprocal, [1, 2, 0], on_error="skip", progress=seen.append))
    assert (seen[-1].done, seen[-1].failed, seen[-1].total, seen[-1].name) == (3, 1, 3, "reciprocal")


def test_progress_is_a_line_if_that_is_wanted(capsys):
    list(batchmill.map(same, range(10), progress=True))
    assert capsys.readouterr().err.rpartition("\r")[2].startswith("same: 100% 10/10 items")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"workers": 0}, "`workers` is 0; it must be a whole number of 1 or more"),
        ({"workers": 2.5}, "`workers` is 2.5"),
        ({"workers": True}, "`workers` is True"),
        ({"workers": 20_000}, "`workers` is 20000; it must be from 1 to 10000"),
        ({"batch_size": 0}, "`batch_size` is 0"),
        ({"batch_size": "large"}, "`batch_size` is 'large'"),
        ({"ahead": -1}, "`ahead` is -1"),
        ({"on_error": "ignore"}, '`on_error` is \'ignore\'; it must be "raise", "return" or "skip"'),
        ({"timeout": 0}, "`timeout` is 0; it must be a number of seconds above 0"),
        ({"timeout": "1s"}, "`timeout` is '1s'"),
        ({"timeout": float("nan")}, "`timeout` is nan"),
        ({"timeout": 1e300}, "`timeout`"),
        ({"max_failures": 3}, '`max_failures` needs `on_error="return"`'),
        ({"max_failures": 1.5, "on_error": "skip"}, "`max_failures` is 1.5"),
        ({"max_memory": "much"}, '`max_memory` is \'much\'; it must be a number of bytes above 0, or text such as "500MB"'),
        ({"max_memory": 0}, "`max_memory` is 0"),
        ({"retry": 0}, "`attempts` is 0"),
        ({"max_items_per_worker": 0}, "`max_items_per_worker` is 0"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(options, message):
    with pytest.raises((ValueError, batchmill.WorkerStartError)) as refused:
        list(batchmill.map(same, [1], **options))
    assert message in str(refused.value)


@pytest.mark.parametrize(("name", "value"), [("constants", 3), ("progress", "yes"), ("retry", "3"), ("bogus", 1)])
def test_arguments_of_another_type_are_refused_by_name(name, value):
    with pytest.raises(TypeError, match=f"`{name}`"):
        batchmill.starmap(pow, [(1, 2)], **{name: value})


def test_a_policy_that_makes_no_sense_is_refused():
    for options in [{"delay": -1}, {"backoff": "slow"}, {"jitter": 2}, {"max_delay": float("inf")}]:
        with pytest.raises(ValueError, match=next(iter(options))):
            batchmill.Retry(**options)
    with pytest.raises(TypeError, match="not a class of exceptions"):
        batchmill.Retry(on=("ValueError",))


def test_what_cannot_be_called_or_iterated_is_refused():
    with pytest.raises(TypeError, match="cannot be called"):
        batchmill.map(3, [1])
    with pytest.raises(TypeError, match="not iterable"):
        batchmill.map(same, 3)
