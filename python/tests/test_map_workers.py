"""What one item or one call must not do to the others in the same worker."""

import itertools
import os
import signal
import sys

import batchmill
import pytest


class Exploding:
    """Cannot be made again: in its constructor, or when its state is set."""

    def __init__(self, how):
        if how == "explode":
            raise ValueError("not again")
        self.how = how

    def __reduce__(self):
        if self.how == "state":
            return object.__new__, (Exploding,), {"how": "state"}
        return Exploding, ("explode",)

    def __setstate__(self, state):
        raise KeyError(f"no {state['how']}")


def depth_of(item):
    return len(item) if isinstance(item, (list, tuple, dict)) else item


def outcomes(items, function=depth_of):
    results = batchmill.map(function, items, batch_size=len(items), on_error="return", retry=3)
    return [f"{one.type}: {one.message}" if isinstance(one, batchmill.ItemFailure) else one for one in results]


def test_an_item_that_cannot_be_made_again_fails_alone():
    bad, shared = Exploding("new"), ["shared"]
    items = [1, bad, [[bad]], {"x": ({"y": Exploding("state")},)}, (shared, 5), (shared, bad), [shared], frozenset([7]), 8]
    *first, last = outcomes(items)
    error = "ValueError: not again"
    assert first == [1, error, error, "KeyError: 'no state'", 2, error, 1, frozenset([7])] and last == 8


def test_an_item_whose_class_is_missing_in_the_worker_fails_alone(here, monkeypatch):
    (here / "passing.py").write_text("import os\nif os.environ.get('IS_HERE'):\n    class There:\n        pass\n")
    monkeypatch.syspath_prepend(str(here))
    monkeypatch.setenv("IS_HERE", "1")
    import passing

    monkeypatch.delenv("IS_HERE")
    first, middle, last = outcomes([1, passing.There(), 3])
    assert (first, last) == (1, 3) and middle.startswith("AttributeError: ") and "There" in middle


def test_large_arrays_of_a_bundle_survive_a_broken_neighbour():
    numpy = pytest.importorskip("numpy")
    array = numpy.arange(1 << 18)
    assert outcomes([array, Exploding("new"), array], numpy.sum) == [array.sum(), "ValueError: not again", array.sum()]


def test_a_variable_that_is_removed_is_gone_in_the_workers(script):
    code, out, err = script(
        """
        import batchmill, os
        os.environ.update(GOING="1", STAYING="2")
        def look(_): return os.environ.get("GOING"), os.environ.get("STAYING")
        def call(): print(*batchmill.map(look, [1], workers=1))
        call()
        del os.environ["GOING"]
        call()
        os.environ["GOING"] = "1"
        call()
        os.environ["GOING"] = "3"
        call()
        """
    ).ends()
    assert code == 0, err
    assert out.splitlines() == ["('1', '2')", "(None, '2')", "('1', '2')", "('3', '2')"]


def meddle(_):
    sys.setrecursionlimit(50_000)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGUSR1, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 3600)
    return os.getpid()


def look(_):
    handlers = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGUSR1)
    return os.getpid(), sys.getrecursionlimit(), handlers, signal.getitimer(signal.ITIMER_REAL)[0]


def test_a_call_finds_signals_and_the_recursion_limit_as_they_were_at_first():
    before = next(batchmill.map(look, [1], workers=1, max_items_per_worker=1))
    [worker] = batchmill.map(meddle, [1], workers=1)
    after = next(batchmill.map(look, [1], workers=1))
    assert after[0] == worker, "the test is about a worker that has been used"
    assert after[1:] == before[1:] == (1000, (signal.SIG_DFL, signal.SIG_DFL), 0.0)


def test_text_that_nobody_takes_does_not_fill_the_memory(here, script):
    os.mkfifo("done")
    program = script(
        """
        import batchmill, os
        def work(n):
            print("x" * 1_000_000)
            if n == 29:
                open("done", "w").close()
            return n
        results = batchmill.map(work, range(30), workers=1, batch_size=10)
        open("done").close()
        assert list(results) == list(range(30))
        """
    )
    code, out, err = program.ends()
    assert code == 0, err
    printed = out.count("x")
    assert 16_000_000 <= printed <= 20_000_000
    # One line for each gap: what arrives while the first results are taken can make a second one.
    left_out = [line for line in err.splitlines() if "results were taken too slowly" in line]
    assert sum(int(line.split()[1]) for line in left_out) == len("x" * 1_000_000 + "\n") * 30 - len(out)


@pytest.mark.parametrize("ordered", [True, False])
def test_batches_of_large_results_stay_small(ordered):
    # A batch of these takes 20 ms only from many megabytes on.
    with batchmill.map(lambda n: bytes(1 << 20), itertools.count(), ordered=ordered, workers=2) as results:
        for _ in range(300):
            next(results)
        assert results._stream._call.given <= 300 + 100


@pytest.mark.parametrize("python", ["/nowhere/python", "/bin/true"])
def test_an_interpreter_that_does_not_work_is_refused_in_the_words_of_the_call(python):
    with pytest.raises(batchmill.WorkerStartError) as caught:
        list(batchmill.map(abs, [1], python=python))
    assert f"cannot use the Python interpreter `{python}` (from `python=`)" in str(caught.value)
    assert "choose another interpreter with `python=`" in str(caught.value) and "--python" not in str(caught.value)
