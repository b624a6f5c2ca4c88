"""Makes one callable of what a step names: a code block, a function of a module, or a built-in operation.

A code block becomes the body of a function: top-level `return` works, nested functions and comprehensions see its names,
and its line numbers stay what they are in the block. `setup` runs as a module in the namespace that is the function's
globals, so what it assigns is in scope.
"""

import functools
import importlib
import os
import sys
import types

from _batchmill_host import Environment, interpreter
from _batchmill_results import Results, Values, wrap

PARAMETERS = ("item", "index", "batch", "params", "env", "steps", "inputs")
REFLECTION = {"locals", "vars", "eval", "exec", "dir"}


class Program:
    """What a worker runs. The order is `compile`, `setup`, `function`, at the end `teardown`."""

    def __init__(self, start):
        self.start = start
        self.program = start["program"]
        self.has_item = start["items"]["has_item"]
        self.item_inputs = start["scope"]["item_inputs"]
        self.inputs = start["scope"]["inputs"]
        steps = wrap(start["scope"]["steps"])
        for stored in start["scope"]["stored"]:
            if "step" in stored["target"]:
                results = Results(stored["path"], stored["count"], views=True)
                steps[stored["target"]["step"]].update(result=results, results=results)
            else:
                self.inputs[stored["target"]["input"]] = Results(stored["path"], stored["count"])
        # A module of its own, like the one `python script.py` makes: classes and functions of `setup` can be pickled.
        module = types.ModuleType("__main__")
        sys.modules["__main__"] = module
        self.scope = module.__dict__
        self.scope.update(
            params=wrap(start["scope"]["params"]), env=Environment(), steps=steps, inputs=Values(self.inputs)
        )
        # Inputs by their own names too; `setup` may hide one, as in `model = load(model)`.
        self.scope.update((name, value) for name, value in self.inputs.items() if name.isidentifier())
        self.filename = self.program.get("filename")
        if self.filename and os.path.isfile(self.filename):
            self.scope["__file__"] = os.path.abspath(self.filename)
        # Last: from here on a module of the workflow's folder goes before one of the standard library.
        sys.path[:0] = start["import_path"]

    def compile(self):
        """Compiles all there is, so a mistake in `teardown` shows before the first item."""
        self._setup = self._module("setup")
        self._teardown = self._module("teardown")
        if self.program["kind"] == "code":
            import _batchmill_code as code

            taken = [name for name in self.inputs if name not in self.item_inputs]
            self._code, self.layout = code.compile_block(
                self.program["source"], self.filename, self.has_item, self.item_inputs, taken
            )

    def _module(self, part):
        source = self.start[part]
        if not source:
            return None
        import _batchmill_code as code

        base = self.filename.removesuffix(".code") if self.filename else "step"
        return code.compile_module(source, f"{base}.{part}")

    def setup(self):
        if self._setup is not None:
            exec(self._setup, self.scope)

    def settle(self):
        """What there is now stays to the end: the garbage collector need not walk all modules again and again."""
        import gc

        gc.freeze()

    def teardown(self):
        if self._teardown is not None:
            exec(self._teardown, self.scope)

    def function(self):
        """The callable, and the order of its positional arguments: a name, or the place of a per-item input."""
        kind = self.program["kind"]
        if kind == "code":
            hidden = self.scope.get("task", self)
            exec(self._code, self.scope)
            task = self.scope.pop("task")
            if hidden is not self:
                self.scope["task"] = hidden
            return task, self.layout
        if kind == "function":
            return self._with_inputs(find(self.program["module"], self.program["name"]))
        return self._with_inputs(self._operation())

    def _operation(self):
        name = self.program["name"]
        if name not in OPERATIONS:
            raise ValueError(f"there is no operation `{name}`, only {', '.join(f'`{one}`' for one in OPERATIONS)}")
        given = {*self.inputs, *self.item_inputs} | ({"item"} if self.has_item else set())
        for needed in ("item", "factor"):
            if needed not in given:
                raise ValueError(f"operation `{name}` needs the input `{needed}`")
        for other in sorted(given - {"item", "factor"}):
            raise ValueError(f"operation `{name}` has no input `{other}`")
        return functools.partial(elementwise, OPERATIONS[name])

    def _with_inputs(self, function):
        constant = dict(self.inputs)
        names = self.item_inputs
        if self.has_item and "item" not in constant and "item" not in names:
            if not names:
                return (functools.partial(function, **constant) if constant else function), ["item"]

            def call(item, *values):
                return function(item, **constant, **dict(zip(names, values)))

            return call, ["item", *range(len(names))]
        # An input named `item` takes the place of the item: it is the positional argument then.
        named = not self.has_item

        def call(*values):
            given = {**constant, **dict(zip(names, values))}
            return function(**given) if named else function(given.pop("item"), **given)

        return call, list(range(len(names)))


def find(module, name):
    """The object that `module` knows by the dotted `name`."""
    found = importlib.import_module(module)
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            where = getattr(sys.modules[module], "__file__", None)
            where = f"`{where}`, " if where else ""
            raise AttributeError(f"module `{module}` has no `{name}` ({where}in {interpreter()})") from None
    if not callable(found):
        raise TypeError(f"`{module}.{name}` is a {type(found).__name__}, not a function")
    return found


OPERATIONS = {
    "multiply": ("multiply", "by", lambda a, b: a * b),
    "add": ("add", "and", lambda a, b: a + b),
    "subtract": ("subtract", "and", lambda a, b: a - b),
    "divide": ("divide", "by", lambda a, b: a / b),
}


def elementwise(operation, item, factor):
    """`item` and `factor` by `operation`; a list element by element, two lists in step."""
    if isinstance(item, list):
        if isinstance(factor, list):
            if len(item) != len(factor):
                raise ValueError(f"`item` has {len(item)} elements and `factor` has {len(factor)}")
            return [elementwise(operation, one, other) for one, other in zip(item, factor)]
        return [elementwise(operation, one, factor) for one in item]
    verb, joint, apply = operation
    if isinstance(item, (int, float)) and isinstance(factor, (int, float)):
        return apply(item, factor)
    raise TypeError(f"cannot {verb} {type(item).__name__} {joint} {type(factor).__name__}: both must be numbers")
