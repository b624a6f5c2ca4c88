"""`Executor`, and joblib on it."""

import concurrent.futures
import os
import subprocess
import sys
import threading

import batchmill
import pytest


def square(x):
    return x * x


def wait_for(path):
    with open(path) as file:
        return file.read()


def start_and_wait(started, go):
    # Opening a FIFO waits for whoever opens its other end.
    open(started, "w").close()
    return wait_for(go)


@pytest.fixture
def executor():
    with batchmill.Executor(workers=2) as executor:
        yield executor


def test_functions_run_in_workers(executor):
    assert [executor.submit(square, n).result() for n in range(3)] == [0, 1, 4]
    assert list(executor.map(pow, [2, 3], [3, 2])) == [8, 9]
    assert executor.submit(lambda a, *, b: (a, b, os.getpid() != parent), 1, b=2).result() == (1, 2, True)


parent = os.getpid()


def test_it_is_an_executor_like_any_other(executor):
    futures = {executor.submit(square, n): n for n in range(200)}
    assert all(future.result() == futures[future] ** 2 for future in concurrent.futures.as_completed(futures))
    assert isinstance(executor, concurrent.futures.Executor)


def test_an_exception_is_that_of_the_call_alone(executor):
    failing, good = executor.submit(int, "x"), executor.submit(int, "1")
    with pytest.raises(ValueError, match="invalid literal") as raised:
        failing.result()
    assert isinstance(raised.value.__cause__, batchmill.ItemError)
    assert good.result() == 1


def test_the_death_of_a_worker_costs_one_call(executor):
    futures = [executor.submit(os._exit, 1) if n == 3 else executor.submit(square, n) for n in range(8)]
    assert [future.result() for n, future in enumerate(futures) if n != 3] == [0, 1, 4, 16, 25, 36, 49]
    with pytest.raises(batchmill.RemoteError, match="Crash"):
        futures[3].result()


def test_what_cannot_be_pickled_costs_one_call(executor):
    bad, good = executor.submit(square, threading.Lock()), executor.submit(square, 2)
    with pytest.raises(TypeError, match="cannot pickle"):
        bad.result()
    assert good.result() == 4


def test_a_call_has_a_time_limit():
    # Long enough for the other call, however busy the machine is.
    with batchmill.Executor(workers=1, timeout=5) as executor:
        hanging, good = executor.submit(_hang), executor.submit(square, 2)
        with pytest.raises(batchmill.RemoteError, match="Timeout"):
            hanging.result()
        assert good.result() == 4


def _hang():
    threading.Event().wait()


def test_a_call_that_waits_can_be_cancelled(tmp_path):
    fifos = [tmp_path / name for name in ("first", "second")]
    for fifo in fifos:
        os.mkfifo(fifo)
    with batchmill.Executor(workers=1) as executor:
        for fifo in fifos:
            executor.submit(wait_for, str(fifo))
        waiting = [executor.submit(square, n) for n in range(5)]
        assert waiting[3].cancel() and waiting[3].cancelled()
        for fifo in fifos:
            fifo.write_text("go")
        assert [future.result() for n, future in enumerate(waiting) if n != 3] == [0, 1, 4, 16]


def test_shutting_down_may_cancel_what_waits(tmp_path):
    started, go = tmp_path / "started", tmp_path / "go"
    os.mkfifo(started)
    os.mkfifo(go)
    executor = batchmill.Executor(workers=1)
    running = executor.submit(start_and_wait, str(started), str(go))
    started.read_text()
    waiting = [executor.submit(square, n) for n in range(20)]
    executor.shutdown(wait=False, cancel_futures=True)
    go.write_text("go")
    assert running.result() == "go"
    assert waiting[-1].cancelled()
    with pytest.raises(RuntimeError, match="after shutdown"):
        executor.submit(square, 1)


