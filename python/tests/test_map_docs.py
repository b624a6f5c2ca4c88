"""The examples in the docs and in docstrings."""

import doctest
import importlib
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs/python.md"
MODULES = ["_map", "_executor", "_joblib", "_map_results", "_retry"]


@pytest.mark.parametrize("module", MODULES)
def test_examples_in_docstrings_give_what_they_say(module):
    if module == "_joblib":
        pytest.importorskip("joblib")
    found = doctest.testmod(importlib.import_module(f"batchmill.{module}"), optionflags=doctest.ELLIPSIS)
    assert found.attempted and not found.failed
