"""batchmill inside a Python interpreter.

With this package installed, the `batchmill` engine runs Python tasks in this interpreter, with all of its packages. The
engine starts `python -m batchmill worker` itself, so there is nothing here that you need to call.
"""

from batchmill._core import __version__

__all__ = ["__version__"]
