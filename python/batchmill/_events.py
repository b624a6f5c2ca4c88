"""What happens in a run, as it happens."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, TypeVar

__all__ = [
    "BatchFinished",
    "Event",
    "FailedItem",
    "ItemSlow",
    "Notice",
    "RunFinished",
    "RunStarted",
    "Stats",
    "StepFinished",
    "StepLoad",
    "StepSortedOut",
    "StepStarted",
    "StopReason",
    "event_of",
]

Fact = TypeVar("Fact")


@dataclass(frozen=True)
class Stats:
    """Counts of a step or a run. `duration` and `ledger` are in seconds, `percent` is the share of items that succeeded."""

    total: int = 0
    succeeded: int = 0
    failed: int = 0
    bad_rows: int = 0
    unchanged: int = 0
    cancelled: int = 0
    skipped: int = 0
    retried: int = 0
    duration: float = 0.0
    items_per_second: float = 0.0
    percent: float = 100.0
    ledger: float = 0.0


@dataclass(frozen=True)
class FailedItem:
    """An item whose last attempt failed."""

    index: int
    type: str
    error: str
    attempts: int


@dataclass(frozen=True)
class StopReason:
    """What stopped a step, such as an error in `setup` or too many failures."""

    type: str
    message: str


@dataclass(frozen=True)
class Event:
    """Something that happened. Events of a kind that this version does not know are of this class.

    Attributes
    ----------
    kind : str
        The name of the event, such as `batch_finished`.
    time : datetime
        When it was reported, UTC.
    """

    kind: str
    time: datetime


@dataclass(frozen=True)
class RunStarted(Event):
    """A run starts or continues; the first event."""

    run: str
    workflow: str
    steps: int


@dataclass(frozen=True)
class StepSortedOut(Event):
    """It is settled which items of a resumed step run, and how many for each reason."""

    step: str
    total: int
    will_run: int
    because: Mapping[str, int]


@dataclass(frozen=True)
class StepStarted(Event):
    """A step starts. `total` is None if it is unknown before the items are read."""

    step: str
    total: int | None
    done: int
    bytes: int | None
    bytes_done: int
    workers: int


@dataclass(frozen=True)
class BatchFinished(Event):
    """Batches have ended, and their results are on disk. `stats` are the counts of the step so far."""

    step: str
    batch: int
    batches: int
    attempt: int
    succeeded: int
    failed: tuple[FailedItem, ...]
    bytes_done: int
    stats: Stats


@dataclass(frozen=True)
class StepLoad(Event):
    """What the step takes of the machine, about once a second. `memory` is in bytes."""

    step: str
    busy_workers: float
    cores: float
    memory: int
    waiting: int
    workers: int
    paused: bool


@dataclass(frozen=True)
class ItemSlow(Event):
    """An item has been running for long. `running` is in seconds."""

    step: str
    index: int
    item: str | None
    running: float


@dataclass(frozen=True)
class Notice(Event):
    """A warning, or the message of an `echo`. `step` is None if it is about the run."""

    step: str | None
    text: str


@dataclass(frozen=True)
class StepFinished(Event):
    """A step has ended."""

    step: str
    status: str
    stats: Stats
    failure: StopReason | None


@dataclass(frozen=True)
class RunFinished(Event):
    """The run has ended; the last event."""

    run: str
    status: str


_KINDS: dict[str, type[Event]] = {
    "run_started": RunStarted,
    "step_sorted_out": StepSortedOut,
    "step_started": StepStarted,
    "batch_finished": BatchFinished,
    "step_load": StepLoad,
    "item_slow": ItemSlow,
    "notice": Notice,
    "step_finished": StepFinished,
    "run_finished": RunFinished,
}


def known(kind: type[Fact], fields: Mapping[str, Any]) -> Fact:
    """Return an object of this class. Newer engines may have more fields."""
    names = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    return kind(**{name: value for name, value in fields.items() if name in names})


def event_of(fields: Mapping[str, Any]) -> Event:
    """Return the event in a line of the engine."""
    name = fields["event"]
    given: dict[str, Any] = {**fields, "kind": name, "time": datetime.fromtimestamp(fields["time"] / 1000, timezone.utc)}
    if "stats" in given:
        given["stats"] = known(Stats, given["stats"])
    if name == "batch_finished":
        given["failed"] = tuple(known(FailedItem, failed) for failed in fields["failed"])
    if given.get("failure") is not None:
        given["failure"] = known(StopReason, given["failure"])
    return known(_KINDS.get(name, Event), given)