def test_killing_workers_ends_what_runs():
    executor = batchmill.Executor(workers=1)
    future = executor.submit(_hang)
    executor.kill_workers()
    with pytest.raises(concurrent.futures.CancelledError):
        future.result()


def test_an_executor_that_nobody_shuts_down_finishes_its_calls_at_the_end():
    code = "import batchmill\nbatchmill.Executor(1).submit(print, 'done')\n"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.stderr, done.returncode) == ("done\n", "", 0)


def test_joblib_runs_here():
    joblib = pytest.importorskip("joblib")
    batchmill.register_joblib()
    with joblib.parallel_config(backend="batchmill", n_jobs=2):
        assert joblib.Parallel()(joblib.delayed(square)(n) for n in range(100)) == [n * n for n in range(100)]
        assert joblib.Parallel()(joblib.delayed(os.getpid)() for _ in range(2)) != [parent] * 2
        with pytest.raises(ZeroDivisionError):
            joblib.Parallel()(joblib.delayed(lambda n: 1 // n)(n) for n in [1, 0, 2])
        generated = joblib.Parallel(return_as="generator")(joblib.delayed(square)(n) for n in range(10))
        assert list(generated) == [n * n for n in range(10)]


def test_large_arrays_are_shared_by_the_tasks_of_joblib():
    joblib = pytest.importorskip("joblib")
    numpy = pytest.importorskip("numpy")
    batchmill.register_joblib()
    array = numpy.ones(1 << 20)

    def change(array, n):
        array[0] = n
        return float(array[:2].sum())

    with joblib.parallel_config(backend="batchmill", n_jobs=2):
        assert joblib.Parallel()(joblib.delayed(change)(array, n) for n in range(6)) == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert array[0] == 1.0, "a worker that writes has a copy of its own"


def test_scikit_learn_gives_what_it_gives_with_loky():
    pytest.importorskip("sklearn")
    import joblib
    from sklearn.datasets import make_classification
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_score

    batchmill.register_joblib()
    x, y = make_classification(n_samples=400, random_state=1)
    scores = {}
    for backend in ("loky", "batchmill"):
        with joblib.parallel_config(backend=backend):
            scores[backend] = cross_val_score(LogisticRegression(), x, y, n_jobs=2).tolist()
    assert scores["batchmill"] == scores["loky"]


class CannotBeRead:
    def __reduce__(self):
        return int, ("not a number",)


def test_a_result_that_cannot_be_made_again_costs_one_call(executor):
    bad, good = executor.submit(CannotBeRead), executor.submit(square, 2)
    with pytest.raises(ValueError, match="invalid literal"):
        bad.result()
    assert good.result() == 4


def test_an_executor_that_nobody_has_any_more_ends():
    before = threading.active_count()
    futures = [batchmill.Executor(workers=1).submit(square, n) for n in range(3)]
    assert [future.result() for future in futures] == [0, 1, 4]
    for thread in threading.enumerate():
        if thread.name == "batchmill-executor":
            thread.join(60)
    assert threading.active_count() <= before


def test_arrays_may_change_between_two_calls_of_joblib_and_need_no_descriptors_afterwards():
    joblib = pytest.importorskip("joblib")
    numpy = pytest.importorskip("numpy")
    batchmill.register_joblib()
    array = numpy.ones(1 << 18)
    with joblib.Parallel(n_jobs=2, backend="batchmill") as parallel:
        assert parallel(joblib.delayed(numpy.sum)(array) for _ in range(2)) == [1 << 18] * 2
        array[:] = 2
        assert parallel(joblib.delayed(numpy.sum)(array) for _ in range(2)) == [2 << 18] * 2
        before = len(os.listdir("/proc/self/fd"))
        sums = parallel(joblib.delayed(numpy.sum)(numpy.full(1 << 17, n)) for n in range(40))
        assert sums == [n << 17 for n in range(40)]
        assert len(os.listdir("/proc/self/fd")) < before + 20
