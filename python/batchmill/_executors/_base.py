"""What a driver needs of a distributed engine."""

from __future__ import annotations

import hashlib
import importlib
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, Union

__all__ = [
    "Executor",
    "ExecutorRefusedError",
    "Lost",
    "Outcome",
    "Program",
    "Refused",
    "Resources",
    "imported",
    "listed",
    "made_by",
    "outcome_of",
    "room",
]


class ExecutorRefusedError(Exception):
    """The executor cannot be used."""

    def __init__(self, message: str, help: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.help = help


@dataclass(frozen=True)
class Resources:
    """What each frame of a step needs: `resources` of the workflow. None of what is left out."""

    cpus: float | None = None
    memory: int | None = None
    gpus: float | None = None
    custom: dict[str, float] = field(default_factory=dict)

    @property
    def are_given(self) -> bool:
        """Whether there are any."""
        return self != Resources()

    def by_name(self, *, memory: str) -> dict[str, float]:
        """Return them by the names of Ray and Dask, which differ for memory."""
        named = {"CPU": self.cpus, "GPU": self.gpus, memory: self.memory, **self.custom}
        return {name: amount for name, amount in named.items() if amount is not None}


# More frames than any cluster runs.
_MANY = 1_000_000


def room(has: dict[str, float], needed: dict[str, float]) -> int:
    """How many frames that need this fit at a time where there is so much."""
    # Rounded so that three times 0.1 fit into 0.3.
    return min([_MANY, *(int(has.get(name, 0) / amount + 1e-9) for name, amount in needed.items())])


def listed(resources: dict[str, float]) -> str:
    """Return resources as people read them."""
    return " and ".join(f"{name}={amount:.15g}" for name, amount in resources.items())


def imported(module: str, install: str) -> Any:
    """Return a module of a distributed engine.

    Raises
    ------
    ExecutorRefusedError
        If it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ExecutorRefusedError(
            f"{type(error).__name__}: {error}", f"install it for this interpreter: `pip install {install}`"
        ) from error


@dataclass(frozen=True)
class Program:
    """What frames are for: a message for a host."""

    message: bytes
    resources: Resources = field(default_factory=Resources)
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "digest", hashlib.blake2b(self.message, digest_size=16).hexdigest())


@dataclass(frozen=True)
class Lost:
    """The frame was lost with the process that ran it; `shared` if other frames were lost with it."""

    why: str
    shared: bool = False


@dataclass(frozen=True)
class Refused:
    """No frame can run, now or ever."""

    message: str
    help: str | None = None


# The outcome of a frame: the message of a host, or why there is none.
Outcome = Union[bytes, Lost, Refused]


class Executor(ABC):
    """A distributed engine. Its methods may be called from any thread."""

    @property
    @abstractmethod
    def name(self) -> str:
        """What it is, for people."""

    @abstractmethod
    def slots(self, resources: Resources) -> int:
        """Return how many frames that need these can run side by side now; at least one.

        Raises
        ------
        ExecutorRefusedError
            If none can run, however long it waits.
        """

    @abstractmethod
    def submit(self, name: str, program: Program, frame: bytes, done: Callable[[Outcome], None]) -> Callable[[], None]:
        """Have a frame run, and return what cancels it.

        `done` is called once, in any thread. `name` is of no other frame. The engine repeats nothing by itself, as far as it
        can be told so.
        """

    @abstractmethod
    def close(self, digests: Collection[str]) -> None:
        """Cancel what is left, end the hosts of these programs and what this has started, and disconnect."""


def made_by(which: str) -> Any:
    """Return what the function `MODULE:FUNCTION` of the user returns."""
    module, _, function = which.partition(":")
    # As for a script: the current directory counts.
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        factory: Any = importlib.import_module(module)
        for part in function.split("."):
            factory = getattr(factory, part)
    except (ImportError, AttributeError) as error:
        raise ExecutorRefusedError(
            f"{type(error).__name__}: {error}",
            "name a function of a module in the current directory, or set PYTHONPATH to the directory of its module",
        ) from error
    try:
        return factory()
    except (Exception, SystemExit) as error:
        raise ExecutorRefusedError(f"`{which}` raised {type(error).__name__}: {error}") from error


def outcome_of(error: BaseException, *, shared: bool = False) -> Outcome:
    """Return what an exception of a frame means.

    User code runs in processes of its own, and what it raises is part of an outcome. So whatever a frame raises is about the
    process that was to run it.
    """
    if any(_misses_batchmill(part) for part in _chain(error)):
        # Dask's scheduler makes tasks of what it gets, and says so in words of its own.
        return Refused(f"the processes of the cluster have no package `batchmill`; {_install()}")
    from batchmill._cluster import OtherVersionError
    from batchmill._errors import EngineNotFoundError

    if isinstance(error, OtherVersionError):
        return Refused(f"{error}; {_install()}")
    if isinstance(error, EngineNotFoundError):
        first = str(error).splitlines()[0]
        return Refused(f"a process of the cluster has no engine: {first}; {_install()}")
    text = str(error).strip().splitlines()
    return Lost(f"{type(error).__name__}: {text[0]}" if text else type(error).__name__, shared)


def _misses_batchmill(error: BaseException) -> bool:
    return isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] == "batchmill"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Return an exception, and those that led to it."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _install() -> str:
    from batchmill._version import __version__

    return f"install it for the interpreters of workers and scheduler: `pip install batchmill=={__version__}`"
