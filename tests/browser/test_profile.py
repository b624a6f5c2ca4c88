"""The page of a profile in a real browser. As `test_report.py`."""

import json
import subprocess

import pytest
from conftest import BATCHMILL, MISSING, PICTURES, emulate, overlaps, pictures, serious
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)} (Debian: chromium chromium-driver)")

# It waits and computes, takes batches, and has a function whose name is markup.
FLOW = """
name: prices
steps:
  - name: price
    task: batch
    inputs:
      items: {range: 2000}
      batch_size: 10
      batched: true
      max_parallel: 2
      task:
        type: python
        code: |
          import time
          def drift(n):
              return sum(i * i for i in range(n))
          time.sleep(0.004)
          return [drift(5000) for _ in item]
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("profile")
    (folder / "workflow.yaml").write_text(FLOW)
    run = [BATCHMILL, "profile", "workflow.yaml", "--yes", "--budget", "16s", "--output", "page.html", "--format", "json"]
    ended = subprocess.run(run, cwd=folder, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return folder / "page.html", json.loads(ended.stdout)


@pytest.fixture
def page(browser, made):
    browser.set_window_size(1200, 900)
    browser.get(made[0].as_uri())
    return browser


def test_the_page_shows_what_was_measured(page, made):
    found = made[1]
    assert found["why"] in page.find_element(By.TAG_NAME, "h1").text
    rows = page.find_elements(By.XPATH, "//div[@aria-label='What was measured']//tbody/tr")
    widths = [int(row.find_element(By.TAG_NAME, "td").get_attribute("data-value")) for row in rows]
    assert widths == [row["width"] for row in found["rows"]]
    text = page.find_element(By.TAG_NAME, "body").text
    assert "drift (price.code:2)" in text and "drift.<locals>.<genexpr>" in text
    for name, share in found["sampled"]["code"]:
        assert share < 0.005 or name in text


def test_it_asks_for_nothing_and_no_chart_is_empty(page, made):
    assert made[0].stat().st_size < 2_000_000
    assert [entry for entry in page.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")] == []
    assert page.execute_script("return performance.getEntriesByType('resource').length") == 0
    drawn = page.execute_script("return [...document.querySelectorAll('figure svg')].map(svg => svg.querySelectorAll('polyline, rect, circle').length)")
    own = made[1]["own"]
    sizes = {row["batch_size"] for row in made[1]["rows"] if row["width"] == own["width"] and row["threads"] == own["threads"]}
    # Throughput, efficiency and item times, and batch sizes if there was time to try some.
    assert len(drawn) == 3 + (len(sizes) > 1) and all(count > 0 for count in drawn)


def test_a_map_shows_workers_and_batch_sizes_combined(page, made):
    own = made[1]["own"]
    combined = [row for row in made[1]["rows"] if row["width"] != own["width"] and row["batch_size"] != own["batch_size"]]
    # If there was time to try some.
    cells = page.find_elements(By.CSS_SELECTOR, ".heat td[data-value]")
    shown = {float(cell.get_attribute("data-value")) for cell in cells}
    assert bool(shown) == bool(combined)
    assert {row["throughput"]["median"] for row in combined} <= shown
    assert not shown or any("(now)" in cell.text for cell in cells)


@pytest.mark.parametrize("width", [390, 1200, 2400])
def test_nothing_overlaps_or_sticks_out(page, width):
    page.set_window_size(width, 1000)
    page.execute_script("document.querySelectorAll('details').forEach(it => { it.open = true; })")
    assert overlaps(page, ", .flame") == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(page, scheme):
    emulate(page, scheme)
    assert serious(page) == []


def test_tables_are_sorted_by_keyboard(page):
    heading = page.find_element(By.XPATH, "//div[@aria-label='What was measured']//th[@data-sort]/button")
    widths = lambda: page.execute_script(
        "return [...arguments[0].closest('table').tBodies[0].rows].map(row => Number(row.cells[0].dataset.value))", heading
    )
    heading.send_keys(Keys.ENTER)
    heading.send_keys(Keys.ENTER)
    assert widths() == sorted(widths(), reverse=True)


def test_pictures_of_the_docs_are_taken(page):
    PICTURES.mkdir(parents=True, exist_ok=True)
    emulate(page, "light")
    page.set_window_size(860, 1000)
    assert page.save_screenshot(str(PICTURES / "profile-page.png"))


def test_pictures_are_taken(page):
    pictures(page, "profile")
