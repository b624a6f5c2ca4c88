"""Workflows: files, and mappings that are kept in a file so that a later run finds them again."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Union

from batchmill._errors import Diagnostic
from batchmill._values import layout, plain

__all__ = ["Workflow", "diagnostics_of", "file_of", "state_directory"]

Workflow = Union[str, "os.PathLike[str]", Mapping[str, Any]]

# Where the engine expects the workflows of programs. Paths in these mean the working directory.
_FOLDER = "workflows"


def state_directory(given: str | os.PathLike[str] | None) -> str:
    """Return the absolute path of the directory with the runs."""
    return os.path.abspath(given or os.environ.get("BATCHMILL_STATE_DIR") or ".batchmill")


def file_of(workflow: Workflow, state: str, *, again: bool = False) -> str:
    """Return the file of a workflow. A mapping is written to one in the state directory.

    Parameters
    ----------
    workflow : path or mapping
        The workflow.
    state : str
        The state directory.
    again : bool
        Whether an earlier run of it will be looked for. That needs a name.

    Raises
    ------
    TypeError
        If the mapping has something that a workflow cannot hold.
    ValueError
        If an earlier run is looked for, and the mapping has no `name`.
    """
    if not isinstance(workflow, Mapping):
        return os.fspath(workflow)
    content = plain(workflow)
    text, _ = layout(content)
    name = content.get("name")
    if not isinstance(name, str) or not name:
        if again:
            raise ValueError("the workflow has no `name`, by which an earlier run of it could be found; give it one")
        name = f"workflow-{_digest(text)}"
    fitting = re.sub(r"[^\w-]", "-", name)[:40]
    stem = name if name == fitting else f"{fitting}-{_digest(name)}"
    return str(_write(Path(state), f"{stem}.json", text))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def _write(state: Path, name: str, text: str) -> Path:
    """Write a file whole: another process may read it at the same time."""
    if not state.exists():
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        (state / ".gitignore").write_text("*\n")
    folder = state / _FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    path = folder / name
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return path
    descriptor, temporary = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=folder)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    return path


@dataclass(frozen=True)
class Found:
    """Errors of a workflow. `text` is for people, if the engine's own would name a file that the user does not know."""

    errors: tuple[Diagnostic, ...]
    text: str | None


def diagnostics_of(raw: Sequence[Mapping[str, Any]]) -> Found:
    """Return the errors that the engine reported. Those in a mapping have the path of their key instead of a line."""
    errors: list[Diagnostic] = []
    is_mapping = False
    for one in raw:
        places = _places(one["file"])
        is_mapping = is_mapping or places is not None
        errors.append(_of_file(one) if places is None else _of_mapping(one, places))
    return Found(tuple(errors), "\n".join(map(_shown, errors)) if is_mapping else None)


def _places(file: str) -> list[str] | None:
    """The path of the value in each line, if this file has a mapping."""
    path = Path(file)
    if path.parent.name != _FOLDER or path.suffix != ".json":
        return None
    try:
        text = path.read_text(encoding="utf-8")
        again, places = layout(json.loads(text))
    except (OSError, ValueError):
        return None
    # A file of the user may have such a name too.
    return places if again == text else None


def _hint(raw: Mapping[str, Any]) -> str | None:
    hint: str | None = raw["help"] or raw["label"]
    return hint


def _of_file(raw: Mapping[str, Any]) -> Diagnostic:
    return Diagnostic(
        message=raw["message"],
        hint=_hint(raw),
        file=raw["file"] or None,
        line=raw["line"],
        column=raw["column"],
        end_line=raw["end_line"],
        end_column=raw["end_column"],
        path=raw["path"],
        notes=tuple(note["message"] for note in raw["notes"]),
    )


def _of_mapping(raw: Mapping[str, Any], places: Sequence[str]) -> Diagnostic:
    def at(line: int | None) -> str:
        return places[line - 1] if line is not None and 0 < line <= len(places) else ""

    path = at(raw["line"]) or raw["path"]
    if raw["message"].startswith("missing key") and raw["line"] is not None:
        # It is shown at the first key of the mapping that lacks it.
        path = path.rpartition(".")[0]
    notes = (f"{at(note['line'])}: {note['message']}".removeprefix(": ") for note in raw["notes"])
    return Diagnostic(message=raw["message"], hint=_hint(raw), path=path, notes=tuple(notes))


def _shown(error: Diagnostic) -> str:
    place = f"\n--> the workflow, at `{error.path}`" if error.path else "\n--> the workflow"
    notes = "".join(f"\n = note: {note}" for note in error.notes)
    return f"error: {error.message}{place}{notes}" + (f"\n = help: {error.hint}" if error.hint else "")
