"""`python -m batchmill worker`: the process that runs Python tasks for the engine."""

import sys


def main(arguments: list[str]) -> int:
    """Runs a worker, or prints the version or the usage. Returns the exit status."""
    from batchmill import __version__, _core

    if arguments == ["worker"]:
        return _core.worker_main()
    if len(arguments) == 2 and arguments[0] == "foreground":
        return _core.foreground_main(arguments[1])
    if arguments == ["--version"]:
        print(f"batchmill {__version__}")
        return 0
    print("usage: python -m batchmill worker   (internal: the `batchmill` engine runs this)", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
