"""The tests that pages show are tests: pytest runs them with the plugin and they pass."""

import re
from pathlib import Path

from tests.docs.examples import ROOT
from tests.support.pytest_project import run_pytest
from tests.support.servers import require_binaries


def last_line(project: Path) -> str:
    """Run the tests of a project, and return the end of the output."""
    require_binaries()
    ran = run_pytest(project, "--rootdir", str(project))
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout.splitlines()[-1]


def blocks_of(page: str) -> list[str]:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def test_the_tests_of_the_pages_on_testing_and_on_async_models_pass(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    blocks = blocks_of("async.md")
    model, test = blocks[0].partition("async def visit")[0], blocks[-1]
    assert test.count("def test_") == 1
    (project / "test_of_async_models.py").write_text(f"{model}\n{test}")
    for block in blocks_of("testing.md"):
        named = re.match(r"# ([\w/]+\.py)\n", block)
        if named is not None:
            path = project / named[1]
            path.parent.mkdir(exist_ok=True)
            path.write_text(block)
    assert "5 passed" in last_line(project)
