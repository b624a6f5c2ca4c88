"""The live page of a run in a real browser: every control by mouse and by keyboard, on a run that goes on meanwhile.

Items run until a file tells them to end, so the run waits for the test and not the other way round.
"""

import json
import re
import subprocess
import threading
import time
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from conftest import BATCHMILL, MISSING, PICTURES, emulate, overlaps, serious
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {', '.join(MISSING)} (Debian: chromium chromium-driver)")

# Items below 4 end at once, one of them with a failure; the others wait.
WORKFLOW = """
name: prices
steps:
  - name: load
    task: batch
    inputs:
      items: {range: 40}
      max_parallel: 4
      queue_size: 1
      continue_on_error: true
      task:
        type: TASK
"""

SHELL = """shell
        command: |
          test {{ item }} = 1 && ! test -e mended && { echo "no price <b>" >&2; exit 3; }
          while test {{ item }} -ge 4 && ! test -e go; do sleep 0.02; done
"""

PYTHON = """python
        code: |
          import os, time
          if item == 1 and not os.path.exists("mended"): raise ValueError("no price <b>")
          while item >= 4 and not os.path.exists("go"): time.sleep(0.02)
          return item
"""

BATCHED = """python
        code: |
          import os, time
          [x] = item
          if x == 1 and not os.path.exists("mended"): raise ValueError("no price <b>")
          while x >= 4 and not os.path.exists("go"): time.sleep(0.02)
          return item
"""

HTTP = """http_request
        url: "http://127.0.0.1:PORT/{{ item }}"
"""


