"""batchmill inside a Python interpreter.

This package lets the `batchmill` engine run Python tasks in this very interpreter, with everything that is installed in
it. The engine starts `python -m batchmill worker`; nothing here needs to be called by hand.
"""

from batchmill._core import __version__

__all__ = ["__version__"]
