#!/usr/bin/env python3
"""Counts the instructions of four workloads, and fails if one takes over 5 % more than the committed figures say.

    make bench-check                  # compare
    make bench-check ARGS=--update    # measure, and write figures.json

Callgrind counts, gungraun runs it (`workloads.rs`). Counts repeat on one machine, but another compiler, C library, valgrind or CPU gives
other counts for the same source. So `figures.json` names those it was made with. If they differ here, the commit that last changed the
figures is built and measured first, and its counts are compared with.
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
FIGURES = HERE / "figures.json"
PROFILE = "instructions"
LIMIT = 1.05


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", action="store_true", help="write the counts to figures.json and compare nothing")
    parser.add_argument("--runs", type=int, default=1, help="measure so often, and show how far apart the counts are")
    args = parser.parse_args()
    if not shutil.which("valgrind"):
        return fail("valgrind is not installed", "apt-get install valgrind")
    here = environment()
    counts = measure(ROOT, args.runs)
    if args.update:
        FIGURES.write_text(json.dumps({"environment": here, "instructions": counts}, indent=2) + "\n")
        print(f"wrote {FIGURES.relative_to(ROOT)}")
        return 0
    if not FIGURES.exists():
        return fail(f"`{FIGURES.relative_to(ROOT)}` is missing", "make bench-check ARGS=--update")
    figures = json.loads(FIGURES.read_text())
    before = figures["instructions"]
    if changed := [name for name in here if here[name] != figures["environment"].get(name)]:
        print(f"the figures were made with another {' and '.join(changed)}")
        before = measure_last(args.runs)
        if before is None:
            return fail("the commit that last changed the figures cannot be found", "make bench-check ARGS=--update")
    return compare(before, counts)


def compare(before: dict, counts: dict) -> int:
    """Prints a table and gives the exit code."""
    print(f"\n{'workload':<16} {'before':>15} {'now':>15}  change")
    worse = []
    for name, count in counts.items():
        if name not in before:
            print(f"{name:<16} {'':>15} {count:>15,}  new")
            continue
        share = count / before[name]
        print(f"{name:<16} {before[name]:>15,} {count:>15,}  {(share - 1) * 100:+.2f} %")
        if share > LIMIT:
            worse.append(name)
    if worse:
        return fail(
            f"{', '.join(worse)}: over {(LIMIT - 1) * 100:.0f} % more instructions than before",
            "find out why, or if it is worth it: make bench-check ARGS=--update, and say why in the commit",
        )
    return 0


def measure(source: Path, runs: int) -> dict:
    """Builds the program from a source tree and counts its instructions, by workload; the least of several runs."""
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
    cargo = os.environ.get("CARGO", "cargo")
    # Without Python: no workload needs it, and it is a third of the build.
    run([cargo, "build", "--profile", PROFILE, "--bin", "batchmill", "--target-dir", target], cwd=source)
    with tempfile.TemporaryDirectory(prefix="batchmill-instructions-") as folder:
        # Both programs get paths of the same length, which are among their arguments.
        program = Path(shutil.copy2(target / PROFILE / "batchmill", folder))
        every = [measure_once(cargo, target, program, Path(folder) / f"run-{number}") for number in range(runs)]
    for name in every[0] if runs > 1 else ():
        least, most = min(counts[name] for counts in every), max(counts[name] for counts in every)
        print(f"{name:<16} {least:>15,} to {most:>15,}  {(most / least - 1) * 100:.3f} % apart")
    return {name: min(counts[name] for counts in every) for name in every[0]}


def measure_once(cargo: str, target: Path, program: Path, home: Path) -> dict:
    environ = os.environ | {"BATCHMILL": str(program), "GUNGRAUN_HOME": str(home), "GUNGRAUN_SAVE_SUMMARY": "json"}
    # The harness is today's, for older commits too: the same work is compared.
    harness = target / "instructions-harness"
    run([cargo, "bench", "--quiet", "--locked", "--manifest-path", HERE / "Cargo.toml", "--target-dir", harness], env=environ)
    counts = {}
    for path in sorted(home.rglob("summary.json")):
        summary = json.loads(path.read_text())
        counts[summary["function_name"]] = instructions(summary)
    return counts


def instructions(summary: dict) -> int:
    """The count of one workload, out of gungraun's summary."""
    callgrind = next(profile for profile in summary["profiles"] if profile["tool"] == "Callgrind")
    return callgrind["data"]["total"]["metrics"]["Ir"]["values"]["new"]


def measure_last(runs: int) -> dict | None:
    """Measures the commit that last changed the figures."""
    found = git("log", "-1", "--format=%H", "--", str(FIGURES.relative_to(ROOT)))
    if not found:
        return None
    print(f"measuring {found[:12]}, which last changed them")
    with tempfile.TemporaryDirectory(prefix="batchmill-before-") as folder:
        tree = Path(folder) / "tree"
        git("worktree", "add", "--detach", str(tree), found)
        try:
            return measure(tree, runs)
        finally:
            git("worktree", "remove", "--force", str(tree))


def environment() -> dict:
    """What decides the counts besides the source."""
    rustc = output(os.environ.get("RUSTC", "rustc"), "-vV")
    flags = re.search(r"^flags\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.M)
    return {
        "rustc": " ".join(re.findall(r"^(?:host|release|LLVM version): (\S+)$", rustc, re.M)),
        "libc": output("ldd", "--version").splitlines()[0],
        "valgrind": output("valgrind", "--version").strip(),
        "cpu": " ".join(sorted(flags[1].split())) if flags else os.uname().machine,
    }


def git(*arguments: str) -> str:
    try:
        return output("git", "-C", str(ROOT), *arguments).strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def output(*command: str) -> str:
    return subprocess.run(command, check=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL).stdout


def run(command: list, **options) -> None:
    subprocess.run([str(part) for part in command], check=True, stdout=sys.stderr, **options)


def fail(what: str, help: str) -> int:
    print(f"error: {what}\nhelp: {help}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        sys.exit(fail(f"`{' '.join(error.cmd)}` ended with exit code {error.returncode}", "see what it printed above"))
