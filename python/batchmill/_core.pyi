"""The native half of batchmill."""

__version__: str

def worker_main() -> int:
    """Runs a worker on this process's stdin and stdout. Returns the exit status."""

def foreground_main(path: str) -> int:
    """Runs the job in a file in the foreground. Returns the exit status."""
