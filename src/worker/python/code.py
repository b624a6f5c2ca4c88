"""Turns a code block into a function by rewriting its syntax tree.

The interpreter also runs this before a run, to check all code of a workflow: it needs no other part of the worker.
"""

import ast
import linecache

PARAMETERS = ("item", "index", "batch", "params", "env", "steps", "inputs")
REFLECTION = {"locals", "vars", "eval", "exec", "dir"}


def remember(source, filename):
    """Lets tracebacks show the source lines of a code block, which may not be in a file."""
    linecache.cache[filename] = (len(source), None, source.splitlines(True), filename)


def compile_module(source, filename):
    """`setup` and `teardown`: plain module code."""
    remember(source, filename)
    return compile(source, filename, "exec", dont_inherit=True)


def compile_block(source, filename, has_item, item_inputs, constant_inputs, taken=None):
    """Returns a code object that defines `task`, and the order of the positional arguments of `task`.

    Functions and classes at the top level of the block become globals, unless `taken` has their names, so that `pickle` finds
    them. Without `taken`, all stay local.
    """
    remember(source, filename)
    tree = compile(source, filename, "exec", ast.PyCF_ONLY_AST, dont_inherit=True)
    refuse_suspension(tree, source, filename)
    hoisted = [node for node in tree.body if is_hoisted(node)]
    hoisted.sort(key=lambda node: node.module != "__future__")
    body = [node for node in tree.body if not is_hoisted(node)] or [ast.Pass(lineno=1, col_offset=0)]
    layout, positional, constant = parameters(tree, has_item, item_inputs, constant_inputs)
    first = body[0]
    arguments = ast.arguments(
        posonlyargs=[],
        args=[ast.arg(arg=name) for name in positional + constant],
        vararg=None,
        kwonlyargs=[],
        kw_defaults=[],
        kwarg=None,
        defaults=[ast.Name(id=name, ctx=ast.Load()) for name in constant],
    )

    def build(body):
        task = ast.FunctionDef(name="task", args=arguments, body=body, decorator_list=[], returns=None, type_params=[])
        ast.copy_location(task, first)
        module = ast.Module(body=[*hoisted, task], type_ignores=[])
        ast.fix_missing_locations(module)
        return compile(module, filename, "exec", dont_inherit=True)

    code = build(body)
    shared = () if taken is None else picklable(body, code, {*taken, "task", "result", *positional, *constant})
    if shared:
        statement = ast.copy_location(ast.Global(names=sorted(shared)), first)
        body = [statement, *body]
        code = build(body)
    if assigns_result(tree, code, positional + constant):
        code = build([*body, *fall_through(body[-1])])
    return code, layout


def is_hoisted(node):
    """Whether a statement is only legal at module level."""
    if not isinstance(node, ast.ImportFrom):
        return False
    return node.module == "__future__" or any(alias.name == "*" for alias in node.names)


def parameters(tree, has_item, item_inputs, constant_inputs):
    """Returns what is passed for each item, under which names, and which names are defaults.

    A name that the block never mentions is not passed, so an unused index or batch costs nothing.
    """
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    everything = bool(used & REFLECTION)
    sources = {}
    if has_item:
        sources.update(item="item", index="index", batch="batch")
    if item_inputs:
        sources["inputs"] = "inputs"
    constant = [name for name in PARAMETERS[3:] if name not in sources]
    for name in constant_inputs:
        if name.isidentifier():
            sources.pop(name, None)
            constant.append(name)
    for place, name in enumerate(item_inputs):
        if name.isidentifier():
            sources[name] = place
            constant = [other for other in constant if other != name]
    positional = [name for name in sources if everything or name in used or name == "item"]
    constant = [name for name in dict.fromkeys(constant) if everything or name in used]
    return [sources[name] for name in positional], positional, constant


