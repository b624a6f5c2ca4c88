"""The tutorial, run as a reader runs it: from top to bottom, in a kernel."""

from pathlib import Path

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

TUTORIAL = Path(__file__).parents[2] / "docs/tutorial.ipynb"
pytestmark = pytest.mark.skipif(not TUTORIAL.exists(), reason="the package is tested without its source tree")


@pytest.fixture
def tutorial():
    return nbformat.read(TUTORIAL, as_version=4)


def test_the_tutorial_is_kept_without_outputs(tutorial):
    nbformat.validate(tutorial)
    code = [cell for cell in tutorial.cells if cell.cell_type == "code"]
    assert code and all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert TUTORIAL.stat().st_size < 20_000


def shown(cell):
    """What a cell shows, as text: what it prints, and its value."""
    texts = [output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.outputs]
    return "\n".join(text.rpartition("\r")[2].strip() for text in texts)


def test_the_tutorial_runs_and_shows_what_it_says(tutorial, here):
    nbclient.NotebookClient(tutorial, timeout=300, resources={"metadata": {"path": str(here)}}).execute()
    files, means, progress, raised, skipped, timed_out, anomalies, kept, run, table, failed, retried = [
        shown(cell) for cell in tutorial.cells if cell.cell_type == "code"
    ]
    assert files == "12" and means.startswith("[10.") and means.count(",") == 11
    assert "mean: 100% 12/12 items" in progress
    assert raised == "could not convert string to float: 'mild'\nstations/station-05.csv"
    assert skipped == "11 good, 1 failed: could not convert string to float: 'mild'"
    assert timed_out == "[0, 1, 2, 'Timeout', 4, 5]"
    assert anomalies.startswith("[-") and anomalies.count(",") == 11
    assert kept.endswith("True")
    assert "partial" in run and table.count("stations/station-") == 3
    assert failed == "stations/station-05.csv could not convert string to float: 'mild'"
    assert retried.endswith("'succeeded'")
