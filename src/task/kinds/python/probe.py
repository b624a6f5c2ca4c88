"""Reports the version and paths of an interpreter, and checks the code and modules of a workflow.

Reads one JSON object from stdin: {"import_path": [folder], "checks": [{"kind": "code", "source": ..} or
{"kind": "module", "name": ..}]}. Writes one JSON object as the last line of stdout.
"""
import importlib.util
import json
import site
import sys


def check_code(source):
    import ast
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(source)
    except SyntaxError as error:
        return {"message": "SyntaxError: %s" % error.msg, "line": error.lineno, "column": error.offset}
    except ValueError as error:  # NUL bytes
        return {"message": "SyntaxError: %s" % error, "line": None, "column": None}


def check_module(name):
    top = name.split(".")[0]
    if top not in sys.modules and importlib.util.find_spec(top) is None:
        return {"message": "no module named `%s` in `%s`" % (top, sys.executable), "line": None, "column": None}


def probe():
    asked = json.load(sys.stdin)
    sys.path[:1] = []  # `-c` puts the current directory first; a worker does not
    path = list(sys.path)
    sys.path[:0] = asked["import_path"]
    faults = []
    for number, check in enumerate(asked["checks"]):
        fault = check_code(check["source"]) if check["kind"] == "code" else check_module(check["name"])
        if fault:
            faults.append(dict(fault, check=number))
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
        "faults": faults,
    }))


probe()
