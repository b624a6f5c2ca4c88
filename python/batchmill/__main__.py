"""`python -m batchmill`: the program `batchmill`, with this interpreter for Python tasks.

`worker`, `foreground` and `drive` are internal: the engine runs them. Everything else is passed to the engine.
"""

from __future__ import annotations

import os
import sys


def main(arguments: list[str]) -> int:
    """Run a worker and return its exit status, or become the engine."""
    if arguments == ["worker"]:
        from batchmill import _core

        return _core.worker_main()
    if len(arguments) == 2 and arguments[0] == "foreground":
        from batchmill import _core

        return _core.foreground_main(arguments[1])
    if len(arguments) == 2 and arguments[0] == "drive":
        from batchmill._drive import drive

        return drive(arguments[1])
    return _become_engine(arguments)


def _become_engine(arguments: list[str]) -> int:
    """Replace this process by the engine. Returns only if that is impossible."""
    import signal

    from batchmill._binary import find_engine
    from batchmill._errors import EngineNotFoundError

    try:
        engine = find_engine()
    except EngineNotFoundError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    # Whoever names an interpreter wants their tasks to run there.
    if sys.executable and not os.environ.get("BATCHMILL_PYTHON"):
        os.environ["BATCHMILL_PYTHON"] = sys.executable
    # Python ignores these signals, and the commands that the engine runs would inherit that.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    try:
        os.execv(engine, [engine, *arguments])
    except OSError as error:
        print(f"error: the engine `{engine}` cannot be started: {error.strerror}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
