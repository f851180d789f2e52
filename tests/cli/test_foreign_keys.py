"""A key of one of Redstart's names that another program has written: it stays, and is named."""

from collections.abc import Callable

import pytest
import redis

from redstart.demo.models import Visit
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION as ID
from redstart.migrations.indexes.state import LEASE as INDEX_LEASE
from redstart.migrations.indexes.state import RECORDS, hash_key, schema_key
from redstart.migrations.maintenance import REFERENCE_STATE
from redstart.migrations.state_keys import APPLIED_MIGRATIONS, DATA_RUNS, StateKeys
from tests.support.cli import refused, run_om
from tests.support.sample import load_sample
from tests.support.snapshot import every_byte

KEYS = StateKeys(ID)
INDEX = Visit._meta.index_name

UNLOCK = ("migrate-data", "force-unlock", "--yes")
FORGET = ("migrate-data", "drop-undo-log", ID, "--yes")
CLEAR = ("migrate-data", "clear-progress", "--yes")
ROLLBACK = ("migrate-data", "rollback", ID)
INDEX_ROLLBACK = ("migrate", "rollback")

TOUCHED: dict[str, tuple[tuple[str, ...], ...]] = {
    # the commands that would remove a key or write over it
    KEYS.lease.fence: (UNLOCK, FORGET, CLEAR, ROLLBACK),
    KEYS.lease.lease: (UNLOCK, FORGET, CLEAR, ROLLBACK),
    INDEX_LEASE.fence: (UNLOCK, INDEX_ROLLBACK, ROLLBACK),
    INDEX_LEASE.lease: (UNLOCK, INDEX_ROLLBACK, ROLLBACK),
    KEYS.checkpoint: (CLEAR, FORGET, ROLLBACK),
    KEYS.record: (FORGET, CLEAR, ROLLBACK),
    KEYS.census: (FORGET, ROLLBACK),
    KEYS.journal: (FORGET, ROLLBACK),
    KEYS.failures: (FORGET, CLEAR, ROLLBACK),
    KEYS.replaced: (FORGET, ROLLBACK),
    KEYS.unrestored: (FORGET, ROLLBACK),
    APPLIED_MIGRATIONS: (ROLLBACK,),
    DATA_RUNS: (ROLLBACK, FORGET),
    RECORDS: (INDEX_ROLLBACK, ROLLBACK),
    REFERENCE_STATE.format(ID): (CLEAR,),
    hash_key(INDEX): (INDEX_ROLLBACK, ROLLBACK),
    schema_key(INDEX): (INDEX_ROLLBACK, ROLLBACK),
}


def write_another_type(client: redis.Redis, key: str) -> str:
    """Replace a key by a value of a type that is never Redstart's. The name of the type."""
    client.delete(key)
    client.zadd(key, {"somebody's": 1})
    return "zset"


@pytest.fixture
def migrated(configured: str, client: redis.Redis) -> redis.Redis:
    load_sample(client, 60)
    assert run_om("migrate", "run").code == 0
    assert run_om("migrate-data", "run").code in (0, 3)
    return client


def test_what_another_program_has_written_stays_and_is_named(migrated: redis.Redis) -> None:
    for key, commands in TOUCHED.items():
        whole = migrated.dump(key)
        kind = write_another_type(migrated, key)
        before = every_byte(migrated)
        for words in commands:
            found = run_om(*words)
            assert every_byte(migrated) == before, (key, words, found.text)
            refused(found, 1, f"{key} is a {kind}, not a", f" RENAME {key}")
        migrated.delete(key)
        if whole is not None:
            migrated.restore(key, 0, whole)
    assert run_om(*ROLLBACK).code in (0, 6)


@pytest.mark.parametrize("kept", [hash_key, schema_key])
def test_a_first_index_is_not_built_beside_what_another_program_has_written(
    configured: str, client: redis.Redis, kept: Callable[[str], str]
) -> None:
    load_sample(client, 20)
    kind = write_another_type(client, kept(INDEX))
    before = client.dump(kept(INDEX))
    refused(run_om("migrate", "run"), 1, f"{kept(INDEX)} is a {kind}, not a string", " RENAME")
    assert client.dump(kept(INDEX)) == before
    assert not any(name.startswith(INDEX.encode()) for name in client.execute_command("FT._LIST"))
