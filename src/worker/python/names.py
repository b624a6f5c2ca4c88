"""Which names code reads, which it binds, and whether that can be known from its text.

It runs in workers, and before a run in the interpreter that checks the code, so it imports nothing but `ast`.
"""

import ast

# With these, code binds names that are not in its text.
BINDING = {"exec", "eval", "globals", "locals", "vars", "builtins", "inspect", "_getframe", "f_globals", "f_locals"}
CATCHING = {"NameError", "UnboundLocalError", "Exception", "BaseException"}


def parts(tree):
    """The nodes of a tree that may run. Annotations are left out: those of local variables are never evaluated."""
    nodes = [tree]
    while nodes:
        node = nodes.pop()
        yield node
        never = {"annotation", "returns", dead(node)}
        for field, value in ast.iter_fields(node):
            if field not in never:
                values = value if isinstance(value, list) else [value]
                nodes.extend(inner for inner in values if isinstance(inner, ast.AST))


def dead(node):
    """The branch of a condition that never runs."""
    if not isinstance(node, (ast.If, ast.IfExp)):
        return None
    if isinstance(node.test, ast.Constant):
        return "orelse" if node.test.value else "body"
    return "body" if "TYPE_CHECKING" in (getattr(node.test, "id", None), getattr(node.test, "attr", None)) else None


def bound(tree):
    """The names that the code binds in any of its scopes."""
    found = set()
    for node in ast.walk(tree):
        kind = type(node).__name__
        if kind == "Name" and not isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif kind == "arg":
            found.add(node.arg)
        elif kind == "alias":
            found.add(node.asname or node.name.partition(".")[0])
        elif kind in ("Global", "Nonlocal"):
            found.update(node.names)
        elif kind == "MatchMapping":
            found.add(node.rest)
        elif kind != "alias" and isinstance(getattr(node, "name", None), str):
            # Functions, classes, exceptions, patterns and type parameters.
            found.add(node.name)
    return found


def declared_global(tree):
    """The names that functions of the code assign as global ones."""
    return {name for node in ast.walk(tree) if isinstance(node, ast.Global) for name in node.names}


def guarded(tree):
    """The names that the code tries out: it handles that they are not defined."""
    found = set()
    for node in ast.walk(tree):
        if type(node).__name__ in ("Try", "TryStar") and any(catches(handler.type) for handler in node.handlers):
            for statement in node.body:
                found.update(inner.id for inner in ast.walk(statement) if isinstance(inner, ast.Name))
    return found


def catches(kind):
    if kind is None:
        return True
    return any(isinstance(node, ast.Name) and node.id in CATCHING for node in ast.walk(kind))


def is_open(tree):
    """Whether the code may bind names that are not in its text."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names):
            return True
        words = (getattr(node, "id", None), getattr(node, "attr", None), getattr(node, "name", None), getattr(node, "module", None))
        if any(word in BINDING or word in ("__main__", "__name__") for word in words if isinstance(word, str)):
            return True
        if getattr(node, "value", None) == "__main__":
            return True
    return False


def reads(tree):
    """The names that the code reads, with the place of the first of each: (line, name)."""
    found = {}
    for node in parts(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
            found[node.id] = min(found.get(node.id, (node.lineno, node.col_offset)), (node.lineno, node.col_offset))
    return sorted((place[0], name) for name, place in found.items())


def unknown(tree, around, known):
    """The names of `tree` that nothing in the text defines, and whether that is certain. `around` is code that runs before it,
    in the same namespace."""
    import builtins

    trees = [tree] + around
    certain = not any(is_open(one) for one in trees)
    defined = set(known).union(dir(builtins), *(bound(one) for one in trees)) | guarded(tree)
    found = [(line, name) for line, name in reads(tree) if name not in defined and not name.startswith("__")]
    return found, certain
