"""The ledger: what it says after each kind of damage, and after a kill at every request."""

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from redstart.effects import Op
from redstart.errors import LeaseHeldError, StateDamagedError, StateVersionError
from redstart.migrations.files import ledger as ledger_module
from redstart.migrations.files.ledger import (
    LedgerEntry,
    read_ledger,
    record,
    record_without_running,
    remove_from_record,
)
from redstart.migrations.files.migration_file import Migration, MigrationFile
from redstart.migrations.lease import Lease, acquire, under_lease
from redstart.migrations.lease_state import this_process
from redstart.migrations.state_keys import FILES_LEASE, LEDGER, LEDGER_COUNT
from redstart.server.clients import open_sync
from redstart.server.sync_driver import SyncDriver
from tests.support.crash_driver import Crash, CrashDriver, CrashKind

ENTRY = LedgerEntry("20261101_090000_a", "c" * 64, 1_795_345_053_226, "ci@host", 12, ("Add Order.note.",))
STORED = json.loads(str(ENTRY.save()[3]))


@pytest.fixture
def driver(url: str) -> Iterator[SyncDriver]:
    with open_sync(url) as driver:
        yield driver


def lease(*, gone: bool = True) -> Op[Lease]:
    return acquire(
        FILES_LEASE, uuid.uuid4().hex, this_process(), is_gone=lambda _: gone, clock=time.monotonic
    )


def recording(*entries: LedgerEntry) -> Op[None]:
    return under_lease(lease(), lambda held: record(held, entries))


def file(name: str) -> MigrationFile:
    return MigrationFile(name, f"{name}.py", "d" * 64, "", Migration())


def test_an_empty_server_has_an_empty_ledger(driver: SyncDriver) -> None:
    found = driver.run(read_ledger())
    assert (found.entries, found.damaged, found.lost) == ({}, {}, 0)
    found.require_intact()


@given(
    st.builds(
        LedgerEntry,
        st.from_regex(r"[a-z][a-z0-9_]{0,20}", fullmatch=True),
        st.text(),
        st.integers(),
        st.text(),
        st.none() | st.integers(),
        st.lists(st.text()).map(tuple),
    )
)
def test_an_entry_is_read_as_it_was_saved(entry: LedgerEntry) -> None:
    assert ledger_module._entry(entry.migration_id, str(entry.save()[3]).encode()) == entry


def test_entries_are_recorded_replaced_and_removed(driver: SyncDriver, client: redis.Redis) -> None:
    driver.run(recording(ENTRY))
    assert driver.run(read_ledger()).entries == {ENTRY.migration_id: ENTRY}
    recorded = driver.run(record_without_running(lease(), [file("b"), file(ENTRY.migration_id)], "me@here"))
    assert recorded == ["b", ENTRY.migration_id]
    found = driver.run(read_ledger())
    assert list(found.entries) == [ENTRY.migration_id, "b"]
    assert found.entries["b"].applied_by == "me@here"
    assert found.entries["b"].duration_ms is None
    assert abs(found.entries["b"].applied_ms / 1_000 - time.time()) < 60
    assert client.get(LEDGER_COUNT) == b"2"
    driver.run(remove_from_record(lease(), ["b", "never there"]))
    assert list(driver.run(read_ledger()).entries) == [ENTRY.migration_id]
    driver.run(remove_from_record(lease(), [ENTRY.migration_id]))
    driver.run(read_ledger()).require_intact()
    assert (client.exists(LEDGER), client.get(LEDGER_COUNT)) == (0, b"0")


def test_what_a_run_has_recorded_meanwhile_is_kept(driver: SyncDriver) -> None:
    same = file(ENTRY.migration_id)
    driver.run(recording(LedgerEntry(same.migration_id, same.checksum, ENTRY.applied_ms, "ci@host", 12, ())))
    assert driver.run(record_without_running(lease(), [same], "me@here")) == []
    assert driver.run(read_ledger()).entries[same.migration_id].applied_by == "ci@host"


def test_nothing_is_recorded_while_another_process_holds_the_lease(url: str, client: redis.Redis) -> None:
    with open_sync(url) as driver:
        held = driver.run(lease(gone=False))

        class Renewing(SyncDriver):
            def send(self, request: Any) -> None:
                driver.run(held.commit(()))
                super().send(request)

        with Renewing(redis.ConnectionPool.from_url(url), url) as other, pytest.raises(LeaseHeldError):
            other.run(record_without_running(lease(gone=False), [file("a")], "me@here"))
    assert not client.exists(LEDGER)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "Expecting value: line 1 column 1 (char 0)"),
        (json.dumps(STORED).encode()[:-9], "Unterminated string"),
        (b"\xff\xfe\x00", "'utf-16-le' codec can't decode"),
        (b"[1]", "it is not an object"),
        (b"[" * 100_000, ""),
        (b"{}", "it has no checksum"),
        (json.dumps(STORED | {"applied_ms": "today"}).encode(), 'its applied_ms is "today"'),
        (json.dumps(STORED | {"applied_ms": True}).encode(), "its applied_ms is true"),
        (json.dumps(STORED | {"applied_by": None}).encode(), "its applied_by is null"),
        (json.dumps(STORED | {"operations": "Add"}).encode(), 'its operations is "Add"'),
        (json.dumps(STORED | {"operations": [1]}).encode(), "its operations contain 1"),
    ],
)
def test_an_entry_that_cannot_be_read_is_named_with_the_way_out(
    driver: SyncDriver, client: redis.Redis, data: bytes, reason: str
) -> None:
    driver.run(recording(ENTRY))
    client.hset(LEDGER, "20261102_090000_b", data)
    found = driver.run(read_ledger())
    assert found.entries == {ENTRY.migration_id: ENTRY}
    found.require_intact(exempt=["20261102_090000_b"])
    with pytest.raises(StateDamagedError) as raised:
        found.require_intact()
    assert raised.value.message.startswith(f"The entry of 20261102_090000_b in {LEDGER} cannot be read: ")
    assert reason in raised.value.message
    assert (raised.value.hint or "").endswith(
        "record the file again with: om migrate stamp 20261102_090000_b"
    )


