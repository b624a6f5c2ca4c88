"""What is compared: the nouns of which workloads are made.

A workload is a table: a few commands that do the same work, one of them the bound. Nothing here runs or times a command;
that is `measure.py`'s.
"""

import json
import shutil
import subprocess
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Callable, Optional

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent


class Wrong(Exception):
    """The work was not done, or not as it should be."""


class NotYet(Exception):
    """This batchmill does not have what is asked of it."""


@dataclass(frozen=True)
class Bench:
    """What all workloads need to know."""

    batchmill: Path
    python: str
    jobs: int
    scale: float
    tools: Path  # Folder for what is made once: data, the compiled bound.

    def items(self, full: int) -> int:
        return max(2, round(full * self.scale))

    def script(self, name: str, *arguments: object) -> "list[str]":
        """A peer written in Python: `scripts/NAME.py` under the interpreter that batchmill's workers use too."""
        return [self.python, str(HERE / "scripts" / f"{name}.py"), *map(str, arguments)]

    def batchmill_run(self, workflow: str, *flags: str, **params: object) -> "list[str]":
        """One of the workflows beside this file."""
        return self.batchmill_file(f"benches/peers/workflows/{workflow}.yaml", *flags, **params)

    def batchmill_file(self, path: str, *flags: str, **params: object) -> "list[str]":
        values = [f"{name}={value}" for name, value in params.items()]
        return [str(self.batchmill), "run", path, *values, "--state-dir", "{state}", "--progress", "none", *flags]

    @cached_property
    def spawn(self) -> "tuple[str, ...]":
        """The compiled bound of the shell workloads; empty where there is no C compiler."""
        compiler = shutil.which("cc")
        if compiler is None:
            return ()
        program = str(self.tools / "spawn")
        subprocess.run([compiler, "-O2", "-pthread", "-o", program, str(HERE / "spawn.c")], check=True)
        return (program,)


@dataclass(frozen=True)
class Tool:
    """A program that the distribution has to bring. It is used where it is found, and never installed from here."""

    program: str
    package: str
    says: str = ""  # What its `--version` must have in it: two programs are called `parallel`.

    @property
    def path(self) -> Optional[str]:
        # Servers are often kept where only root looks.
        found = shutil.which(self.program) or shutil.which(self.program, path="/usr/sbin:/usr/local/sbin:/sbin")
        if found and self.says and self.says not in output_of(found, "--version"):
            return None
        return found

    @property
    def missing(self) -> str:
        return "" if self.path else f"not installed: {self.says or self.program} (package `{self.package}`)"


CC = Tool("cc", "gcc")
CURL = Tool("curl", "curl")
NGINX = Tool("nginx", "nginx-light")
PARALLEL = Tool("parallel", "parallel", says="GNU parallel")
WRK = Tool("wrk", "wrk")
XARGS = Tool("xargs", "findutils")


@dataclass(frozen=True)
class Limit:
    """What a row of batchmill has to reach: a figure of it (`ratio`, `wall` or `share`) that must not be above `most`."""

    figure: str
    most: float
    text: str


def at_most(ratio: float) -> Limit:
    return Limit("ratio", ratio, f"at most {ratio:g}")


@dataclass(frozen=True)
class Command:
    """One row. In its arguments `{out}` and `{state}` are folders, made anew for each run; stdout goes to a file."""

    name: str
    argv: "list[str]"
    stdin: Optional[Path] = None
    env: "dict[str, str]" = field(default_factory=dict)
    tool: Optional[Tool] = None
    own: bool = False  # Whether it is batchmill.
    limit: Optional[Limit] = None
    check_argv: "tuple[str, ...]" = ()  # Added in the checking round only.
    # From what a run printed: how often the work fits into what was done (for a peer that runs for a time, not for a count) ..
    times: Optional[Callable[[str], float]] = None
    # .. and the share of its time that is in question (for the ledger).
    share: Optional[Callable[[str], float]] = None


@dataclass(frozen=True)
class Ideal:
    """A bound that no command reaches: computed from the wall time of the bound's command in the same round."""

    name: str
    of: Callable[[float], float]


@dataclass(frozen=True)
class Outcome:
    """What a finished run left behind, for the check."""

    command: Command
    out: Path
    stdout: Path
    state: Path

    def results(self) -> list:
        """The results in item order: batchmill's from its ledger, a peer's from the file that it writes when it is checked."""
        if not self.command.own:
            return [json.loads(line) for line in (self.out / "results.jsonl").read_text().splitlines()]
        argv = [self.command.argv[0], "results", "latest", "--state-dir", str(self.state)]
        done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise Wrong(f"`{' '.join(argv)}` ended with exit code {done.returncode}: {done.stderr.strip()}")
        return [json.loads(line) for line in done.stdout.splitlines()]


@dataclass(frozen=True)
class Workload:
    name: str
    question: str
    size: str
    commands: "list[Command]"  # The first is the bound, unless `bounded` is false.
    check: Callable[[Outcome], None]  # Raises `Wrong`.
    ideal: Optional[Ideal] = None
    bounded: bool = True
    rounds: int = 1  # For each one that is asked for; more where a run is over at once.
    tool: Optional[Tool] = None  # Without it, nothing of this workload can be run.
    # A server, up while the workload is measured; it gives the ids of its processes, which are not the commands'.
    server: "Callable[[], AbstractContextManager[list[int]]]" = lambda: nullcontext([])


def output_of(*argv: str) -> str:
    return subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout


def same_list(found: list, expected: list) -> None:
    if len(found) != len(expected):
        raise Wrong(f"expected {len(expected)} results, got {len(found)}")
    for index, (one, other) in enumerate(zip(found, expected)):
        if one != other:
            raise Wrong(f"result {index} is {json.dumps(one)}, expected {json.dumps(other)}")
