"""What is compared: each workload's question, its peers, and how to see that the work was really done.

Knows commands and outcomes. When they run and how they are timed is `run.py`'s.
"""

import csv
import glob
import json
import shutil
import subprocess
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Optional

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent


class Wrong(Exception):
    """The work was not done, or not as it should be."""


@dataclass(frozen=True)
class Bench:
    """What all workloads need to know."""

    batchmill: Path
    python: str
    jobs: int
    scale: float
    tools: Path  # Folder for what is made once: the compiled bound, files of items.

    def items(self, full: int) -> int:
        return max(1, int(full * self.scale))


@dataclass(frozen=True)
class Command:
    """One command; `{out}` in its arguments is a folder of its own for each run, given if any argument asks for it."""

    name: str
    argv: "list[str]"
    stdin: Optional[Path] = None
    check_argv: "tuple[str, ...]" = ()  # Added in the checking round only.


@dataclass(frozen=True)
class Workload:
    name: str
    question: str
    size: str
    batchmill: "list[str]"  # What stands behind `batchmill run`.
    peers: "list[Command]"
    # Looks at a finished run: (who, its `{out}` folder, the results of batchmill or None for a peer). Raises `Wrong`.
    check: Callable[[str, Path, "Optional[Callable[[], list]]"], None]


def py_noop(bench: Bench) -> Workload:
    n = bench.items(1_000_000)
    script = [bench.python, str(HERE / "py_noop.py")]
    jobs = ["--jobs", str(bench.jobs)]

    def check(who, out, results):
        if results is not None:  # The peers' script checks its own, told so by `--check`.
            same_list(results(), list(range(0, 2 * n, 2)))

    def peer(name, *argv):
        return Command(name, [*script, *argv], check_argv=("--check",))

    return Workload(
        "py-noop",
        "What does batchmill itself cost per Python item, where the item costs next to nothing?",
        f"{n:,} items of `x * 2`, batches of 1,000",
        [workflow("py-noop"), f"n={n}"],
        [
            peer("list comprehension (bound)", "listcomp", str(n)),
            peer("plain loop", "loop", str(n)),
            peer("Pool.map", "pool", str(n), *jobs),
            peer("Pool.map, chunks of 1,000", "pool", str(n), *jobs, "--chunk", "1000"),
        ],
        check,
    )


def shell_noop(bench: Bench) -> Workload:
    n = bench.items(5_000)
    items = bench.tools / "items.txt"
    items.write_text("".join(f"{item}\n" for item in range(n)))
    peers = [Command("xargs", ["xargs", "-P", str(bench.jobs), "-n", "1", "true"], stdin=items)]
    if spawn := compiled(bench.tools):
        peers.insert(0, Command("posix_spawn in C (bound)", [spawn, str(n), str(bench.jobs)]))

    def check(who, out, results):
        if results is not None and len(results()) != n:
            raise Wrong(f"expected {n} results, got {len(results())}")

    return Workload(
        "shell-noop",
        "What does batchmill add to starting a process per item?",
        f"{n:,} commands `true ITEM`, one per batch",
        [workflow("shell-noop"), f"n={n}"],
        peers,
        check,
    )


def flights(bench: Bench) -> Workload:
    script = [bench.python, str(HERE / "flights.py"), "{out}"]
    expected = flights_by_carrier()
    days = len(glob.glob(str(ROOT / "fixtures/flights/*.csv")))

    def check(who, out, results):
        if len(list(out.glob("2013-*.json"))) != days:
            raise Wrong(f"expected {days} JSON files in {out}")
        with (out / "by-carrier.csv").open(newline="") as file:
            found = {row["carrier"]: (int(row["flights"]), float(row["mean_dep_delay"])) for row in csv.DictReader(file)}
        if found.keys() != expected.keys():
            raise Wrong(f"carriers are {sorted(found)}")
        for carrier, (count, mean) in expected.items():
            if found[carrier][0] != count or abs(found[carrier][1] - mean) > 0.006:
                raise Wrong(f"{carrier} is {found[carrier]}, expected {(count, mean)}")

    return Workload(
        "flights",
        "What does a small real job take, against the script one would write by hand?",
        f"{days} CSV files, 27,004 rows, pandas; one JSON file per day and a table of the month",
        ["fixtures/workflows/flights.yaml", "out={out}"],
        [Command("pandas, sequential", script), Command("pandas, Pool", [*script, "--jobs", str(bench.jobs)])],
        check,
    )


def startup(bench: Bench) -> Workload:
    def check(who, out, results):
        pass  # Exit code 0, which `run.py` asks of everything, says all.

    return Workload(
        "startup",
        "What does a run cost before it does anything?",
        "one `echo` step",
        [workflow("startup")],
        [
            Command("sh -c 'echo hello'", ["sh", "-c", "echo hello"]),
            Command("python3 -c pass", [bench.python, "-c", "pass"]),
        ],
        check,
    )


ALL = {"py-noop": py_noop, "shell-noop": shell_noop, "flights": flights, "startup": startup}


def workflow(name: str) -> str:
    return str((HERE / "workflows" / f"{name}.yaml").relative_to(ROOT))


def compiled(tools: Path) -> Optional[str]:
    """The bound of shell-noop, where there is a C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    subprocess.run([compiler, "-O2", "-o", str(tools / "spawn"), str(HERE / "spawn.c")], check=True)
    return str(tools / "spawn")


def flights_by_carrier() -> "dict[str, tuple[int, float]]":
    """Flights and mean departure delay of each carrier, by other means than those compared."""
    count: "defaultdict[str, int]" = defaultdict(int)
    delays: "defaultdict[str, list[int]]" = defaultdict(list)
    for path in glob.glob(str(ROOT / "fixtures/flights/*.csv")):
        with open(path, newline="") as file:
            for row in csv.DictReader(file):
                count[row["carrier"]] += 1
                if row["dep_delay"]:
                    delays[row["carrier"]].append(int(row["dep_delay"]))
    return {carrier: (count[carrier], sum(late) / len(late)) for carrier, late in delays.items()}


def same_list(found: list, expected: list) -> None:
    if len(found) != len(expected):
        raise Wrong(f"expected {len(expected)} results, got {len(found)}")
    for index, (one, other) in enumerate(zip(found, expected)):
        if one != other:
            raise Wrong(f"result {index} is {json.dumps(one)}, expected {json.dumps(other)}")
