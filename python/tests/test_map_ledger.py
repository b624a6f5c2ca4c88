"""Results that a call keeps in a ledger: what is there after somebody was killed, and what runs again."""

import os
import resource
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import batchmill
import pytest
from conftest import engine_of, is_gone

RAN = Path("ran")


def note(n):
    """Double a number, and note in a file that it was run."""
    with RAN.open("a") as file:
        file.write(f"{n}\n")
    return 2 * n


def ran():
    """The items that were run since the last look, in order of their numbers."""
    lines = RAN.read_text().split() if RAN.exists() else []
    RAN.unlink(missing_ok=True)
    return sorted(int(line) for line in lines)


def kept(name):
    return Path(".batchmill/calls", f"{name}.results")


def test_the_same_call_runs_nothing_again():
    assert list(batchmill.map(note, range(1000), ledger="n")) == [2 * n for n in range(1000)]
    assert ran() == list(range(1000))
    assert list(batchmill.map(note, range(1000), ledger="n")) == [2 * n for n in range(1000)]
    assert ran() == []
    assert list(batchmill.map(note, range(998, 1003), ledger="n", ordered=False)) and ran() == [1000, 1001, 1002]


def test_results_of_any_kind_come_back_as_they_were():
    values = [None, True, 1 << 80, "x", b"y", (1, [2.5]), {"a": {3}}, ValueError("v"), bytearray(2 << 20), RAN]
    for _ in range(2):
        back = list(batchmill.map(values.__getitem__, range(len(values)), ledger="kinds"))
        assert repr(back) == repr(values)


def test_items_in_another_order_and_scattered_ones_find_their_results():
    list(batchmill.map(note, range(0, 3000, 3), ledger="n"))
    ran()
    shuffled = [n * 1009 % 3000 for n in range(3000)]
    assert list(batchmill.map(note, shuffled, ledger="n")) == [2 * n for n in shuffled]
    assert ran() == [n for n in range(3000) if n % 3]
    assert [index for index, _ in sorted(batchmill.map(note, shuffled, ledger="n", ordered=False).indexed())] == list(range(3000))
    assert ran() == []


SCRIPT = """
import batchmill, os, signal, sys

def work(n):
    with open("ran", "a") as file:
        file.write(f"{n}\\n")
    if n == 50 and not os.path.exists("go"):
        with open("fifo", "w") as file:
            file.write("here")
        signal.pause()
    return n * n

results = batchmill.map(work, range(200), ledger=True, workers=2, batch_size=1)
for result in results:
    print(result, flush=True)
"""


@pytest.fixture
def stuck(here, script):
    """A program whose fiftieth item hangs, when most others have ended."""
    os.mkfifo("fifo")
    program = script(SCRIPT)
    assert Path("fifo").read_text() == "here"
    program.reads("2401")
    yield program
    Path("go").touch()


def finishes(script, *, without):
    """Run the program again, and check that it gives everything, and runs no item that had been finished."""
    Path("go").touch()
    before = set(ran())
    code, out, err = script(SCRIPT).ends()
    assert code == 0, err
    assert [int(line) for line in out.split()] == [n * n for n in range(200)]
    again = ran()
    assert not set(again) & set(without), "an item that had been finished was run again"
    assert before | set(again) == set(range(200))


def test_after_the_client_was_killed_the_same_call_runs_only_the_rest(stuck, script):
    engine = engine_of(stuck.process.pid)
    os.kill(stuck.process.pid, signal.SIGKILL)
    assert is_gone(engine)
    finishes(script, without=range(50))


def test_after_the_engine_was_killed_the_same_call_runs_only_the_rest(stuck, script):
    os.kill(engine_of(stuck.process.pid), signal.SIGKILL)
    code, _, err = stuck.ends()
    assert code == 1 and "EngineDiedError: the engine was killed by signal 9" in err
    finishes(script, without=range(50))


def test_at_once_after_a_client_was_killed_the_same_call_waits_for_its_engine(stuck, script):
    os.kill(stuck.process.pid, signal.SIGKILL)
    finishes(script, without=range(50))


