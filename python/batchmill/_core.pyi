"""The native half of batchmill."""

__version__: str

def worker_main() -> int:
    """Serves batchmill over this process's stdin and stdout; returns the exit status."""

def foreground_main(path: str) -> int:
    """Runs one item in the foreground, as a file says; returns the exit status."""