class Prices(BaseHTTPRequestHandler):
    """Answers as the other tasks do."""

    def do_GET(self):
        item, folder = int(self.path[1:]), self.server.folder
        while item >= 4 and folder.exists() and not (folder / "go").exists():
            time.sleep(0.02)
        # A failure that a retry would not mend.
        self.send_response(404 if item == 1 and not (folder / "mended").exists() else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


@pytest.fixture
def prices(tmp_path):
    """The port of a server of prices."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Prices)
    server.folder, server.daemon_threads = tmp_path, True
    threading.Thread(target=server.serve_forever).start()
    yield server.server_address[1]
    server.shutdown()


class Live:
    """A run that goes on, and its page."""

    def __init__(self, folder: Path, task: str, width=1200):
        self.folder = folder
        workflow = WORKFLOW.replace("TASK", task)
        if task == BATCHED:
            workflow = workflow.replace("queue_size: 1\n", "queue_size: 1\n      batch_size: 1\n      batched: true\n")
        (folder / "workflow.yaml").write_text(workflow)
        command = [BATCHMILL, "run", "workflow.yaml", "-j", "4", "--progress", "none", "--ui"]
        self.engine = subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True)
        self.address = re.match(r"open (\S+)", self.engine.stderr.readline())[1]

    def go(self):
        (self.folder / "go").touch()

    def ends(self):
        self.go()
        return self.engine.wait(60)

    def figures(self):
        made = subprocess.run([BATCHMILL, "report", "--format", "json", "-o", "-"], cwd=self.folder, capture_output=True, text=True)
        return json.loads(made.stdout)


@pytest.fixture
def start(tmp_path, browser):
    """Starts a run and opens its page."""
    runs = []

    def start(task=SHELL, width=1200):
        live = Live(tmp_path, task)
        runs.append(live)
        browser.set_window_size(width, 900)
        browser.get(live.address)
        until(browser, lambda: text(browser, "line") == "connected" and len(rows(browser)) == 4)
        return live

    yield start
    browser.get("about:blank")
    for live in runs:
        live.ends()
        # Nobody looks at it any more, so it would stay for a minute.
        for server in servers(tmp_path):
            subprocess.run(["kill", server], check=False)


def servers(folder):
    """The servers of pages about runs in this folder."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            line = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"--inherited" in line and str(folder).encode() in b" ".join(line):
            found.append(entry.name)
    return found


def until(page, true):
    def holds(_):
        try:
            return true()
        except StaleElementReferenceException:
            return False

    return WebDriverWait(page, 30, poll_frequency=0.05).until(holds)


def get(page, name):
    return page.find_element(By.ID, name)


def text(page, name):
    return get(page, name).text


def rows(page):
    return page.find_elements(By.CSS_SELECTOR, "#running tr")


def indexes(page):
    return page.execute_script("return [...document.querySelectorAll('#running tr')].map(row => Number(row.cells[1].textContent))")


def says(page, part):
    return until(page, lambda: part in text(page, "answer"))


def use(page, element, by):
    """Presses a button."""
    if by == "mouse":
        element.click()
    else:
        page.execute_script("arguments[0].focus()", element)
        page.switch_to.active_element.send_keys(Keys.ENTER)


@pytest.mark.parametrize("task", [SHELL, PYTHON, BATCHED, HTTP], ids=["shell", "python", "batched", "http"])
@pytest.mark.parametrize("by", ["mouse", "keyboard"])
def test_every_control_works(start, browser, prices, by, task):
    live = start(task.replace("PORT", str(prices)))
    page = browser
    press = lambda name: use(page, get(page, name), by)
    value = lambda name: get(page, name).get_property("value")

    press("pause")
    until(page, lambda: text(page, "pause") == "Continue" and get(page, "paused").is_displayed())
    says(page, "paused")
    press("pause")
    until(page, lambda: text(page, "pause") == "Pause" and not get(page, "paused").is_displayed())

    jobs = get(page, "jobs")
    assert (jobs.get_attribute("min"), jobs.get_attribute("max")) == ("1", "4")
    for width in ("2", "4", "3"):
        jobs.send_keys(Keys.CONTROL, "a")
        jobs.send_keys(width)
        if by == "mouse":
            page.find_element(By.CSS_SELECTOR, "#jobs-form button").click()
        else:
            jobs.send_keys(Keys.ENTER)
        says(page, f"up to {width} items")
    assert value("jobs") == "3"

    # A number that is too large does not leave the page.
    jobs.send_keys(Keys.CONTROL, "a")
    jobs.send_keys("9", Keys.ENTER)
    assert page.execute_script("return arguments[0].validity.rangeOverflow", jobs)

    skip = get(page, "skip")
    skip.send_keys("30")
    if by == "mouse":
        page.find_element(By.CSS_SELECTOR, "#skip-form button").click()
    else:
        skip.send_keys(Keys.ENTER)
    until(page, lambda: "30" in text(page, "answer"))
    assert "Not done" not in text(page, "answer"), text(page, "answer")
    skip.send_keys("5", Keys.ENTER)
    says(page, "Not done")
    assert "bad" in get(page, "answer").get_attribute("class")

    gone = indexes(page)[0]
    use(page, page.find_element(By.CSS_SELECTOR, "#running button"), by)
    until(page, lambda: gone not in indexes(page))
    # The focus stays near by.
    if by == "keyboard":
        assert page.execute_script("return document.activeElement.closest('#live') !== null")

    (live.folder / "mended").touch()
    press("retry-failed")
    until(page, lambda: "1" in text(page, "answer") and "Not done" not in text(page, "answer"))

    press("stop")
    dialog = get(page, "ask-stop")
    assert dialog.is_displayed()
    page.switch_to.active_element.send_keys(Keys.ESCAPE)
    until(page, lambda: not dialog.is_displayed())
    press("stop")
    use(page, get(page, "stop-no"), by)
    until(page, lambda: not dialog.is_displayed())
    press("stop")
    use(page, get(page, "stop-yes"), by)
    until(page, lambda: text(page, "stop") == "Stopping")
    live.go()
    says(page, "The run has ended")
    until(page, lambda: "batchmill resume 20" in page.find_element(By.TAG_NAME, "header").text)
    assert not get(page, "controls").is_displayed()
    assert live.engine.wait(60) == 130
    figures = live.figures()
    # The skipped item counts when its turn comes, which is not in this run.
    assert figures["steps"][0]["counts"]["cancelled"] >= 1
    verbs = [it["command"].split()[0] for it in figures["commands"]]
    assert verbs == ["pause", "continue", "jobs", "jobs", "jobs", "skip", "cancel", "retry-failed", "stop"]
    assert [entry for entry in page.get_log("browser") if entry["level"] == "SEVERE" and "409" not in entry["message"]] == []


def test_every_control_is_reached_by_tab_in_the_order_of_the_page(start, browser):
    start()
    page = browser
    reached = []
    for _ in range(14):
        page.switch_to.active_element.send_keys(Keys.TAB)
        reached.append(page.execute_script("const it = document.activeElement; return it.id || it.getAttribute('aria-label') || it.textContent"))
    wanted = ["pause", "jobs", "Set", "retry-failed", "stop", "skip", "Skip"]
    assert [name for name in reached if name in wanted] == wanted
    assert sum(name.startswith("Cancel item") for name in reached) >= 3, reached


def test_what_changes_moves_and_what_the_reader_did_stays(start, browser):
    live = start()
    page = browser
    until(page, lambda: page.find_elements(By.CSS_SELECTOR, "section[data-step=load] figure svg"))
    search = get(page, "search")
    search.send_keys("price")
    details = page.find_element(By.XPATH, "//details[starts-with(summary, 'Workflow')]")
    details.find_element(By.TAG_NAME, "summary").click()
    heading = page.find_element(By.CSS_SELECTOR, ".searched th[data-sort] button")
    page.execute_script("arguments[0].click()", heading)
    page.execute_script("arguments[0].focus(); arguments[0].setSelectionRange(1, 3)", search)
    page.execute_script("scrollTo(0, arguments[0].getBoundingClientRect().top + scrollY - 200); arguments[0].mark = 'x'", search)
    canvas = "const it = document.querySelector('canvas'); return it.toDataURL()"
    chart = "return document.querySelector('section[data-step=load] figure svg').outerHTML"
    now = "return document.querySelector('[data-part=now]').textContent"
    before = [page.execute_script(script) for script in (canvas, chart, now)]
    where = page.execute_script("return scrollY")
    live.go()
    until(page, lambda: all(page.execute_script(script) != old for script, old in zip((canvas, chart, now), before)))
    until(page, lambda: "Finished with failures" in page.find_element(By.TAG_NAME, "h1").text)
    assert page.execute_script("const it = document.activeElement; return [it.id, it.value, it.selectionStart, it.selectionEnd, it.mark]") == ["search", "price", 1, 3, "x"]
    assert details.get_attribute("open") is not None
    assert heading.find_element(By.XPATH, "..").get_attribute("aria-sort") == "ascending"
    hidden = page.execute_script("return [...document.querySelectorAll('.searched tbody tr')].every(row => row.hidden === !row.textContent.includes('price'))")
    assert hidden
    # What is above it may have grown or gone; the page has not jumped to another place.
    assert abs(page.execute_script("return document.getElementById('search').getBoundingClientRect().top") - 200) < 400, where


def test_text_of_items_is_dead(start, browser):
    start()
    page = browser
    until(page, lambda: page.find_elements(By.CSS_SELECTOR, ".cause"))
    assert "no price <b>" in page.find_element(By.CSS_SELECTOR, ".cause").text
    assert page.find_elements(By.CSS_SELECTOR, ".cause b") == []


def test_a_lost_connection_is_told_and_the_run_goes_on(start, browser):
    live = start()
    page = browser
    # The server of the page ends, whatever that is for: the run goes on.
    (server,) = servers(live.folder)
    subprocess.run(["kill", server], check=True)
    until(page, lambda: "connection lost" in text(page, "line"))
    use(page, get(page, "pause"), "mouse")
    says(page, "Not done")
    assert live.engine.poll() is None
    assert live.ends() == 1


@pytest.mark.parametrize("width", [400, 800, 1400])
def test_nothing_overlaps_while_it_lives_and_axe_finds_nothing(start, browser, width):
    live = start(width=width)
    page = browser
    page.set_window_size(width, 900)
    more = ", #live button, #live input, .gauge, .facts, #line, nav a"
    until(page, lambda: page.find_elements(By.CSS_SELECTOR, ".cause"))
    PICTURES.mkdir(parents=True, exist_ok=True)
    for scheme in ("light", "dark"):
        emulate(page, scheme)
        assert overlaps(page, more) == []
        assert serious(page) == []
        page.save_screenshot(str(PICTURES / f"live-{scheme}-{width}.png"))
    get(page, "stop").click()
    assert serious(page) == []
    page.save_screenshot(str(PICTURES / f"live-stop-{width}.png"))
    page.switch_to.active_element.send_keys(Keys.ESCAPE)
    live.go()
    says(page, "The run has ended")
    until(page, lambda: "Finished" in page.find_element(By.TAG_NAME, "h1").text)
    assert overlaps(page, more) == []
    assert serious(page) == []
    page.save_screenshot(str(PICTURES / f"live-ended-{width}.png"))
    page.find_element(By.LINK_TEXT, "All runs").click()
    until(page, lambda: page.find_elements(By.CSS_SELECTOR, "table.runs td"))
    assert overlaps(page) == []
    assert serious(page) == []
    page.save_screenshot(str(PICTURES / f"runs-{width}.png"))
    emulate(page, "light")


def test_pictures_of_the_docs_are_taken(start, browser):
    start(width=860)
    page = browser
    page.set_window_size(860, 640)
    until(page, lambda: page.find_elements(By.CSS_SELECTOR, ".cause"))
    PICTURES.mkdir(parents=True, exist_ok=True)
    assert page.save_screenshot(str(PICTURES / "live-page.png"))


def test_the_page_keeps_the_token_to_itself(start, browser):
    live = start()
    page = browser
    token = live.address.rsplit("=", 1)[1]
    assert token not in page.current_url and token not in page.page_source
    assert page.execute_script("return document.cookie") == ""
    origin = page.current_url.split("/runs/")[0]
    with pytest.raises(urllib.error.HTTPError, match="401"):
        urllib.request.urlopen(page.current_url)
    request = urllib.request.Request(f"{origin}/", headers={"Authorization": f"Bearer {token}"})
    assert urllib.request.urlopen(request).status == 200
