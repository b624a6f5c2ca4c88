"""The wheel and the sdist, installed as users install them: in fresh environments, without this repository.

`make test-full` names the wheel in BATCHMILL_TEST_WHEEL; it is built with the quick profile, and so is the sdist here.
What needs a package index is skipped where pip reaches none. To check another way of starting a run, add it to `WAYS`.
"""

import email
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest

import batchmill

REPOSITORY = Path(__file__).parents[2]

WORKFLOW = """\
name: where
steps:
  - name: work
    for_each: [0, 1, 2]
    task: python
    inputs:
      code: |
        import sys
        return [item, sys.prefix]
"""

# How the program is started, given the `bin` of an environment.
WAYS = {
    "program": lambda bin: [bin / "batchmill"],
    "module": lambda bin: [bin / "python", "-m", "batchmill"],
}


@pytest.fixture(scope="session")
def wheel():
    path = os.environ.get("BATCHMILL_TEST_WHEEL")
    if not path:
        pytest.skip("BATCHMILL_TEST_WHEEL is not set: `make test-full` builds a wheel and sets it")
    return Path(path)


@pytest.fixture(scope="session")
def packages(tmp_path_factory):
    """A directory with what the package depends on."""
    folder = tmp_path_factory.mktemp("packages")
    done = pip("download", "--dest", folder, "cloudpickle>=3", timeout=120)
    if done.returncode != 0:
        pytest.skip("pip reaches no package index: " + done.stderr.strip().splitlines()[-1])
    return folder


@pytest.fixture(scope="session")
def installed(wheel, packages, tmp_path_factory):
    """The environment that the wheel is installed in."""
    venv = fresh_venv(tmp_path_factory.mktemp("installed"))
    succeeds(pip("--python", venv, "install", "--find-links", packages, wheel))
    return venv


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "where.yaml").write_text(WORKFLOW)
    return tmp_path


def fresh_venv(folder):
    command = [sys.executable, "-m", "venv", "--without-pip", folder / "venv"]
    succeeds(subprocess.run(command, capture_output=True, text=True))
    return folder / "venv"


def pip(*arguments, timeout=600, **env):
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *map(str, arguments)]
    env = {**os.environ, **env}
    return subprocess.run(command, capture_output=True, text=True, env=env, timeout=timeout)


def succeeds(done):
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def without_rust():
    """`PATH` without the directories that have Rust or an engine."""
    tools = ("cargo", "rustc", "batchmill", "batchmill-python")
    folders = os.environ["PATH"].split(os.pathsep)
    return os.pathsep.join(it for it in folders if not any(os.path.exists(os.path.join(it, tool)) for tool in tools))


def run(command, folder, **env):
    """Runs a command of a user who has nothing but what was installed."""
    hidden = ("BATCHMILL_", "PYTHON", "VIRTUAL_ENV", "CONDA_PREFIX", "CARGO", "RUST")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    kept = {**kept, "PATH": without_rust(), "XDG_CACHE_HOME": str(folder / "cache"), **env}
    command = [str(argument) for argument in command]
    return subprocess.run(command, cwd=folder, env=kept, stdin=subprocess.DEVNULL, capture_output=True, text=True)


def prefixes(command, folder, **env):
    """Runs the workflow with this command, and returns the environments that its items saw."""
    succeeds(run([*command, "run", "where.yaml"], folder, **env))
    lines = succeeds(run([*command, "results"], folder, **env)).splitlines()
    results = [json.loads(line) for line in lines]
    assert [item for item, _ in results] == [0, 1, 2]
    return {prefix for _, prefix in results}


def test_the_wheel_has_the_engine_the_worker_and_the_package(wheel):
    release = f"batchmill-{batchmill.__version__}"
    engine, extension = f"{release}.data/scripts/batchmill", "batchmill/_core.abi3.so"
    with zipfile.ZipFile(wheel) as files:
        scripts = [it for it in files.infolist() if ".data/" in it.filename]
        assert [(it.filename, it.external_attr >> 16 & 0o777) for it in scripts] == [(engine, 0o755)]
        names = {it.filename for it in files.infolist()} - {engine}
        assert {"batchmill/__init__.py", "batchmill/py.typed", "batchmill/_core.pyi", extension} <= names
        assert all(name.startswith(("batchmill/", f"{release}.dist-info/")) for name in names), names
        # What has SQLite has the ledger, and so the engine.
        assert b"SQLite format 3" in files.read(engine)
        assert b"SQLite format 3" not in files.read(extension)


def test_the_wheel_says_what_it_needs(wheel):
    with zipfile.ZipFile(wheel) as files:
        said = email.message_from_bytes(files.read(f"batchmill-{batchmill.__version__}.dist-info/METADATA"))
    assert said["Requires-Python"] == ">=3.10"
    needed = said.get_all("Requires-Dist")
    assert [it for it in needed if "extra" not in it] == ["cloudpickle>=3"]
    assert said.get_all("Provides-Extra") == ["pandas", "polars"]


def test_the_programs_in_the_wheel_need_nothing_but_the_c_library(wheel):
    said = succeeds(subprocess.run([sys.executable, "-m", "auditwheel", "show", wheel], capture_output=True, text=True))
    assert 'consistent with the following platform tag: "manylinux_' in " ".join(said.split()), said


@pytest.mark.parametrize("way", WAYS)
def test_tasks_run_in_the_environment_that_the_wheel_is_installed_in(installed, folder, way):
    command = WAYS[way](installed / "bin")
    assert succeeds(run([*command, "--version"], folder)) == f"batchmill {batchmill.__version__}\n"
    assert prefixes(command, folder) == {str(installed)}


