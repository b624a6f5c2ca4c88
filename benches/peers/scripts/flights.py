"""Peers of flights: what fixtures/workflows/flights.yaml does, written by hand with pandas.

    flights.py OUT [--jobs J]        without --jobs one file after the other, in this process
"""

import argparse
import glob
from pathlib import Path

import pandas as pd

MEASURES = {column: ["sum", "mean", "count"] for column in ("dep_delay", "arr_delay", "distance")}


def process_file(task):
    path, out = task
    df = pd.read_csv(path)
    result = df.groupby("carrier").agg(MEASURES)
    result.columns = ["_".join(names) for names in result.columns]
    output_file = out / Path(path).with_suffix(".json").name
    result.to_json(output_file, orient="index")
    return {"file": path, "records": len(df), "output": str(output_file)}


def by_carrier(days, out):
    frames = [pd.read_json(day["output"], orient="index", convert_axes=False) for day in days]
    total = pd.concat(frames).groupby(level=0).sum()
    table = pd.DataFrame({
        "flights": total["distance_count"],
        "mean_dep_delay": (total["dep_delay_sum"] / total["dep_delay_count"]).round(2),
    })
    table.to_csv(out / "by-carrier.csv", index_label="carrier")


def main(out, jobs):
    out.mkdir(parents=True, exist_ok=True)
    tasks = [(path, out) for path in sorted(glob.glob("fixtures/flights/*.csv"))]
    if jobs is None:
        days = [process_file(task) for task in tasks]
    else:
        import multiprocessing

        # Forked after the import of pandas: the workers do not pay for it again. Pool's fastest case.
        with multiprocessing.get_context("fork").Pool(jobs) as workers:
            days = workers.map(process_file, tasks, chunksize=1)
    by_carrier(days, out)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--jobs", type=int)
    args = parser.parse_args()
    main(args.out, args.jobs)
