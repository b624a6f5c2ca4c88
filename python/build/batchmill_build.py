"""The build backend of the Python package (PEP 517): compiles the engine, and leaves the rest to maturin.

maturin puts one thing made of Rust into a wheel, here the extension module. The engine goes in as a file of the data
folder, so it has to be there before maturin starts.

BATCHMILL_BUILD_PROFILE names another cargo profile than `dist`, BATCHMILL_BUILD_ENGINE an engine that is built already.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Callable

import maturin

Settings = dict[str, Any] | None
Folder = str | None

# In the folder that pyproject.toml names as `data`.
SCRIPTS = Path("target/wheel/data/scripts")


def get_requires_for_build_wheel(config_settings: Settings = None) -> list[str]:
    if sys.platform != "linux":
        sys.exit(f"batchmill runs on Linux only, and this is {sys.platform}: use a container or a virtual machine")
    if not shutil.which("cargo"):
        sys.exit("there is no `cargo` on PATH: install Rust, at least `rust-version` of Cargo.toml, or install a wheel")
    return []


get_requires_for_build_sdist = get_requires_for_build_editable = get_requires_for_build_wheel


def prepare_metadata_for_build_wheel(metadata_directory: str, config_settings: Settings = None) -> str:
    _empty_scripts()
    return maturin.prepare_metadata_for_build_wheel(metadata_directory, config_settings)


prepare_metadata_for_build_editable = prepare_metadata_for_build_wheel


def build_sdist(sdist_directory: str, config_settings: Settings = None) -> str:
    _empty_scripts()
    return maturin.build_sdist(sdist_directory, config_settings)


def build_wheel(wheel_directory: str, config_settings: Settings = None, metadata_directory: Folder = None) -> str:
    return _build(maturin.build_wheel, wheel_directory, config_settings, metadata_directory)


def build_editable(wheel_directory: str, config_settings: Settings = None, metadata_directory: Folder = None) -> str:
    return _build(maturin.build_editable, wheel_directory, config_settings, metadata_directory)


def _build(hook: Callable[..., str], directory: str, settings: Settings, metadata: Folder) -> str:
    engine = os.environ.get("BATCHMILL_BUILD_ENGINE") or build_engine(["build", *profile()])
    _empty_scripts()
    shutil.copy(engine, SCRIPTS / "batchmill")
    arguments = [*maturin.get_maturin_pep517_args(settings), *profile(), "--locked"]
    return hook(directory, {"build-args": arguments}, metadata)


def profile() -> list[str]:
    return ["--profile", os.environ.get("BATCHMILL_BUILD_PROFILE") or "dist"]


def _empty_scripts() -> None:
    """maturin wants the data folder to exist, whatever it does."""
    shutil.rmtree(SCRIPTS, ignore_errors=True)
    SCRIPTS.mkdir(parents=True)


def build_engine(arguments: list[str]) -> str:
    """Run cargo with these arguments, and return the path of the engine, which depends on cargo's configuration."""
    command = ["cargo", *arguments, "--bin", "batchmill", "--locked"]
    print(f"Running `{' '.join(command)}`", flush=True)
    done = subprocess.run([*command, "--message-format", "json-render-diagnostics"], stdout=subprocess.PIPE)
    if done.returncode != 0:
        sys.exit(f"the engine cannot be built: `{' '.join(command)}` failed")
    return next(program for line in done.stdout.splitlines() if (program := json.loads(line).get("executable")))


if __name__ == "__main__":
    print(build_wheel(sys.argv[1]))
