"""Peers of csv-dir: a folder of CSV files, grouped by category, into a JSON file each.

    csv_dir.py polars|pandas|duckdb DATA OUT JOBS
"""

import multiprocessing
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from functions import pandas_file, polars_file, write_groups


def processes(start, function, paths, out, jobs):
    with multiprocessing.get_context(start).Pool(jobs) as workers:
        for _ in workers.imap_unordered(partial(function, out=out), paths, chunksize=4):
            pass


def threads(paths, out, jobs):
    """duckdb lets go of the GIL; a connection per thread is its fastest way over many files."""
    import duckdb

    local = threading.local()
    # Without its sniffer, which takes longer than all else.
    query = """select category, sum(value), avg(value), count(*) from read_csv(?, header = true, auto_detect = false,
        columns = {'id': 'BIGINT', 'category': 'VARCHAR', 'value': 'DOUBLE', 'ts': 'BIGINT'}) group by category"""

    def one(path):
        if not hasattr(local, "connection"):
            local.connection = duckdb.connect(config={"threads": 1})
        rows = local.connection.execute(query, [path]).fetchall()
        write_groups(path, out, {category: {"sum": total, "mean": mean, "count": n} for category, total, mean, n in rows})

    with ThreadPoolExecutor(jobs) as pool:
        list(pool.map(one, paths))


if __name__ == "__main__":
    how, data, out, jobs = sys.argv[1:]
    paths, jobs = sorted(map(str, Path(data).glob("*.csv"))), int(jobs)
    if how == "duckdb":
        threads(paths, out, jobs)
    elif how == "polars":
        processes("spawn", polars_file, paths, out, jobs)  # Its threads do not survive a fork.
    else:
        processes("fork", pandas_file, paths, out, jobs)
