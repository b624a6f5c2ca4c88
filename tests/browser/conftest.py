"""The browser of the tests: Debian's chromium, driven by chromium-driver."""

import os
import shutil
from pathlib import Path

import pytest
from axe_core_python.selenium import Axe
from selenium import webdriver

BATCHMILL = Path(os.environ.get("BATCHMILL", "target/debug/batchmill")).resolve()
PICTURES = Path(os.environ.get("PICTURES", "target/pictures")).resolve()
MISSING = [name for name in ("chromium", "chromedriver") if not shutil.which(name)]

OVERLAPS = """
    const boxes = [...document.querySelectorAll(arguments[0])]
        .filter(it => it.offsetParent && it.checkVisibility() && !it.closest('td')).map(it => [it, it.getBoundingClientRect()]).filter(([, box]) => box.width && box.height);
    const wrong = [];
    for (const [one, a] of boxes) {
        if (a.right > innerWidth + 1 && !one.closest('.scroll, pre')) wrong.push(`sticks out: ${one.outerHTML.slice(0, 80)}`);
        for (const [other, b] of boxes) {
            if (one === other || one.contains(other) || other.contains(one)) continue;
            const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
            const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
            const hidden = one.closest('.scroll')?.scrollHeight > one.closest('.scroll')?.clientHeight;
            if (across > 1 && down > 1 && !hidden) wrong.push(`${one.outerHTML.slice(0, 80)} and ${other.outerHTML.slice(0, 80)}`);
        }
    }
    return wrong.slice(0, 5);"""

PARTS = "h1, h2, h3, p, .card, .cause, figure, canvas, .tools, .legend, .scroll, pre, .strip, .axis, summary"


def overlaps(page, more=""):
    """What overlaps something else, or sticks out of the window."""
    return page.execute_script(OVERLAPS, PARTS + more)


def serious(page):
    """What axe finds. It is injected by the driver, which the page's own policy does not bind."""
    found = Axe().run(page)
    return [
        (fault["id"], [node["html"][:120] for node in fault["nodes"]][:3])
        for fault in found["violations"]
        if fault["impact"] in ("serious", "critical")
    ]


def emulate(page, scheme):
    """Dark or light."""
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]})


def pictures(page, name):
    """Leaves screenshots of the whole page, light and dark, narrow and wide."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    for scheme in ("light", "dark"):
        emulate(page, scheme)
        for width in (390, 1200):
            height = page.execute_script("return document.documentElement.scrollHeight")
            page.set_window_size(width, min(height, 6000))
            assert page.save_screenshot(str(PICTURES / f"{name}-{scheme}-{width}.png"))


def chromium():
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    # Without a sandbox, because CI may run as root in a container.
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    return webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))


@pytest.fixture(scope="module")
def browser():
    driver = chromium()
    yield driver
    driver.quit()
