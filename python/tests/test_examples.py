"""The examples in the docstrings."""

import doctest
import importlib
import pkgutil

import pytest

import batchmill

MODULES = [name for _, name, _ in pkgutil.iter_modules(batchmill.__path__, "batchmill.") if not name.endswith("__main__")]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_are_right(name):
    module = importlib.import_module(name)
    tests = doctest.DocTestFinder(exclude_empty=True).find(module, extraglobs={"batchmill": batchmill})
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    said = []
    for test in tests:
        runner.run(test, out=said.append)
    assert runner.failures == 0, "".join(said)


def test_every_public_function_has_an_example():
    # `profile` takes its time.
    names = {name for name in batchmill.__all__ if name.islower() and not name.startswith("_")} - {"profile"}
    lacking = [name for name in sorted(names | {"open"}) if ">>> " not in (getattr(batchmill, name).__doc__ or "")]
    assert lacking == []


def test_importing_the_package_imports_nothing_of_it():
    import subprocess
    import sys

    code = "import sys, batchmill; print(sorted(name for name in sys.modules if name.startswith('batchmill.')))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
    assert "open" not in batchmill.__all__ and "open" in dir(batchmill)
