"""The examples of the pages about Python. Those of a page belong together, like the cells of a notebook."""

import doctest
import re
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.skipif(not DOCS.exists(), reason="the package is tested without its source tree")
@pytest.mark.parametrize("name", ["python.md", "map.md"])
def test_the_examples_of_a_page_are_right(name):
    text = (DOCS / name).read_text()
    # Everything else becomes empty lines, so that the numbers of lines are those of the page.
    blocks = [match.span(1) for match in re.finditer(r"^```pycon\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)]
    kept = "".join(
        char if char == "\n" or any(start <= place < end for start, end in blocks) else "" for place, char in enumerate(text)
    )
    test = doctest.DocTestParser().get_doctest(kept, {"__name__": "__main__"}, name, str(DOCS / name), 0)
    said = []
    found = doctest.DocTestRunner().run(test, out=said.append)
    assert found.attempted > 10 and found.failed == 0, "".join(said)
