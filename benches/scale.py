#!/usr/bin/env python3
"""How the cost of an operation grows with its work: seconds, exponent and memory per item, as a Markdown table.

    make bench-scale                                   # everything, about 15 minutes
    make bench-scale ARGS='--only bad-rows runs'       # some operations
    make bench-scale ARGS=--quick                      # a tenth of each size: does everything work at all?
    make bench-scale ARGS=--strict                     # exit code 1 if a limit is missed

What is run is in `scale_operations.py`. Each operation runs with one item first, which is its fixed cost, and then at three
sizes, each in a folder of its own. The exponent is that of the two largest sizes, after the fixed cost was taken off: of the wall
time or of the CPU time, whichever is lower, because other programs disturb the one and short waits the other. Memory is the peak of
the engine's resident set, without its children. Tables go to stdout, progress to stderr.
"""

import argparse
import datetime
import math
import os
import platform
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from scale_operations import ALL, Operation

MOST_EXPONENT = 1.1
MOST_BYTES = 16  # Per item, beyond what an operation must keep.
LIMIT_S = 120  # What takes longer is ended.
ENOUGH_S = 40  # The next size would take too long.
REPEAT_BELOW_S = 1.5  # Quicker runs are measured three times, and the quickest one counts.
NOISE_S = 0.04  # What costs less than this above its fixed cost has no exponent.
NOISE_BYTES = 3 << 20  # Memory that grows by less than this is the allocator's.
NOISE_ITEMS = 64  # So many large items more or less are in memory at the peak: of 400 to 2,400 results of 1 MB, 245 to 288 MiB in no order.


@dataclass
class Sample:
    seconds: float
    cpu: float  # Of the engine and its children.
    peak: int  # Bytes.


@dataclass
class Row:
    operation: Operation
    sizes: "list[int]"
    samples: "list[Sample]" = field(default_factory=list)
    fixed: Optional[Sample] = None
    failure: str = ""

    @property
    def exponent(self) -> Optional[float]:
        """None if the cost is too small to tell, or there are no two sizes."""
        if len(self.samples) < 2:
            return None
        exponents = [self.exponent_of(lambda it: it.seconds), self.exponent_of(lambda it: it.cpu)]
        return None if None in exponents else min(exponents)

    def exponent_of(self, cost) -> Optional[float]:
        (small, large), samples = self.sizes[len(self.samples) - 2 : len(self.samples)], self.samples[-2:]
        fixed, less, more = cost(self.fixed), *(cost(sample) for sample in samples)
        least = max(NOISE_S, 0.1 * fixed)
        if more - fixed < least:
            return None
        return math.log((more - fixed) / max(less - fixed, least / 4)) / math.log(large / small)

    @property
    def bytes_per_item(self) -> Optional[float]:
        if len(self.samples) < 2:
            return None
        (small, large), (less, more) = self.sizes[len(self.samples) - 2 : len(self.samples)], self.samples[-2:]
        grown = more.peak - less.peak
        noise = max(NOISE_BYTES, NOISE_ITEMS * self.operation.large)
        return 0.0 if grown < noise else grown / (large - small)

    @property
    def missed(self) -> "list[str]":
        missed = []
        if self.exponent is not None and self.exponent > MOST_EXPONENT:
            missed.append("time")
        if self.bytes_per_item is not None and self.bytes_per_item > MOST_BYTES + self.operation.keeps:
            missed.append("memory")
        return missed

    def markdown(self) -> str:
        operation = self.operation
        cells = [f"`{operation.name}`", f"{operation.what} ({operation.unit}s)"]
        for size, sample in zip(self.sizes, self.samples):
            cells.append(f"{size:,}: {sample.seconds:.2f} s")
        cells += ["" for _ in range(3 - len(self.samples))]
        exponent, per_item = self.exponent, self.bytes_per_item
        cells.append("flat" if exponent is None and self.samples else "" if exponent is None else f"{exponent:.2f}")
        cells.append(f"{self.samples[-1].peak / 2**20:.0f} MiB" if self.samples else "")
        cells.append("" if per_item is None else "flat" if per_item == 0 else f"{per_item:,.0f}")
        verdict = self.failure or ", ".join(f"**{what} missed**" for what in self.missed) or "reached"
        return "| " + " | ".join([*cells, verdict]) + " |"


class Failed(Exception):
    """A command did not do what it should."""


class Place:
    """A folder in which an operation is prepared and measured."""

    def __init__(self, folder: Path, binary: str):
        self.folder, self.binary = folder, binary

    def write(self, name: str, text: "str | bytes") -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)

    def batchmill(self, *arguments: str, codes: "tuple[int, ...]" = (0,)) -> None:
        """Runs a command that is not measured."""
        command = [self.binary, *arguments]
        ended = subprocess.run(command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, timeout=2 * LIMIT_S, check=False)
        if ended.returncode not in codes:
            raise Failed(f"`batchmill {' '.join(arguments)[:60]}` gave exit code {ended.returncode}: {ended.stderr.decode()[-300:]}")