def test_the_package_runs_workflows_and_maps_functions(installed, folder):
    code = """
import sys, batchmill
run = batchmill.run("where.yaml")
print(run.status, [item for item, _ in run.steps["work"].results])
print({prefix for _, prefix in run.steps["work"].results} == {sys.prefix})
def where(x):
    return x, sys.prefix
print(list(batchmill.map(where, [1, 2])) == [(1, sys.prefix), (2, sys.prefix)])
"""
    said = succeeds(run([installed / "bin/python", "-c", code], folder))
    assert said == "succeeded [0, 1, 2]\nTrue\nTrue\n"


@pytest.mark.parametrize("way", WAYS)
def test_the_demo_runs_with_the_extra_that_it_needs(installed, packages, wheel, folder, way):
    done = pip("--python", installed, "install", "--find-links", packages, f"{wheel}[pandas]")
    if done.returncode != 0:
        pytest.skip("pip cannot install pandas: " + done.stderr.strip().splitlines()[-1])
    shutil.copytree(REPOSITORY / "fixtures/flights", folder / "fixtures/flights")
    shutil.copy(REPOSITORY / "fixtures/workflows/flights.yaml", folder)
    succeeds(run([*WAYS[way](installed / "bin"), "run", "flights.yaml"], folder))
    assert len(list((folder / "out/flights").glob("*.json"))) == 31
    assert (folder / "out/flights/by-carrier.csv").read_text().count("\n") > 2


def test_a_link_to_the_program_uses_the_environment_that_the_program_is_in(installed, folder):
    (folder / "links").mkdir()
    (folder / "links/batchmill").symlink_to(installed / "bin/batchmill")
    path = f"{folder / 'links'}{os.pathsep}{without_rust()}"
    assert "from python3 next to batchmill" in succeeds(run(["batchmill", "doctor"], folder, PATH=path))
    assert prefixes(["batchmill"], folder, PATH=path) == {str(installed)}


def test_an_activated_environment_without_the_package_is_not_passed_over(installed, folder):
    venv = fresh_venv(folder)
    done = run([installed / "bin/batchmill", "run", "where.yaml"], folder, VIRTUAL_ENV=str(venv))
    assert done.returncode == 2
    assert f"{venv}/bin/python" in done.stderr and "does not have the batchmill package" in done.stderr


@pytest.mark.parametrize("option", ["--target", "--prefix"])
def test_the_module_finds_the_program_where_pip_was_to_install_both(wheel, folder, option):
    venv, place = fresh_venv(folder), folder / "place"
    succeeds(pip("--python", venv, "install", "--no-deps", option, place, wheel))
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    path = place if option == "--target" else place / "lib" / version / "site-packages"
    code = "from batchmill._binary import check_engine, find_engine; check_engine(find_engine()); print(find_engine())"
    found = succeeds(run([venv / "bin/python", "-c", code], folder, PYTHONPATH=str(path)))
    assert found == f"{place}/bin/batchmill\n"
    assert prefixes([venv / "bin/python", "-m", "batchmill"], folder, PYTHONPATH=str(path)) == {str(venv)}


@pytest.fixture(scope="session")
def sdist(tmp_path_factory):
    if not shutil.which("cargo"):
        pytest.skip("there is no `cargo` on PATH")
    folder = tmp_path_factory.mktemp("sdist")
    code = "import batchmill_build, sys; batchmill_build.build_sdist(sys.argv[1])"
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = [sys.executable, "-c", code, str(folder)]
    env = {**os.environ, "PATH": path, "PYTHONPATH": "python/build"}
    succeeds(subprocess.run(command, cwd=REPOSITORY, env=env, capture_output=True, text=True))
    return next(folder.iterdir())


def test_the_sdist_has_the_sources_and_nothing_else(sdist):
    with tarfile.open(sdist) as files:
        names = [name.partition("/")[2] for name in files.getnames()]
    tops = {name.split("/")[0] for name in names}
    needed = {"src", "python", "Cargo.toml", "Cargo.lock", "build.rs", "pyproject.toml", "LICENSE", "PKG-INFO"}
    assert tops - {"README.md", "CHANGELOG.md"} == needed
    assert {"python/build/batchmill_build.py", "python/batchmill/__init__.py", "python/batchmill/py.typed"} <= {*names}
    unwanted = [name for name in names if name.endswith((".so", ".pyc", ".whl")) or name.startswith("python/tests")]
    assert not unwanted


@pytest.fixture
def sources(sdist):
    """A directory with the sources: the same one each time, so that cargo's directory does not grow with each test."""
    here = hashlib.sha256(str(REPOSITORY).encode()).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"batchmill-sdist-{here}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    # `-m`: files in an sdist are old, and cargo builds only what is newer than its output.
    succeeds(subprocess.run(["tar", "-xmzf", sdist, "-C", folder], capture_output=True, text=True))
    yield next(folder.iterdir())
    shutil.rmtree(folder)


def test_the_sdist_installs_where_there_is_rust(sources, packages, folder):
    venv = fresh_venv(folder)
    command = ["--python", venv, "install", "--find-links", packages, sources]
    # For the interpreter that the wheel was built with, so that pyo3 is not compiled once more.
    succeeds(pip(*command, BATCHMILL_BUILD_PROFILE="dev", MATURIN_PEP517_USE_BASE_PYTHON="1"))
    for way in WAYS.values():
        assert prefixes(way(venv / "bin"), folder) == {str(venv)}


def test_the_sdist_says_that_it_needs_rust(sdist, packages, folder):
    done = pip("--python", fresh_venv(folder), "install", sdist, PATH=without_rust())
    assert done.returncode != 0
    assert "there is no `cargo` on PATH: install Rust" in done.stdout + done.stderr
