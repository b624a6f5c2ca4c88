"""A small real job: a month of flights."""

import csv
import glob
from collections import defaultdict

from commands import ROOT, Bench, Command, Outcome, Workload, Wrong


def flights(bench: Bench) -> Workload:
    expected = flights_by_carrier()
    days = len(glob.glob(str(ROOT / "fixtures/flights/*.csv")))

    def check(outcome: Outcome) -> None:
        if len(list(outcome.out.glob("2013-*.json"))) != days:
            raise Wrong(f"expected {days} JSON files in {outcome.out}")
        with (outcome.out / "by-carrier.csv").open(newline="") as file:
            found = {row["carrier"]: (int(row["flights"]), float(row["mean_dep_delay"])) for row in csv.DictReader(file)}
        if found.keys() != expected.keys():
            raise Wrong(f"carriers are {sorted(found)}")
        for carrier, (count, mean) in expected.items():
            if found[carrier][0] != count or abs(found[carrier][1] - mean) > 0.006:
                raise Wrong(f"{carrier} is {found[carrier]}, expected {(count, mean)}")

    return Workload(
        "flights",
        "What does a small real job take, against the script one would write by hand?",
        f"{days} CSV files, 27,004 rows, pandas; a JSON file per day and a table of the month; at every scale",
        [
            Command("pandas, sequential (bound)", bench.script("flights", "{out}")),
            Command("batchmill", bench.batchmill_file("fixtures/workflows/flights.yaml", "--jobs", str(bench.jobs), out="{out}"), own=True),
            Command("pandas, Pool", bench.script("flights", "{out}", "--jobs", bench.jobs)),
        ],
        check,
    )


def flights_by_carrier() -> "dict[str, tuple[int, float]]":
    """Flights and mean departure delay of each carrier, by other means than those compared."""
    count: "defaultdict[str, int]" = defaultdict(int)
    delays: "defaultdict[str, list[int]]" = defaultdict(list)
    for path in glob.glob(str(ROOT / "fixtures/flights/*.csv")):
        with open(path, newline="") as file:
            for row in csv.DictReader(file):
                count[row["carrier"]] += 1
                if row["dep_delay"]:
                    delays[row["carrier"]].append(int(row["dep_delay"]))
    return {carrier: (count[carrier], sum(late) / len(late)) for carrier, late in delays.items()}
