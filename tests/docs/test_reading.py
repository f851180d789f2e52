"""A reader who opens any page knows what it is for and where to go next, and finds every page from the first one."""

import re
from pathlib import Path

import pytest

from tests.docs.examples import OPERATIONS, ROOT

HOME = ROOT / "docs" / "README.md"
PAGES = sorted((ROOT / "docs").rglob("*.md"))
LINK = re.compile(r"\]\(([^)#\s]+)[^)]*\)")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT / "docs"))


def linked_from(page: Path) -> set[Path]:
    links = LINK.findall(page.read_text(encoding="utf-8"))
    return {(page.parent / link).resolve() for link in links if "://" not in link}


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_page_begins_with_what_it_is_for(page: Path) -> None:
    title, paragraph = page.read_text(encoding="utf-8").split("\n\n")[:2]
    assert title.startswith("# ")
    assert paragraph[0].isalnum() or paragraph[0] == "`", "the first paragraph has to be a text"
    assert 60 <= len(paragraph) <= 700, paragraph


@pytest.mark.parametrize("page", [page for page in PAGES if page != HOME], ids=name_of)
def test_a_page_ends_with_where_to_go_next(page: Path) -> None:
    last = page.read_text(encoding="utf-8").rstrip().rpartition("\n\n")[2]
    assert last.startswith("Next: "), "add a last paragraph: Next: [page](page.md) for ..."
    assert LINK.search(last)


def test_every_page_is_found_from_the_first_one() -> None:
    found = linked_from(HOME)
    assert {
        name_of(page) for page in PAGES if page not in {HOME, *found} and page.parent != OPERATIONS
    } == set()
    assert set(OPERATIONS.glob("*.md")) <= linked_from(ROOT / "docs" / "operations.md")
