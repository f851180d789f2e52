"""Any one of Redstart's own keys missing, cut, of another type, of a newer version, or of an earlier run.

Every command names it and says how to go on, ends with another code than 0, and leaves every key as it was.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
import redis

from redstart import Migrator
from redstart.demo import models
from redstart.errors import StateDamagedError
from redstart.mapping.base_model import model_registry
from redstart.migrations.data.checkpoint import Checkpoint, RunStage, checkpoint_from
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION as ID
from redstart.migrations.indexes.state import LEASE as INDEX_LEASE
from redstart.migrations.indexes.state import RECORDS
from redstart.migrations.lease_state import this_process
from redstart.migrations.state_keys import APPLIED_MIGRATIONS, StateKeys
from tests.support.cli import refused, run_om
from tests.support.registry import models_of_before
from tests.support.sample import load_sample
from tests.support.snapshot import every_byte
from tests.support.soak import SOAK

__all__ = ["models_of_before"]  # a fixture

KEYS = StateKeys(ID)
FORGET = f"om migrate-data drop-undo-log {ID}"

LOOK = {
    "status": ("migrate-data", "status"),
    "status --check": ("migrate-data", "status", "--check", "--detailed"),
    "stats": ("migrate-data", "stats"),
    "progress": ("migrate-data", "progress"),
    "errors": ("migrate-data", "errors"),
    "verify": ("migrate-data", "verify"),
    "verify --check-data": ("migrate-data", "verify", "--check-data"),
}
RUN = {
    "run": ("migrate-data", "run"),
    "run --dry-run": ("migrate-data", "run", "--dry-run"),
    "run --failure-mode": ("migrate-data", "run", "--failure-mode", "quarantine"),
}
OTHERS = {
    "rollback": ("migrate-data", "rollback", ID),
    "rollback --dry-run": ("migrate-data", "rollback", ID, "--dry-run"),
    "clear-progress": ("migrate-data", "clear-progress"),
    "check-schema": ("migrate-data", "check-schema"),
    "migrate status": ("migrate", "status"),
    "migrate run": ("migrate", "run"),
    "migrate run --dry-run": ("migrate", "run", "--dry-run"),
    "migrate rollback": ("migrate", "rollback"),
    "migrate cleanup": ("migrate", "cleanup"),
}
COMMANDS = {**LOOK, **RUN, **OTHERS}


@dataclass
class Prepared:
    """A server with the state of a migration, and what its keys held in an earlier run."""

    client: redis.Redis
    earlier: dict[str, bytes] = field(default_factory=dict)

    def dumps(self) -> dict[bytes, object]:
        """Every key with its bytes."""
        return every_byte(self.client)

    def restore(self, key: str, dump: bytes | None) -> None:
        """Bring a key back."""
        self.client.delete(key)
        if dump is not None:
            self.client.restore(key, 0, dump)


def _old_documents(client: redis.Redis, name: str) -> None:
    client.hset(f"station:visit:{name}", mapping={"arrived_at": "2020-01-01T00:00:00", "seen_at": "N/A"})
    client.hset(f"station:visit:{name}-bad", "arrived_at", "no date")


@pytest.fixture
def migrated(configured: str, client: redis.Redis) -> Prepared:
    """Two runs that ended, with failures in both, and values that were replaced."""
    load_sample(client, 60)
    assert run_om("migrate", "run").code == 0
    _old_documents(client, "first")
    assert run_om("migrate-data", "run", "--failure-mode", "default").code in (0, 3)
    earlier = {key.decode(): client.dump(key) for key in client.scan_iter("redstart:*")}
    _old_documents(client, "second")
    assert run_om("migrate-data", "run", "--failure-mode", "default").code in (0, 3)
    _old_documents(client, "third")
    assert run_om("migrate-data", "run").code in (0, 3)
    return Prepared(client, earlier)


@pytest.fixture
def interrupted(migrated: Prepared) -> Prepared:
    """In addition a run that stopped; of the run before it the saved progress."""
    client = migrated.client
    load_sample(client, 60)
    assert run_om("migrate-data", "run", "--limit-documents", "5").code == 5
    saved = client.dump(KEYS.checkpoint)
    assert run_om("migrate-data", "clear-progress").code == 0
    assert run_om("migrate-data", "run", "--limit-documents", "5").code == 5
    migrated.earlier[KEYS.checkpoint] = saved
    return migrated


def _cut(client: redis.Redis, key: str) -> None:
    kind = client.type(key)
    if kind == b"string":
        client.set(key, client.get(key)[: client.strlen(key) // 2])
    elif kind == b"hash":
        client.hdel(key, sorted(client.hkeys(key))[-1])
    elif kind == b"set":
        client.srem(key, client.srandmember(key))
    else:
        client.xtrim(key, maxlen=client.xlen(key) - 1, approximate=False)


def _another_type(client: redis.Redis, key: str) -> None:
    client.delete(key)
    client.rpush(key, "not", "ours")


def _newer(client: redis.Redis, key: str) -> None:
    if key == KEYS.record:
        client.hset(key, "format", 99)
    elif key == KEYS.checkpoint:
        client.set(key, json.dumps({**json.loads(client.get(key)), "format": 99}))
    elif key == RECORDS:
        for name, data in client.hgetall(key).items():
            client.hset(key, name, json.dumps({**json.loads(data), "format": 99, "new": 1}))
    else:
        entries = client.xrange(key)
        client.delete(key)
        for entry, fields in entries:
            client.xadd(key, {**fields, b"format": b"99"}, id=entry)


def _unreadable(client: redis.Redis, key: str) -> None:
    kind = client.type(key)
    if kind == b"string":
        client.set(key, b"\xff\x00")
    elif kind == b"hash":
        for name in client.hkeys(key):
            client.hset(key, name, b"\xff{")
    else:
        entries = client.xrange(key)
        client.delete(key)
        for entry, fields in entries:
            client.xadd(key, dict.fromkeys(fields, b"\xff"), id=entry)


DAMAGES: dict[str, Callable[[redis.Redis, str], None]] = {
    "missing": lambda client, key: client.delete(key),
    "cut": _cut,
    "another type": _another_type,
    "newer": _newer,
    "unreadable": _unreadable,
}
NOT_FOR_LISTS = frozenset(OTHERS)


def _cases() -> Iterator[Any]:
    forget_or_restore = ("Restore it from a backup", FORGET)
    yield (
        "migrated",
        KEYS.record,
        ("missing", "cut", "unreadable", "earlier"),
        ("Restore it from a backup",),
        set(),
    )
    yield "migrated", KEYS.record, ("newer",), ("format 99", "Use the version"), set()
    yield "migrated", KEYS.record, ("another type",), ("is a list, not a hash", " RENAME"), set()
    yield "migrated", KEYS.journal, ("missing", "cut", "unreadable", "earlier"), forget_or_restore, set()
    yield "migrated", KEYS.journal, ("newer",), ("has format", "Use the version"), set()
    yield "migrated", KEYS.journal, ("another type",), ("is a list, not a stream", " RENAME"), set()
    yield "migrated", KEYS.census, ("missing", "cut"), forget_or_restore, set()
    yield "migrated", KEYS.census, ("another type",), ("is a list, not a set", " RENAME"), set()
    yield (
        "migrated",
        KEYS.replaced,
        ("missing", "cut", "earlier"),
        ("om migrate-data rollback",),
        NOT_FOR_LISTS,
    )
    yield "migrated", KEYS.replaced, ("another type",), ("is a list, not a hash", " RENAME"), set()
    yield (
        "migrated",
        KEYS.failures,
        ("missing", "cut", "earlier"),
        ("om migrate-data run",),
        NOT_FOR_LISTS | set(RUN),
    )
    yield "migrated", KEYS.failures, ("another type",), ("is a list, not a hash", " RENAME"), set()
    yield (
        "interrupted",
        KEYS.checkpoint,
        ("missing", "cut", "newer", "unreadable", "earlier"),
        ("om migrate-data clear-progress",),
        {"clear-progress"},
    )
    yield "interrupted", KEYS.checkpoint, ("another type",), (" RENAME",), set()
    yield (
        "migrated",
        APPLIED_MIGRATIONS,
        ("another type",),
        ("is a list, not a set", " RENAME"),
        set(),
    )
    schema_record = "redis_om:schema_applied_migrations"
    yield "migrated", schema_record, ("another type",), ("is a list, not a set", " RENAME"), set()
    yield (
        "migrated",
        KEYS.lease.fence,
        ("another type",),
        ("is a list, not a string", " RENAME"),
        set(),
    )
    yield (
        "migrated",
        KEYS.lease.lease,
        ("another type",),
        ("is a list, not a hash", " RENAME"),
        set(),
    )
    yield (
        "migrated",
        INDEX_LEASE.fence,
        ("another type",),
        ("is a list, not a string", " RENAME"),
        set(),
    )
    yield (
        "migrated",
        INDEX_LEASE.lease,
        ("another type",),
        ("is a list, not a hash", " RENAME"),
        set(),
    )
    yield "migrated", RECORDS, ("missing", "cut"), ("has no record of", *forget_or_restore), set()
    yield "migrated", RECORDS, ("unreadable",), ("cannot be read", " HGETALL"), set()
    yield "migrated", RECORDS, ("newer",), ("has format 99", "Use the version"), set()
    yield "migrated", RECORDS, ("another type",), ("is a list, not a hash", " RENAME"), set()


def _sweep(prepared: Prepared, state: str, step: int) -> None:
    """All damages of all keys, each before every `step`-th command."""
    for case, (of_state, key, damages, said, exempt) in enumerate(_cases()):
        if of_state != state:
            continue
        whole = prepared.client.dump(key)
        names = [name for name in COMMANDS if name not in exempt]
        for number, damage in enumerate(damages):
            prepared.restore(key, whole)
            if damage == "earlier":
                prepared.restore(key, prepared.earlier[key])
            else:
                DAMAGES[damage](prepared.client, key)
            before = prepared.dumps()
            for name in names[(case + number) % step :: step]:
                ended = run_om(*COMMANDS[name])
                try:
                    refused(ended, 1, key, *said)
                except AssertionError as exc:
                    raise AssertionError(f"{key} {damage}: om {name}: {exc}") from exc
                assert prepared.dumps() == before, f"{key} {damage}: om {name} changed keys"
        prepared.restore(key, whole)


@pytest.mark.soak
@pytest.mark.parametrize("state", ["migrated", "interrupted"])
def test_damage_is_named_and_nothing_changes(request: pytest.FixtureRequest, state: str) -> None:
    _sweep(request.getfixturevalue(state), state, 1 if SOAK else 24)


CHECKPOINTS: dict[str, Callable[[bytes], bytes]] = {
    "truncated": lambda saved: saved[: len(saved) // 2],
    "another cursor": lambda saved: re.sub(rb'"cursor":"\d*', b'"cursor":"8', saved),
    "another count": lambda saved: re.sub(rb'"done":\d', b'"done":7', saved),
    "another stage": lambda saved: saved.replace(b'"convert"', b'"census"'),
    "newer": lambda saved: saved.replace(b'"format":2', b'"format":3'),
}
"""What a checkpoint can become without becoming another type."""


@pytest.fixture
def stopped(station: redis.Redis) -> Prepared:
    """A first run that stopped between two pages."""
    assert run_om("migrate-data", "run", "--limit-documents", "5", "--batch-size", "10").code == 5
    return Prepared(station)


@pytest.mark.sample(2)
@pytest.mark.parametrize("damage", [*CHECKPOINTS, "another type"])
def test_a_damaged_checkpoint_is_named_by_each_command(stopped: Prepared, damage: str) -> None:
    client = stopped.client
    saved = client.get(KEYS.checkpoint)
    if damage == "another type":
        _another_type(client, KEYS.checkpoint)
    else:
        damaged = CHECKPOINTS[damage](saved)
        assert damaged != saved
        client.set(KEYS.checkpoint, damaged)
    before = stopped.dumps()
    for name, words in COMMANDS.items():
        if name != "clear-progress" or damage == "another type":
            refused(run_om(*words), 1, KEYS.checkpoint)
            assert stopped.dumps() == before, name
    if damage == "another type":
        client.delete(KEYS.checkpoint)
    assert run_om("migrate-data", "clear-progress").code == 0
    assert run_om("migrate-data", "run").code in (0, 3)
    assert run_om("migrate-data", "rollback", ID).code in (0, 6)


@pytest.mark.parametrize("part", range(8))
def test_no_flipped_bit_of_a_checkpoint_goes_unnoticed(part: int) -> None:
    checkpoint = Checkpoint(
        RunStage.CONVERT, "a" * 16, 3, cursor="1234567", run_id="b" * 40, done=77, total=901
    )
    saved = str(checkpoint.command(KEYS)[2]).encode()
    for at in range(part, len(saved) * 8, 8):
        damaged = bytearray(saved)
        damaged[at // 8] ^= 1 << (at % 8)
        with pytest.raises(StateDamagedError, match=KEYS.checkpoint):
            checkpoint_from(KEYS, bytes(damaged))
    assert checkpoint_from(KEYS, saved) == checkpoint


LEASES: list[dict[str, str]] = [
    {"token": "a"},
    {"holder": "{}", "since_ms": "1", "renewals": "0"},
    {"token": "a", "holder": "{", "since_ms": "1", "renewals": "0"},
    {"token": "a", "holder": '{"new": 1}', "since_ms": "1", "renewals": "0"},
    {"token": "a", "holder": "{}", "since_ms": "x", "renewals": "0"},
    *(
        {
            "token": "a",
            "holder": this_process().to_json(),
            "since_ms": "1",
            "renewals": "0",
            "activity": activity,
        }
        for activity in ("{", "[]", "[1]", '["a", "b", "c"]', '{"a": 1}', "3")
    ),
]


@pytest.mark.sample(7)
@pytest.mark.parametrize("lease", LEASES)
@pytest.mark.parametrize("key", [KEYS.lease.lease, INDEX_LEASE.lease])
def test_a_lease_that_cannot_be_read_is_named_and_can_be_removed(
    station: redis.Redis, key: str, lease: dict[str, str]
) -> None:
    station.hset(key, mapping=lease)
    commands = ("status", "progress", "run", "rollback", "migrate run")
    first = LEASES.index(lease) % len(commands)
    for name in commands if SOAK else (commands * 2)[first : first + 2]:
        refused(run_om(*COMMANDS[name]), 1, key, "cannot be read", "om migrate-data force-unlock")
    assert station.hgetall(key) == {name.encode(): value.encode() for name, value in lease.items()}
    found = run_om("migrate-data", "force-unlock", "--yes")
    assert found.code == 0
    assert key in found.stdout
    assert run_om("migrate-data", "run").code == 0


@pytest.mark.sample(1)
@pytest.mark.parametrize("key", [KEYS.record, KEYS.journal, KEYS.census, RECORDS])
def test_after_the_undo_log_is_dropped_a_run_is_possible(migrated: Prepared, key: str) -> None:
    migrated.client.delete(key)
    refused(run_om("migrate-data", "run"), 1, key, FORGET)
    assert run_om("migrate-data", "drop-undo-log", ID, "--yes").code == 0
    for words in (
        ("migrate-data", "run"),
        ("migrate", "status"),
        ("migrate", "run"),
        ("migrate-data", "status"),
    ):
        found = run_om(*words)
        assert found.code in (0, 3), found.text
        assert "Error" not in found.text


def test_a_lost_list_of_failures_is_recorded_again_by_a_run(migrated: Prepared) -> None:
    migrated.client.delete(KEYS.failures)
    refused(run_om("migrate-data", "errors"), 1, KEYS.failures, "om migrate-data run")
    assert run_om("migrate-data", "run").code in (0, 3)
    assert "third-bad" in run_om("migrate-data", "errors").stdout


def test_lost_progress_is_started_over(interrupted: Prepared) -> None:
    interrupted.client.delete(KEYS.checkpoint)
    refused(run_om("migrate-data", "run"), 1, KEYS.checkpoint, "om migrate-data clear-progress")
    census = interrupted.client.dump(KEYS.census)
    if census is not None:
        interrupted.client.delete(KEYS.census)
        both = run_om("migrate-data", "run")
        refused(
            both,
            1,
            f"The list of pre-existing numbers ({KEYS.census}) has 0 entries",
            FORGET,
            KEYS.checkpoint,
        )
        assert "clear-progress" not in both.stderr
        interrupted.client.restore(KEYS.census, 0, census)
    assert run_om("migrate-data", "clear-progress").code == 0
    assert run_om("migrate-data", "run").code in (0, 3)
    assert run_om("migrate-data", "rollback", ID).code in (0, 6)


def test_an_application_that_starts_goes_on_while_there_is_nothing_to_do(
    migrated: Prepared, url: str
) -> None:
    for name in [name for name, model in model_registry.items() if model.__module__ != models.__name__]:
        del model_registry[name]
    migrated.client.delete(KEYS.record)
    assert run_om("migrate", "status", "--json").code == 1
    Migrator(conn=redis.Redis.from_url(url)).run()


def test_a_migration_that_redis_om_would_run_again_is_named(migrated: Prepared) -> None:
    for damage in (
        lambda: migrated.client.delete(APPLIED_MIGRATIONS),
        lambda: migrated.client.srem(APPLIED_MIGRATIONS, ID),
    ):
        damage()
        found = run_om("migrate-data", "status", "--check")
        assert found.code == 3
        assert f"{APPLIED_MIGRATIONS} does not list it" in found.stdout
        assert run_om("migrate-data", "run").code in (0, 3)
        assert migrated.client.sismember(APPLIED_MIGRATIONS, ID)


LOSSES: dict[str, tuple[str, ...]] = {
    # what a script deletes
    "all keys of the data": ("redstart:001*",),
    "all keys of the data, and what redis-om would run again": ("redstart:001*", APPLIED_MIGRATIONS),
    "all but a lease": (
        KEYS.record,
        KEYS.journal,
        KEYS.census,
        KEYS.failures,
        KEYS.replaced,
        KEYS.checkpoint,
    ),
}


@pytest.mark.sample(1)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("state", ["migrated", "interrupted", "first run"])
def test_all_keys_that_are_lost_together_are_named(
    request: pytest.FixtureRequest, configured: str, client: redis.Redis, state: str, loss: str
) -> None:
    if state == "first run":
        load_sample(client, 60)
        assert run_om("migrate-data", "run", "--limit-documents", "5").code == 5
    else:
        request.getfixturevalue(state)
    for pattern in LOSSES[loss]:
        for key in client.scan_iter(pattern):
            client.delete(key)
    before = every_byte(client)
    for name in (
        COMMANDS if SOAK else ("status", "verify", "run", "rollback", "migrate run", "clear-progress")
    ):
        refused(run_om(*COMMANDS[name]), 1, KEYS.record, KEYS.journal, "are missing", FORGET)
        assert every_byte(client) == before, name
    assert run_om("migrate-data", "drop-undo-log", ID, "--yes").code == 0
    for words in (("migrate-data", "status"), ("migrate-data", "run"), ("migrate-data", "rollback", ID)):
        found = run_om(*words)
        assert (found.code in (0, 3, 6), "Error" in found.text) == (True, False), found.text
    assert not client.exists("redstart:data_runs")
