"""One round: a scenario in a fresh folder, processes of it killed, gone on with until it ends well, and compared."""

import os
import random
import subprocess
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path

from folder import Folder, Left, number_of, was_killed
from processes import NAME, Process, marked, orphans
from scenarios import Scenario

LIMIT_S = 120  # What takes longer hangs.
MOST_STARTS = 40
WEIGHTS = {"engine": 5, "worker": 3, "task": 2, "guard": 1}


@dataclass
class Found:
    """What a round, or all rounds of a scenario, showed."""

    rounds: int = 0
    killed: Counter = field(default_factory=Counter)  # By kind of process.
    lost: int = 0
    wrong: int = 0
    rerun: int = 0
    orphans: int = 0
    faults: list[str] = field(default_factory=list)

    @property
    def kills(self) -> int:
        return sum(self.killed.values())

    def add(self, other: "Found") -> None:
        self.rounds += other.rounds
        self.killed.update(other.killed)
        self.lost += other.lost
        self.wrong += other.wrong
        self.rerun += other.rerun
        self.orphans += other.orphans
        self.faults += other.faults

    def is_wrong(self, what: str) -> None:
        self.wrong += 1
        self.faults.append(what)


@dataclass(frozen=True)
class Settings:
    program: str
    python: str
    server: str


class Round:
    def __init__(self, scenario: Scenario, settings: Settings, root: Path):
        self.scenario, self.settings = scenario, settings
        self.marker = f"{os.getpid()}-{root.name}"
        self.log = root / "log"
        path = root / "work"
        path.mkdir()
        variables = {NAME: self.marker, "CHAOS_SERVER": settings.server, "CHAOS_FOLDER": str(path)}
        self.folder = Folder(path, settings.program, {**os.environ, **variables})
        self.found = Found(rounds=1)
        self.duration = 0.0  # Of the verb.

    def prepare(self) -> None:
        """Makes the input, and runs what comes before, undisturbed."""
        (self.folder.path / "workflow.yaml").write_text(self.scenario.workflow)
        self.scenario.files(self.folder.path)
        for verb in self.scenario.before:
            self.start(verb).wait(LIMIT_S)
        self.scenario.change(self.folder.path)

    def start(self, words: tuple[str, ...]) -> subprocess.Popen:
        options = ["--progress", "none"] if words[0] != "runs" else []
        if words[0] == "run":
            options += ["--python", self.settings.python]
        command = [self.settings.program, *words, *options]
        with open(self.log, "ab") as log:
            log.write(f"$ {' '.join(command)}\n".encode())
            log.flush()
            return subprocess.Popen(
                command, cwd=self.folder.path, env=self.folder.environment,
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def undisturbed(self) -> Left:
        self.prepare()
        (self.folder.path / "hold").unlink(missing_ok=True)
        began = time.monotonic()
        code = self.start(self.scenario.verb).wait(LIMIT_S)
        self.duration = time.monotonic() - began
        return self.folder.left(code, self.scenario.steps)

    def disturbed(self, whole: Left, duration: float, chance: random.Random) -> Found:
        """Kills up to three processes, one in each start, and compares with the undisturbed run."""
        self.prepare()
        before = self.folder.runs()
        words, kills = self.scenario.verb, chance.choice([1, 1, 2, 3])
        for _ in range(MOST_STARTS):
            done, offset = self.done(), len(self.folder.ran())
            engine = self.start(words)
            if kills:
                self.strike(engine, duration, chance)
                kills -= 1
            code = self.end(engine)
            (self.folder.path / "hold").unlink(missing_ok=True)
            again = done.intersection(self.folder.ran()[offset:])
            if again:
                self.found.is_wrong(f"{len(again)} items with a result ran again: {sorted(again)[:5]}")
            if code == whole.code and not was_killed(self.folder.failures()):
                break
            words = self.scenario.again if self.folder.has_begun(before, self.scenario.verb) else self.scenario.verb
        else:
            self.found.is_wrong(f"does not end well: exit code {code}, not {whole.code}")
        self.compare(whole, self.folder.left(code, self.scenario.steps))
        return self.found

    def done(self) -> set[str]:
        """The numbers of the items that have a result."""
        numbers = map(number_of, self.folder.results("work"))
        return {number for number in numbers if number is not None}

    def strike(self, engine: subprocess.Popen, duration: float, chance: random.Random) -> None:
        """Kills a process at some moment; while an output is being written if there is one, every third time."""
        moment = chance.uniform(0, duration)
        if "path:" in self.scenario.workflow and chance.random() < 0.35:
            while not self.folder.has_part():
                if engine.poll() is not None:
                    return
            victims = [Process(engine.pid, "engine", "")]
        else:
            try:
                engine.wait(moment)
                return
            except subprocess.TimeoutExpired:
                victims = marked(self.marker) or [Process(engine.pid, "engine", "")]
                # A child looks like the engine until it has become the command that it is to run.
                is_child = [each.kind == "engine" and each.pid != engine.pid for each in victims]
                victims = [replace(each, kind="task") if child else each for each, child in zip(victims, is_child)]
        kinds = sorted({victim.kind for victim in victims})
        kind = chance.choices(kinds, [WEIGHTS[kind] for kind in kinds])[0]
        victim = chance.choice([each for each in victims if each.kind == kind])
        struck = victim.kill()
        self.found.killed[kind] += struck
        if not struck or kind != "engine":
            (self.folder.path / "hold").unlink(missing_ok=True)

    def end(self, engine: subprocess.Popen) -> int:
        """Waits for the engine, and for everything that it started."""
        try:
            code = engine.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            self.found.is_wrong(f"hangs for {LIMIT_S} seconds")
            engine.kill()
            code = engine.wait()
        for left in orphans(self.marker):
            self.found.orphans += 1
            self.found.faults.append(f"orphan: {left.kind} `{left.command[:100]}`")
            left.kill()
        return code

    def compare(self, whole: Left, left: Left) -> None:
        for step, lines in whole.results.items():
            lost = (Counter(lines) - Counter(left.results[step])).total()
            self.found.lost += lost
            if lost:
                self.found.faults.append(f"{lost} results of `{step}` are lost")
            elif lines != left.results[step]:
                self.found.is_wrong(f"the results of `{step}` differ")
        if whole.failures != left.failures:
            self.found.is_wrong(f"failures differ: {set(left.failures) ^ set(whole.failures)}")
        for path in sorted(whole.files.keys() | left.files.keys()):
            if whole.files.get(path) != left.files.get(path):
                state = "differs" if path in whole.files and path in left.files else "is left behind"
                self.found.is_wrong(f"`{path}` {state if path in left.files else 'is missing'}")
        if self.scenario.verb[:2] == ("runs", "clean"):
            kept = int(self.scenario.verb[-1])
            if len(self.folder.runs()) != kept:
                self.found.is_wrong(f"{len(self.folder.runs())} runs are left, not {kept}")
        for fault in left.faults:
            self.found.is_wrong(fault)
        missing = [number for number in whole.ran if number not in left.ran]
        if missing:
            self.found.is_wrong(f"{len(missing)} items never ran")
        rerun = (left.ran - whole.ran).total()
        self.found.rerun += rerun
        if rerun > self.found.kills * self.scenario.flight:
            self.found.is_wrong(f"{rerun} items ran again after {self.found.kills} kills")


def fresh(root: Path, scenario: Scenario, settings: Settings) -> Round:
    return Round(scenario, settings, Path(tempfile.mkdtemp(prefix="round-", dir=root)))
