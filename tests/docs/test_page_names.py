"""Messages name pages of the documentation by their headings, not by paths of the repository."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATH_OF_A_PAGE = re.compile(r"[\w/-]+\.md\b|\bdocs/")
HEADING = re.compile(r'"([^"]+)" in the documentation')


def strings() -> Iterator[tuple[str, str]]:
    """Yield the place and the text of each string of the package, without docstrings."""
    for path in sorted((ROOT / "src").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node.value


def test_no_message_names_a_file_of_the_repository() -> None:
    assert [(place, text) for place, text in strings() if PATH_OF_A_PAGE.search(text)] == []


def test_a_page_that_a_message_names_exists() -> None:
    pages = (ROOT / "docs").rglob("*.md")
    headings = {
        line.lstrip("# ")
        for page in pages
        for line in page.read_text(encoding="utf-8").splitlines()
        if line.startswith("#")
    }
    named = {heading for _, text in strings() for heading in HEADING.findall(text)}
    assert named
    assert named <= headings
