"""Documents are stored as JSON instead of hashes, and the reverse, on a real server; and back."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import redis

from redstart.errors import MigrationError, UndoLogCorruptError
from redstart.migrations.data.failures import FailureLog
from redstart.migrations.file_migration import FileMigration
from redstart.migrations.indexes import migrator
from redstart.migrations.maintenance import drop_undo_log_of_data
from redstart.migrations.operations.state import ProjectState
from redstart.migrations.outcomes import Outcome
from redstart.migrations.steps import key_passes, storage_changes
from redstart.operations import (
    AddField,
    AlterIndex,
    ChangeKeyPrefix,
    ChangeStorage,
    ConvertField,
    Field,
    FieldKind,
    Index,
    IndexField,
    Model,
    MoveField,
    Operation,
    RenameField,
    RenameModel,
    Storage,
    Transform,
    TypedDict,
)
from tests.migrations.data.test_second_migration import crash
from tests.migrations.test_file_migration import base, do, documents, indexes, migration
from tests.migrations.test_file_steps import back, count, forward, resumes_at_every_request
from tests.support.crash_driver import CrashDriver, CrashKind
from tests.support.migration import EXPIRY, REPOSITORY
from tests.support.snapshot import Snapshot, difference
from tests.support.soak import SOAK

EVERY = 1 if SOAK else 15
"""How many requests are between two that go wrong."""

NAME, PREFIX = "shop.Order", "shop:order:"
INDEX = f"{PREFIX}index"
FIELDS = (
    Field("name", "str"),
    Field("price", "int"),
    Field("weight", "float", is_optional=True),
    Field("sold", "bool", default=False),
    Field("ordered_at", "datetime"),
    Field("kind", "Literal['new', 'old']"),
)
HASH: list[dict[str, str]] = [
    {"pk": "a", "name": "oak", "price": "12", "sold": "1", "ordered_at": "1700000000.5", "kind": "new"},
    {"kind": "old", "pk": "b", "name": "ash ü", "price": "007", "weight": "1.50", "ordered_at": "1700000000"},
    {"name": "", "pk": "c", "price": "0", "sold": "0", "ordered_at": "0", "weight": "", "undeclared": "kept"},
]
JSON: list[str] = [
    '{"pk":"a","name":"oak","price":12,"weight":null,"sold":true,"ordered_at":1700000000.5,"kind":"new"}',
    '{"kind":"old","pk":"b","name":"ash ü","price":7,"weight":1.50,"sold":false,"ordered_at":1700000000}',
    '{"name":"","undeclared":"kept","pk":"c","price":0,"weight":1e-7,"sold":false,"ordered_at":0,"kind":"old"}',
]


def make_pages_small(change_attribute: Callable[[object, str, object], object]) -> None:
    """Make pages small, and let no run wait for the lease of the indexes of a crashed one, which is this process."""
    change_attribute(migrator, "is_gone", lambda _: True)
    change_attribute(key_passes, "PAGE_KEYS", 4)
    change_attribute(storage_changes, "PAGE_BYTES", 150)
    change_attribute(storage_changes, "PAGE_ENTRIES", 3)


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    make_pages_small(monkeypatch.setattr)


def index(storage: Storage, prefix: str = PREFIX, name: str = "name") -> Index:
    path = "" if storage is Storage.HASH else "$."
    attributes = (
        IndexField(f"{path}{name}", name, FieldKind.TAG, separator="|"),
        IndexField(f"{path}price", "price", FieldKind.NUMERIC),
    )
    return Index(f"{prefix}index", storage, (prefix,), attributes)


def model(storage: Storage, **changes: Any) -> Model:
    declared = Model(NAME, key_prefix=PREFIX, storage=storage, fields=FIELDS, index=index(storage))
    return declared.replaced(**changes)


def other(storage: Storage) -> Storage:
    return Storage.JSON if storage is Storage.HASH else Storage.HASH


def change(storage: Storage, *more: Operation, **changes: Any) -> FileMigration:
    """From this storage to the other one."""
    operations = more or (AlterIndex(NAME, before=index(storage), after=index(other(storage))),)
    before = ProjectState.of([model(storage, **changes)])
    return migration(ChangeStorage(NAME, storage, other(storage)), *operations, before=before)


def write(client: redis.Redis, storage: Storage, key: str, number: int) -> None:
    if storage is Storage.HASH:
        client.hset(key, mapping=HASH[number])
    else:
        client.execute_command("JSON.SET", key, "$", JSON[number])


def load(client: redis.Redis, storage: Storage, copies: int = 2) -> Snapshot:
    """Documents, some of which expire, with their index."""
    client.execute_command("FLUSHALL", "SYNC")
    create = AlterIndex(NAME, before=None, after=index(storage))
    do(client, forward(migration(create, before=ProjectState.of([model(storage, index=None)]))))
    for copy in range(copies):
        for number in range(len(HASH)):
            write(client, storage, f"{PREFIX}{copy}{number}", number)
        client.pexpireat(f"{PREFIX}{copy}0", EXPIRY)
    client.set("shop:orders", "of another program")
    return documents(client)


def values(client: redis.Redis, key: str) -> Mapping[str, Any]:
    if client.type(key) == b"hash":
        return {name.decode(): value.decode() for name, value in client.hgetall(key).items()}
    return json.loads(client.execute_command("JSON.GET", key))


both = pytest.mark.parametrize("storage", Storage)


@both
def test_documents_change_their_storage_and_get_every_byte_back(
    client: redis.Redis, storage: Storage
) -> None:
    before = load(client, storage, 20)
    one = change(storage)
    assert count(client, INDEX, "@price:[12 12] @name:{oak}") == 20
    result = do(client, forward(one))
    assert (result.outcome, result.failures.count) == (Outcome.DONE, 0)
    assert [(change.replaced, change.left) for change in result.storage] == [(60, 0)]
    assert {client.type(key) for key in client.scan_iter(match=f"{PREFIX}[0-9]*")} == {
        other(storage).key_type
    }
    assert count(client, INDEX, "@price:[12 12] @name:{oak}") == 20
    assert (client.pexpiretime(f"{PREFIX}00"), client.pexpiretime(f"{PREFIX}01")) == (EXPIRY, -1)
    if storage is Storage.HASH:
        assert values(client, f"{PREFIX}01") == {
            "kind": "old",
            "pk": "b",
            "name": "ash ü",
            "price": 7,
            "weight": 1.5,
            "ordered_at": 1700000000,
        }
        assert values(client, f"{PREFIX}02")["weight"] is None
        assert values(client, f"{PREFIX}00")["sold"] is True
    else:
        assert values(client, f"{PREFIX}00") == HASH[0]
        assert values(client, f"{PREFIX}02")["undeclared"] == "kept"
    assert do(client, forward(one)).is_complete
    undone = do(client, back(one))
    assert (undone.outcome, undone.originals, [one.replaced for one in undone.storage]) == (
        Outcome.DONE,
        60,
        [0],
    )
    assert difference(before, documents(client)) == []
    assert count(client, INDEX, "@price:[12 12] @name:{oak}") == 20
    assert [key for key in client.scan_iter(match="redstart:20261130*") if b":fence" not in key] == []


@pytest.mark.sample(1)
@both
def test_a_stop_at_any_request_is_resumed(client: redis.Redis, url: str, storage: Storage) -> None:
    one = change(storage)
    before = load(client, storage)
    do(client, forward(one))
    after = documents(client)
    writes = ("replace_documents", "restore_replaced")
    resumes_at_every_request(
        client, url, lambda: load(client, storage), lambda: forward(one), after, writes=writes, every=EVERY
    )

    def applied() -> None:
        load(client, storage)
        do(client, forward(one))

    resumes_at_every_request(client, url, applied, lambda: back(one), before, writes=writes, every=EVERY)


def program(url: str, name: str, operation: str) -> None:
    """Be a process that ends by SIGKILL between two scripts that replace or restore documents."""
    make_pages_small(setattr)
    scripts: list[str] = []

    def end(request: str) -> None:
        if any(one in request for one in ("replace_documents", "restore_replaced")):
            scripts.append(request)
            if (
                len(scripts) == 3
            ):  # the first one may have been sent twice, because the server did not know it
                os.kill(os.getpid(), signal.SIGKILL)

    one = change(Storage(name))
    with CrashDriver(url, before=end) as driver:
        driver.run(forward(one) if operation == "run" else back(one))


@pytest.mark.sample(1)
@both
def test_a_killed_process_is_resumed_by_another_one(client: redis.Redis, url: str, storage: Storage) -> None:
    before = load(client, storage, 5)
    one = change(storage)
    do(client, forward(one))
    after = documents(client)
    load(client, storage, 5)
    command = f"from {__name__} import program; import sys; program(*sys.argv[1:])"
    for operation, make, end in (("run", forward, after), ("rollback", back, before)):
        started = documents(client)
        words = [sys.executable, "-c", command, url, storage.value, operation]
        found = subprocess.run(words, cwd=REPOSITORY, capture_output=True, check=False)
        assert found.returncode == -signal.SIGKILL, found.stderr.decode()
        assert difference(started, documents(client)), "it has changed documents"
        assert difference(end, documents(client)), "it has not changed all"
        assert do(client, make(one)).is_complete
        assert difference(end, documents(client)) == []


@both
def test_no_write_of_the_old_version_is_lost(client: redis.Redis, url: str, storage: Storage) -> None:
    """Before each request it changes a document, as far as the server accepts it, and creates another one."""
    load(client, storage, 4)
    one = change(storage)
    acknowledged: dict[str, int] = {}
    refused: list[str] = []
    names: list[str] = []

    def write_beside(name: str) -> None:
        names.append(name)
        number = len(names)
        replaced_since = number - next((at for at, one in enumerate(names) if "replace" in one), number)
        # How often a build is looked at before depends on the server.
        if replaced_since > 40 or (number > 40 and not replaced_since):
            return
        for key in (f"{PREFIX}{number % 4}0", f"{PREFIX}new{number}"):
            try:
                if storage is Storage.HASH:
                    client.hset(key, mapping={**HASH[0], "price": number})
                else:
                    text = json.dumps({**json.loads(JSON[0]), "price": number})
                    client.execute_command("JSON.SET", key, "$", text)
                acknowledged[key] = number
            except redis.ResponseError:
                refused.append(key)

    with CrashDriver(url, before=write_beside) as driver:
        result = driver.run(forward(one))
    assert result.is_complete, result.stopped
    assert len(acknowledged) > 30
    assert any("replace" in one for one in names)
    assert refused, names
    found = {key: int(values(client, key)["price"]) for key in acknowledged}
    assert found == acknowledged
    last = documents(client)
    write(client, storage, f"{PREFIX}late", 1)
    contracted = do(client, one.contract_storage(base()))
    assert client.type(f"{PREFIX}late") == other(storage).key_type
    assert contracted[0].left == 0
    client.delete(f"{PREFIX}late")
    assert difference(last, documents(client)) == []
    do(client, back(one))
    assert {key: int(values(client, key)["price"]) for key in acknowledged} == acknowledged


@both
def test_what_the_new_version_wrote_since_is_changed_back(client: redis.Redis, storage: Storage) -> None:
    before = load(client, storage, 4)
    one = change(storage)
    do(client, forward(one))
    write(client, other(storage), f"{PREFIX}new", 1)
    client.pexpireat(f"{PREFIX}new", EXPIRY + 5)
    if other(storage) is Storage.HASH:
        client.hset(f"{PREFIX}01", "price", "99")
        client.hset(f"{PREFIX}bad", mapping={"price": "many"})
    else:
        client.execute_command("JSON.SET", f"{PREFIX}01", "$.price", "99")
        client.execute_command("JSON.SET", f"{PREFIX}bad", "$", '{"name":{"first":"a"}}')
    client.pexpireat(f"{PREFIX}02", EXPIRY + 6)
    client.delete(f"{PREFIX}12")
    undone = do(client, back(one))
    assert undone.outcome is Outcome.PROBLEMS_FOUND
    assert (undone.originals, undone.storage[0].replaced, undone.storage[0].left) == (10, 2, 1)
    assert [failure.key for failure in undone.storage[0].failures] == [f"{PREFIX}bad"]
    assert client.type(f"{PREFIX}bad") == other(storage).key_type
    assert int(values(client, f"{PREFIX}01")["price"]) == 99
    assert values(client, f"{PREFIX}new")["name"] == "ash ü"
    assert client.pexpiretime(f"{PREFIX}new") == EXPIRY + 5
    assert client.pexpiretime(f"{PREFIX}02") == EXPIRY + 6
    assert not client.exists(f"{PREFIX}12")
    client.persist(f"{PREFIX}02")
    changed = {f"{PREFIX}{one}".encode() for one in ("new", "bad", "01", "12")}
    expected = {key: entry for key, entry in before.items() if key not in changed}
    assert difference(expected, {k: e for k, e in documents(client).items() if k not in changed}) == []


@pytest.mark.parametrize(
    ("storage", "content", "reason"),
    [
        (Storage.HASH, {"price": "many"}, "price: not a number"),
        (Storage.HASH, {b"\xff": "x"}, "the name of a field is not valid UTF-8"),
        (Storage.HASH, {"undeclared": b"\xff"}, "undeclared: not valid utf-8 text"),
        (Storage.JSON, '{"price":1.5}', "price: not an integer"),
        (Storage.JSON, '{"undeclared":{"nested":1}}', "undeclared: not text, but a JSON object"),
        (Storage.JSON, '{"name":null}', "no value is left, and a hash cannot be empty"),
        (Storage.JSON, "[1]", "not a JSON object"),
    ],
)
def test_a_document_that_cannot_be_converted_refuses_the_run(
    client: redis.Redis, storage: Storage, content: Any, reason: str
) -> None:
    load(client, storage)
    key = f"{PREFIX}bad"
    if storage is Storage.HASH:
        client.hset(key, mapping=content)
    else:
        client.execute_command("JSON.SET", key, "$", content)
    before = documents(client)
    one = change(storage)
    result = do(client, forward(one))
    assert result.outcome is Outcome.STOPPED
    assert (
        result.stopped == f"1 of 7 documents cannot be stored as {other(storage).name}; nothing was changed"
    )
    shown = [f"{failure.path}: {failure.reason}".removeprefix(": ") for failure in result.storage[0].failures]
    assert (shown, result.storage[0].failures[0].key) == ([reason], key)
    assert difference(before, documents(client)) == []
    client.delete(key)
    assert do(client, forward(one)).is_complete


def test_a_field_that_expires_refuses_the_run(client: redis.Redis) -> None:
    load(client, Storage.HASH)
    client.execute_command("HPEXPIREAT", f"{PREFIX}01", EXPIRY, "FIELDS", 1, "price")
    before = documents(client)
    one = change(Storage.HASH)
    result = do(client, forward(one))
    assert [str(failure.reason) for failure in result.storage[0].failures] == [
        "the field expires, which JSON cannot store; HPERSIST removes the expiry"
    ]
    assert difference(before, documents(client)) == []
    client.execute_command("HPERSIST", f"{PREFIX}01", "FIELDS", 1, "price")
    assert do(client, forward(one)).is_complete


@both
def test_a_document_that_appears_and_cannot_be_converted_stops_the_run(
    client: redis.Redis, url: str, storage: Storage
) -> None:
    load(client, storage)
    one = change(storage)

    def write_beside(name: str) -> None:
        if "replace_documents" not in name:
            return
        if storage is Storage.HASH:
            client.hset(f"{PREFIX}bad", "price", "many")
        else:
            client.execute_command("JSON.SET", f"{PREFIX}bad", "$", '{"price":"many"}')

    with CrashDriver(url, before=write_beside) as driver:
        result = driver.run(forward(one))
    assert result.stopped == f"1 document cannot be stored as {other(storage).name}"
    assert [failure.key for failure in result.storage[0].failures] == [f"{PREFIX}bad"]
    assert result.indexes == ()
    client.delete(f"{PREFIX}bad")
    assert do(client, forward(one)).is_complete
    assert count(client, INDEX, "@name:{oak}") == 2


def recorded(client: redis.Redis, one: FileMigration) -> list[tuple[str, str]]:
    """Return the key and the path of each failure in the log."""
    return [(item.key, item.path) for item in do(client, FailureLog(one.context(base()).keys).all())]


@both
def test_failures_are_recorded_until_they_are_corrected(
    client: redis.Redis, url: str, storage: Storage
) -> None:
    load(client, storage)
    one = change(storage)
    fail(client, storage, "bad")
    assert do(client, forward(one)).failures.count == 1
    assert recorded(client, one) == [(f"{PREFIX}bad", "price")]
    client.delete(f"{PREFIX}bad")
    appeared: list[str] = []

    def write_beside(name: str) -> None:
        if "replace_documents" in name and not appeared:
            appeared.append(name)
            for key in ("gone", "later"):
                fail(client, storage, key)

    with CrashDriver(url, before=write_beside) as driver:
        result = driver.run(forward(one))
    assert result.stopped == f"2 documents cannot be stored as {other(storage).name}"
    assert {failure.value.strip('"') for failure in result.storage[0].failures} == {"many"}
    assert recorded(client, one) == [(f"{PREFIX}gone", "price"), (f"{PREFIX}later", "price")]
    assert do(client, forward(one)).failures.count == 2, "each is counted once"
    client.delete(f"{PREFIX}gone")
    write(client, storage, f"{PREFIX}later", 1)
    done = do(client, forward(one))
    assert (done.is_complete, done.failures.count, recorded(client, one)) == (True, 0, [])


@both
def test_failures_of_values_in_stored_documents_stay_recorded_until_the_rollback(
    client: redis.Redis, url: str, storage: Storage
) -> None:
    """An operation before or after the change of storage skips values; also a resumed run has them all."""
    before = load(client, storage)
    convert = ConvertField(NAME, before=Field("name", "str"), after=Field("name", "int"))
    alter = AlterIndex(NAME, before=index(storage), after=None)
    one = change(storage, alter, convert)
    expected = sorted(f"{PREFIX}{copy}{number}" for copy in range(2) for number in range(3))
    with CrashDriver(url) as driver:
        driver.run(forward(one))
        names = driver.names
    assert [key for key, _ in recorded(client, one)] == expected
    writes = [at for at, name in enumerate(names) if "replace_documents" in name]
    for at in writes[:2]:
        load(client, storage)
        crash(url, forward(one), at, CrashKind.AFTER)
        assert do(client, forward(one)).failures.count == len(expected)
        assert [key for key, _ in recorded(client, one)] == expected
    do(client, back(one))
    assert difference(before, documents(client)) == []
    assert [key for key in client.scan_iter(match="redstart:20261130*") if b":fence" not in key] == []


def fail(client: redis.Redis, storage: Storage, name: str) -> None:
    """Write a document that cannot be stored in the other storage."""
    if storage is Storage.HASH:
        client.hset(f"{PREFIX}{name}", "price", "many")
    else:
        client.execute_command("JSON.SET", f"{PREFIX}{name}", "$", '{"price":"many"}')


@both
def test_documents_of_the_new_type_refuse_the_run(client: redis.Redis, storage: Storage) -> None:
    load(client, storage)
    write(client, other(storage), f"{PREFIX}x", 0)
    before = documents(client)
    with pytest.raises(MigrationError, match=r"1 keys shop:order:\* are .* already, such as shop:order:x"):
        do(client, forward(change(storage)))
    assert difference(before, documents(client)) == []


@both
def test_lost_originals_refuse_a_rollback(client: redis.Redis, storage: Storage) -> None:
    load(client, storage)
    one = change(storage)
    do(client, forward(one))
    after = documents(client)
    originals = one.context(base()).keys.originals
    client.xtrim(originals, maxlen=3, approximate=False)
    with pytest.raises(UndoLogCorruptError, match="has 3 of 6 originals"):
        do(client, back(one))
    assert difference(after, documents(client)) == []
    assert do(client, drop_undo_log_of_data(one.context(base())))
    assert not client.exists(originals)
    undone = do(client, back(one))
    assert (undone.originals, undone.storage[0].replaced) == (0, 6)
    assert count(client, INDEX, "@price:[12 12] @name:{oak}") == 2


class Price(TypedDict):
    price: int


def cents(old: Any) -> Any:
    return {"price": old["price"] * 100}


def euros(new: Any) -> Any:
    return {"price": new["price"] // 100}


def many_changes(storage: Storage) -> FileMigration:
    """Storage, keys, fields, the name of the model and of the index, in one file; one change is not idempotent."""
    after = "store:purchase:"
    renamed = RenameField("shop.Purchase", "name", "title")
    priced = Transform("shop.Purchase", cents, euros, before=Price)
    added = AddField("shop.Purchase", Field("note", "str", default="-"))
    stored = ChangeStorage("shop.Purchase", storage, other(storage))
    fields = (stored, renamed, priced, added) if storage is Storage.HASH else (renamed, priced, added, stored)
    return migration(
        RenameModel(NAME, "shop.Purchase"),
        ChangeKeyPrefix("shop.Purchase", PREFIX, after),
        *fields,
        AlterIndex("shop.Purchase", before=index(storage), after=index(other(storage), after, "title")),
        before=ProjectState.of([model(storage)]),
    )


@pytest.mark.sample(1)
@both
def test_storage_keys_fields_and_names_change_in_one_file(
    client: redis.Redis, url: str, storage: Storage
) -> None:
    before = load(client, storage)
    one = many_changes(storage)
    assert do(client, forward(one)).is_complete
    after = documents(client)
    assert not list(client.scan_iter(match=f"{PREFIX}[0-9]*"))
    found = values(client, "store:purchase:00")
    assert (found["title"], int(found["price"]), found["note"], "name" in found) == ("oak", 1200, "-", False)
    assert client.pexpiretime("store:purchase:00") == EXPIRY
    assert count(client, "store:purchase:index", "@title:{oak} @price:[1200 1200]") == 2
    do(client, one.remove_models(base(), indexes(), one.after))
    with pytest.raises(redis.ResponseError):
        count(client, INDEX, "*")
    do(client, back(one))
    assert difference(before, documents(client)) == []
    assert count(client, INDEX, "@name:{oak} @price:[12 12]") == 2
    with pytest.raises(redis.ResponseError):
        count(client, "store:purchase:index", "*")
    writes = ("replace_documents", "restore_replaced")
    resumes_at_every_request(
        client,
        url,
        lambda: load(client, storage),
        lambda: forward(one),
        after,
        writes=writes,
        every=3 * EVERY,
    )


@both
def test_a_new_key_that_exists_is_not_overwritten(client: redis.Redis, storage: Storage) -> None:
    load(client, storage)
    client.set("store:purchase:00", "of another program")
    one = many_changes(storage)
    result = do(client, forward(one))
    assert result.stopped == f"1 document cannot be stored as {other(storage).name}"
    assert recorded(client, one) == [(f"{PREFIX}00", "")]
    assert client.get("store:purchase:00") == b"of another program"
    assert client.type(f"{PREFIX}00") == storage.key_type
    client.delete("store:purchase:00")
    assert do(client, forward(one)).is_complete


def test_text_becomes_a_list_or_part_of_an_embedded_model_in_json(client: redis.Redis) -> None:
    load(client, Storage.HASH)
    one = change(
        Storage.HASH,
        AlterIndex(NAME, before=index(Storage.HASH), after=index(Storage.JSON)),
        AddField(NAME, Field("detail", "object", default={}, fields=[Field("x", "int", default=1)])),
        MoveField(NAME, "kind", "detail.kind"),
        ConvertField(
            NAME,
            before=Field("weight", "float", is_optional=True),
            after=Field("weight", "str", is_optional=True),
        ),
    )
    before = documents(client)
    assert do(client, forward(one)).is_complete
    assert values(client, f"{PREFIX}00")["detail"]["kind"] == "new"
    assert values(client, f"{PREFIX}01")["weight"] == "1.5"
    do(client, back(one))
    assert difference(before, documents(client)) == []


def test_excluded_keys_stay(client: redis.Redis) -> None:
    before = load(client, Storage.HASH)
    inner = f"{PREFIX}1"
    file = change(Storage.HASH)
    one = FileMigration.of(file.file, file.before, exclude_prefixes=[inner])
    assert do(client, forward(one)).storage[0].replaced == 3
    assert {client.type(key) for key in client.scan_iter(match=f"{inner}*")} == {b"hash"}
    do(client, back(one))
    assert difference(before, documents(client)) == []
