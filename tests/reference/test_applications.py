"""Small programs of many styles: with their imports changed they print and store the same, under the same keys."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

RUNNER = Path(__file__).with_name("run_applications.py")
APPLICATIONS = sorted(path.stem for path in RUNNER.with_name("applications").glob("*.py"))


def results(python: str, library: str, url: str) -> dict[str, Any]:
    done = subprocess.run([python, RUNNER, library, url], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.redis_om
def test_applications(python_with_1x: str, url: str) -> None:
    theirs = results(python_with_1x, "redis_om", url)
    ours = results(sys.executable, "redstart", url)
    assert len(APPLICATIONS) >= 22
    assert list(theirs) == list(ours) == APPLICATIONS
    for name in APPLICATIONS:
        assert not any(line.startswith("Traceback") for line in theirs[name]["printed"]), theirs[name][
            "printed"
        ]
        assert ours[name]["printed"] == theirs[name]["printed"], name
        assert ours[name]["keys"] == theirs[name]["keys"], name
        assert theirs[name]["keys"] and len(theirs[name]["printed"]) >= 4, name
