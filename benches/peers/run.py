#!/usr/bin/env python3
"""Compares batchmill with the other ways to do the same work, pair by pair.

    python3 benches/peers/run.py [--batchmill PATH] [--runs N] [--only NAME ..] [--json FILE]

Each peer is run next to batchmill, in turns, so that a ratio is of two neighbouring runs and slow drift of the machine is
in both. Measured is the whole command, from its start to its exit. Tables go to stdout as Markdown, progress to stderr.
What is run, and how its outcome is checked, is in `workloads.py`. Needs Python 3.10 and its standard library alone, but the
interpreter given with `--python` needs pandas for `flights`.
"""

import argparse
import datetime
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from workloads import ALL, ROOT, Bench, Command, Workload, Wrong


@dataclass
class Figures:
    """All timed runs of one command."""

    name: str
    wall: "list[float]" = field(default_factory=list)
    cpu: "list[float]" = field(default_factory=list)
    ratio: "list[float]" = field(default_factory=list)  # batchmill's wall over the peer's; empty for batchmill.


def main() -> None:
    args = arguments()
    os.chdir(ROOT)  # Workflows name their files from here.
    # The same interpreter for both sides.
    os.environ["BATCHMILL_PYTHON"] = args.python
    with tempfile.TemporaryDirectory(prefix="batchmill-peers-") as tools:
        bench = Bench(args.batchmill, args.python, args.jobs, args.scale, Path(tools))
        report = {"date": datetime.date.today().isoformat(), "machine": machine(bench), "runs": args.runs, "workloads": []}
        print(f"{report['date']}, {report['machine']}; {args.runs} runs of each pair, {args.jobs} at a time")
        for name in args.only or ALL:
            workload = ALL[name](bench)
            figures = compare(bench, workload, args.runs)
            print(table(workload, figures), flush=True)
            report["workloads"].append(
                {"name": name, "question": workload.question, "size": workload.size, "commands": [vars(f) for f in figures]}
            )
    if args.json:
        args.json.write_text(json.dumps(report, indent=1) + "\n")


def compare(bench: Bench, workload: Workload, runs: int) -> "list[Figures]":
    """Checks every command once, untimed; then times the pairs."""
    note(f"{workload.name}: checking")
    own = Figures("batchmill")
    check_batchmill(bench, workload)
    for peer in workload.peers:
        with scratch() as out:
            timed(peer.name, [*peer.argv, *peer.check_argv], out, peer.stdin)
            checked(workload, peer.name, out, None)

    figures = [Figures(peer.name) for peer in workload.peers]
    for round_ in range(runs):
        note(f"{workload.name}: round {round_ + 1} of {runs}")
        # Whoever goes first may find the machine in another state than whoever follows, so they change places.
        for peer, its in zip(workload.peers, figures):
            if round_ % 2 == 0:
                mine, theirs = time_batchmill(bench, workload), time_peer(peer)
            else:
                theirs, mine = time_peer(peer), time_batchmill(bench, workload)
            for one, (wall, cpu) in ((own, mine), (its, theirs)):
                one.wall.append(wall)
                one.cpu.append(cpu)
            its.ratio.append(mine[0] / theirs[0])
    return [own, *figures]


