"""No public name is without a typed example."""

import ast
from pathlib import Path

import pytest

import redstart
import redstart.aio

TREES = [ast.parse(path.read_text()) for path in Path(__file__).parent.glob("*.py")]
NODES = [node for tree in TREES for node in ast.walk(tree)]


def attributes_of(module: str) -> set[str]:
    """The names that are taken from a module by a dot."""
    return {
        node.attr for node in NODES if isinstance(node, ast.Attribute) and ast.unparse(node.value) == module
    }


@pytest.mark.parametrize("name", redstart.__all__)
def test_names_of_redstart(name: str) -> None:
    imported = {
        alias.name
        for node in NODES
        if isinstance(node, ast.ImportFrom) and node.module == "redstart"
        for alias in node.names
    }
    assert name in imported | attributes_of("redstart")


@pytest.mark.parametrize("name", redstart.aio.__all__)
def test_names_of_redstart_aio(name: str) -> None:
    assert name in attributes_of("aio") | attributes_of("redstart.aio")
