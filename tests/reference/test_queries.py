"""What queries send: word for word as redis-om 1.2.0."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import redis

SCRIPT = Path(__file__).with_name("asked_queries.py")
SOURCE = Path(__file__).parents[2] / "src"

NOT_BOTH = "text != a|b"
"""Redstart: has not both tags, as `==` means has both. redis-om leaves out what has either."""

pytestmark = pytest.mark.redis_om


def asked(python: str, library: str, url: str) -> Any:
    """What the script prints with a library."""
    environment = os.environ | {"PYTHONPATH": str(SOURCE) if library == "redstart" else ""}
    done = subprocess.run(
        [python, SCRIPT, library, url], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_every_query_is_sent_in_the_same_words(client: redis.Redis, url: str, python_with_1x: str) -> None:
    theirs, ours = asked(python_with_1x, "redis_om", url), asked(sys.executable, "redstart", url)
    queries, own = theirs["queries"], ours["queries"]
    assert queries.keys() == own.keys()
    different = {name: (words, own[name]) for name, words in queries.items() if words != own[name]}
    assert set(different) == {f"Deep {NOT_BOTH}", f"Flat {NOT_BOTH}"}
    assert own[f"Deep {NOT_BOTH}"][1][2] == "-(@text:{a}@text:{b})"
    assert theirs["neighbours"] == ours["neighbours"]
    assert len(queries) > 200
