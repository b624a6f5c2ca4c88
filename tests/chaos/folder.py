"""What a run left in its folder, as values that can be compared: results, failures, files, and how often each item ran."""

import json
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

KILLED = ("Crash", "signal", "connection")  # In a failure that the kill of a worker or command caused.
UNBORN = "its creation was interrupted"


@dataclass(frozen=True)
class Left:
    code: int
    results: dict[str, list[str]]  # By step, without durations.
    failures: list[tuple]
    files: dict[str, bytes]
    ran: Counter
    faults: list[str]  # Of `audit`.


class Folder:
    """A folder in which a scenario runs."""

    def __init__(self, path: Path, program: str, environment: dict[str, str]):
        self.path, self.program, self.environment = path, program, environment

    def ask(self, *words: str) -> subprocess.CompletedProcess:
        command = [self.program, *words]
        return subprocess.run(command, cwd=self.path, env=self.environment, capture_output=True, text=True, timeout=120)

    def runs(self) -> list[str]:
        folder = self.path / ".batchmill/runs"
        # A run whose creation was interrupted has a hidden name, and is none.
        names = (entry.name for entry in folder.iterdir()) if folder.exists() else ()
        return sorted(name for name in names if not name.startswith("."))

    def has_begun(self, before: list[str], verb: tuple[str, ...]) -> bool:
        """Whether there is a run to go on with: a new one, or the one that `verb` goes on with."""
        new = sorted(set(self.runs()) - set(before))
        if not new:
            return verb[0] != "run"
        return (self.path / ".batchmill/runs" / new[-1] / "run.db").exists() and not self.is_unborn(new[-1])

    def is_unborn(self, run: str) -> bool:
        """Whether the run was killed while its ledger was created, before anything of it had begun."""
        return UNBORN in self.ask("audit", run).stderr

    def results(self, step: str) -> list[str]:
        asked = self.ask("results", "--step", step)
        return [without_durations(line) for line in asked.stdout.splitlines()]

    def failures(self) -> list[tuple]:
        asked = self.ask("failures", "--format", "json")
        found = json.loads(asked.stdout) if asked.stdout.strip() else []
        return [(each["step"], each["index"], json.dumps(each["item"]), each["type"], each["error"]) for each in found]

    def ran(self) -> list[str]:
        path = self.path / "ran.work"
        return path.read_text().split() if path.exists() else []

    def has_part(self) -> bool:
        """Whether an output is being written."""
        out = self.path / "out"
        return out.exists() and any(entry.name.endswith(".part") for entry in out.iterdir())

    def left(self, code: int, steps: tuple[str, ...]) -> Left:
        """Looks at the folder after a verb ended with `code`."""
        faults = []
        for run in self.runs():
            audit = self.ask("audit", run)
            empty = not (self.path / ".batchmill/runs" / run / "run.db").exists()
            if audit.returncode and not empty and not self.is_unborn(run):
                faults.append(f"audit of a run: {(audit.stdout + audit.stderr).strip()[:300]}")
        files = {
            str(path.relative_to(self.path)): path.read_bytes() if path.is_file() else b""
            for path in sorted(self.path.rglob("*"))
            if path.relative_to(self.path).parts[0] not in (".batchmill", "ran.work", "hold")
        }
        results = {step: self.results(step) for step in steps}
        return Left(code, results, self.failures(), files, Counter(self.ran()), faults)


def was_killed(failures: list[tuple]) -> bool:
    """Whether an item failed because of a kill, so it must run again."""
    return any(word in kind or word in error for *_, kind, error in failures for word in KILLED)


def without_durations(line: str) -> str:
    result = json.loads(line)
    if isinstance(result, dict):
        result.pop("elapsed", None)
    return json.dumps(result)


def number_of(line: str) -> str | None:
    """The number of the item that a result belongs to."""
    result = json.loads(line)
    if not isinstance(result, dict):
        return None
    if "stdout" in result:
        return result["stdout"]
    found = result.get("id", (result.get("json") or {}).get("id"))
    return None if found is None else str(found)
