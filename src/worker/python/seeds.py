"""Gives each item its own random numbers: those of `random`, and of `numpy.random` once that is imported.

Only workers of a step with a seed load this.
"""

import random
import sys

NUMPY = "numpy.random.mtrand"


class Seeds:
    """Seeds the generators that modules share. It also finds the module of NumPy's, to seed it as soon as it is imported:
    code often imports NumPy while its first item runs."""

    def __init__(self):
        self._seed = random.seed
        self._key = 0
        sys.meta_path.insert(0, self)

    def begin(self, key):
        self._key = key
        self._seed(key)
        numpy = sys.modules.get(NUMPY)
        if numpy is not None:
            self._seed_numpy(numpy)

    def _seed_numpy(self, module):
        module.seed([self._key >> shift & 0xFFFFFFFF for shift in (0, 32, 64, 96)])

    def find_spec(self, name, path=None, target=None):
        if name != NUMPY:
            return None
        from importlib.machinery import PathFinder

        spec = PathFinder.find_spec(name, path, target)
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def execute_and_seed(module):
            execute(module)
            self._seed_numpy(module)

        spec.loader.exec_module = execute_and_seed
        return spec
