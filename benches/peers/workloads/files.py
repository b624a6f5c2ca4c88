"""A folder of CSV files, each grouped into a JSON file."""

import json
import math
from pathlib import Path

from commands import Bench, Command, Outcome, Workload, Wrong, at_most

ROWS = 48_000  # Of a file; makes about 1.8 MB.


def csv_dir(bench: Bench) -> Workload:
    n = bench.items(400)
    data = bench.tools / "csv"
    write_files(data, n)

    def peer(name, how, **env):
        return Command(name, bench.script("csv_dir", how, data, "{out}", bench.jobs), env=env)

    def own(library, limit):
        argv = bench.batchmill_run(f"csv-dir-{library}", data=data, out="{out}", jobs=bench.jobs)
        return Command(f"batchmill, {library}", argv, own=True, limit=at_most(limit))

    return Workload(
        "csv-dir",
        "What does real work on files take, with the libraries one would use?",
        f"{n} files of 1.8 MB, grouped, a JSON file each",
        [
            peer(f"polars in {bench.jobs} processes (bound)", "polars", POLARS_MAX_THREADS="1"),
            own("pandas", 1.6),
            own("polars", 1.1),
            peer("Pool with pandas", "pandas"),
            peer(f"duckdb in {bench.jobs} threads", "duckdb"),
        ],
        lambda outcome: check_groups(outcome, data),
    )


def write_files(folder: Path, n: int) -> None:
    import numpy as np
    import polars as pl

    folder.mkdir()
    names = np.array([f"category_{number:02d}" for number in range(20)])
    for number in range(n):
        chance = np.random.default_rng(number)
        pl.DataFrame(
            {
                "id": np.arange(number * ROWS, (number + 1) * ROWS),
                "category": names[chance.integers(0, 20, ROWS)],
                "value": np.round(chance.normal(100, 25, ROWS), 4),
                "ts": 1_700_000_000 + np.arange(ROWS) * 7,
            }
        ).write_csv(folder / f"f{number:04d}.csv")


def check_groups(outcome: Outcome, data: Path) -> None:
    """Looks at 40 files spread over the folder, with other means than those compared."""
    import numpy as np

    paths = sorted(data.glob("*.csv"))
    made = len(list(outcome.out.glob("*.json")))
    if made != len(paths):
        raise Wrong(f"expected {len(paths)} files, got {made}")
    for path in paths[:: max(1, len(paths) // 40)]:
        columns = np.loadtxt(path, delimiter=",", skiprows=1, usecols=(1, 2), dtype=str)
        categories, values = columns[:, 0], columns[:, 1].astype(float)
        found = json.loads((outcome.out / path.with_suffix(".json").name).read_text())
        if sorted(found) != sorted(set(categories)):
            raise Wrong(f"{path.name}: categories are {sorted(found)}")
        for category, its in found.items():
            mine = values[categories == category]
            right = its["count"] == len(mine) and math.isclose(its["sum"], mine.sum()) and math.isclose(its["mean"], mine.mean())
            if not right:
                raise Wrong(f"{path.name}: {category} is {its}")
