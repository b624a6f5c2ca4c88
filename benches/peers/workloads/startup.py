"""What a run costs before it does anything."""

from commands import XARGS, Bench, Command, Limit, Outcome, Workload, Wrong


def startup(bench: Bench) -> Workload:
    item = bench.tools / "item.txt"
    item.write_text("hello\n")

    def check(outcome: Outcome) -> None:
        said = outcome.results() if outcome.command.own else outcome.stdout.read_text().split()
        if said != (["hello"] if outcome.command is not python else []):
            raise Wrong(f"it said {said}")

    python = Command("python -c pass", [bench.python, "-c", "pass"])

    def own(name, workflow, seconds):
        limit = Limit("wall", seconds, f"at most {1000 * seconds:g} ms")
        return Command(name, bench.batchmill_run(workflow), own=True, limit=limit)

    return Workload(
        "startup",
        "What does a run cost before it does anything?",
        "one trivial item",
        [
            Command("sh -c 'echo hello' (bound)", ["sh", "-c", "echo hello"]),
            own("batchmill, `echo` step", "startup", 0.010),
            own("batchmill, `python` step", "startup-python", 0.060),
            Command("xargs", ["xargs", "-I{}", "sh", "-c", "echo {}"], stdin=item, tool=XARGS),
            python,
        ],
        check,
        rounds=5,
    )
