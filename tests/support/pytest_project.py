"""Runs of pytest in other projects, in an environment in which Redstart is installed with its plugin."""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.support.migration import REPOSITORY


def run_pytest(project: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in a project. The environment of the tests may have been made before the plugin was."""
    paths = (REPOSITORY / "src", _installed(project.parent), project)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment["PYTHONPATH"] = os.pathsep.join(map(str, paths))
    command = [sys.executable, "-m", "pytest", "-p", "no:valkey", "-p", "no:cacheprovider", *options]
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)


def _installed(directory: Path) -> Path:
    """Write the metadata that installing the package writes: pytest finds plugins by their entry points."""
    settings = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    root = directory / "installed"
    metadata = root / "redstart_of_tests-1.dist-info"
    metadata.mkdir(parents=True, exist_ok=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: redstart-of-tests\nVersion: 1\n")
    plugins = settings["project"]["entry-points"]["pytest11"].items()
    lines = [f"{name} = {module}\n" for name, module in plugins]
    (metadata / "entry_points.txt").write_text("".join(["[pytest11]\n", *lines]))
    return root
