"""Reports the version and paths of an interpreter, and checks the code and modules of a workflow.

Reads one JSON object from stdin: {"compiler": source of code.py, "import_path": [folder], "checks": [{"kind": "code",
"source": .., "is_block": .., "around": .., "known": ..} or {"kind": "module", "name": ..}]}. Writes one JSON object as the last
line of stdout.
"""
import sys

if sys.path and sys.path[0] == "":
    # `-c` puts the current directory first. A worker does not, and a `json.py` there is not what is meant below.
    del sys.path[0]
import importlib.util
import json
import site


def fault(message, line=None, column=None, help=None, certain=True):
    return {"message": message, "line": line, "column": column, "help": help, "certain": certain}


def check_code(check, compiler):
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if check["is_block"]:
                compiler["compile_block"](check["source"], "code", False, [], [])
            else:
                compiler["compile_module"](check["source"], "setup")
            tree = ast.parse(check["source"])
    except SyntaxError as error:
        return [fault("SyntaxError: %s" % error.msg, error.lineno, error.offset)]
    except (ValueError, RecursionError, MemoryError) as error:  # NUL bytes, expressions that are nested too deeply
        return [fault("SyntaxError: %s" % error)]
    known = check["known"]
    if known is None:
        return []
    try:
        before = [ast.parse(text) for text in check["around"]]
    except (SyntaxError, ValueError):  # It has a check of its own.
        return []
    names, certain = unknown(tree, before, known)
    defined = sorted(set(known).union(*(bound(one) for one in [tree] + before)))
    if certain:
        return [fault("`%s` is not defined" % name, line, help=advice(name, defined)) for line, name in names]
    starred = star_imports([tree] + before)
    return [
        fault("`%s` may not be defined" % name, line, help=advice(name, defined), certain=False)
        for line, name in names
        # What a module of the user's brings is not known, unless the name looks like a slip.
        if (near(name, defined) if starred is None else name not in starred)
    ]


def star_imports(trees):
    """The names that star imports of the standard library bring. None if any other module is imported so: running it is not for
    now."""
    import importlib

    found = set()
    for node in (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)):
        if any(alias.name == "*" for alias in node.names):
            if node.level or (node.module or "").split(".")[0] not in getattr(sys, "stdlib_module_names", ()):
                return None
            module = importlib.import_module(node.module)
            found.update(getattr(module, "__all__", None) or (name for name in vars(module) if name[0] != "_"))
    return found


def near(name, defined):
    import difflib

    return difflib.get_close_matches(name, defined, 1, 0.7)


def advice(name, defined):
    import builtins

    meant = near(name, defined + dir(builtins))
    if meant:
        return "did you mean `%s`?" % meant[0]
    usual = {"np": "import numpy as np", "pd": "import pandas as pd", "pl": "import polars as pl", "pa": "import pyarrow as pa"}
    if name in getattr(sys, "stdlib_module_names", ()):
        usual[name] = "import %s" % name
    if name in usual:
        return "add `%s`, in the code or in `setup`" % usual[name]
    return "assign it in the code or in `setup`, or give the task an input of this name"


def check_module(name):
    top = name.split(".")[0]
    if top not in sys.modules and importlib.util.find_spec(top) is None:
        return [fault("no module named `%s` in `%s`" % (top, sys.executable))]
    return []


def probe():
    # Its encoding is that of the locale, and what it reads is UTF-8.
    asked = json.loads(sys.stdin.buffer.read().decode("utf-8"))
    path = list(sys.path)
    compiler = {"__name__": "compiler"}
    if any(check["kind"] == "code" for check in asked["checks"]):
        exec(compile(asked["compiler"], "code.py", "exec"), compiler)
    sys.path[:0] = asked["import_path"]
    faults = []
    for number, check in enumerate(asked["checks"]):
        if check["kind"] == "code":
            found = check_code(check, compiler)
        else:
            found = check_module(check["name"])
        faults.extend(dict(one, check=number) for one in found)
    sites = list(site.getsitepackages())
    if site.ENABLE_USER_SITE:
        sites.append(site.getusersitepackages())
    wheel = importlib.util.find_spec("batchmill")
    if wheel is not None:
        import os

        folders = wheel.submodule_search_locations or []
        wheel = any(n.startswith("_core.") and n.endswith(".so") for f in folders for n in os.listdir(f))
    print()
    print(json.dumps({
        "implementation": sys.implementation.name,
        "version": "%d.%d.%d" % sys.version_info[:3],
        "executable": sys.executable,
        "prefix": sys.prefix,
        "base_prefix": sys.base_prefix,
        "exec_prefix": sys.exec_prefix,
        "path": path,
        "site_packages": sites,
        "user_site": bool(site.ENABLE_USER_SITE),
        "wheel": bool(wheel),
        "faults": [one for one in faults if one["certain"]],
        "doubts": [one for one in faults if not one["certain"]],
    }))


probe()