def main() -> int:
    args = arguments()
    os.environ["BATCHMILL_PYTHON"] = os.path.abspath(args.python)
    print(f"{datetime.date.today().isoformat()}, {machine()}, {args.binary}"
          + (", **a tenth of each size**" if args.quick else ""))
    print()
    print("| operation | what (item) | small | medium | large | exponent | peak | bytes per item | verdict |")
    print("|---|---|--:|--:|--:|--:|--:|--:|---|", flush=True)
    rows = []
    for operation in ALL:
        if args.only and operation.name not in args.only:
            continue
        row = measure(operation, args)
        print(row.markdown(), flush=True)
        rows.append(row)
    missed = [row for row in rows if row.missed]
    failed = [row for row in rows if row.failure]
    print()
    print(f"{len(rows) - len(missed) - len(failed)} of {len(rows)} operations keep both limits: an exponent of at most {MOST_EXPONENT},"
          f" and at most {MOST_BYTES} bytes per item beyond what they must keep.")
    return 1 if failed or args.strict and missed else 0


def measure(operation: Operation, args: argparse.Namespace) -> Row:
    sizes = [max(2, size // 10) if args.quick else size for size in operation.sizes]
    row = Row(operation, sizes)
    try:
        row.fixed = best(operation, operation.least, args)
        for size in sizes:
            note(f"{operation.name}: {size:,}")
            sample = best(operation, size, args)
            row.samples.append(sample)
            if sample.seconds > ENOUGH_S:
                break
    except (Failed, subprocess.TimeoutExpired) as error:
        row.failure = "**failed**: " + " ".join(str(error).split()).replace("|", "/")
    return row


def best(operation: Operation, size: int, args: argparse.Namespace) -> Sample:
    with tempfile.TemporaryDirectory(prefix="batchmill-scale-") as folder:
        place = Place(Path(folder), args.binary)
        command = operation.make(place, size)
        sample = run(place, operation, command)
        if not operation.once:
            for _ in range(2 if sample.seconds < REPEAT_BELOW_S else 0):
                again = run(place, operation, command)
                peak = max(sample.peak, again.peak)
                sample = Sample(min(sample.seconds, again.seconds), min(sample.cpu, again.cpu), peak)
        if args.keep:
            shutil.copytree(folder, Path(args.keep) / f"{operation.name}-{size}", dirs_exist_ok=True)
        return sample


def run(place: Place, operation: Operation, command: "list[str]") -> Sample:
    out = subprocess.PIPE if operation.head else open(place.folder / "stdout", "wb")  # noqa: SIM115
    errors = open(place.folder / "stderr", "wb")  # noqa: SIM115
    started = time.perf_counter()
    process = subprocess.Popen([place.binary, *command], cwd=place.folder, stdin=subprocess.DEVNULL, stdout=out, stderr=errors,
                               start_new_session=True)
    if operation.head:
        threading.Thread(target=take_one_line, args=(process.stdout,)).start()
    peak = watch(process, started)
    seconds = time.perf_counter() - started
    _, status, usage = os.wait4(process.pid, 0)
    code = process.returncode = os.waitstatus_to_exitcode(status)
    if not operation.head:
        out.close()
    errors.close()
    if code not in operation.codes:
        said = (place.folder / "stderr").read_text(errors="replace")
        raise Failed(f"exit code {code}: {said[-300:]}")
    return Sample(seconds, usage.ru_utime + usage.ru_stime, peak)


def take_one_line(stdout) -> None:
    """As `head -1` does."""
    stdout.readline()
    stdout.close()


def watch(process: subprocess.Popen, started: float) -> int:
    """Waits for the end of a process. Gives the peak of its resident memory in bytes."""
    peak, poller, fd = 0, select.poll(), os.pidfd_open(process.pid)
    poller.register(fd, select.POLLIN)
    try:
        while True:
            ended = poller.poll(4)
            try:
                with open(f"/proc/{process.pid}/status") as status:
                    peak = max([peak, *(int(line.split()[1]) << 10 for line in status if line.startswith("VmHWM:"))])
            except OSError:
                pass  # It has just ended.
            if ended:
                return peak
            if time.perf_counter() - started > LIMIT_S:
                os.killpg(process.pid, signal.SIGKILL)
                raise Failed(f"took more than {LIMIT_S} s")
    finally:
        os.close(fd)


def machine() -> str:
    model = next((line.split(":")[1].strip() for line in open("/proc/cpuinfo") if line.startswith("model name")), platform.machine())
    return f"{os.cpu_count()} cores of {model}, Linux {platform.release()}, Python {platform.python_version()}"


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batchmill", dest="binary", required=True, metavar="PATH", help="the program to measure")
    parser.add_argument("--python", default=sys.executable, metavar="PATH", help="the interpreter of Python tasks")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=[operation.name for operation in ALL])
    parser.add_argument("--quick", action="store_true", help="a tenth of each size")
    parser.add_argument("--strict", action="store_true", help="exit code 1 if a limit is missed")
    parser.add_argument("--keep", metavar="FOLDER", help="keep what each run leaves")
    args = parser.parse_args()
    args.binary = os.path.abspath(args.binary)
    return args


def note(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