def test_a_call_that_failed_keeps_what_it_had():
    with pytest.raises(ZeroDivisionError):
        list(batchmill.map(lambda n: note(n) and 1 // (n - 20), range(1, 50), ledger="f", batch_size=1, workers=1))
    first = ran()
    assert 20 in first
    failed = list(batchmill.map(lambda n: note(n) and 1 // (n - 20), range(1, 50), ledger="f", on_error="skip"))
    assert len(failed) == 48
    again = ran()
    assert 20 in again and not set(again) & set(range(1, 20)), "only what has failed, and what came after it"


def test_a_function_that_has_changed_runs_again_and_says_so(capfd):
    factor = 2

    def scale(n):
        return note(n) * factor

    list(batchmill.map(scale, range(3), ledger="c"))
    factor = 3
    ran()
    assert list(batchmill.map(scale, range(3), ledger="c")) == [0, 6, 12]
    assert ran() == [0, 1, 2]
    said = "the function or its constants have changed since the ledger `c` was written; its 3 results are not used"
    assert said in capfd.readouterr().err
    factor = 2
    assert list(batchmill.map(scale, range(3), ledger="c")) == [0, 4, 8] and ran() == [], "as it was before"
    assert "changed" not in capfd.readouterr().err


@pytest.mark.parametrize("change", ["code", "default", "helper", "constant", "class", "module"])
def test_whatever_a_function_uses_is_part_of_it(here, script, change):
    parts = {"code": "+ 1", "default": "1", "helper": "10", "constant": "100", "class": "1000", "module": "10000"}
    program = """
        import batchmill, other
        class Adds:
            amount = {class}
            def __call__(self, x): return x + self.amount
        adds = Adds()
        def helper(x): return x + {helper}
        def work(n, extra={default}, *, constant):
            open("ran", "a").write(f"{{n}}\\n")
            return adds(helper(other.moved(n))) + extra + constant {code}
        print(list(batchmill.map(work, range(3), ledger="w", constants={{"constant": {constant}}})))
    """

    def run():
        Path("deep.py").write_text(f"amount = {parts['module']}\ndef deep(x): return x + amount\n")
        Path("other.py").write_text("from deep import deep\ndef moved(x): return deep(x)\n")
        code, out, err = script(program.format(**parts), env={**os.environ, "PYTHONHASHSEED": "random"}).ends()
        assert code == 0, err
        return out, ran()

    first, items = run()
    assert items == [0, 1, 2]
    assert run() == (first, []), "another process, the same function"
    parts[change] = parts[change] + "0"
    other, items = run()
    assert other != first and items == [0, 1, 2]


def test_values_of_all_kinds_are_the_same_in_another_process(script):
    program = """
        import collections, dataclasses, datetime, decimal, enum, functools, re
        from batchmill._fingerprint import fingerprint_of
        import numpy, pandas
        class Color(enum.Enum):
            RED = 1
        @dataclasses.dataclass
        class Point:
            x: int
            tags: set = dataclasses.field(default_factory=lambda: {"a", "b", "c"}, metadata={"unit": "m"})
        @functools.lru_cache
        def count(n):
            return n if n < 2 else count(n - 1) + count(n - 2)
        class Odd:
            __slots__ = ("a",)
            p = property(lambda self: {"x", "y", "z"})
            @classmethod
            def c(cls): return super().c
            @staticmethod
            def s(): return [n for n in range(3) if n in {"u", "v", "w"}]
        values = [Color, Color.RED, Point, Point(1), count, Odd, Odd(), re.compile("a+"), decimal.Decimal("1.5"), str.upper,
            collections.Counter("abc"), datetime.timedelta(1), functools.partial(int, base=2), numpy.sqrt, numpy.arange(5),
            numpy.array(["a", None, {1}], dtype=object), pandas.DataFrame({"a": [1], "b": ["x"]}), abs, {"q", "r", "s"}]
        values.append(values)
        print(*map(fingerprint_of, values))
    """
    pytest.importorskip("pandas")
    first, second = (script(program, env={**os.environ, "PYTHONHASHSEED": seed}).ends() for seed in "12")
    assert first[0] == 0, first[2]
    assert first == second and len(set(first[1].split())) == 20


def test_equal_items_get_one_result_each():
    assert list(batchmill.map(note, [1, 1, 2], ledger="e")) == [2, 2, 4] and ran() == [1, 1, 2]
    assert list(batchmill.map(note, [1, 2, 1, 1], ledger="e")) == [2, 4, 2, 2] and ran() == [1]


def test_two_items_with_the_same_key_are_refused():
    with pytest.raises(ValueError, match="items 3 and 13 have the same key; `key` must return another one for each item"):
        list(batchmill.map(abs, range(20), ledger="k", key=lambda n: n % 10 if n == 13 else n))


def test_a_key_names_items_that_have_no_name():
    class Odd:
        def __init__(self, n):
            self.n = n

    def work(odd):
        return note(odd.n)

    with pytest.raises(TypeError, match=r"items\[0\] cannot be found again in a ledger: .*Odd. has no name .* give `key=`"):
        list(batchmill.map(work, [Odd(1)], ledger="o"))
    for expected in ([1, 2], []):
        assert list(batchmill.map(work, [Odd(1), Odd(2)], ledger="o", key=lambda odd: ("odd", odd.n))) == [2, 4]
        assert ran() == expected
    with pytest.raises(TypeError, match=r"what `key` returns for items\[0\] cannot be found again"):
        list(batchmill.map(work, [Odd(1)], ledger="o", key=lambda odd: odd))


def test_a_result_that_cannot_be_pickled_fails_its_item_alone():
    def work(n):
        note(n)
        return (x for x in ()) if n == 1 else n

    for expected in ([0, 1, 2], [1]):
        results = batchmill.map(work, range(3), ledger="u", on_error="skip")
        assert list(results) == [0, 2]
        assert "cannot pickle the result" in results.failures[0].message
        assert ran() == expected


def test_a_full_disk_ends_the_call_and_loses_nothing(here):
    code = """
        import batchmill
        def work(n):
            with open("ran", "a") as file:
                file.write(f"{n}\\n")
            return bytes(5000)
        try:
            for number, _ in batchmill.map(work, range(1000), ledger="d", batch_size=1, ordered=False).indexed():
                print(number)
        except batchmill.EngineError as error:
            print(error)
    """
    limit = 1 << 20
    command = [sys.executable, "-c", textwrap.dedent(code)]
    ended = subprocess.run(
        command, capture_output=True, text=True, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    )
    *results, error = ended.stdout.splitlines()
    assert "cannot write" in error and "d.results" in error and "raise the file size limit (`ulimit -f`)" in error
    assert 0 < len(results) < 1000 and kept("d").stat().st_size <= limit
    ran()
    ended = subprocess.run(command, capture_output=True, text=True)
    assert len(ended.stdout.splitlines()) == 1000, ended.stderr
    assert not set(ran()) & {int(number) for number in results}


def test_two_calls_with_the_same_ledger_do_not_run_side_by_side(here):
    os.mkfifo("fifo")

    def wait(n):
        with open("fifo", "w") as file:
            file.write("here")
        signal.pause()

    with batchmill.map(wait, [1], ledger="same"):
        assert Path("fifo").read_text() == "here"
        with pytest.raises(batchmill.RunLockedError, match="another call is using the ledger `same`; wait until it ends, or"):
            list(batchmill.map(abs, [1], ledger="same"))
        assert list(batchmill.map(abs, [-1], ledger="other")) == [1]


def test_without_resume_the_ledger_begins_again():
    list(batchmill.map(note, range(3), ledger="r"))
    assert list(batchmill.map(note, range(3), ledger="r", resume=False)) == [0, 2, 4]
    assert ran() == [0, 0, 1, 1, 2, 2]
    assert list(batchmill.map(note, range(3), ledger="r")) and ran() == []


def test_a_damaged_result_runs_again():
    list(batchmill.map(note, range(100), ledger="d"))
    ran()
    data = bytearray(kept("d").read_bytes())
    data[len(data) // 2] ^= 1
    kept("d").write_bytes(data[:-1])
    assert list(batchmill.map(note, range(100), ledger="d")) == [2 * n for n in range(100)]
    assert len(ran()) == 2, "the damaged one, and the last one, which lacks a byte"
    assert list(batchmill.map(note, range(100), ledger="d")) and ran() == []


def test_starmap_and_classes_keep_results_too():
    class Power:
        def __call__(self, base, exponent):
            return note(base) ** exponent

    for expected in ([2, 3], []):
        assert list(batchmill.starmap(Power, [(2, 1), (3, 2)], ledger=True)) == [4, 36]
        assert ran() == expected
    [file] = Path(".batchmill/calls").iterdir()
    assert file.stat().st_mode & 0o077 == 0, "results may be secret"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"ledger": "a/b"}, "`ledger` is 'a/b'; it must be a name of letters, digits"),
        ({"ledger": ".."}, "`ledger` is '..'"),
        ({"ledger": 5}, "`ledger` is 5; it must be a name, or True"),
        ({"key": len}, '`key` needs a ledger, such as `ledger="nightly"`'),
        ({"resume": False}, "`resume` needs a ledger"),
        ({"ledger": "a", "key": 5}, "`key` is 5; it must be a function"),
        ({"ledger": "a", "resume": "no"}, "`resume` is 'no'; it must be True or False"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments, message):
    with pytest.raises((TypeError, ValueError)) as caught:
        batchmill.map(abs, [1], **arguments)
    assert message in str(caught.value)


def test_a_nested_call_needs_workers_for_a_ledger():
    def outer(n):
        return list(batchmill.map(abs, [n], ledger="inner"))

    with pytest.raises(ValueError, match="inside a worker, a call with a `ledger` needs `workers`"):
        list(batchmill.map(outer, [1]))
