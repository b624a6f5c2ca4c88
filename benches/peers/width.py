#!/usr/bin/env python3
"""Measures at how many hosts batchmill itself becomes the limit, and prints a table as Markdown.

    make bench-width
    make bench-width ARGS='--hosts 1000 --seconds 0.5'

The hosts are simulated (`fake_hosts.py`): each frame has its outcome after a given time, and nothing runs. So the time of a step is
that of its frames, or what engine and driver take for them, whichever is more. Each batch travels alone and has 100 items, as if it took
that time. *of ideal* is the ratio of hosts / seconds, the frames per second if batchmill took no time at all.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
ITEMS = 100


def frames_per_second(batchmill: str, hosts: int, seconds: float, frames: int) -> float:
    """Run a step of so many frames on simulated hosts."""
    workflow = {
        "name": "width",
        "steps": [
            {
                "name": "step",
                "type": "batch",
                "inputs": {
                    "items": {"range": frames * ITEMS},
                    "batch_size": ITEMS,
                    "parallel": True,
                    # Each batch travels alone.
                    "queue_size": 2 * hosts,
                    "task": {"type": "echo", "inputs": {"message": "{{ item }}"}},
                },
            }
        ],
    }
    environment = {**os.environ, "PYTHONPATH": str(HERE), "FAKE_HOSTS": str(hosts), "FAKE_SECONDS": str(seconds)}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "width.json"
        path.write_text(json.dumps(workflow))
        command = [batchmill, "run", str(path), "--executor", "python=fake_hosts:hosts", "--python", sys.executable]
        done = subprocess.run(
            [*command, "--progress", "json"], cwd=folder, env=environment, stderr=subprocess.PIPE, text=True, check=True
        )
    events = [json.loads(line) for line in done.stderr.splitlines() if line.startswith('{"event"')]
    (ended,) = [event for event in events if event["event"] == "step_finished"]
    if ended["stats"]["succeeded"] != frames * ITEMS:
        sys.exit(f"the step ended with {ended['stats']}")
    return frames / (ended["stats"]["duration"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batchmill", default=str(Path(sys.executable).with_name("batchmill")))
    parser.add_argument("--hosts", type=int, nargs="+", default=[16, 64, 256, 1000])
    parser.add_argument("--seconds", type=float, nargs="+", default=[0.0, 0.1, 0.5])
    arguments = parser.parse_args()
    print("| hosts | seconds of a frame | frames/s | of ideal |")
    print("| --: | --: | --: | --: |")
    for hosts in arguments.hosts:
        for seconds in arguments.seconds:
            # Some seconds, and some rounds of all hosts.
            frames = max(4 * hosts, 4000) if seconds == 0 else max(4 * hosts, int(3 * min(hosts / seconds, 2000)))
            rate = frames_per_second(arguments.batchmill, hosts, seconds, frames)
            ideal = f"{100 * rate / (hosts / seconds):.0f} %" if seconds else ""
            print(f"| {hosts:,} | {seconds} | {rate:,.0f} | {ideal} |", flush=True)


if __name__ == "__main__":
    main()
