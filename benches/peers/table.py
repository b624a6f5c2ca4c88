"""Figures of a workload, and how they are shown: as Markdown, as JSON, and in a summary that does not leave out losses."""

from dataclasses import dataclass, field
from statistics import median
from typing import Optional

from commands import Command, Workload
from measure import Sample


@dataclass
class Row:
    """All counted runs of one command, one entry per round; or why there are none."""

    command: Command
    wall: "list[float]" = field(default_factory=list)
    cpu: "list[float]" = field(default_factory=list)
    ratio: "list[float]" = field(default_factory=list)  # Its wall over the bound's of the same round.
    share: "list[float]" = field(default_factory=list)
    memory: int = 0  # KiB, of the checking round.
    absent: str = ""  # Why it was not measured: not installed, or cannot be done yet. Not a fault.
    failure: str = ""  # What went wrong. A fault.

    def add(self, sample: Sample, stdout: str) -> None:
        times = self.command.times(stdout) if self.command.times else 1
        self.wall.append(sample.wall / times)
        self.cpu.append(sample.cpu / times)
        if self.command.share:
            self.share.append(self.command.share(stdout))

    @property
    def left_out(self) -> bool:
        return bool(self.absent or self.failure)

    @property
    def reached(self) -> Optional[bool]:
        """Whether the limit is kept; None where there is none, or nothing to compare."""
        limit = self.command.limit
        figures = getattr(self, limit.figure) if limit else []
        return median(figures) <= limit.most if limit and figures and not self.left_out else None


@dataclass
class Table:
    workload: Workload
    rows: "list[Row]"
    judge: bool  # Whether to say which limits are reached: not where the work is scaled down, for start-up would decide.

    @property
    def bound(self) -> Optional[Row]:
        first = self.rows[0]
        return first if self.workload.bounded and not first.left_out else None

    def end_round(self) -> None:
        """Relates the last run of each row to the bound's."""
        bound = self.bound
        if bound is None:
            return
        ideal = self.workload.ideal
        of = ideal.of(bound.wall[-1]) if ideal else bound.wall[-1]
        for row in self.rows:
            if not row.left_out:
                row.ratio.append(row.wall[-1] / of)

    def markdown(self) -> str:
        workload = self.workload
        shared = any(row.command.share for row in self.rows)
        titles = ["", "wall s: median (min to max)", "times the bound" if workload.bounded else "",
                  "ledger's share" if shared else "", "cpu s", "memory MiB", "must reach"]
        kept = [column for column, title in enumerate(titles) if title or column == 0]
        lines = [f"\n### {workload.name}\n\n{workload.question} {workload.size[0].upper()}{workload.size[1:]}.\n"]
        lines.append(line([titles[column] for column in kept]))
        lines.append("|---|" + "--:|" * (len(kept) - 2) + "---|")
        if workload.ideal and self.bound and self.bound.wall:
            cells = [workload.ideal.name, spread([workload.ideal.of(wall) for wall in self.bound.wall], 4), "1.00", "", "", "", ""]
            lines.append(line([cells[column] for column in kept]))
        for row in self.rows:
            cells = self.cells(row)
            lines.append(line([cells[column] for column in kept]))
        return "\n".join(lines)

    def cells(self, row: Row) -> "list[str]":
        name = f"**{row.command.name}**" if row.command.own else row.command.name
        if row.left_out:
            why = f"failed: {row.failure}" if row.failure else row.absent
            return [name, one_line(why), "", "", "", "", self.verdict(row)]
        return [
            name,
            spread(row.wall, 4),
            spread(row.ratio, 2) if row.ratio else "",
            spread([100 * share for share in row.share], 2) + " %" if row.share else "",
            f"{median(row.cpu):.3f}",
            f"{row.memory / 1024:.0f}" if row.memory >= 1024 else "< 1",
            self.verdict(row),
        ]

    def verdict(self, row: Row) -> str:
        limit = row.command.limit
        if limit is None:
            return ""
        if not self.judge:
            return limit.text
        return limit.text + {True: ": reached", False: ": **missed**", None: ": not measured"}[row.reached]

    def losses(self) -> "list[str]":
        """Where batchmill misses what it must reach, and who is faster than its fastest row."""
        said = []
        for row in self.rows:
            if row.reached is False:
                said.append(f"{self.workload.name}, {row.command.name}: {row.command.limit.text}, missed")
            elif row.command.limit and row.reached is None:
                said.append(f"{self.workload.name}, {row.command.name}: {row.command.limit.text}, not measured")
        own = [median(row.wall) for row in self.rows if row.command.own and row.wall and not row.left_out]
        if own:
            faster = [
                f"{row.command.name} ({median(row.wall):.4f} s)"
                for row in self.rows
                if not row.command.own and not row.left_out and row.wall and median(row.wall) < min(own)
            ]
            if faster:
                said.append(f"{self.workload.name}: faster than batchmill ({min(own):.4f} s): {', '.join(faster)}")
        return said

    def figures(self) -> dict:
        return {
            "name": self.workload.name,
            "question": self.workload.question,
            "size": self.workload.size,
            "rows": [
                {
                    "name": row.command.name,
                    "own": row.command.own,
                    "limit": row.command.limit and vars(row.command.limit),
                    "reached": row.reached if self.judge else None,
                    **{name: getattr(row, name) for name in ("wall", "cpu", "ratio", "share", "memory", "absent", "failure")},
                }
                for row in self.rows
            ],
        }


def spread(values: "list[float]", digits: int) -> str:
    return f"{median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def line(cells: "list[str]") -> str:
    return "| " + " | ".join(cells) + " |"


def one_line(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())[:300]
