"""How soon a browser shows the report of a run of a million items: the median of some tries, and the size of the page.

    make bench-paint      # needs Debian's chromium and chromium-driver
"""

import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests/browser"))
from test_report import MILLION, Report, chromium  # noqa: E402

LIMIT = 2000
TRIES = 5

with tempfile.TemporaryDirectory() as folder:
    report = Report(Path(folder), MILLION)
    paints = []
    for _ in range(TRIES):
        browser = chromium()
        browser.get(report.page.as_uri())
        paints.append(
            browser.execute_async_script("""
                const done = arguments[0];
                const paint = () => performance.getEntriesByName('first-contentful-paint')[0];
                const look = () => paint() ? done(paint().startTime) : requestAnimationFrame(look);
                look();""")
        )
        browser.quit()
    median = statistics.median(paints)
    size = report.page.stat().st_size
    print(f"first paint of 1,000,000 items: {median:.0f} ms (median of {TRIES}; {min(paints):.0f} to {max(paints):.0f}), limit {LIMIT} ms; page {size:,} bytes")
    sys.exit(median > LIMIT)
