"""The report in a real browser: Debian's chromium, driven by chromium-driver.

    make test-full      # or: BATCHMILL=target/debug/batchmill .venv-browser/bin/python -m pytest tests/browser

Skipped, and says so, where the browser is missing. Screenshots are left in `target/pictures`.
"""

import json
import subprocess
from pathlib import Path

import pytest
from conftest import BATCHMILL, MISSING, PICTURES, emulate, overlaps, pictures, serious
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)} (Debian: chromium chromium-driver)")

FEW = """
name: prices
params: {factor: {type: integer, default: 3}}
steps:
  - name: load
    task: batch
    inputs:
      items: {range: 31}
      max_parallel: 2
      continue_on_error: true
      retry: {max_attempts: 2, delay: 10ms}
      task:
        type: python
        code: |
          import time
          if item % 10 == 7: raise ValueError(f"no price in 'data/{item}.csv' </script><script>alert(1)</script>")
          time.sleep(0.01)
          return item * params.factor
    outputs: {name: prices, path: prices.jsonl}
  - name: count
    for_each: ["a <b>", "c", "d"]
    max_parallel: 2
    task: shell
    inputs: {command: "echo {{ item }}"}
"""

# Each batch travels alone, so there are as many blocks as batches.
MANY = """
steps:
  - name: load
    task: batch
    inputs:
      items: {range: 10000}
      max_parallel: 2
      queue_size: 4
      continue_on_error: true
      task: {type: python, code: "return 1 / (item % 500)"}
"""

MILLION = """
steps:
  - name: load
    task: batch
    inputs:
      items: {range: 1000000}
      max_parallel: 2
      task: {type: python, code: return item}
"""


class Report:
    """A run, its page and its figures."""

    def __init__(self, folder: Path, workflow: str):
        (folder / "workflow.yaml").write_text(workflow)
        call = lambda *args: subprocess.run([BATCHMILL, *args], cwd=folder, capture_output=True, text=True)
        ran = call("run", "workflow.yaml", "--progress", "none")
        assert ran.returncode in (0, 1), ran.stderr
        made = call("report", "-o", "report.html")
        assert made.returncode == 0, made.stderr
        self.page = folder / "report.html"
        self.figures = json.loads(call("report", "--format", "json", "-o", "-").stdout)


@pytest.fixture(scope="module", params=["few", "many", "million"])
def report(request, tmp_path_factory):
    workflow = {"few": FEW, "many": MANY, "million": MILLION}[request.param]
    made = Report(tmp_path_factory.mktemp(request.param), workflow)
    made.name = request.param
    return made


@pytest.fixture
def page(browser, report):
    browser.set_window_size(1200, 900)
    browser.get(report.page.as_uri())
    return browser


def test_the_page_shows_the_figures_of_the_ledger(page, report):
    text = page.find_element(By.TAG_NAME, "body").text
    for step in report.figures["steps"]:
        counts = step["counts"]
        row = page.find_element(By.XPATH, f"//h2[@id='steps']/following::tr[td[1]='{step['name']}']")
        cells = [cell.text for cell in row.find_elements(By.TAG_NAME, "td")]
        assert cells[2] == f"{counts['succeeded'] + counts['failed']:,}"
        assert cells[3] == f"{counts['failed']:,}"
        assert cells[4] == f"{counts['retried']:,}"
        for group in step["failures"]:
            assert group["pattern"] in text
            assert f"batchmill repro {report.figures['run']} {group['indexes'][0]} --step {step['name']}" in text
    failed = sum(step["counts"]["failed"] for step in report.figures["steps"])
    assert (f"{failed} of" in page.find_element(By.TAG_NAME, "h1").text) == (failed > 0)


def test_it_is_small_asks_for_nothing_and_logs_no_error(page, report):
    assert report.page.stat().st_size < 2_000_000
    assert [entry for entry in page.get_log("browser") if entry["level"] in ("SEVERE", "WARNING")] == []
    assert page.execute_script("return performance.getEntriesByType('resource').length") == 0


def test_no_chart_is_empty(page, report):
    steps = [step for step in report.figures["steps"] if step["time"]]
    drawn = page.execute_script("return [...document.querySelectorAll('figure svg')].map(svg => svg.querySelectorAll('polyline, rect').length)")
    assert len(drawn) == 7 * len(steps)
    assert all(count > 0 for count in drawn)
    coloured = page.execute_script("""
        return [...document.querySelectorAll('canvas')].map(canvas => {
            const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
            let count = 0;
            for (let at = 3; at < data.length; at += 4) count += data[at] > 0;
            return count;
        })""")
    assert len(coloured) == len(steps)
    assert all(count > 500 for count in coloured)


@pytest.mark.parametrize("width", [390, 1200, 2400])
def test_nothing_overlaps_or_sticks_out(page, report, width):
    page.set_window_size(width, 1000)
    page.execute_script("document.querySelectorAll('details').forEach(it => { it.open = true; })")
    assert overlaps(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_no_serious_fault(page, report, scheme):
    emulate(page, scheme)
    assert serious(page) == []


def test_every_control_works_by_keyboard(page, report):
    canvas = page.find_element(By.TAG_NAME, "canvas")
    image = lambda: page.execute_script("return arguments[0].toDataURL()", canvas)
    reached = set()
    for _ in range(400):
        page.switch_to.active_element.send_keys(Keys.TAB)
        reached.add(page.execute_script("const it = document.activeElement; return it.id || it.dataset.do || it.dataset.line || it.tagName"))
        if page.execute_script("return document.activeElement === document.body"):
            break
    wanted = {"in", "out", "left", "right", "all", "SUMMARY", "search"}
    assert wanted <= reached, wanted - reached
    whole = image()
    page.execute_script("arguments[0].focus()", canvas)
    canvas.send_keys("+")
    zoomed = image()
    assert zoomed != whole
    canvas.send_keys(Keys.ARROW_RIGHT)
    assert image() != zoomed
    canvas.send_keys(Keys.HOME)
    assert image() == whole
    heading = page.find_element(By.CSS_SELECTOR, "th[data-sort] button")
    indexes = lambda: page.execute_script(
        "return [...arguments[0].closest('table').tBodies[0].rows].map(row => Number(row.cells[0].dataset.value))", heading
    )
    heading.send_keys(Keys.ENTER)
    assert indexes() == sorted(indexes())
    heading.send_keys(Keys.ENTER)
    assert indexes() == sorted(indexes(), reverse=True)


def test_search_and_steps_filter(page, report):
    search = page.find_element(By.ID, "search")
    search.send_keys("there is no such text")
    shown = lambda css: [it for it in page.find_elements(By.CSS_SELECTOR, css) if it.is_displayed()]
    assert shown(".searched tbody tr") == [] and shown(".cause") == []
    search.clear()
    search.send_keys(" ", Keys.BACKSPACE)
    assert shown(".searched tbody tr")
    if report.name == "few":
        page.find_element(By.ID, "step").send_keys("count")
        assert {it.get_attribute("data-step") for it in shown("section[data-step]")} == {"count"}


def test_pictures_of_the_docs_are_taken(page, report):
    if report.name != "few":
        pytest.skip("the docs show one of them")
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.set_window_size(860, 720)
    assert page.save_screenshot(str(PICTURES / "report-of-a-run.png"))
    section = page.find_element(By.CSS_SELECTOR, "section[data-step=load][aria-labelledby]")
    page.execute_script("arguments[0].scrollIntoView()", section)
    assert page.save_screenshot(str(PICTURES / "time-line.png"))


def test_pictures_are_taken(page, report):
    pictures(page, f"report-{report.name}")
