"""The tests that pages show are tests: pytest runs them with the plugin and they pass."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.docs.examples import ROOT
from tests.support.servers import require_binaries


def run_pytest(directory: Path) -> str:
    """Run pytest in a project that has only Redstart, and return the end of its output."""
    require_binaries()
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(directory)])}
    options = ["-q", "-p", "redstart.pytest_plugin", "-p", "no:cacheprovider", "-p", "no:valkey"]
    command = [sys.executable, "-m", "pytest", *options, "--rootdir", str(directory)]
    ran = subprocess.run(command, env=environment, cwd=directory, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout.splitlines()[-1]


def blocks_of(page: str) -> list[str]:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def test_the_test_of_async_models_passes(tmp_path: Path) -> None:
    blocks = blocks_of("async.md")
    model, test = blocks[0].partition("async def visit")[0], blocks[-1]
    assert "def test_" in test
    (tmp_path / "test_shop.py").write_text(f"{model}\n{test}")
    assert "1 passed" in run_pytest(tmp_path)


def test_the_tests_of_the_page_on_testing_pass(tmp_path: Path) -> None:
    for block in blocks_of("testing.md"):
        named = re.match(r"# ([\w/]+\.py)\n", block)
        if named is not None:
            path = tmp_path / named[1]
            path.parent.mkdir(exist_ok=True)
            path.write_text(block)
    assert "4 passed" in run_pytest(tmp_path)
