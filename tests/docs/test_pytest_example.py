"""The tests that docs/async.md shows are tests: pytest runs them and they pass."""

import os
import subprocess
import sys
from pathlib import Path

from tests.docs.examples import ROOT
from tests.support.servers import require_binaries


def test_the_tests_of_the_page_pass(tmp_path: Path) -> None:
    require_binaries()
    blocks = [
        part.partition("```")[0] for part in (ROOT / "docs" / "async.md").read_text().split("```python\n")[1:]
    ]
    model, tests = blocks[0].partition("async def visit")[0], blocks[-1]
    assert "def test_" in tests
    (tmp_path / "test_shop.py").write_text(f"import redstart\n{model}\n{tests}")
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src")}
    options = ["-q", "-p", "no:cacheprovider", "-p", "no:valkey", "--rootdir", str(tmp_path)]
    command = [sys.executable, "-m", "pytest", *options, str(tmp_path)]
    ran = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ran.returncode, "1 passed" in ran.stdout) == (0, True), ran.stdout
