"""Reads {"schema": .., "documents": [..]} from stdin, and prints for each document a JSON line: null if it is valid, or why not.

Checks the schema itself first, and that each default and example in it is valid for its own key.
"""

import json
import sys

from jsonschema import Draft202012Validator


def keys(node, path=""):
    """Each schema of a key, with where it is."""
    if isinstance(node, dict):
        for name, child in node.get("properties", {}).items() if isinstance(node.get("properties"), dict) else ():
            if isinstance(child, dict) and "description" in child:
                yield f"{path}.{name}", child
        for name, child in node.items():
            yield from keys(child, f"{path}/{name}")
    elif isinstance(node, list):
        for index, child in enumerate(node):
            yield from keys(child, f"{path}/{index}")


given = json.load(sys.stdin)
schema = given["schema"]
Draft202012Validator.check_schema(schema)
for path, key in keys(schema):
    own = Draft202012Validator({"$defs": schema["$defs"], **key})
    for value in [*key.get("examples", []), *([key["default"]] if "default" in key else [])]:
        for error in own.iter_errors(value):
            sys.exit(f"{path}: {value!r}: {error.message}")
validator = Draft202012Validator(schema)
for document in given["documents"]:
    errors = [f"{error.json_path}: {error.message[:200]}" for error in validator.iter_errors(document)]
    print(json.dumps("; ".join(errors) or None))
