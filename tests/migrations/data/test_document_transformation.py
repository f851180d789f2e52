"""A migration that decides for whole documents goes through every operation of the engine, and back byte for byte."""

import json
from typing import Any

import pytest
import redis

from redstart.effects import Op
from redstart.migrations.context import Context
from redstart.migrations.data.edit_builder import FailureMode
from redstart.migrations.data.results import DataRollbackResult, RunResult
from redstart.migrations.data.rollback import rollback
from redstart.migrations.data.rollback_preview import preview_rollback
from redstart.migrations.data.run import run
from redstart.migrations.data.statistics import statistics
from redstart.migrations.data.verify import verify
from redstart.migrations.transformation import Classification
from redstart.server.clients import open_like
from tests.migrations.data.reshape import HASH_PREFIX, JSON_PREFIX, PLAN, Reshape
from tests.migrations.data.test_second_migration import crash, crash_points
from tests.support.crash_driver import CrashDriver
from tests.support.migration import EXPIRY, documents_of, new_context, options, own_keys, small_pieces
from tests.support.replies import send
from tests.support.snapshot import Snapshot, difference

DOCUMENTS: list[dict[str, Any]] = [
    {"pk": "a", "name": "oak", "legacy": "x", "other": 'say "hi"'},
    {"legacy": "x", "pk": "b", "name": "ash"},
    {"name": "elm", "pk": "c", "priority": "9"},
    {"title": "yew", "pk": "d", "legacy": ""},
    {"name": "fir", "title": "both", "pk": "e"},
    {"pk": "f"},
    {"legacy": "alone", "title": "t", "priority": "1", "y": "y", "z": "z"},
    {"legacy": "first", "z": 1.5, "ключ": [1, {"b": None}], "name": "", "a": "last"},
]


def load(client: redis.Redis, copies: int = 6) -> Snapshot:
    client.execute_command("FLUSHALL", "SYNC")
    commands: list[tuple[Any, ...]] = []
    for copy in range(copies):
        for number, document in enumerate(DOCUMENTS):
            pairs = [
                part
                for name, value in document.items()
                for part in (name, value if isinstance(value, str) else json.dumps(value))
            ]
            key = f"{HASH_PREFIX}{number}-{copy}"
            commands.append(("HSET", key, *pairs))
            text = json.dumps(document, ensure_ascii=False)
            commands.append(("JSON.SET", f"{JSON_PREFIX}{number}-{copy}", "$", text))
            if copy == 0:
                commands.append(("PEXPIREAT", key, EXPIRY))
                commands.append(("HPEXPIREAT", key, EXPIRY + 1, "FIELDS", 2, "name", "legacy"))
    send(client, commands)
    return documents_of(client)


def context() -> Context:
    return new_context(transformation=Reshape())


def migrate(mode: FailureMode = FailureMode.LOG_AND_SKIP) -> Op[RunResult]:
    return run(context(), PLAN, options(mode))


def undo() -> Op[DataRollbackResult]:
    return rollback(context(), batch_documents=40)


def do(client: redis.Redis, operation: Op[Any]) -> Any:
    with open_like(client) as driver:
        return driver.run(operation)


def hash_of(client: redis.Redis, name: str) -> dict[bytes, bytes]:
    return client.hgetall(HASH_PREFIX + name)


def json_of(client: redis.Redis, name: str) -> Any:
    return json.loads(client.execute_command("JSON.GET", JSON_PREFIX + name))


def test_a_run_changes_the_shape_and_a_rollback_restores_every_byte(client: redis.Redis) -> None:
    before = load(client)
    found = do(client, statistics(context(), PLAN, rng=None))
    result = do(client, migrate())
    assert result.stopped is None
    assert result.errors == found.total(Classification.UNCONVERTIBLE) == 12
    assert hash_of(client, "0-0") == {
        b"pk": b"a",
        b"title": b"oak",
        b"other": b'say "hi"',
        b"priority": b"3",
    }
    assert client.execute_command("HPEXPIRETIME", HASH_PREFIX + "0-0", "FIELDS", 1, "title") == [EXPIRY + 1]
    assert client.pexpiretime(HASH_PREFIX + "0-0") == EXPIRY
    assert json_of(client, "7-1") == {
        "z": 1.5,
        "ключ": [1, {"b": None}],
        "title": "",
        "a": "last",
        "priority": 3,
    }
    assert hash_of(client, "4-1")[b"name"] == b"fir"
    verified = do(client, verify(context(), PLAN))
    assert (verified.problems.first, verified.tally.total(Classification.CONVERTIBLE)) == ([], 0)
    preview = do(client, preview_rollback(context()))
    undone = do(client, undo())
    assert (undone.stopped, undone.kept, undone.unrestored, undone.reformatted) == (None, 0, 0, 0)
    assert difference(before, documents_of(client)) == []
    assert own_keys(client) == []
    same = ("restored_exactly", "reformatted", "kept", "unrestored", "preexisting_numbers")
    assert [getattr(preview, name) for name in same] == [getattr(undone, name) for name in same]


def test_documents_written_since_the_run_are_reverted(client: redis.Redis) -> None:
    load(client)
    do(client, migrate())
    client.hset(HASH_PREFIX + "new", mapping={"title": "new", "priority": "5"})
    client.hset(HASH_PREFIX + "1-1", "title", "changed")
    send(client, [("JSON.SET", JSON_PREFIX + "1-1", "$.title", '"changed"')])
    client.delete(HASH_PREFIX + "2-1")
    undone = do(client, undo())
    assert (undone.stopped, undone.kept) == (None, 0)
    assert hash_of(client, "new") == {b"name": b"new"}
    assert hash_of(client, "1-1") == {b"pk": b"b", b"name": b"changed", b"legacy": b"x"}
    assert json_of(client, "1-1") == {"pk": "b", "name": "changed", "legacy": "x"}
    assert not client.exists(HASH_PREFIX + "2-1")


def test_a_run_and_a_rollback_that_crash_are_resumed(
    client: redis.Redis, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_pieces(monkeypatch)
    before = load(client, copies=2)
    with CrashDriver(url) as driver:
        driver.run(migrate())
        names, end = driver.names, documents_of(client)
    with CrashDriver(url) as driver:
        driver.run(undo())
        undo_names = driver.names
    for at, kind in crash_points(names):
        load(client, copies=2)
        crash(url, migrate(), at, kind)
        do(client, migrate())
        assert difference(end, documents_of(client)) == [], (names[at], kind)
    for at, kind in crash_points(undo_names):
        load(client, copies=2)
        do(client, migrate())
        crash(url, undo(), at, kind)
        do(client, undo())
        assert difference(before, documents_of(client)) == [], (undo_names[at], kind)
