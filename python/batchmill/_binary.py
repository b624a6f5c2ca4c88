"""Finds the engine: the program `batchmill` that comes with this package."""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path

from batchmill._errors import EngineNotFoundError

__all__ = ["find_engine"]


def find_engine() -> str:
    """Return the path of the engine.

    Returns
    -------
    str
        `BATCHMILL_BIN` if that is set, otherwise the program in the scripts directory of this interpreter.

    Raises
    ------
    EngineNotFoundError
        If there is none. The message has every place that was looked at.
    """
    given = os.environ.get("BATCHMILL_BIN")
    if given:
        return given
    places = [Path(sysconfig.get_path("scripts")) / "batchmill"]
    for place in places:
        if place.is_file():
            return str(place)
    looked = "".join(f"\n  {place}" for place in places)
    raise EngineNotFoundError(
        f"the program `batchmill` is not installed for {sys.executable}; looked at:{looked}\n"
        "install the package again, or set BATCHMILL_BIN to the path of the program"
    )
