"""A run as a small table, for notebooks."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batchmill._runs import Run

__all__ = ["html_of"]

_SHOWN = 5


def html_of(run: Run) -> str:
    """Return the table: a row for each step, and the first failures below. Text from items is escaped."""
    heads = ("step", "status", "items", "succeeded", "failed", "time")
    head = "".join(f"<th>{name}</th>" for name in heads)
    rows = "".join(
        _row((step.name, step.status, step.stats.total, step.stats.succeeded, step.stats.failed, _time(step.stats.duration)))
        for step in run.steps.values()
    )
    title = f"<b>{escape(run.id)}</b>: {escape(run.status)} in {_time(run.stats.duration)}"
    return f"<div>{title}<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{_failures(run)}</div>"


def _row(cells: tuple[object, ...]) -> str:
    inner = "".join(f"<td>{escape(f'{cell:,}' if isinstance(cell, int) else str(cell))}</td>" for cell in cells)
    return f"<tr>{inner}</tr>"


def _failures(run: Run) -> str:
    # The failures of a run with none need no look.
    if not any(step.stats.failed for step in run.steps.values()):
        stopped = [f"{step.name}: {step.failure.type}: {step.failure.message}" for step in run.steps.values() if step.failure]
        return "".join(f"<div>{escape(text)}</div>" for text in stopped)
    shown = "".join(f"<li>{escape(str(failure))}</li>" for failure in run.failures.first(_SHOWN))
    more = run.stats.failed - _SHOWN
    return f"<ul>{shown}{f'<li>{more:,} more</li>' if more > 0 else ''}</ul>"


def _time(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
