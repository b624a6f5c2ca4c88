"""Peer of shell-noop and shell-echo: `subprocess.run` in a Pool.

    shell_pool.py true|echo N JOBS OUT
"""

import multiprocessing
import subprocess
import sys
from functools import partial


def run(word, item):
    stdout = subprocess.PIPE if word == "echo" else None
    return subprocess.run(["sh", "-c", f"{word} {item}"], stdout=stdout, check=True).stdout


if __name__ == "__main__":
    word, n, jobs, out = sys.argv[1:]
    with multiprocessing.Pool(int(jobs)) as workers:
        printed = workers.map(partial(run, word), range(int(n)), chunksize=50)
    if word == "echo":
        with open(out, "wb") as file:
            file.writelines(printed)
