"""The terms of docs/glossary.md are used in messages, docstrings, documentation and names of tests."""

import ast
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

IDIOM = {
    r"(?<!there )\b(?:is|are|was|were|be) no (?!longer\b|more\b|less\b|fewer\b|later\b)": "is not a",
    r"\bmend(?:s|ed|ing)?\b": "fix, correct, repair",
    r"\banew\b|\bonce more\b": "again",
    r"\bwho(?:m)?ever\b|\bsomebody\b|\bnobody\b": "another client, no client",
    r"\bin the way\b": "blocking",
    r"\bways? on\b": "options, next steps",
    r"\bways? back\b|\bthe way there\b": "rollback; run",
    r"\bof (?:before|then|today)\b": "previous, existing, current",
    r"\bborn\b": "pre-existing; written since",
    r"\bfound now\b|\bfound by neither\b": "missing from the new index, missing from both indexes",
    r"\b(?:old|new|both|either) forms?\b": "text format, numeric format, both formats",
    r"\bon record\b": "recorded",
    r"\bat work\b": "in progress",
    r"\b(?:took|takes?|taken|taking) over\b": "cut over; replaced externally",
    r"\bleads? to (?:an?|the|its|no) (?:index|definition|name)\b|\bnames? (?:that )?leads?\b": "points to",
    r"\bserv(?:e|es|ed) (?:again|on)\b": "is the active index",
    r"\bmov(?:e|es|ed|ing) aside\b": "quarantine",
    r"\bstand-?ins?\b|\btolerant\b|\bbystanders?\b": "dual-format index, unmanaged index",
    r"\bbeside (?:it|them|those|the)\b": "next to, in addition to, besides",
    r"\b(?:step|stepp(?:ed|ing)|swap|swapp(?:ed|ing))[ -]back\b": "roll back",
    r"\bjournal(?:s|ed|ing)?\b": "undo log",
    r"\bforecasts?\b": "estimate",
    r"\bverdicts?\b|\bjudg(?:e|es|ed|ing|ments?|ements?)\b": "classification, classify",
    r"\bcolou?rs?\b(?! (?:on|in|of) (?:a |the )?(?:terminal|output))": "sync and async",
    r"\b(?:will|would|did) not convert\b": "cannot be converted; failed",
    r"\b(?:take|takes|taken|taking|leave|leaves|left) (?:\w+ ){0,3}away\b|\blies? around\b": "remove, omit",
    r"\bst(?:and|ands|ood) for\b": "mean, represent, refer to",
    r"\bgo(?:es|ing)? on\b": "continue, resume",
    r"\bfor good\b": "permanently",
    r"\bsa(?:y|ys|id) so\b|\bnobody said\b|\b(?:is|are) (?:said|told)\b": "print, log, report",
    r"\bhow far\b": "progress",
    r"\bwhat (?:became|becomes|has become) of\b": "the result of",
    r"\bto blame\b|\bput right\b": "cause; fixed",
    r"\bgone on from\b": "resumed",
    r"\bas it stood\b|\bin turns\b": "the previous value; alternating",
    r"\bhalf a (?:surrogate|character)\b": "a lone surrogate",
    r"\bspeaks? TLS\b": "uses TLS",
    r"\bcut-overs?\b": "cutover",
    r"\bas things stand\b|\bhow (?:the )?\w+ stands?\b": "the state of",
}
"""An expression, and what to write instead."""

IDIOM_IN_NAMES = re.compile(
    r"(?:^|_)(?:of_before|who(?:m)?ever|nobody|somebody|mend(?:s|ed|ing)?|anew|in_the_way|found_now|stand_ins?|took_over"
    r"|ways?_back)(?:_|$)"
)

STORED_NAMES = {"journal"}
"""Names of keys on the server, which stay as they are."""

_CODE = re.compile(r"`[^`]*`")
_FILE_OR_KEY = re.compile(rf"`(?:[\w./]*/[\w./]*|\w+\.(?:py|lua)|{'|'.join(STORED_NAMES)})`")
_MODULE = re.compile(r"\bredstart(?:\.\w+)+")
_ADDRESS = re.compile(r"https?://\S+")
_LUA_TEXT = re.compile(r"--.*|'[^']*'")
_OLD_NAMES = "Renamed before the first release"
"""The heading of the sections that list former names."""


def prose(path: Path) -> Iterator[tuple[int, str]]:
    """Yield number and text of each line of a page, without names of files and former names."""
    hidden = _FILE_OR_KEY
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("#"):
            hidden = _CODE if _OLD_NAMES in line else _FILE_OR_KEY
        yield number, _MODULE.sub("redstart", hidden.sub("``", line))


def comments(path: Path) -> Iterator[tuple[int, str]]:
    """Yield line and text of each comment of a module, without addresses."""
    with tokenize.open(path) as source:
        for token in tokenize.generate_tokens(source.readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], _ADDRESS.sub("", token.string)


@cache
def all_texts() -> list[tuple[str, int, str]]:
    """Return what `texts` yields; to read it takes seconds."""
    return list(texts())


def texts() -> Iterator[tuple[str, int, str]]:
    """Yield path, line and text of strings and comments in the package and its scripts, and of lines of pages."""
    for path in sorted((ROOT / "src").rglob("*.py")):
        for number, text in comments(path):
            yield str(path.relative_to(ROOT)), number, text
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and node.value not in STORED_NAMES
            ):
                yield str(path.relative_to(ROOT)), node.lineno, node.value
    for path in sorted((ROOT / "src").rglob("*.lua")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            for text in _LUA_TEXT.findall(line):
                yield str(path.relative_to(ROOT)), number, text
    pages = (ROOT / "docs").rglob("*.md")
    for path in [*sorted(pages), ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "ARCHITECTURE.md"]:
        for number, line in prose(path):
            yield str(path.relative_to(ROOT)), number, line


def names_of_tests() -> Iterator[tuple[str, int, str]]:
    """Yield path, line and name of each test function."""
    for path in sorted((ROOT / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
                yield str(path.relative_to(ROOT)), node.lineno, node.name


@pytest.mark.parametrize("expression", IDIOM)
def test_an_expression_of_the_idiom_is_not_used(expression: str) -> None:
    pattern = re.compile(expression, re.IGNORECASE)
    uses = [
        f"{path}:{line}: {match.group()}"
        for path, line, text in all_texts()
        for match in [pattern.search(text)]
        if match
    ]
    assert not uses, f"write {IDIOM[expression]!r} instead:\n" + "\n".join(uses)


def test_names_of_tests_do_not_use_the_idiom() -> None:
    uses = [f"{path}:{line}: {name}" for path, line, name in names_of_tests() if IDIOM_IN_NAMES.search(name)]
    assert not uses, "rename:\n" + "\n".join(uses)


def test_comments_are_read(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text("# one\nx = '# not one'  # two: https://no-color.org\n", encoding="utf-8")
    assert list(comments(module)) == [(1, "# one"), (2, "# two: ")]


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("`judging/transform.py` and `apply.lua`", "`` and ``"),
        ("| `journal` | stream |", "| `` | stream |"),
        ("from redstart.judging.convert import x", "from redstart import x"),
        ("the `lossy` key", "the `lossy` key"),
    ],
)
def test_prose_has_no_names_of_files_and_keys(tmp_path: Path, line: str, shown: str) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        f"{line}\n## {_OLD_NAMES}\n- `lossy` is now `rounded`\n## Next\n`lossy`\n", encoding="utf-8"
    )
    assert [text for _, text in prose(page)] == [
        shown,
        f"## {_OLD_NAMES}",
        "- `` is now ``",
        "## Next",
        "`lossy`",
    ]
