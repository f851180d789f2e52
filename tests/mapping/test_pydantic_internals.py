"""What pydantic does not document is used in one module, which lists it."""

import ast
import re
from pathlib import Path

import redstart
from redstart.mapping import pydantic_internals

SOURCE = Path(redstart.__file__).parent
THE_MODULE = SOURCE / "mapping" / "pydantic_internals.py"
DOCUMENTED = {"__pydantic_init_subclass__"}
"""Hooks that pydantic documents."""


def undocumented_names(text: str) -> set[str]:
    """The names of pydantic's own attributes in a text."""
    return set(re.findall(r"__pydantic_\w+?__(?!\w)", text)) - DOCUMENTED


def private_imports(module: ast.Module) -> list[str]:
    """The modules and names of pydantic, beginning with an underscore, that a module imports."""
    imported = []
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            imported += [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom):
            imported += [f"{node.module}.{one.name}" for one in node.names]
    return [name for name in imported if name.startswith("pydantic") and "._" in name]


def test_no_other_module_uses_them() -> None:
    assert private_imports(ast.parse(THE_MODULE.read_text(encoding="utf-8")))
    others = set(SOURCE.rglob("*.py")) - {THE_MODULE}
    assert len(others) > 300
    used = []
    for path in sorted(others):
        text = path.read_text(encoding="utf-8")
        names = [*undocumented_names(text), *private_imports(ast.parse(text))]
        used += [f"{path}: {name}" for name in names + ["_use_prebuilt"] * ("_use_prebuilt" in text)]
    assert not used


def test_the_module_lists_what_it_uses() -> None:
    listed = pydantic_internals.__doc__ or ""
    code = THE_MODULE.read_text(encoding="utf-8").replace(listed, "")
    assert undocumented_names(listed) == undocumented_names(code)
