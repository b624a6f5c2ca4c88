"""Finds the engine: the program `batchmill` that comes with this package."""

from __future__ import annotations

import os
import sys
import sysconfig

from batchmill._errors import EngineNotFoundError, VersionMismatchError
from batchmill._version import __version__

__all__ = ["check_engine", "find_engine"]

# Engines of the right version, as paths with what changes when another one is installed there.
_checked: set[tuple[str, int, int]] = set()


def find_engine() -> str:
    """Return the path of the engine.

    Returns
    -------
    str
        `BATCHMILL_BIN` if that is set. Otherwise the first program `batchmill` in one of these directories: the
        scripts of this interpreter; those of the interpreter that a virtual environment was made from; `bin` of the
        prefix, or of the directory, that this package was installed in (`pip install --prefix`, `--target`); the
        scripts of the user. `PATH` plays no part.

    Raises
    ------
    EngineNotFoundError
        If there is none. The message has every place that was looked at.
    """
    given = os.environ.get("BATCHMILL_BIN")
    if given:
        if os.path.isfile(given):
            return given
        raise EngineNotFoundError(
            f"BATCHMILL_BIN is `{given}`, which is not a file\n"
            "set it to the path of the program `batchmill`, or unset it"
        )
    places = [os.path.join(folder, "batchmill") for folder in _folders()]
    for place in places:
        if os.path.isfile(place):
            return place
    looked = "".join(f"\n  {place}" for place in places)
    raise EngineNotFoundError(
        f"the program `batchmill` is not installed for {sys.executable}; looked at:{looked}\n"
        "install the package again, or set BATCHMILL_BIN to the path of the program"
    )


def check_engine(engine: str) -> None:
    """Check that the engine is of the same version as this package.

    The engine is started for that once, and again if another one was installed in its place.

    Parameters
    ----------
    engine : str
        Path of the engine.

    Raises
    ------
    EngineNotFoundError
        If it cannot be started.
    VersionMismatchError
        If its version is another one.
    """
    import subprocess  # here, because `python -m batchmill` does without

    try:
        status = os.stat(engine)
        key = (engine, status.st_ino, status.st_mtime_ns)
        if key in _checked:
            return
        done = subprocess.run([engine, "--version"], stdin=subprocess.DEVNULL, capture_output=True)
    except OSError as error:
        raise EngineNotFoundError(f"the engine `{engine}` cannot be started: {error.strerror}\n{_way_out()}") from error
    said = done.stdout.decode(errors="replace").strip()
    if done.returncode != 0 or not said.startswith("batchmill "):
        raise EngineNotFoundError(f"`{engine}` is not the engine: `--version` printed {said[:80]!r}\n{_way_out()}")
    version = said.removeprefix("batchmill ")
    if version != __version__:
        raise VersionMismatchError(
            "the engine and the Python package are of different versions:\n"
            f"  {version}  {engine}\n"
            f"  {__version__}  {os.path.dirname(__file__)}\n"
            f"{_way_out()}"
        )
    _checked.add(key)


def _way_out() -> str:
    if os.environ.get("BATCHMILL_BIN"):
        return f"unset BATCHMILL_BIN, or set it to an engine of version {__version__}"
    return "restart Python if you have just installed another version; otherwise install the package again"


def _folders() -> list[str]:
    package = os.path.dirname(os.path.abspath(__file__))
    above = os.path.dirname(package)
    folders = [
        sysconfig.get_path("scripts"),
        sysconfig.get_path("scripts", vars={"base": sys.base_prefix}),
        _prefix_of(above),
        os.path.join(above, "bin"),
        # The last, because it is shared by all interpreters of the user.
        sysconfig.get_path("scripts", scheme=sysconfig.get_preferred_scheme("user")),
    ]
    return list(dict.fromkeys(folder for folder in folders if folder))


def _prefix_of(packages: str) -> str | None:
    """Return `<prefix>/bin` for `<prefix>/lib/python3.13/site-packages`."""
    parts = packages.split(os.sep)
    if len(parts) > 3 and parts[-1].endswith("-packages") and parts[-2].startswith("python"):
        return os.sep.join([*parts[:-3], "bin"])
    return None
