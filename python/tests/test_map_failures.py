"""Items that fail, hang, crash and take too much memory; and what cannot be sent."""

import itertools
import os
import pickle
import signal
import sys
import threading
import time

import batchmill
import pytest


def reciprocal(x):
    return 1 / x


def hang(x):
    if x == "hang":
        time.sleep(1000)
    return x


def kill_worker(x):
    if x == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    return x


class NeedsTwo(Exception):
    """Can be pickled, but not made again from that."""

    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")
        self.two = two


class HoldsLock(Exception):
    """Cannot be pickled."""

    def __init__(self):
        super().__init__("has a lock")
        self.lock = threading.Lock()


def test_the_first_failure_raises_the_exception_itself_with_the_item_and_the_traceback():
    with pytest.raises(ZeroDivisionError) as raised:
        list(batchmill.map(reciprocal, [1, 2, 0, 4]))
    cause = raised.value.__cause__
    assert isinstance(cause, batchmill.ItemError)
    assert (cause.failure.index, cause.failure.item, cause.failure.attempts) == (2, 0, 1)
    assert str(cause).startswith("item 2: 0\n\nTraceback (most recent call last):\n")
    assert "return 1 / x" in str(cause)


def test_a_failure_ends_what_is_running_at_once():
    started = []
    with pytest.raises(ZeroDivisionError):
        for result in batchmill.map(lambda x: time.sleep(1000) if x else 1 / x, [1, 0], workers=2, batch_size=1):
            started.append(result)
    assert started == []


def test_failures_take_the_place_of_results_or_are_left_out():
    results = batchmill.map(reciprocal, [1, 0, 2], on_error="return")
    one, failure, two = results
    assert (one, two) == (1.0, 0.5) and results.failures == [failure]
    assert (failure.index, failure.item, failure.type, failure.message) == (1, 0, "ZeroDivisionError", "division by zero")
    assert isinstance(failure.exception, ZeroDivisionError) and failure.seconds >= 0
    assert list(batchmill.map(reciprocal, [1, 0, 2], on_error="skip")) == [1.0, 0.5]
    assert list(batchmill.map(reciprocal, [1, 0, 2], on_error="skip").indexed()) == [(0, 1.0), (2, 0.5)]


def test_an_exception_that_a_function_returns_is_a_result():
    (result,) = batchmill.map(lambda x: ValueError(x), [1], on_error="return")
    assert isinstance(result, ValueError)


@pytest.mark.parametrize(("most", "ends"), [(2, False), (1, True), (0, True), (0.5, False), (0.1, True)])
def test_too_many_failures_end_the_call(most, ends):
    items = [0, 1, 0, 1]
    results = batchmill.map(reciprocal, items, on_error="skip", max_failures=most)
    if ends:
        with pytest.raises(batchmill.TooManyFailuresError, match="`max_failures`"):
            list(results)
    else:
        assert list(results) == [1.0, 1.0]


def test_a_timeout_costs_one_item():
    results = list(batchmill.map(hang, ["a", "hang", "b", "c"], timeout=5, on_error="return", workers=2))
    assert [getattr(one, "type", one) for one in results] == ["a", "Timeout", "b", "c"]
    with pytest.raises(batchmill.RemoteError, match="Timeout: took longer than 300ms"):
        list(batchmill.map(hang, ["hang"], timeout=0.3))


@pytest.mark.parametrize("batch_size", [1, 3, 100])
def test_the_death_of_a_worker_costs_one_item(batch_size):
    items = ["die" if n % 40 == 7 else n for n in range(120)]
    results = list(batchmill.map(kill_worker, items, on_error="return", batch_size=batch_size, workers=2))
    assert [getattr(one, "type", one) for one in results] == ["Crash" if n % 40 == 7 else n for n in range(120)]


def test_exits_and_interrupts_in_a_function_are_failures_of_its_item():
    for end in (SystemExit, KeyboardInterrupt):
        (failure,) = batchmill.map(lambda _, end=end: (_ for _ in ()).throw(end("no")), [1], on_error="return")
        assert failure.type == end.__name__


def test_too_much_memory_costs_one_item():
    def fill(x):
        return len(bytearray(600 << 20)) if x == "much" else x

    results = list(batchmill.map(fill, ["a", "much", "b"], max_memory="300MiB", on_error="return", workers=1))
    assert [getattr(one, "type", one) for one in results] == ["a", "MemoryLimit", "b"]


def test_items_are_tried_again(tmp_path):
    def second_time(n):
        mark = tmp_path / str(n)
        if not mark.exists():
            mark.touch()
            raise ConnectionError(n)
        return n

    retry = batchmill.Retry(attempts=2, delay=0)
    assert list(batchmill.map(second_time, range(20), retry=retry)) == list(range(20))


