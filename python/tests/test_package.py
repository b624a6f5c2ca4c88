"""The package as a user meets it; the worker itself is tested by `tests/worker` in Rust."""

import os
import subprocess
import sys

import pytest

import batchmill


def run(*arguments, **env):
    command = [sys.executable, "-m", "batchmill", *arguments]
    env = {**os.environ, **env}
    return subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=env)


def program(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_a_worker_started_by_hand_says_so():
    done = run("worker")
    assert done.returncode == 2
    assert "internal command: only batchmill itself runs this" in done.stderr


def test_the_version_is_that_of_the_engine_and_of_the_extension():
    assert run("--version").stdout == f"batchmill {batchmill.__version__}\n"
    from batchmill import _core

    assert _core.__version__ == batchmill.__version__


def test_the_module_is_the_program_with_all_its_arguments_and_exit_codes(tmp_path):
    engine = program(tmp_path / "engine", 'printf "<%s>" "$@"; exit 7')
    done = run("run", "a b", "", "--worker", "worker", BATCHMILL_BIN=engine)
    assert (done.returncode, done.stdout, done.stderr) == (7, "<run><a b><><--worker><worker>", "")
    assert run("foreground", BATCHMILL_BIN=engine).stdout == "<foreground>"


def test_without_arguments_the_module_prints_the_usage_of_the_program():
    done = run()
    assert done.returncode == 2
    assert "Usage: batchmill <COMMAND>" in done.stdout + done.stderr


def test_the_module_names_its_interpreter_unless_the_user_names_one(tmp_path):
    engine = program(tmp_path / "engine", 'echo "$BATCHMILL_PYTHON"')
    assert run(BATCHMILL_BIN=engine, BATCHMILL_PYTHON="").stdout == f"{sys.executable}\n"
    assert run(BATCHMILL_BIN=engine, BATCHMILL_PYTHON="/mine").stdout == "/mine\n"


def test_the_program_does_not_inherit_the_signals_that_python_ignores(tmp_path):
    engine = program(tmp_path / "engine", "grep SigIgn /proc/self/status")
    ignored = int(run(BATCHMILL_BIN=engine).stdout.split()[1], 16)
    plain = subprocess.run([engine], capture_output=True, text=True).stdout
    assert ignored == int(plain.split()[1], 16)


@pytest.mark.parametrize("kind", ["missing", "directory", "text", "broken"])
def test_an_engine_that_cannot_be_started_is_named_with_the_way_out(tmp_path, kind):
    engine = tmp_path / kind
    if kind == "directory":
        engine.mkdir()
    elif kind == "text":
        engine.write_text("not a program")
    elif kind == "broken":
        program(engine, "")
        engine.write_text("#!/nowhere/interpreter\n")
    done = run("--version", BATCHMILL_BIN=str(engine))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ") and str(engine) in done.stderr
    assert "Traceback" not in done.stderr


def test_importing_the_package_loads_neither_the_extension_nor_a_dependency():
    code = "import sys, batchmill; batchmill.__version__; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.split()
    assert "batchmill" in modules
    assert not {"batchmill._core", "cloudpickle", "pandas", "polars", "importlib.metadata"} & {*modules}
