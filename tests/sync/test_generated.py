"""What tools write is what they make of their sources, and nothing else."""

import ast

from tools import generate_names, generate_paths
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


def test_the_modules_at_the_paths_of_redis_om_are_those_of_the_table() -> None:
    committed = {
        str(path.relative_to(PACKAGES)): path.read_text(encoding="utf-8")
        for path in PACKAGES.rglob("*.py")
        if path.read_text(encoding="utf-8").startswith(generate_paths.MARK)
    }
    assert generate_paths.generated() == committed
    assert len(committed) >= 2 * len(generate_paths.MODULES) - 6


def test_the_public_names_are_those_of_the_table() -> None:
    committed = {
        path: (PACKAGES / path).read_text(encoding="utf-8") for path in ("__init__.py", "aio/__init__.py")
    }
    assert generate_names.generated() == committed
    assert all(generate_names.BEGIN in text and generate_names.END in text for text in committed.values())