def test_only_what_the_policy_names_is_tried_again(tmp_path):
    def always(kind):
        with open(tmp_path / kind.__name__, "a") as log:
            log.write("x")
        raise kind

    def attempts(on):
        for path in tmp_path.iterdir():
            path.unlink()
        retry = batchmill.Retry(attempts=3, delay=0, on=on)
        failures = batchmill.map(always, [OSError, ConnectionError, ValueError], on_error="return", retry=retry)
        return [one.attempts for one in failures], sorted(len(path.read_text()) for path in tmp_path.iterdir())

    assert attempts((OSError,)) == ([3, 3, 1], [1, 3, 3])
    assert attempts(lambda error: isinstance(error, ValueError)) == ([1, 1, 3], [1, 1, 3])
    assert attempts(None) == ([3, 3, 3], [3, 3, 3])


def test_exceptions_that_cannot_travel_arrive_in_words():
    def fail(_):
        raise HoldsLock

    with pytest.raises(batchmill.RemoteError) as raised:
        list(batchmill.map(fail, [1]))
    assert raised.value.type.endswith("HoldsLock")
    assert "Traceback" in str(raised.value.__cause__)
    assert str(pickle.loads(pickle.dumps(raised.value))) == str(raised.value)


def test_an_exception_of_a_class_of_a_script_is_of_the_same_class_here():
    class Own(Exception):
        pass

    Own.__module__ = "__main__"

    def fail(_):
        raise Own("mine")

    with pytest.raises(Own, match="mine"):
        list(batchmill.map(fail, [1]))


def test_a_function_that_cannot_be_pickled_is_refused_before_anything_starts():
    lock = threading.Lock()
    with pytest.raises(TypeError, match="cannot pickle `.*locked`: cannot pickle '_thread.lock' object"):

        def locked(x):
            return lock, x

        batchmill.map(locked, [1])
    with pytest.raises(TypeError, match=r"cannot pickle constants\['lock'\]"):
        batchmill.map(reciprocal, [1], constants={"lock": lock})


@pytest.mark.parametrize("place", [0, 1, 5_000])
def test_an_item_that_cannot_be_pickled_is_named(place):
    items = [*range(place), threading.Lock(), *range(10)]
    with pytest.raises(TypeError, match=rf"cannot pickle items\[{place}\], a `_thread.lock`"):
        list(batchmill.map(reciprocal, items, on_error="skip"))


def test_a_result_that_cannot_be_pickled_fails_its_item():
    results = list(batchmill.map(lambda x: threading.Lock() if x else x, [0, 1, 0], on_error="return"))
    assert results[0] == results[2] == 0
    assert (results[1].type, "cannot pickle the result, a `_thread.lock`" in results[1].message) == ("TypeError", True)