def check_batchmill(bench: Bench, workload: Workload) -> None:
    with scratch() as out, scratch() as state:
        timed("batchmill", batchmill_run(bench, workload, state), out)

        def results() -> list:
            command = [str(bench.batchmill), "results", "latest", "--state-dir", str(state)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
            if done.returncode != 0:
                raise Wrong(f"`{' '.join(command)}` ended with exit code {done.returncode}")
            return [json.loads(line) for line in done.stdout.splitlines()]

        checked(workload, "batchmill", out, results)


def checked(workload: Workload, who: str, out: Path, results) -> None:
    try:
        workload.check(who, out, results)
    except (Wrong, OSError, ValueError, KeyError) as error:
        sys.exit(f"error: {workload.name}: {who} did not do the work: {error}")


def time_batchmill(bench: Bench, workload: Workload) -> "tuple[float, float]":
    with scratch() as out, scratch() as state:
        return timed("batchmill", batchmill_run(bench, workload, state), out)


def time_peer(peer: Command) -> "tuple[float, float]":
    with scratch() as out:
        return timed(peer.name, peer.argv, out, peer.stdin)


def batchmill_run(bench: Bench, workload: Workload, state: Path) -> "list[str]":
    flags = ["-j", str(bench.jobs), "--state-dir", str(state), "--progress", "none"]
    return [str(bench.batchmill), "run", *workload.batchmill, *flags]


@contextmanager
def scratch():
    """A folder for one run. Made before the clock starts and deleted after it has stopped."""
    folder = Path(tempfile.mkdtemp(prefix="batchmill-run-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def timed(who: str, argv: "list[str]", out: Path, stdin: "Path | None" = None) -> "tuple[float, float]":
    """Runs a command; gives its wall seconds and the CPU seconds of it and all children it waited for.

    Ends everything if the command fails: there is no use in comparing with work that was not done.
    """
    argv = [part.replace("{out}", str(out)) for part in argv]
    with open(stdin or os.devnull) as source, open(os.devnull, "wb") as sink, tempfile.TemporaryFile() as errors:
        files = [(os.POSIX_SPAWN_DUP2, file.fileno(), fd) for fd, file in enumerate((source, sink, errors))]
        start = time.perf_counter()
        pid = os.posix_spawnp(argv[0], argv, os.environ, file_actions=files)
        _, status, usage = os.wait4(pid, 0)
        wall = time.perf_counter() - start
        if (code := os.waitstatus_to_exitcode(status)) != 0:
            errors.seek(0)
            sys.stderr.write(errors.read().decode(errors="replace"))
            sys.exit(f"error: {who} ended with exit code {code}: {' '.join(argv)}")
    return wall, usage.ru_utime + usage.ru_stime


def table(workload: Workload, figures: "list[Figures]") -> str:
    lines = [
        f"\n### {workload.name}\n\n{workload.question} {workload.size[0].upper()}{workload.size[1:]}.\n",
        "| | wall s: median (min to max) | cpu s | batchmill's wall / this one's: median (min to max) |",
        "|---|--:|--:|--:|",
    ]
    for its in figures:
        ratio = spread(its.ratio, 2) if its.ratio else ""
        lines.append(f"| {its.name} | {spread(its.wall, 4)} | {median(its.cpu):.3f} | {ratio} |")
    return "\n".join(lines)


def spread(values: "list[float]", digits: int) -> str:
    return f"{median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def machine(bench: Bench) -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        model = platform.processor() or platform.machine()
    shown = subprocess.run([bench.python, "-V"], stdout=subprocess.PIPE, text=True, check=True).stdout.strip()
    return f"{os.cpu_count()} cores of {model}, {platform.system()} {platform.release()}, {shown}"


def arguments() -> argparse.Namespace:
    venv = ROOT / ".venv/bin/python"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batchmill", type=Path, default=ROOT / "target/release/batchmill", metavar="PATH")
    parser.add_argument("--runs", type=int, default=5, metavar="N", help="timed runs of each pair (default 5)")
    parser.add_argument("--only", nargs="+", choices=list(ALL), metavar="NAME", help=f"of {', '.join(ALL)}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every single figure there")
    parser.add_argument("--python", default=str(venv) if venv.exists() else sys.executable, metavar="PATH")
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)), metavar="N", help="workers on both sides")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the items, for a quick look (not for flights)")
    args = parser.parse_args()
    args.batchmill = args.batchmill.resolve()
    args.json = args.json and args.json.resolve()
    if os.sep in args.python:
        args.python = os.path.abspath(args.python)  # Not resolved: a venv's python is a link.
    if not os.access(args.batchmill, os.X_OK):
        parser.error(f"no program `{args.batchmill}`: run `cargo build --release`, or give --batchmill PATH")
    if args.runs < 1 or args.jobs < 1 or not 0 < args.scale <= 1:
        parser.error("--runs and --jobs must be at least 1, --scale above 0 and at most 1")
    return args


def note(text: str) -> None:
    print(text, file=sys.stderr)


if __name__ == "__main__":
    main()
