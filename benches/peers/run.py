#!/usr/bin/env python3
"""Compares batchmill with the other ways to do the same work, and prints tables as Markdown.

    make bench-peers                                   # sets up what this needs, and runs everything
    make bench-peers ARGS='--only py-noop --runs 10'

Needs the packages of `requirements.txt`. What is run, and how its outcome is checked, is in `workloads/`; how one run is
measured in `measure.py`; how figures are shown in `table.py`. Tables go to stdout, progress to stderr. The exit code is 1
where a command failed or did not do the work; a limit that is missed is a figure, not a fault.
"""

import argparse
import datetime
import json
import os
import platform
import random
import sys
import tempfile
from pathlib import Path

from commands import ROOT, Bench, Command, NotYet, Outcome, Workload, Wrong, output_of
from measure import Failed, Stopwatch, scratch
from table import Row, Table
from workloads import ALL

CHECK_SCALE = 0.01


def main() -> int:
    args = arguments()
    os.chdir(ROOT)  # Workflows are named from here.
    # The same interpreter for both sides, and the same functions under test.
    os.environ["BATCHMILL_PYTHON"] = args.python
    os.environ["PYTHONPATH"] = str(ROOT / "benches/peers/workflows")
    os.environ["SHELL"] = "/bin/sh"  # What GNU parallel gives its commands to.
    report = {"date": datetime.date.today().isoformat(), "machine": machine(args), "runs": args.runs, "workers": args.jobs,
              "scale": args.scale, "workloads": []}
    print(f"{report['date']}, {report['machine']}; {args.jobs} workers, median of {args.runs} interleaved runs"
          + (f", **{args.scale:g} of the items**" if args.scale != 1 else ""))
    tables = []
    for name in args.only or ALL:
        with tempfile.TemporaryDirectory(prefix="batchmill-peers-") as tools:
            workload = ALL[name](Bench(args.batchmill, args.python, args.jobs, args.scale, Path(tools)))
            table = Table(workload, [Row(command) for command in workload.commands], judge=args.scale == 1)
            compare(table, args.runs)
            print(table.markdown(), flush=True)
            tables.append(table)
            report["workloads"].append(table.figures())
    print(summary(tables))
    if args.json:
        args.json.write_text(json.dumps(report, indent=1) + "\n")
    return 1 if any(row.failure for table in tables for row in table.rows) else 0


def compare(table: Table, runs: int) -> None:
    workload = table.workload
    for row in table.rows:
        row.absent = missing(workload, row.command)
    if all(row.left_out for row in table.rows):
        return
    with workload.server() as bystanders:
        stopwatch = Stopwatch(bystanders)
        for row in table.rows:
            if not row.left_out:
                note(f"{workload.name}: checking {row.command.name}")
                check(stopwatch, workload, row)
        rounds = runs * workload.rounds
        for round_ in range(rounds):
            note(f"{workload.name}: round {round_ + 1} of {rounds}")
            order = [row for row in table.rows if not row.left_out]
            # Each round in another order, so that no row always follows the same other one; but each time the same orders.
            random.Random(round_).shuffle(order)
            for row in order:
                time_one(stopwatch, row)
            table.end_round()


def missing(workload: Workload, command: Command) -> str:
    """Why a command cannot be run here; empty where it can."""
    for tool in (workload.tool, command.tool):
        if tool and tool.missing:
            return tool.missing
    return not_yet(command) if command.own else ""


def not_yet(command: Command) -> str:
    """What of its workflow this batchmill does not have. Any other fault shows when it is run: it is one of the workflow."""
    program, _, *rest = command.argv
    # The folders are made for each run. Any name will do for a check that opens none.
    argv = [part.replace("{out}", "out").replace("{state}", "state") for part in rest[: rest.index("--state-dir")]]
    said = output_of(program, "validate", *argv)
    fault = next((line for line in said.splitlines() if "not supported yet" in line), "")
    return f"batchmill cannot do this yet: {fault.removeprefix('error: ')}" if fault else ""


def check(stopwatch: Stopwatch, workload: Workload, row: Row) -> None:
    """The first, uncounted run: looks at what was done, and at the memory."""
    with scratch() as folder:
        try:
            row.memory = stopwatch.run(row.command, folder, check=True).memory
            workload.check(Outcome(row.command, folder.out, folder.stdout, folder.state))
            row.command.share and row.command.share(folder.stdout.read_text())
        except Failed as error:
            row.failure = str(error)
        except NotYet as error:
            row.absent = f"batchmill cannot do this yet: {error}"
        except Wrong as error:
            row.failure = f"did not do the work: {error}"
        except (OSError, ValueError, KeyError, TypeError) as error:  # What it left behind cannot be read as it should.
            row.failure = f"did not do the work: {error!r}"
    if row.failure:
        note(f"{workload.name}: {row.command.name} failed: {row.failure}")


def time_one(stopwatch: Stopwatch, row: Row) -> None:
    with scratch() as folder:
        try:
            row.add(stopwatch.run(row.command, folder), folder.stdout.read_text(errors="replace"))
        except (Failed, Wrong) as error:
            row.failure = str(error)
            note(f"{row.command.name} failed: {row.failure}")


def summary(tables: "list[Table]") -> str:
    rows = [row for table in tables if table.judge for row in table.rows if row.command.limit]
    said = [f"- {loss}" for table in tables if table.judge for loss in table.losses()]
    if not rows:
        return "\nNothing is judged: the work was scaled down, or has no limits."
    return "\n".join([f"\n### Limits and losses\n\n{sum(row.reached is True for row in rows)} of {len(rows)} limits are reached.\n", *said])


def machine(args: argparse.Namespace) -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        model = platform.processor() or platform.machine()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    python, batchmill = output_of(args.python, "-V").strip(), output_of(str(args.batchmill), "--version").strip()
    return (f"{len(os.sched_getaffinity(0))} cores of {model}, {memory:.0f} GiB, {platform.system()} {platform.release()}, "
            f"{python}, {batchmill}, load {os.getloadavg()[0]:.1f}")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    parser.add_argument("--batchmill", type=Path, default=target / "release/batchmill", metavar="PATH")
    parser.add_argument("--only", nargs="+", choices=list(ALL), metavar="WORKLOAD", help=f"of {', '.join(ALL)}")
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="counted runs of each command (default 5)")
    parser.add_argument("--scale", type=float, default=1.0, metavar="SHARE", help="share of the items; limits are not judged then")
    parser.add_argument("--check", action="store_true", help=f"does everything work at all? One run, {CHECK_SCALE:g} of the items")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every single figure there")
    parser.add_argument("--jobs", type=int, default=2, metavar="N", help="workers on both sides (default 2)")
    parser.add_argument("--python", default=sys.executable, metavar="PATH", help="interpreter of both sides")
    args = parser.parse_args()
    if args.check:
        args.scale, args.runs = CHECK_SCALE, 1
    args.batchmill = args.batchmill.resolve()
    args.json = args.json and args.json.resolve()
    if os.sep in args.python:
        args.python = os.path.abspath(args.python)  # Not resolved: a venv's python is a link.
    if not os.access(args.batchmill, os.X_OK):
        parser.error(f"no program `{args.batchmill}`: run `make dist`, or give --batchmill PATH")
    if args.runs < 1 or args.jobs < 1 or not 0 < args.scale <= 1:
        parser.error("--runs and --jobs must be at least 1, --scale above 0 and at most 1")
    return args


def note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