def test_a_class_that_cannot_be_made_and_a_module_that_is_missing_say_so(tmp_path, monkeypatch):
    class Broken:
        def __init__(self):
            raise LookupError("no model")

        def __call__(self, x):
            return x

    with pytest.raises(batchmill.WorkerStartError, match="no worker can run `.*Broken`: LookupError: no model"):
        list(batchmill.map(Broken, [1]))
    (tmp_path / "short_lived.py").write_text("def f(x):\n    return x\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import short_lived

    (tmp_path / "short_lived.py").unlink()
    sys.path.remove(str(tmp_path))
    with pytest.raises(batchmill.WorkerStartError, match="No module named 'short_lived'"):
        list(batchmill.map(short_lived.f, [1]))


def test_an_iterable_that_raises_gives_what_came_before_first():
    def items():
        yield from range(2_500)
        raise LookupError("out of items")

    seen = []
    with pytest.raises(LookupError, match="out of items"):
        seen.extend(batchmill.map(abs, items()))
    seen = []
    with pytest.raises(LookupError, match="out of items"):
        for result in batchmill.map(abs, items()):
            seen.append(result)
    assert seen == list(range(2_500))


def test_items_without_an_end_are_taken_as_they_are_needed():
    taken = []

    def items():
        for n in itertools.count():
            taken.append(n)
            yield n

    with batchmill.map(abs, items(), ahead=50) as results:
        assert [next(results) for _ in range(500)] == list(range(500))
        assert len(taken) < 700


def test_results_that_are_taken_slowly_do_not_pile_up():
    with batchmill.map(lambda n: bytes(1 << 20), itertools.count(), ahead=8, batch_size=1, workers=2) as results:
        for _ in range(20):
            next(results)
        assert results._stream._call.given <= 20 + 8 + 2


def test_a_call_begins_before_anyone_takes_its_results(tmp_path):
    results = batchmill.map(lambda n: (tmp_path / str(n)).touch(), range(2))
    # Reading from a FIFO waits until someone opens it to write.
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    other = batchmill.map(lambda path: open(path, "w").write("here"), [str(fifo)])
    assert open(fifo).read() == "here"
    assert len(list(other)) == 1 and len(list(results)) == 2


class CannotBeRead:
    """Can be pickled, but not made again from that."""

    def __reduce__(self):
        return int, ("not a number",)


def test_an_exception_that_wants_other_arguments_is_caught_by_its_class():
    def fail(x):
        raise NeedsTwo("one", x)

    with pytest.raises(NeedsTwo, match="one and 7") as raised:
        list(batchmill.map(fail, [7]))
    assert raised.value.two == 7


def test_a_result_that_cannot_be_made_again_here_fails_its_item_alone():
    results = list(batchmill.map(lambda x: CannotBeRead() if x == 2 else x, [1, 2, 3], on_error="return", batch_size=3))
    assert (results[0], results[2]) == (1, 3)
    assert (results[1].index, results[1].type) == (1, "ValueError")
    assert results[1].message.startswith("cannot read the result: invalid literal")


def test_text_that_stdout_cannot_show_is_escaped_and_a_closed_stdout_costs_nothing(monkeypatch):
    import io

    shown = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", shown)
    assert list(batchmill.map(print, ["ä"], workers=1)) == [None]
    assert shown.buffer.getvalue() == b"\\xe4\n"
    shown.close()
    assert list(batchmill.map(print, ["ä"], workers=1)) == [None]


def test_a_slow_iterable_holds_back_neither_the_call_nor_its_results(monkeypatch):
    from batchmill import _map_results

    # Every iterable is slow then.
    monkeypatch.setattr(_map_results, "_GIVING", -1.0)
    taken = []

    def items():
        for n in range(100):
            taken.append(n)
            yield n

    results = batchmill.map(abs, items(), batch_size=1)
    assert taken == [0], "the call returns with its first item"
    assert list(results) == list(range(100))


def test_what_cannot_be_sent_as_text_is_left_out(monkeypatch):
    list(batchmill.map(abs, [1]))
    monkeypatch.setitem(os.environb, b"NOT_TEXT", b"\xff")
    monkeypatch.setattr(sys, "path", [*sys.path, "\udcff", 5, None])
    assert list(batchmill.map(abs, [-1])) == [1]


@pytest.mark.parametrize("name", ["workers", "max_memory", "max_items_per_worker", "retry", "ahead", "batch_size", "timeout"])
def test_numbers_that_are_too_large_are_refused_by_name(name):
    with pytest.raises(ValueError, match="attempts" if name == "retry" else name):
        batchmill.map(abs, [1], **{name: 2**70})


def test_a_module_that_has_changed_is_imported_again(tmp_path, monkeypatch):
    import importlib

    monkeypatch.syspath_prepend(str(tmp_path))
    path = tmp_path / "edited_module.py"
    path.write_text("def version(_):\n    return 1\n")
    import edited_module

    assert list(batchmill.map(edited_module.version, [0])) == [1]
    path.write_text("def version(_):\n    return helper()\n\n\ndef helper():\n    return 'two'\n")
    importlib.reload(edited_module)
    assert list(batchmill.map(edited_module.version, [0])) == ["two"]


def test_what_one_call_did_to_its_workers_does_not_hinder_the_next():
    def hoard(_):
        files = []
        try:
            while True:
                files.append(os.open("/dev/null", os.O_RDONLY))
        except OSError:
            import builtins

            builtins.hoarded = files

    list(batchmill.map(hoard, [1], workers=1))
    assert list(batchmill.map(lambda x: x + 1, [1], workers=1)) == [2]


def test_functions_with_a_cache_will_do():
    import functools

    @functools.cache
    def double(x):
        return 2 * x

    def through(x):
        return double(x)

    double.__module__ = double.__wrapped__.__module__ = "__main__"
    assert list(batchmill.map(through, [1, 2])) == [2, 4]
    assert list(batchmill.map(double, [1, 2])) == [2, 4]


def test_an_item_may_have_more_large_arrays_than_there_are_descriptors():
    numpy = pytest.importorskip("numpy")
    arrays = [numpy.full(1 << 17, n) for n in range(80)]
    assert list(batchmill.map(lambda arrays: [int(a[0]) for a in arrays], [arrays])) == [list(range(80))]
