"""What tools write is what they make of their sources, and nothing else."""

import ast

from tools import generate_names, generate_paths
from tools.generate_sync import PACKAGES, committed, generated


def test_regenerating_gives_exactly_the_committed_files() -> None:
    assert generated() == committed()


def test_every_module_of_the_sync_package_is_generated() -> None:
    names = {path.name for path in (PACKAGES / "sync").glob("*.py")}
    assert {f"src/redstart/sync/{name}" for name in names} <= committed().keys()


def test_nothing_of_asyncio_is_left() -> None:
    for path, text in committed().items():
        assert text.startswith(f"# Generated from {path.removeprefix('src/').replace('/sync/', '/aio/')}:")
        nodes = list(ast.walk(ast.parse(text)))
        assert not [
            node for node in nodes if isinstance(node, ast.AsyncFunctionDef | ast.AsyncFor | ast.Await)
        ]
        assert not [word for word in ("await", "asyncio", "redstart.aio") if word in text.partition("\n")[2]]


def test_the_modules_at_the_paths_of_redis_om_are_those_of_the_table() -> None:
    existing = {
        str(path.relative_to(PACKAGES)): path.read_text(encoding="utf-8")
        for path in PACKAGES.rglob("*.py")
        if path.read_text(encoding="utf-8").startswith(generate_paths.MARK)
    }
    assert generate_paths.generated() == existing
    assert len(existing) >= 2 * len(generate_paths.MODULES) - 6


def test_the_public_names_are_those_of_the_table() -> None:
    existing = {
        path: (PACKAGES / path).read_text(encoding="utf-8") for path in ("__init__.py", "aio/__init__.py")
    }
    assert generate_names.generated() == existing
    assert all(generate_names.BEGIN in text and generate_names.END in text for text in existing.values())
