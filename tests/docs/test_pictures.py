"""The pictures in docs/pictures show what the commands print, and pages show each of them."""

import re

import pytest
from docs.generate_pictures import DIRECTORY, PICTURES, run
from docs.terminal import plain, text_of_picture

from tests.docs.examples import ROOT
from tests.support.servers import require_binaries

STALE = "run: python docs/generate_pictures.py"

# What may differ from run to run: times, sizes, the process, and which documents are examples.
NORMALISED = [
    (r"shop:visit:\d+", "KEY"),
    (r"process \d+ on \S+", "process PID on HOST"),
    (r"\d[\d,.]*(?= (?:s|MB|kB|documents/s)\b)", "N"),
    (r"\bless than N\b", "N"),
    (r"elapsed N s \(N documents/s\) ", ""),  # left out of short runs
]


def words(text: str) -> list[str]:
    """Return the words without what may differ from run to run. Lines of a picture are broken at its width."""
    joined = " ".join(text.split())
    for pattern, replacement in NORMALISED:
        joined = re.sub(pattern, replacement, joined)
    return joined.split()


@pytest.mark.sample(1)
@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_shows_what_its_commands_print(name: str) -> None:
    require_binaries()
    assert "".join(words(text_of_picture(DIRECTORY / f"{name}.svg"))) == "".join(words(plain(run(name)))), (
        STALE
    )


def test_each_picture_is_on_a_page() -> None:
    pages = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs").rglob("*.md"))
    assert sorted(path.stem for path in DIRECTORY.iterdir()) == sorted(PICTURES)
    assert [name for name in PICTURES if f"pictures/{name}.svg)" not in pages] == []


def test_a_word_and_a_count_that_differ_are_seen() -> None:
    shown = text_of_picture(DIRECTORY / "refused-cutover.svg")
    for one, other in (("cutover refused for 1 index", "cutover refused for 2 indexes"), ("747", "746")):
        assert one in shown
        assert words(shown.replace(one, other)) != words(shown)
