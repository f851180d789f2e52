"""Each operation of migration files has a page, with the same questions answered in the same order."""

import re
from pathlib import Path

import pytest

import redstart.operations
from redstart.operations import Operation
from tests.docs.examples import OPERATIONS, ROOT

SHARED_PAGE = {"ConvertLocalMidnights", "EncodeBytes", "RemoveEmbeddedKey"}
"""Operations for data of earlier versions of redis-om: one page describes them."""

OVERVIEW = ROOT / "docs" / "operations.md"
PAGES = sorted(OPERATIONS.glob("*.md"))
SECTIONS = [
    "Example",
    "Both versions",
    "Index",
    "Rollback",
    "Failures and limits",
    "In Alembic, Django and Beanie",
]


def page_of(operation: str) -> str:
    """Return the name of a page: `add-field.md` of `AddField`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "-", operation).lower() + ".md"


def public_operations() -> set[str]:
    members = {name: getattr(redstart.operations, name) for name in redstart.operations.__all__}
    return {
        name
        for name, one in members.items()
        if isinstance(one, type) and issubclass(one, Operation) and one is not Operation
    }


def test_each_operation_has_a_page() -> None:
    pages = {page_of(name) for name in public_operations() - SHARED_PAGE}
    assert len(pages) >= 15
    assert {page.name for page in PAGES} == pages | {"datetime-conversion.md"}


def test_the_overview_has_a_row_with_a_link_for_each_page() -> None:
    rows = re.findall(
        r"^\| \[.+?\]\(operations/([\w-]+\.md)\)", OVERVIEW.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert sorted(rows) == [page.name for page in PAGES]


def test_the_shared_page_describes_its_operations() -> None:
    text = (ROOT / "docs" / "earlier-versions.md").read_text(encoding="utf-8")
    overview = OVERVIEW.read_text(encoding="utf-8")
    assert {name for name in SHARED_PAGE if f"{name}(" not in text} == set()
    assert {name for name in SHARED_PAGE if f"| [`{name}(" not in overview} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_has_its_sections_and_an_executed_example(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == SECTIONS
    example = text.partition("## Example")[2].partition("\n## ")[0]
    assert "```console\n$ om " in example
    compared = text.partition(SECTIONS[-1])[2]
    assert (
        all(tool in compared for tool in ("Alembic", "Django", "Beanie"))
        or page.stem == "datetime-conversion"
    )
