"""The synchronous package is what the tool makes of the asynchronous one, and nothing else."""

import ast
from pathlib import Path

from tools.generate_sync import PACKAGES, generated

SYNC = PACKAGES / "sync"


def test_regenerating_gives_exactly_the_committed_files() -> None:
    committed = {path.name: path.read_text(encoding="utf-8") for path in SYNC.glob("*.py")}
    assert generated() == committed


def test_nothing_of_asyncio_is_left() -> None:
    for path in sorted(SYNC.glob("*.py")):
        text = path.read_text(encoding="utf-8")
        assert text.startswith("# Generated from redstart/aio/")
        nodes = list(ast.walk(ast.parse(text)))
        assert not [
            node for node in nodes if isinstance(node, ast.AsyncFunctionDef | ast.AsyncFor | ast.Await)
        ]
        assert not [word for word in ("await", "asyncio", "redstart.aio") if word in text.partition("\n")[2]]


def test_both_packages_have_the_same_files() -> None:
    def names(folder: Path) -> list[str]:
        return sorted(path.name for path in folder.glob("*.py"))

    assert names(SYNC) == names(PACKAGES / "aio")
