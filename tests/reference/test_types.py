"""Values of many types, saved by Redstart or by redis-om 1.2.0 and read by both; and settings, given in many ways."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import redis

TYPES = Path(__file__).with_name("shared_types.py")
SETTINGS = Path(__file__).with_name("declared_settings.py")
SOURCE = Path(__file__).parents[2] / "src"

pytestmark = pytest.mark.redis_om


def run(script: Path, python: str, library: str, *words: str) -> Any:
    """What a script prints with a library."""
    environment = os.environ | {"TZ": "UTC", "PYTHONPATH": str(SOURCE) if library == "redstart" else ""}
    done = subprocess.run(
        [python, script, library, *words], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("writer", ["redstart", "redis_om"])
def test_what_one_saves_is_read_equal_by_both(
    client: redis.Redis, url: str, python_with_1x: str, writer: str
) -> None:
    python = sys.executable if writer == "redstart" else python_with_1x
    written = run(TYPES, python, writer, "write", url)
    assert [name for name, read in written.items() if ", is " in read] == []
    assert run(TYPES, sys.executable, "redstart", "read", url) == written
    assert run(TYPES, python_with_1x, "redis_om", "read", url) == written
    assert len(written) > 150


def test_settings_mean_the_same(url: str, python_with_1x: str) -> None:
    ours = run(SETTINGS, sys.executable, "redstart", url)
    assert ours == run(SETTINGS, python_with_1x, "redis_om", url)
    assert ours["Heir"][0] == "g:__main__.Base:h-1"
    assert ours["assigned"] == [True, True, "late:__main__.Silent:1"]
