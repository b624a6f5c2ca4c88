"""What batchmill's own machinery costs: retries that wait, and the ledger."""

import json

from commands import Bench, Command, Ideal, Limit, NotYet, Outcome, Workload, at_most, same_list

DELAY_S = 2


def retry_delay(bench: Bench) -> Workload:
    n = bench.items(2_000)

    def own(name, fail, limit=None):
        argv = bench.batchmill_run("retry-delay", n=n, fail=fail, jobs=bench.jobs)
        return Command(name, argv, own=True, limit=limit)

    def check(outcome: Outcome) -> None:
        failing = "fail=true" in outcome.command.argv
        same_list(outcome.results(), [[item, 2 if failing and item % 10 == 0 else 1] for item in range(n)])

    return Workload(
        "retry-delay",
        "Does an item that waits for its next attempt hold up the others?",
        f"{n:,} items of 10 ms, a tenth of which fails once and is tried again after {DELAY_S} s",
        [own("batchmill, no failures", "false"), own("batchmill, with failures", "true", at_most(1.15))],
        check,
        ideal=Ideal(f"ideal: no failures + {DELAY_S} s (bound)", lambda wall: wall + DELAY_S),
    )


def ledger(bench: Bench) -> Workload:
    commands, items = bench.items(5_000), bench.items(1_000_000)

    def own(name, step, most, argv):
        limit = most and Limit("share", most, f"at most {100 * most:g} %")
        return Command(name, argv, own=True, limit=limit, share=lambda stdout: share(stdout, step))

    def noop(size):
        return bench.batchmill_run("py-noop", "--format", "json", n=items, batch_size=size, jobs=bench.jobs)

    def check(outcome: Outcome) -> None:
        expected = [{"stdout": "", "stderr": "", "exit_code": 0}] * commands
        if "py-noop" in outcome.command.argv[2]:
            expected = list(range(0, 2 * items, 2))
        same_list(outcome.results(), expected)

    shell = bench.batchmill_run("shell-noop", "--format", "json", n=commands, jobs=bench.jobs)
    return Workload(
        "ledger",
        "Which share of a step's time does the writing of its ledger take?",
        f"{commands:,} commands `true ITEM`, {items:,} Python items of `x * 2`",
        [
            own("batchmill, commands", "nothing", 0.03, shell),
            own("batchmill, Python, `batch_size: 1000`", "double", 0.10, noop(1000)),
            own("batchmill, Python, `batch_size: 1`", "double", None, noop(1)),
        ],
        check,
        bounded=False,
    )


def share(stdout: str, step: str) -> float:
    stats = json.loads(stdout)["steps"][step]["stats"]
    if "ledger" not in stats:
        raise NotYet("`run --format json` does not tell the seconds of the ledger")
    return stats["ledger"] / stats["duration"]
