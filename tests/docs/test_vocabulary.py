"""The terms of docs/glossary.md in all that a person reads: no expression that only this project used."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

IDIOM = {
    r"(?<!there )\b(?:is|are|was|were|be) no (?!longer\b|more\b|less\b|fewer\b|later\b)": "is not a",
    r"\bmend(?:s|ed|ing)?\b": "fix, correct, repair",
    r"\banew\b|\bonce more\b": "again",
    r"\bwhoever\b|\bsomebody\b|\bnobody\b": "another client, no client",
    r"\bin the way\b": "blocking",
    r"\bways? on\b": "options, next steps",
    r"\bways? back\b": "rollback",
    r"\bof (?:before|then|today)\b": "previous, existing, current",
    r"\bborn as\b": "pre-existing",
    r"\bfound now\b|\bfound by neither\b": "missing from the new index, missing from both indexes",
    r"\b(?:old|new|both|either) forms?\b": "text format, numeric format, both formats",
    r"\bon record\b": "recorded",
    r"\bat work\b": "in progress",
    r"\b(?:took|takes?|taken|taking) over\b": "cut over; replaced externally",
    r"\bleads? to (?:an?|the|its|no) (?:index|definition|name)\b|\bname (?:that )?leads\b": "points to",
    r"\bmov(?:e|es|ed|ing) aside\b": "quarantine",
    r"\bstand-?ins?\b|\btolerant\b|\bbystanders?\b": "dual-format index, unmanaged index",
    r"\bbeside (?:it|them|those|the)\b": "next to, in addition to, besides",
    r"\b(?:step|stepp(?:ed|ing)|swap|swapp(?:ed|ing))[ -]back\b": "roll back",
    r"\bjournal(?:s|ed|ing)?\b": "undo log",
    r"\bforecasts?\b": "estimate",
    r"\bverdicts?\b|\bjudg(?:e|es|ed|ing)\b": "classification, classify",
    r"\bcolou?rs?\b(?! (?:on|in|of) (?:a |the )?(?:terminal|output))": "sync and async",
    r"\b(?:will|would|did) not convert\b": "cannot be converted; failed",
    r"\b(?:take|takes|taken|taking|leave|leaves|left) away\b|\blies? around\b": "remove, omit",
    r"\bfor good\b": "permanently",
    r"\bsa(?:y|ys|id) so\b|\bnobody said\b|\b(?:is|are) (?:said|told)\b": "print, log, report",
    r"\bhow far\b": "progress",
    r"\bas things stand\b|\bhow (?:the )?\w+ stands?\b": "the state of",
}
"""An expression, and what to write instead."""

COLOURED = {"src/redstart/cli/output.py", "src/redstart/cli/drawing.py", "src/redstart/cli/progress.py"}


def texts() -> Iterator[tuple[str, int, str]]:
    """Yield path, line and text of each string literal of the package and of each line of documentation."""
    for path in sorted((ROOT / "src").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield str(path.relative_to(ROOT)), node.lineno, node.value
    pages = (ROOT / "docs").rglob("*.md")
    for path in [*sorted(pages), ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "ARCHITECTURE.md"]:
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            yield str(path.relative_to(ROOT)), number, line


@pytest.mark.parametrize("expression", IDIOM)
def test_an_expression_of_the_idiom_is_not_used(expression: str) -> None:
    pattern = re.compile(expression, re.IGNORECASE)
    uses = [
        f"{path}:{line}: {match.group()}"
        for path, line, text in texts()
        for match in [pattern.search(text)]
        if match
    ]
    assert not uses, f"write {IDIOM[expression]!r} instead:\n" + "\n".join(uses)
