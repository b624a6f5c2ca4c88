"""A process per item: one that does nothing, one whose output is collected."""

from commands import CC, PARALLEL, XARGS, Bench, Command, Outcome, Workload, Wrong, at_most


def shell_noop(bench: Bench) -> Workload:
    return shell(bench, "true", "shell-noop", "What does it cost to start a command per item?")


def shell_echo(bench: Bench) -> Workload:
    return shell(bench, "echo", "shell-echo", "What does it cost to start a command per item, and to collect what it prints?")


def shell(bench: Bench, word: str, name: str, question: str) -> Workload:
    n = bench.items(5_000)
    items = bench.tools / "items.txt"
    items.write_text("".join(f"{item}\n" for item in range(n)))
    printed = [] if word == "true" else list(range(n))
    jobs = str(bench.jobs)

    def check(outcome: Outcome) -> None:
        if outcome.command.own:
            expected = [{"stdout": str(item) if printed else "", "stderr": "", "exit_code": 0} for item in range(n)]
            if outcome.results() != expected:
                raise Wrong(f"results of {len(outcome.results())} commands differ from those expected")
            return
        # In the order in which the commands ended, where the peer does not keep another one.
        found = [*collected(outcome.out / "printed"), *collected(outcome.stdout)]
        if sorted(found) != printed:
            raise Wrong(f"expected {len(printed)} printed lines, got {len(found)}")

    def own(title, workflow, limit=None):
        return Command(f"batchmill, {title}", bench.batchmill_run(workflow, n=n, jobs=bench.jobs), own=True, limit=limit)

    def spawn(title, how):
        # Where there is no compiler, the row says so by its tool.
        return Command(title, [*(bench.spawn or ("spawn",)), how, word, str(n), jobs, "{out}/printed"], tool=CC)

    return Workload(
        name,
        question,
        f"{n:,} commands `{word} ITEM`; batchmill collects their output in both workloads",
        [
            spawn("loop of posix_spawn in C, `sh -c` (bound)", "loop"),
            own("through `sh -c`", f"{name}-sh", at_most(1.1)),
            own("no shell needed", name),
            spawn("a thread per slot in C, `sh -c`", "threads"),
            spawn("a thread per slot in C, no shell", "direct"),
            Command("Pool + subprocess, `sh -c`", bench.script("shell_pool", word, n, jobs, "{out}/printed")),
            Command("xargs, `sh -c`", ["xargs", "-P", jobs, "-I{}", "sh", "-c", f"{word} {{}}"], stdin=items, tool=XARGS),
            Command("xargs, no shell", ["xargs", "-P", jobs, "-n", "1", word], stdin=items, tool=XARGS),
            Command("GNU parallel", [PARALLEL.program, "-j", jobs, word, "{}"], stdin=items, tool=PARALLEL),
        ],
        check,
    )


def collected(path) -> "list[int]":
    return [int(line) for line in path.read_text().split()] if path.exists() else []
