"""Results become the same columns here and in a worker, which has code of its own for that."""

import importlib.util
import random
from pathlib import Path

import pytest
from batchmill import _tables

WORKERS = Path(__file__).parents[2] / "src/worker/python/results.py"


@pytest.fixture
def workers():
    if not WORKERS.exists():
        pytest.skip("the package is tested without its source tree")
    spec = importlib.util.spec_from_file_location("worker_results", WORKERS)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


VALUES = [None, True, False, 0, -1, 2**53 + 1, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 0.5, 1e300, "x", [1], {"a": 1}]


def described(frame):
    """The values of a data frame, and the types of its columns."""
    return frame.to_dict("list"), [str(kind) for kind in frame.dtypes]


@pytest.mark.parametrize("seed", range(20))
def test_the_package_and_a_worker_make_the_same_tables(workers, seed):
    pytest.importorskip("pandas")
    draw = random.Random(seed)
    kinds = draw.sample(VALUES, 3)
    rows = [
        draw.choice([draw.choice(kinds), {name: draw.choice(kinds) for name in draw.sample("abc", draw.randint(0, 3))}])
        for _ in range(draw.randint(0, 12))
    ]

    class Here(_tables.Tables):
        def _rows(self):
            return iter(rows)

    there = workers.ResultList(rows)
    assert _tables.columns_of(rows) == there._columns()
    assert repr(described(Here().to_pandas())) == repr(described(there.to_pandas()))
    for name, values in _tables.columns_of(rows).items():
        answers = []
        for uniform in (_tables._uniform, workers.uniform):
            try:
                answers.append(uniform(name, values))
            except TypeError as error:
                answers.append(str(error))
        assert answers[0] == answers[1]