def test_the_entry_of_a_newer_version_is_never_replaced(driver: SyncDriver, client: redis.Redis) -> None:
    client.hset(LEDGER, "b", json.dumps(STORED | {"format": 2, "checksum": {"of": "tomorrow"}}))
    with pytest.raises(
        StateVersionError, match="has format 2; this version of Redstart reads up to format 1"
    ):
        driver.run(read_ledger()).require_intact(exempt=["b"])


def test_fields_of_a_newer_minor_version_are_ignored(driver: SyncDriver, client: redis.Redis) -> None:
    client.hset(LEDGER, ENTRY.migration_id, json.dumps(STORED | {"note": "x"}))
    assert driver.run(read_ledger()).entries == {ENTRY.migration_id: ENTRY}


@pytest.mark.parametrize("name", [b"\xff", b"a\x1b[31m\n", b""])
def test_a_hostile_id_is_shown_escaped_and_in_no_command(
    driver: SyncDriver, client: redis.Redis, name: bytes
) -> None:
    client.hset(LEDGER, name, "{}")
    with pytest.raises(StateDamagedError) as raised:
        driver.run(read_ledger()).require_intact()
    assert raised.value.message.isprintable()
    assert (raised.value.hint or "").endswith(f"see the entry with: redis-cli HGETALL {LEDGER}")


@pytest.mark.parametrize(("key", "expected"), [(LEDGER, "hash"), (LEDGER_COUNT, "string")])
def test_a_key_of_another_type_is_named(
    driver: SyncDriver, client: redis.Redis, key: str, expected: str
) -> None:
    client.rpush(key, "theirs")
    message = f"{key} is a list, not a {expected}: another program has written it."
    with pytest.raises(StateDamagedError, match=message):
        driver.run(read_ledger())
    with pytest.raises(StateDamagedError, match=message):
        driver.run(recording(ENTRY))
    assert client.lrange(key, 0, -1) == [b"theirs"]
    assert client.exists(LEDGER, LEDGER_COUNT) == 1


def test_a_count_that_is_no_number_is_named(driver: SyncDriver, client: redis.Redis) -> None:
    client.set(LEDGER_COUNT, "x\n")
    with pytest.raises(StateDamagedError, match="'x', not a number: another program has written it"):
        driver.run(read_ledger())


@pytest.mark.parametrize("lost", ["all", "one"])
def test_lost_entries_are_noticed(driver: SyncDriver, client: redis.Redis, lost: str) -> None:
    """An evicted or deleted ledger must not make every file pending: a run would apply each a second time."""
    driver.run(record_without_running(lease(), [file("a"), file("b")], "me@here"))
    client.delete(LEDGER) if lost == "all" else client.hdel(LEDGER, "a")
    left = {"all": 0, "one": 1}[lost]
    found = driver.run(read_ledger())
    assert found.lost == 2 - left
    found.require_intact(may_be_lost=True)
    with pytest.raises(StateDamagedError, match=f"has {left} entries, but 2 migration files were recorded"):
        found.require_intact()
    driver.run(record_without_running(lease(), [file("a"), file("b")], "me@here"))
    driver.run(read_ledger()).require_intact()


@pytest.mark.parametrize("kind", CrashKind)
def test_killed_at_any_request_and_run_again_it_is_complete(
    url: str, client: redis.Redis, driver: SyncDriver, kind: CrashKind
) -> None:
    files = [file("a"), file("b")]

    def attempt(at: int | None) -> CrashDriver:
        with CrashDriver(url, at=at, kind=kind) as crashing:
            with suppress(Crash):
                crashing.run(record_without_running(lease(), files, "me@here"))
            return crashing

    requests = len(attempt(None).names)
    assert requests > 5
    for at in range(requests):
        client.flushall()
        assert attempt(at).crashed is not None
        found = driver.run(read_ledger())
        found.require_intact()
        assert sorted(found.entries) in ([], ["a", "b"])
        attempt(None)
        found = driver.run(read_ledger())
        found.require_intact()
        assert sorted(found.entries) == ["a", "b"]
