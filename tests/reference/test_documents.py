"""Documents of Redstart and of redis-om 1.2.0: saved by one, read and found by the other."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import redis

SCRIPT = Path(__file__).with_name("shared_documents.py")
SOURCE = Path(__file__).parents[2] / "src"

pytestmark = pytest.mark.redis_om


@pytest.fixture(params=["UTC", "Asia/Kolkata"], autouse=True)
def time_zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where the processes are; to redis-om that is what a datetime without an offset means."""
    zone: str = request.param
    monkeypatch.setenv("TZ", zone)
    if zone != "UTC":
        monkeypatch.setenv("REDSTART_NAIVE_TIMEZONE", "local")
    return zone


def run(python: str, library: str, action: str, url: str) -> Any:
    """What the script prints. A process of its own for Redstart too: the models are of no other test's registry."""
    environment = os.environ | {"PYTHONPATH": str(SOURCE) if library == "redstart" else ""}
    done = subprocess.run(
        [python, SCRIPT, library, action, url], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.sample(1)
@pytest.mark.parametrize("writer", ["redstart", "redis_om"])
def test_what_one_saves_the_other_reads(
    client: redis.Redis, url: str, python_with_1x: str, writer: str, time_zone: str
) -> None:
    run(sys.executable if writer == "redstart" else python_with_1x, writer, "write", url)
    ours = run(sys.executable, "redstart", "read", url)
    theirs = run(python_with_1x, "redis_om", "read", url)
    assert ours == theirs
    assert len(ours) == 4
    assert ours["Flat usual"]["blob"] == repr(b"\xff\x00abc")
    assert ours["Deep odd"]["words"] == "['a', 'é|']"
    instant = "2100-06-01T00:00:00+00:00" if time_zone == "UTC" else "2100-05-31T18:30:00+00:00"
    assert ours["Flat odd"]["maybe_at"] == ours["Deep odd"]["maybe_at"] == instant


@pytest.mark.sample(1)
def test_both_store_the_same_bytes(client: redis.Redis, url: str, python_with_1x: str) -> None:
    stored = []
    for python, library in ((python_with_1x, "redis_om"), (sys.executable, "redstart")):
        client.execute_command("FLUSHALL", "SYNC")
        run(python, library, "write", url)
        stored.append(
            {
                key: client.hgetall(key)
                if client.type(key) == b"hash"
                else json.loads(client.execute_command("JSON.GET", key))
                for key in client.scan_iter("interop:*")
            }
        )
    assert stored[0] == stored[1]


@pytest.mark.sample(1)
@pytest.mark.parametrize("first", ["redstart", "redis_om"])
def test_both_find_the_same_with_either_ones_index(
    client: redis.Redis, url: str, python_with_1x: str, first: str
) -> None:
    run(sys.executable, "redstart", "write", url)
    order = [("redstart", sys.executable), ("redis_om", python_with_1x)]
    if first == "redis_om":
        order.reverse()
    found = [run(python, library, "find", url) for library, python in order]
    assert found[0] == found[1]
    assert found[0]["Flat number"] == found[0]["Deep text"] == ["usual"]
    assert found[0]["Flat before"] == ["odd"]
    assert found[0]["Flat naive"] == found[0]["Deep naive"] == ["usual"]
