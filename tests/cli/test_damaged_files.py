"""Each key that Redstart keeps of migration files, missing, cut, of another type or unreadable: named, not lost."""

from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from tests.cli.test_damaged_state import _another_type, _cut, _unreadable
from tests.support.cli import refused, run_om
from tests.support.snapshot import STATE_PREFIXES, Snapshot, difference, every_byte, snapshot
from tests.support.soak import SOAK

SOURCE = """
from redstart.operations import *


class Price(TypedDict):
    price: int


def cents(old):
    return {{"price": old["price"] * 100}}


def euros(new):
    return {{"price": new["price"] // 100}}


def up(client, step):
    client.rpush("shop-log", "up " + step)


def down(client, step):
    client.rpush("shop-log", "down " + step)


fields = [Field("name", "str"), Field("price", "int")]
models = {{
    name: Model(f"shop.{{name}}", key_prefix=f"shop:{{name}}:", storage=Storage.HASH, fields=fields) for name in "abcd"
}}
migration = Migration(dependencies={dependencies}, operations=[{operations}])
"""
OPERATIONS = {
    "20260101_000000_initial": "*(CreateModel(one) for one in models.values())",
    "20260102_000000_cents": 'Transform("shop.a", cents, euros, before=Price)',
    "20260103_000000_json": 'ChangeStorage("shop.b", Storage.HASH, Storage.JSON)',
    "20260104_000000_remove": 'RemoveModel("shop.c")',
    "20260105_000000_call": 'RunPython(up, down, steps=["one", "two"])',
    "20260106_000000_move": 'ChangeKeyPrefix("shop.d", "shop:d:", "shop:e:")',
    "20260107_000000_title": 'RenameField("shop.a", "name", "title")',
}
CALLED = [b"up one", b"up two", b"down two", b"down one"]
DAMAGES: dict[str, Callable[[redis.Redis, str], None]] = {
    "missing": lambda client, key: client.delete(key),
    "cut": _cut,
    "another type": _another_type,
    "unreadable": _unreadable,
}
HARMLESS = {
    ("redstart:data_runs", "missing"),  # earlier versions did not write it
    ("redstart:data_runs", "cut"),
    ("redstart:recorded_files", "missing"),  # what it counts is there
    ("redstart:recorded_files", "cut"),
    ("redstart:20260106_000000_move:steps", "cut"),  # how many documents have moved
    ("redstart:20260104_000000_remove:steps", "missing"),  # how many documents were removed
    ("redstart:20260104_000000_remove:steps", "cut"),
}
COMMANDS = (
    ("migrate", "status"),
    ("migrate", "check"),
    ("upgrade", "--yes"),
    ("migrate", "run", "--yes"),
    ("migrate", "cleanup", "--yes"),
)
DOWNGRADE = ("downgrade", "20260101_000000_initial", "--yes")


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, client: redis.Redis, configured: str) -> Snapshot:
    """The files are applied and cleaned up. Return the documents before."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "migrations").mkdir()
    dependencies: list[str] = []
    for name, operations in OPERATIONS.items():
        text = SOURCE.format(dependencies=dependencies, operations=operations)
        (tmp_path / "migrations" / f"{name}.py").write_text(text)
        dependencies = [name]
    for model in "abcd":
        for number in range(4):
            client.hset(f"shop:{model}:{number}", mapping={"name": f"n{number}", "price": str(number)})
    before = snapshot(client, exclude_prefixes=STATE_PREFIXES)
    for words in (("upgrade", "--yes"), ("migrate", "cleanup", "--yes")):
        found = run_om(*words)
        assert found.code == 0, found.text
    return before


def named(key: str) -> str:
    """Return what a message names for a key: a part of a set is named by the beginning of its keys."""
    return key.rpartition(":")[0] if ":processed:" in key else key


@pytest.mark.soak
def test_no_damage_is_overwritten_or_ends_in_a_lost_original(client: redis.Redis, shop: Snapshot) -> None:
    keys = sorted(key.decode() for key in client.scan_iter("redstart:*"))
    assert {key.rpartition(":")[2] for key in keys} >= {"journal", "record", "steps", "removed", "originals"}
    whole = {key: client.dump(key) for key in client.scan_iter()}
    for at, key in enumerate(keys):
        for number, damage in enumerate(DAMAGES):
            if not SOAK and number and (at + number) % 5:
                continue
            client.flushall()
            for name, dump in whole.items():
                client.restore(name, 0, dump)
            if damage == "unreadable" and client.type(key) == b"set":
                continue  # any integer is a member
            DAMAGES[damage](client, key)
            if client.exists(key) and client.dump(key) == whole[key.encode()]:
                continue  # too short to be cut
            try:
                _is_named_or_harmless(client, shop, key, damage, at + number)
            except AssertionError as error:
                raise AssertionError(f"{key} {damage}: {error}") from error


def _is_named_or_harmless(client: redis.Redis, shop: Snapshot, key: str, damage: str, number: int) -> None:
    if (key, damage) not in HARMLESS:
        before = every_byte(client)
        for words in COMMANDS if SOAK else [COMMANDS[number % len(COMMANDS)]]:
            refused(run_om(*words), 1, named(key))
            assert every_byte(client) == before, f"om {words} changed keys"
        found = run_om(*DOWNGRADE)
        assert (found.code, named(key) in found.stderr) == (1, True), found.text
        assert "Traceback" not in found.text, found.text
        return
    found = run_om(*DOWNGRADE)
    assert found.code == 0, found.text
    assert client.lrange("shop-log", 0, -1) == CALLED
    client.delete("shop-log")
    assert difference(shop, snapshot(client, exclude_prefixes=STATE_PREFIXES)) == []


def test_a_file_recorded_without_a_run_is_not_rolled_back(client: redis.Redis, shop: Snapshot) -> None:
    """Its documents would stay as they are, and the command would report that it is done."""
    assert run_om(*DOWNGRADE).code == 0
    assert run_om("migrate", "stamp", "20260102_000000_cents", "--yes").code == 0
    before = every_byte(client)
    stamp = "om migrate stamp --remove 20260102_000000_cents"
    found = run_om("migrate", "rollback", "--yes")
    assert found.code == 1, found.text
    assert "recorded without a run" in found.stderr
    assert stamp in found.stderr
    assert every_byte(client) == before


def test_a_lost_record_of_steps_can_be_given_up(client: redis.Redis, shop: Snapshot) -> None:
    key = "redstart:20260105_000000_call:steps"
    client.delete(key)
    refused(run_om("migrate", "status"), 1, f"HSET {key} given_up done")
    client.hset(key, "given_up", "done")
    assert run_om("migrate", "status").code == 0
    assert run_om(*DOWNGRADE).code == 0
    assert client.lrange("shop-log", 0, -1) == CALLED[:2]


@pytest.mark.parametrize("name", ["20260103_000000_json", "20260104_000000_remove", "20260102_000000_cents"])
def test_after_the_undo_log_is_dropped_nothing_is_damaged(
    client: redis.Redis, shop: Snapshot, name: str
) -> None:
    kinds = ("originals", "removed", "journal")
    lost = next(key for kind in kinds if client.exists(key := f"redstart:{name}:{kind}"))
    client.delete(lost)
    refused(run_om("migrate", "status"), 1, lost, f"om migrate-data drop-undo-log {name}")
    assert run_om("migrate-data", "drop-undo-log", name, "--yes").code == 0
    found = run_om("migrate", "status")
    assert found.code == 0, found.text


def test_the_progress_and_the_lease_of_a_file_can_be_removed(client: redis.Redis, shop: Snapshot) -> None:
    name = "20260102_000000_cents"
    client.set(f"redstart:{name}:checkpoint", "{")
    refused(
        run_om("migrate", "status"),
        1,
        f"redstart:{name}:checkpoint",
        f"om migrate-data clear-progress {name}",
    )
    assert "Saved progress deleted." in run_om("migrate-data", "clear-progress", name, "--yes").stdout
    assert run_om("migrate", "status").code == 0
    client.hset(f"redstart:{name}:lease", mapping={"token": "a", "holder": "{", "since_ms": 1, "renewals": 0})
    refused(run_om("migrate", "status"), 1, f"redstart:{name}:lease", "om migrate-data force-unlock")
    assert f"redstart:{name}:lease" in run_om("migrate-data", "force-unlock", "--yes").stdout
    assert run_om("migrate", "status").code == 0


def test_removed_documents_that_were_dropped_refuse_a_rollback(client: redis.Redis, shop: Snapshot) -> None:
    name = "20260104_000000_remove"
    question = run_om("migrate-data", "drop-undo-log", name)
    assert "The undo log has the only copy of 4 originals." in question.stderr
    assert run_om("migrate-data", "drop-undo-log", name, "--yes").code == 0
    assert run_om("migrate", "status").code == 0
    found = run_om(*DOWNGRADE)
    assert found.code == 1, found.text
    assert (
        f"Cannot roll back {name}: its undo log was dropped, which had 4 removed documents." in found.stderr
    )


@pytest.mark.parametrize("command", ["drop-undo-log", "clear-progress"])
def test_an_unknown_migration_is_refused(client: redis.Redis, shop: Snapshot, command: str) -> None:
    before = every_byte(client)
    refused(run_om("migrate-data", command, "20260102_000000_cent", "--yes"), 1, "does not exist")
    assert every_byte(client) == before
