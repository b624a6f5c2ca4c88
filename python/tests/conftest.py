"""Each test runs in a directory of its own."""

import os
import select
import shutil
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

# A job in the background of a script is started with Ctrl-C ignored, and so would be what the tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """The working directory of the test, where its runs are kept."""
    monkeypatch.chdir(tmp_path)
    for name in ("BATCHMILL_STATE_DIR", "BATCHMILL_PYTHON", "VIRTUAL_ENV"):
        monkeypatch.delenv(name, raising=False)
    yield tmp_path
    shutil.rmtree(tmp_path, ignore_errors=True)


class Script:
    """A Python program that runs while the test does."""

    def __init__(self, code, **options):
        options = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        command = [sys.executable, "-c", textwrap.dedent(code)]
        self.process = subprocess.Popen(command, text=True, start_new_session=True, **options)

    def reads(self, words):
        """Wait for a line of its output that has these words, and return it."""
        for line in self.process.stdout:
            if words in line:
                return line
        raise AssertionError(f"it has ended without `{words}`: {self.process.stderr.read()}")

    def ends(self):
        """Wait for its end, and return exit code, output and errors."""
        out, err = self.process.communicate(timeout=120)
        return self.process.returncode, out, err


@pytest.fixture
def script():
    """Starts programs, and ends those that are left."""
    started = []

    def start(code, **options):
        started.append(Script(code, **options))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
        one.process.communicate()


def engine_of(pid):
    """The engine that a process has started, from whichever thread."""
    threads = Path(f"/proc/{pid}/task").iterdir()
    children = [child for thread in threads for child in (thread / "children").read_text().split()]
    [engine] = [child for child in children if os.path.basename(os.readlink(f"/proc/{child}/exe")) == "batchmill"]
    return int(engine)


def hurry(engine):
    """Send an engine that is stopping more signals until it has ended: the item need not have its grace period."""
    try:
        while True:
            os.kill(engine, signal.SIGINT)
    except ProcessLookupError:
        pass


def is_gone(pid):
    """Wait until a process has ended. It is not a child of this one."""
    try:
        watch = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([watch], [], [], 60)[0])
    finally:
        os.close(watch)


@pytest.fixture
def modules(monkeypatch):
    """Executors are found in the module `clusters`."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))


@pytest.fixture(scope="module")
def dask_address():
    """A scheduler with two worker processes."""
    distributed = pytest.importorskip("distributed", reason="Dask is not installed for this interpreter")
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, protocol="tcp"
    ) as cluster:
        yield cluster.scheduler_address


@pytest.fixture(scope="module")
def ray_address():
    """A Ray cluster of two processes."""
    ray = pytest.importorskip("ray", reason="Ray is not installed for this interpreter")
    try:
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    except Exception as error:
        pytest.skip(f"Ray does not start on this machine: {error}")
    yield ray.get_runtime_context().gcs_address
    ray.shutdown()


@pytest.fixture(params=["pool", "dask", "ray"])
def executor(request):
    """Each kind of executor."""
    if request.param == "pool":
        return "python=clusters:pool"
    return f"{request.param}={request.getfixturevalue(request.param + '_address')}"
