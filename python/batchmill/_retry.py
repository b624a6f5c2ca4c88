"""How often an item is tried."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

__all__ = ["MOST_SECONDS", "Retry"]

# The longest time that anything may take: thirty years.
MOST_SECONDS: Final = 1e9
# The most attempts.
_MOST: Final = (1 << 32) - 1


@dataclass(frozen=True)
class Retry:
    """How often an item is tried, and how long to wait in between.

    Parameters
    ----------
    attempts
        The most attempts, the first included.
    delay
        Seconds before the second attempt.
    backoff
        How the delay grows: `"fixed"` (d, d, d), `"linear"` (d, 2d, 3d) or `"exponential"` (d, 2d, 4d).
    max_delay
        Where the delay stops growing, in seconds. Default: a day.
    jitter
        The random share of a delay, from 0 to 1.
    on
        Which exceptions are worth another attempt: classes, or a function of the exception, which runs in the worker. Default:
        all. Timeouts, crashes and too much memory are always tried again.

    Examples
    --------
    >>> Retry(attempts=5, delay=0.5, backoff="exponential", on=(ConnectionError, TimeoutError)).attempts
    5
    """

    attempts: int = 3
    delay: float = 1.0
    backoff: Literal["fixed", "linear", "exponential"] = "fixed"
    max_delay: float | None = None
    jitter: float = 0.0
    on: tuple[type[BaseException], ...] | Callable[[Exception], bool] | None = None

    def __post_init__(self) -> None:
        given: dict[str, Any] = vars(self)
        attempts, on = given["attempts"], given["on"]
        if isinstance(attempts, bool) or not isinstance(attempts, int) or not 1 <= attempts <= _MOST:
            raise ValueError(f"`attempts` is {attempts!r}; it must be a whole number from 1 to {_MOST}")
        for name in ("delay", "max_delay"):
            seconds = getattr(self, name)
            if seconds is not None and not 0 <= seconds <= MOST_SECONDS:
                raise ValueError(f"`{name}` is {seconds!r}; it must be a number of seconds from 0 to {MOST_SECONDS:.0e}")
        if self.backoff not in ("fixed", "linear", "exponential"):
            raise ValueError(f'`backoff` is {self.backoff!r}; it must be "fixed", "linear" or "exponential"')
        if not 0 <= self.jitter <= 1:
            raise ValueError(f"`jitter` is {self.jitter!r}; it must be from 0 to 1")
        if isinstance(on, tuple):
            _check_classes(self.on)
        elif on is not None and not callable(on):
            raise TypeError(f"`on` is {on!r}; it must be a tuple of classes of exceptions, or a function")

    @classmethod
    def of(cls, value: int | Retry | None) -> Retry:
        """Return the policy that `retry=` stands for."""
        if value is None:
            return cls(attempts=1)
        if isinstance(value, Retry):
            return value
        return cls(attempts=value)

    def message(self) -> dict[str, Any]:
        """Return what the engine has to know of it."""
        names = ("attempts", "delay", "backoff", "max_delay", "jitter")
        return {name: getattr(self, name) for name in names}


def _check_classes(classes: Any) -> None:
    for one in classes:
        if not (isinstance(one, type) and issubclass(one, BaseException)):
            raise TypeError(f"`on` has {one!r}, which is not a class of exceptions")
