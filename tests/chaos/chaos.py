#!/usr/bin/env python3
"""Kills engines, workers, commands and guards at random, and checks that nothing is lost, wrong or left behind.

    make chaos                              # 300 kills over all scenarios
    make chaos ARGS='--kills 1000'
    make chaos ARGS='--only retry --seed 7'
"""

import argparse
import os
import random
import shutil
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import server
from rounds import Found, Settings, fresh
from scenarios import SCENARIOS, Scenario

ROOT = Path(__file__).resolve().parents[2]
MOST_SHOWN = 10


def main() -> int:
    args = arguments()
    chosen = [scenario for scenario in SCENARIOS if not args.only or args.only in scenario.name]
    if not chosen:
        names = ", ".join(f"`{scenario.name}`" for scenario in SCENARIOS)
        print(f"error: no scenario is named `{args.only}`\nhelp: {names}", file=sys.stderr)
        return 2
    settings = Settings(str(Path(args.batchmill).resolve()), os.path.abspath(args.python), server.start())
    root = Path(tempfile.mkdtemp(prefix="batchmill-chaos-"))
    began = time.monotonic()
    found = Campaign(args, settings, root).run(chosen)
    print(table(found, time.monotonic() - began))
    if not any(each.lost or each.wrong or each.orphans for each in found.values()):
        shutil.rmtree(root)
        return 0
    for name, each in found.items():
        for fault in each.faults[:MOST_SHOWN]:
            print(f"{name}: {fault}")
    return 1


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    target = os.environ.get("CARGO_TARGET_DIR", ROOT / "target")
    parser.add_argument("--kills", type=int, default=300, help="kill so many processes (300)")
    parser.add_argument("--seed", type=int, default=1, help="for other moments and victims (1)")
    parser.add_argument("--jobs", type=int, default=2, help="rounds at the same time (2)")
    parser.add_argument("--only", metavar="NAME", help="scenarios whose name has this in it")
    parser.add_argument("--batchmill", default=f"{target}/debug/batchmill", help="the program to kill")
    parser.add_argument("--python", default=f"{ROOT}/.venv/bin/python", help="interpreter of the tasks, with pandas")
    return parser.parse_args()


class Campaign:
    """Rounds of all scenarios in turn, until enough was killed."""

    def __init__(self, args: argparse.Namespace, settings: Settings, root: Path):
        self.args, self.settings, self.root = args, settings, root
        self.lock = threading.Lock()
        self.found: dict[str, Found] = {}
        self.rounds = 0

    def run(self, scenarios: list[Scenario]) -> dict[str, Found]:
        self.found = {scenario.name: Found() for scenario in scenarios}
        with ThreadPoolExecutor(self.args.jobs) as pool:
            wholes = list(pool.map(self.undisturbed, scenarios))
            # A round may kill nothing: what it was to kill had ended. So there is an end to that too.
            for worker in [pool.submit(self.work, scenarios, wholes) for _ in range(self.args.jobs)]:
                worker.result()
        return self.found

    def undisturbed(self, scenario: Scenario) -> tuple:
        one = fresh(self.root, scenario, self.settings)
        left = one.undisturbed()
        if left.code not in (0, 1) or left.faults or (one.folder.ran() and not left.results["work"]):
            raise SystemExit(f"error: `{scenario.name}` fails undisturbed: {left.code} {left.faults}\nnote: see {one.log}")
        return left, one.duration

    def work(self, scenarios: list[Scenario], wholes: list[tuple]) -> None:
        while True:
            with self.lock:
                number, self.rounds = self.rounds, self.rounds + 1
                kills = sum(each.kills for each in self.found.values())
                if kills >= self.args.kills or number >= self.args.kills * 5:
                    return
            place = number % len(scenarios)
            chance = random.Random(f"{self.args.seed} {number}")
            one = fresh(self.root, scenarios[place], self.settings)
            found = one.disturbed(*wholes[place], chance)
            if found.faults:
                found.faults = [f"{fault} (round {number}, {one.log.parent})" for fault in found.faults]
            else:
                shutil.rmtree(one.log.parent)
            with self.lock:
                self.found[scenarios[place].name].add(found)


def table(found: dict[str, Found], seconds: float) -> str:
    head = "scenario", "rounds", "kills", "lost", "wrong", "rerun items", "orphans"
    rows = [(name, f.rounds, f.kills, f.lost, f.wrong, f.rerun, f.orphans) for name, f in found.items()]
    rows.append(("all", *(sum(row[column] for row in rows) for column in range(1, len(head)))))
    killed = Found()
    for each in found.values():
        killed.add(each)
    kinds = ", ".join(f"{count} {kind}s" for kind, count in sorted(killed.killed.items()))
    lines = [f"| {' | '.join(map(str, row))} |" for row in [head, ["---"] + ["---:"] * 6, *rows]]
    return "\n".join([*lines, "", f"killed: {kinds}; {seconds:.0f} seconds"])


if __name__ == "__main__":
    sys.exit(main())
