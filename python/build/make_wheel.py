"""Builds the wheel for users into `dist`: for Linux with glibc 2.28 or newer if zig is installed, otherwise with the
glibc of this machine. `make wheel` runs it.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import batchmill_build

OUT = Path("dist")
GLIBC = "2.28"
MACHINES = ("x86_64", "aarch64")


def main() -> None:
    batchmill_build.get_requires_for_build_wheel()
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    arguments = os.environ.get("MATURIN_PEP517_ARGS", "")
    if importlib.util.find_spec("ziglang") and platform.machine() in MACHINES:
        target = f"{platform.machine()}-unknown-linux-gnu"
        # Both with zig: the engine has to run on the same machines as the extension module.
        engine = batchmill_build.build_engine(["zigbuild", *batchmill_build.profile(), "--target", f"{target}.{GLIBC}"])
        os.environ["BATCHMILL_BUILD_ENGINE"] = engine
        arguments += f" --zig --target {target} --compatibility manylinux_{GLIBC.replace('.', '_')}"
    else:
        library, version = platform.libc_ver()
        print(f"note: zig is not installed, so this wheel needs {library} {version}, as on this machine, or newer")
        if library == "glibc":
            arguments += f" --compatibility manylinux_{version.replace('.', '_')}"
    os.environ["MATURIN_PEP517_ARGS"] = arguments
    OUT.mkdir(exist_ok=True)
    wheel = OUT / batchmill_build.build_wheel(str(OUT))
    audit(wheel)
    print(f"{wheel}: {wheel.stat().st_size:,} bytes, with")
    with zipfile.ZipFile(wheel) as files:
        for file in files.infolist():
            if file.filename.endswith((".so", "/scripts/batchmill")):
                print(f"  {file.filename}: {file.file_size:,} bytes, {file.compress_size:,} compressed")


def audit(wheel: Path) -> None:
    """Fail if the wheel needs a newer C library than its name says: maturin looks at the extension module only."""
    command = [sys.executable, "-m", "auditwheel", "show", str(wheel)]
    said = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    print(said)
    promised = re.search(r"-manylinux_(\d+)_(\d+)_", wheel.name)
    needed = re.search(r'following\s+platform\s+tag:\s+"manylinux_(\d+)_(\d+)_', said)
    if promised and not (needed and tuple(map(int, needed.groups())) <= tuple(map(int, promised.groups()))):
        sys.exit(f"{wheel} does not run where its name says")


if __name__ == "__main__":
    main()
