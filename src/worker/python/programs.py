"""Makes a callable of a step's program: a code block, a function in a module, or a built-in operation.

A code block becomes the body of a function. So top-level `return` works, nested functions and comprehensions see its names,
and line numbers are those of the block. `setup` runs as a module whose namespace is the globals of the function, so the names
it assigns are in scope.
"""

import builtins
import functools
import importlib
import os
import sys
import types

from _batchmill_host import Environment, interpreter
from _batchmill_results import ResultList, Results, SharedValues, Values, reachable, seal, share, wrap



class Program:
    """The program of a worker. Call `compile`, `setup`, `function`, `freeze`, and at the end `teardown`."""

    def __init__(self, start):
        self.start = start
        self.program = start["program"]
        self.has_item = start["items"]["has_item"]
        self.item_inputs = start["scope"]["item_inputs"]
        # A plain step has nobody to share with.
        shared, kind = (share, SharedValues) if self.has_item else (lambda value: value, Values)
        self.inputs = {name: shared(value) for name, value in start["scope"]["inputs"].items()}
        steps = wrap(start["scope"]["steps"])
        for stored in start["scope"]["stored"]:
            if "step" in stored["target"]:
                results = Results(stored["path"], stored["count"], views=True)
                steps[stored["target"]["step"]].update(result=results, results=results)
            else:
                self.inputs[stored["target"]["input"]] = Results(stored["path"], stored["count"])
        for small in start["scope"]["small"]:
            source = small["path"] and (small["path"], small["count"])
            if "step" in small["target"]:
                step = steps[small["target"]["step"]]
                results = ResultList.of(step["results"], source and Results(*source, views=True))
                step.update(result=results, results=results)
            else:
                name = small["target"]["input"]
                self.inputs[name] = shared(ResultList.of(self.inputs[name], source and Results(*source)))
        for step in steps.values():
            # Rows of a data frame, for example. The result of a plain step is no file.
            if type(step.get("result")) is list:
                step["result"] = ResultList.of(step["result"], None)
        outputs = {name: self.inputs.pop(name) for name in start["scope"]["outputs"]}
        for name, value in outputs.items():
            if isinstance(value, list) and not isinstance(value, ResultList):
                outputs[name] = shared(ResultList.of(value, None))
        # A module like the one that `python script.py` creates, so that classes and functions of `setup` can be pickled.
        module = types.ModuleType("__main__")
        sys.modules["__main__"] = module
        self.scope = module.__dict__
        self.scope.update(
            params=shared(wrap(start["scope"]["params"])), env=Environment(), steps=reachable(shared(steps)), inputs=kind(self.inputs)
        )
        # Inputs under their own names. `setup` may replace one, as in `model = load(model)`.
        self.scope.update((name, value) for name, value in self.inputs.items() if name.isidentifier())
        self._bare = {**self.scope["params"], **outputs}
        self.filename = self.program.get("filename")
        if self.filename and os.path.isfile(self.filename):
            self.scope["__file__"] = os.path.abspath(self.filename)
        # Last, because from here on modules in the workflow's directory hide those of the standard library.
        sys.path[:0] = start["import_path"]

    def compile(self):
        """Compiles all code, so that an error in `teardown` shows before the first item."""
        self._name()
        self._setup = self._module("setup")
        self._teardown = self._module("teardown")
        if self.program["kind"] == "code":
            import _batchmill_code as code

            constant = [name for name in self.inputs if name not in self.item_inputs]
            self._code, self.layout = code.compile_block(
                self.program["source"], self.filename, self.has_item, self.item_inputs, constant, self._taken()
            )

    def _taken(self):
        """The names that the block cannot give to the module; None if they are not known."""
        source = self.program["source"]
        if "def " not in source and "class " not in source:
            return None
        import ast

        from _batchmill_names import bound, is_open

        trees = [ast.parse(self.start[part]) for part in ("setup", "teardown") if self.start[part]]
        if any(is_open(tree) for tree in trees):
            return None
        return {*dir(builtins), *self.scope, *self.item_inputs}.union(*map(bound, trees))

    def _name(self):
        """Puts parameters and outputs in scope under their own names, unless the code gives these names a meaning."""
        texts = [self.start["setup"], self.start["teardown"], self.program.get("source")]
        texts = [text for text in texts if text]
        taken = {*dir(builtins), *self.scope, *self.item_inputs}
        names = [name for name in self._bare if name not in taken and any(name in text for text in texts)]
        if not names:
            return
        import ast

        from _batchmill_code import PARAMETERS
        from _batchmill_names import bound, declared_global, guarded

        try:
            trees = [ast.parse(text) for text in texts]
        except (SyntaxError, ValueError):
            return  # Compiling it says what is wrong.
        own = set(PARAMETERS).union(*map(declared_global, trees), *map(guarded, trees))
        modules = [part for part in (self.start["setup"], self.start["teardown"]) if part]
        own.update(*(bound(tree) for tree in trees[: len(modules)]))
        self.scope.update((name, self._bare[name]) for name in names if name not in own)

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

    def freeze(self):
        """From here on, what items share stays as it is. Nothing that exists by now is garbage before the end."""
        import gc

        import _batchmill_host as host

        if host.surroundings is not None:
            host.surroundings.keep()
        seal()
        gc.freeze()

    def teardown(self):
        if self._teardown is not None:
            exec(self._teardown, self.scope)

    def function(self):
        """The callable, and its positional arguments: names, or the numbers of per-item inputs."""
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
            raise ValueError(f"unknown operation `{name}`; use {', '.join(f'`{one}`' for one in OPERATIONS)}")
        given = {*self.inputs, *self.item_inputs} | ({"item"} if self.has_item else set())
        for needed in ("item", "factor"):
            if needed not in given:
                raise ValueError(f"operation `{name}` requires the input `{needed}`")
        for other in sorted(given - {"item", "factor"}):
            raise ValueError(f"operation `{name}` does not take the input `{other}`")
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
        # An input named `item` replaces the item as the positional argument.
        named = not self.has_item

        def call(*values):
            given = {**constant, **dict(zip(names, values))}
            return function(**given) if named else function(given.pop("item"), **given)

        return call, list(range(len(names)))


