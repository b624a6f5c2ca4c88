"""Reports the version and paths of an interpreter, and checks the code and modules of a workflow.

Reads one JSON object from stdin: {"compiler": source of code.py, "import_path": [folder], "checks": [{"kind": "code",
"source": .., "is_block": ..} or {"kind": "module", "name": ..}]}. Writes one JSON object as the last line of stdout.
"""
import sys

if sys.path and sys.path[0] == "":
    # `-c` puts the current directory first. A worker does not, and a `json.py` there is not what is meant below.
    del sys.path[0]
import importlib.util
import json
import site


def check_code(source, is_block, compiler):
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if is_block:
                compiler["compile_block"](source, "code", False, [], [])
            else:
                compiler["compile_module"](source, "setup")
    except SyntaxError as error:
        return {"message": "SyntaxError: %s" % error.msg, "line": error.lineno, "column": error.offset}
    except (ValueError, RecursionError, MemoryError) as error:  # NUL bytes, expressions that are nested too deeply
        return {"message": "SyntaxError: %s" % error, "line": None, "column": None}


def check_module(name):
    top = name.split(".")[0]
    if top not in sys.modules and importlib.util.find_spec(top) is None:
        return {"message": "no module named `%s` in `%s`" % (top, sys.executable), "line": None, "column": None}


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
            fault = check_code(check["source"], check["is_block"], compiler)
        else:
            fault = check_module(check["name"])
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