def picklable(body, code, taken):
    """The functions and classes at the top level of the block that can be globals and nothing changes: they read none of the
    block's variables, which belong to one item, apart from each other and from what the block imports."""
    task = next(one for one in code.co_consts if getattr(one, "co_name", None) == "task")
    inner = {one.co_name: one for one in task.co_consts if isinstance(one, type(code))}
    local = {*task.co_varnames, *task.co_cellvars}
    times = {}
    for node in body:
        for name in bindings(node):
            times[name] = times.get(name, 0) + 1
    once = {name for name, count in times.items() if count == 1}
    imported = {name for node in body if isinstance(node, (ast.Import, ast.ImportFrom)) for name in bindings(node)} & once
    found = {}
    for node in body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and node.name in inner:
            if node.name in once and node.name not in taken:
                found[node.name] = {*inner[node.name].co_freevars, *at_definition(node)} & local
    while True:
        tied = [name for name, reads in found.items() if not reads <= imported.union(found)]
        if not tied:
            return set(found)
        for name in tied:
            del found[name]


def bindings(node):
    """The names that a statement binds in its own scope, and those that functions inside bind there."""
    scopes = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    nodes, inside = [node], []
    while nodes:
        inner = nodes.pop()
        name = getattr(inner, "name", None) or getattr(inner, "rest", None)
        if isinstance(inner, (ast.Import, ast.ImportFrom)):
            yield from (alias.asname or alias.name.partition(".")[0] for alias in inner.names)
        elif isinstance(inner, ast.Name) and not isinstance(inner.ctx, ast.Load):
            yield inner.id
        elif isinstance(inner, (ast.Global, ast.Nonlocal)):
            yield from inner.names
        elif isinstance(name, str) and not isinstance(inner, ast.alias):
            yield name
        (inside if isinstance(inner, scopes) else nodes).extend(ast.iter_child_nodes(inner))
    for inner in (inner for one in inside for inner in ast.walk(one)):
        if isinstance(inner, (ast.Global, ast.Nonlocal)):
            yield from inner.names


def at_definition(node):
    """The names that are read when a function or class is defined: in decorators, defaults, annotations and bases."""
    parts = list(node.decorator_list)
    if isinstance(node, ast.ClassDef):
        parts += [*node.bases, *node.keywords]
    else:
        parts += [node.args, node.returns]
    inner = [one for part in parts if part is not None for one in ast.walk(part)]
    return {one.id for one in inner if isinstance(one, ast.Name)}


def assigns_result(tree, code, names):
    """Whether the block binds `result` at its own level, as a local name, a parameter or a global."""
    task = next(one for one in code.co_consts if getattr(one, "co_name", None) == "task")
    stored = any(isinstance(n, ast.Name) and n.id == "result" and isinstance(n.ctx, ast.Store) for n in ast.walk(tree))
    if "result" in names:
        return stored
    declared = any(isinstance(node, ast.Global) and "result" in node.names for node in tree.body)
    return "result" in task.co_varnames + task.co_cellvars or (declared and stored)


def fall_through(last):
    """`return result`, or None if no branch has assigned it."""
    handler = ast.ExceptHandler(
        type=ast.Name(id="NameError", ctx=ast.Load()), name=None, body=[ast.Return(value=ast.Constant(value=None))]
    )
    attempt = ast.Try(
        body=[ast.Return(value=ast.Name(id="result", ctx=ast.Load()))], handlers=[handler], orelse=[], finalbody=[]
    )
    ast.copy_location(attempt, last)
    return [attempt]


class Suspension(ast.NodeVisitor):
    """Finds a `yield` or `await` that would make the block itself a generator or a coroutine."""

    def __init__(self):
        self.found = None

    def visit(self, node):
        nested = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
        if self.found is None and not isinstance(node, nested):
            word = {
                ast.Yield: "yield",
                ast.YieldFrom: "yield from",
                ast.Await: "await",
                ast.AsyncFor: "async for",
                ast.AsyncWith: "async with",
            }.get(type(node))
            if word is None:
                self.generic_visit(node)
            else:
                self.found = (word, node)


def refuse_suspension(tree, source, filename):
    finder = Suspension()
    finder.visit(tree)
    if finder.found is None:
        return
    word, node = finder.found
    advice = "return a list instead" if word.startswith("yield") else "use `asyncio.run(...)` instead"
    line = source.splitlines()[node.lineno - 1]
    message = f"`{word}` is not allowed at the top level of a code block: {advice}"
    raise SyntaxError(message, (filename, node.lineno, node.col_offset + 1, line + "\n"))