def find(module, name):
    """The callable with this dotted name in a module."""
    found = importlib.import_module(module)
    for part in name.split("."):
        try:
            found = getattr(found, part)
        except AttributeError:
            where = getattr(sys.modules[module], "__file__", None)
            where = f"`{where}`, " if where else ""
            raise AttributeError(f"module `{module}` has no `{name}` ({where}in {interpreter()})") from None
    if not callable(found):
        raise TypeError(f"`{module}.{name}` is not a function (type `{type(found).__name__}`)")
    return found


OPERATIONS = {
    "multiply": ("multiply", "by", lambda a, b: a * b),
    "add": ("add", "and", lambda a, b: a + b),
    "subtract": ("subtract", "and", lambda a, b: a - b),
    "divide": ("divide", "by", lambda a, b: a / b),
}


def elementwise(operation, item, factor):
    """Applies an operation to `item` and `factor`. Lists are processed element by element, two lists in parallel."""
    if isinstance(item, list):
        if isinstance(factor, list):
            if len(item) != len(factor):
                raise ValueError(f"`item` has {len(item)} elements, but `factor` has {len(factor)}")
            return [elementwise(operation, one, other) for one, other in zip(item, factor)]
        return [elementwise(operation, one, factor) for one in item]
    verb, joint, apply = operation
    if isinstance(item, (int, float)) and isinstance(factor, (int, float)):
        return apply(item, factor)
    raise TypeError(f"cannot {verb} {type(item).__name__} {joint} {type(factor).__name__}: both must be numbers")
