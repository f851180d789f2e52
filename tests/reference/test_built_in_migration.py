"""The built-in migration as a class, its detector and `create_index`, compared with those of redis-om 1.2.0."""

import inspect
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import redis

from redstart.aio.data_migrations import statistics
from redstart.aio.model.migrations.data.builtin import DatetimeFieldMigration as AsyncMigration
from redstart.migrations.data.failures import failure_at
from redstart.migrations.data.results import RunResult
from redstart.model.migrations.data.builtin import (
    ConversionFailureMode,
    DatetimeFieldDetector,
    DatetimeFieldMigration,
)
from redstart.model.migrations.schema.legacy_migrator import create_index
from tests.migrations.indexes.conftest import drop_all, wait_until_built

SCRIPT = Path(__file__).with_name("built_in_migration.py")
INDEX = "s:order:index"
SCHEMAS = [
    "ON HASH PREFIX 1 s:order: SCHEMA pk TAG SEPARATOR | at NUMERIC SORTABLE name TAG SEPARATOR | name AS n TEXT",
    "ON JSON PREFIX 1 s:order: SCHEMA $.pk AS pk TAG SEPARATOR |  $.lines[*].name AS lines_name TAG SEPARATOR | ",
]

pytestmark = pytest.mark.redis_om


def state(client: redis.Redis) -> tuple[Any, dict[bytes, Any]]:
    """The definition of the index and all keys."""
    wait_until_built(client, [INDEX])
    info = client.execute_command("FT.INFO", INDEX)
    fields = info if isinstance(info, dict) else dict(zip(info[::2], info[1::2], strict=True))
    kept = {key: client.get(key) for key in client.scan_iter(count=1_000)}
    return (fields[b"index_name"], fields[b"index_definition"], fields[b"attributes"]), kept


def theirs(python: str, url: str, schema: str) -> dict[str, Any]:
    done = subprocess.run(
        [python, SCRIPT, INDEX, schema, "a hash"],
        env={"REDIS_OM_URL": url},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.sample(1)
@pytest.mark.parametrize("schema", SCHEMAS)
def test_create_index_leaves_the_same(
    python_with_1x: str, client: redis.Redis, url: str, schema: str
) -> None:
    drop_all(client)
    theirs(python_with_1x, url, schema)
    expected = state(client)
    assert len(expected[1]) == 2
    drop_all(client)
    client.flushall()
    create_index(client, INDEX, schema, "a hash")
    assert state(client) == expected
    theirs(python_with_1x, url, "ON HASH PREFIX 1 other: SCHEMA pk TAG")  # it takes ours for what it is
    assert state(client) == expected
    drop_all(client)


def test_the_class_takes_and_gives_the_same(python_with_1x: str, client: redis.Redis, url: str) -> None:
    drop_all(client)
    found = theirs(python_with_1x, url, SCHEMAS[0])
    drop_all(client)
    for colour in (DatetimeFieldMigration, AsyncMigration):
        assert list(inspect.signature(colour).parameters) == found["parameters"]
    migration = DatetimeFieldMigration(client, max_errors=5)
    assert migration.migration_id == found["id"]
    assert {name: getattr(migration, name) for name in found["settings"]} == found["settings"]
    modes = {mode.name: mode.value for mode in ConversionFailureMode}
    assert found["modes"].items() <= modes.items()
    assert modes.keys() - found["modes"].keys() == {"QUARANTINE"}
    assert sorted(DatetimeFieldDetector(client).check_for_schema_mismatches([])) == found["report"]

    assert migration.get_migration_stats().keys() == found["stats"].keys()
    counted = RunResult(None, False, 0, 1, 0, 0, 0, 1, 0, 1, True, 0, 0.0)
    stats = statistics(counted, [failure_at(b"key", "field", b"value", "error")])
    assert {name: found["stats"][name] for name in stats} == stats
