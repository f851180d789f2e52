"""Writes of Redstart and of redis-om 1.2.0: one program, the same answers, and the same data afterwards."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import redis

SCRIPT = Path(__file__).with_name("written_documents.py")
SOURCE = Path(__file__).parents[2] / "src"

pytestmark = pytest.mark.redis_om


def run(python: str, library: str, url: str) -> dict[str, Any]:
    environment = os.environ | {"TZ": "UTC", "PYTHONPATH": str(SOURCE) if library == "redstart" else ""}
    done = subprocess.run(
        [python, SCRIPT, library, url], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    answers: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answers


def stored(client: redis.Redis) -> dict[bytes, Any]:
    """All documents, and whether they expire; without the `pk` that redis-om stores next to a custom key."""
    found: dict[bytes, Any] = {}
    for key in client.scan_iter("written:*"):
        fields = (
            client.hgetall(key)
            if client.type(key) == b"hash"
            else json.loads(client.execute_command("JSON.GET", key))
        )
        kept = {name: value for name, value in fields.items() if name not in (b"pk", "pk")}
        found[key] = kept, client.ttl(key) // 100
    return found


def test_the_same_answers_and_the_same_data(client: redis.Redis, url: str, python_with_1x: str) -> None:
    ours = run(sys.executable, "redstart", url)
    our_data = stored(client)
    client.execute_command("FLUSHALL", "SYNC")
    theirs = run(python_with_1x, "redis_om", url)
    their_data = stored(client)
    assert ours == theirs
    assert our_data == their_data
    assert len(our_data) > 20
