"""Migration files with real operations, on documents and indexes: forward, contracted, and back byte for byte."""

import json
import time
import uuid
from typing import Any

import pytest
import redis
from typing_extensions import TypedDict

from redstart.effects import Op
from redstart.errors import MigrationError
from redstart.migrations.context import Context, Monitor
from redstart.migrations.data.results import RunOptions
from redstart.migrations.file_migration import FileMigration
from redstart.migrations.files.migration_file import Migration, MigrationFile
from redstart.migrations.indexes.expand import ExpansionOptions
from redstart.migrations.indexes.migrator import IndexMigration
from redstart.migrations.lease_state import this_process
from redstart.migrations.operations.state import ProjectState
from redstart.operations import (
    AddField,
    AlterField,
    AlterIndex,
    ConvertField,
    Field,
    FieldKind,
    Index,
    IndexField,
    Model,
    MoveField,
    Operation,
    RemoveField,
    RenameField,
    Storage,
    Transform,
)
from redstart.server.clients import open_like
from tests.migrations.data.test_second_migration import crash, crash_points
from tests.support.crash_driver import CrashDriver, CrashKind
from tests.support.migration import EXPIRY, documents_of, new_context, small_pieces
from tests.support.replies import send
from tests.support.snapshot import Snapshot, difference

FIELDS = (
    Field("name", "str"),
    Field("legacy", "str", default="none"),
    Field("price", "str"),
    Field("full_name", "str", default=""),
)
PREFIX = {Storage.HASH: "shop:order:", Storage.JSON: "shop:basket:"}
NAMES = {Storage.HASH: "shop.Order", Storage.JSON: "shop.Basket"}


def index_of(storage: Storage, *fields: IndexField) -> Index:
    return Index(f"{PREFIX[storage]}index", storage, (PREFIX[storage],), fields)


def attribute(storage: Storage, name: str, kind: FieldKind = FieldKind.TAG) -> IndexField:
    identifier = name if storage is Storage.HASH else f"$.{name}"
    return IndexField(identifier, name, kind, separator="|" if kind is FieldKind.TAG else None)


def model(storage: Storage, *fields: IndexField) -> Model:
    index = index_of(storage, *fields) if fields else None
    return Model(NAMES[storage], key_prefix=PREFIX[storage], storage=storage, fields=FIELDS, index=index)


def state(*fields: str) -> ProjectState:
    found = ProjectState()
    for storage in Storage:
        found = found.with_model(model(storage, *(attribute(storage, name) for name in fields)))
    return found


def migration(*operations: Operation, before: ProjectState | None = None) -> FileMigration:
    file = MigrationFile("20261130_120000_test", "test.py", "0" * 64, "Test", Migration((), operations))
    return FileMigration.of(file, before or state())


def both(make: Any, *arguments: Any, **options: Any) -> list[Operation]:
    return [make(name, *arguments, **options) for name in NAMES.values()]


DOCUMENTS: list[dict[str, Any]] = [
    {"pk": "a", "name": "oak", "legacy": "x", "price": "12", "full_name": "Ada Lovelace"},
    {"legacy": "x", "pk": "b", "name": "ash", "price": "0", "full_name": "Alan Turing"},
    {"name": "elm", "pk": "c", "price": "7", "unknown": "kept", "full_name": "Grace Hopper"},
    {"pk": "d", "price": "100", "legacy": "", "name": "yew", "full_name": "Edsger Dijkstra"},
]


def load(client: redis.Redis, copies: int = 8) -> Snapshot:
    client.execute_command("FLUSHALL", "SYNC")
    commands: list[tuple[Any, ...]] = []
    for copy in range(copies):
        for document in DOCUMENTS:
            pairs = [part for pair in document.items() for part in pair]
            key = f"{PREFIX[Storage.HASH]}{document['pk']}{copy}"
            commands.append(("HSET", key, *pairs))
            commands.append(
                ("JSON.SET", f"{PREFIX[Storage.JSON]}{document['pk']}{copy}", "$", json.dumps(document))
            )
            if copy == 0:
                commands.append(("PEXPIREAT", key, EXPIRY))
                commands.append(("HPEXPIREAT", key, EXPIRY + 1, "FIELDS", 2, "name", "legacy"))
    send(client, commands)
    return documents(client)


def documents(client: redis.Redis) -> Snapshot:
    """Return the documents, without the keys in which redis-om records a definition."""
    return {key: entry for key, entry in documents_of(client).items() if b":index:" not in key}


def base() -> Context:
    return new_context()


def indexes() -> IndexMigration:
    return IndexMigration(this_process(), uuid.uuid4().hex, time.monotonic, Monitor())


def forward(one: FileMigration) -> Op[Any]:
    return one.run(base(), RunOptions(batch_documents=10), indexes(), ExpansionOptions())


def contract(one: FileMigration) -> Op[Any]:
    return one.contract(base(), RunOptions(batch_documents=10))


def back(one: FileMigration) -> Op[Any]:
    return one.roll_back(base(), indexes(), ExpansionOptions())


def do(client: redis.Redis, operation: Op[Any]) -> Any:
    with open_like(client) as driver:
        return driver.run(operation)


def document(client: redis.Redis, storage: Storage, pk: str) -> dict[str, Any]:
    key = PREFIX[storage] + pk
    if storage is Storage.JSON:
        return json.loads(client.execute_command("JSON.GET", key))
    return {name.decode(): value.decode() for name, value in client.hgetall(key).items()}


def cents(old: Any) -> Any:
    return {"price": str(int(old["price"]) * 100)}


def euros(new: Any) -> Any:
    return {"price": str(int(new["price"]) // 100)}


class Price(TypedDict):
    price: str


def split(value: str) -> Any:
    return tuple(value.split(" ", 1))


CHANGES: dict[str, tuple[list[Operation], dict[str, Any], dict[str, Any]]] = {
    "add": (both(AddField, Field("priority", "int", default=3)), {"priority": 3}, {"priority": 3}),
    "rename": (
        both(RenameField, "name", "title"),
        {"title": "oak", "name": "oak"},
        {"title": "oak"},
    ),
    "remove": (both(RemoveField, "legacy"), {"legacy": "x"}, {}),
    "convert": (
        both(ConvertField, Field("price", "str"), Field("price", "int")),
        {"price": 12},
        {"price": 12},
    ),
}


@pytest.mark.parametrize("kind", ["str", "int"])
def test_what_an_optional_field_reads_as_none_is_filled_and_later_values_are_not(
    client: redis.Redis, kind: str
) -> None:
    """In a hash, an empty text is None for an optional field, and text for one that is required."""
    client.execute_command("FLUSHALL", "SYNC")
    optional = Field("note", kind, default=None, is_optional=True)
    fill, other = ("none", "x") if kind == "str" else (7, 9)
    prefix = PREFIX[Storage.HASH]
    for key, note in {"a": None, "b": "", "c": other}.items():
        client.hset(f"{prefix}{key}", mapping={"pk": key} | ({} if note is None else {"note": note}))
        found = {"pk": key} | ({} if key == "a" else {"note": note or None})
        client.execute_command("JSON.SET", f"{PREFIX[Storage.JSON]}{key}", "$", json.dumps(found))
    before = documents(client)
    models = [model(storage).replaced(fields=(optional,)) for storage in Storage]
    one = migration(
        *both(AlterField, before=optional, after=Field("note", kind), fill=fill),
        before=ProjectState.of(models),
    )
    assert do(client, forward(one)).is_complete
    notes = [document(client, storage, key)["note"] for storage in Storage for key in "abc"]
    assert notes == [str(fill), str(fill), str(other), fill, fill, other]
    if kind == "str":
        client.hset(f"{prefix}new", mapping={"pk": "new", "note": ""})
        client.execute_command("JSON.SET", f"{PREFIX[Storage.JSON]}new", "$", '{"pk": "new", "note": ""}')
        assert do(client, one.verify(base())).problems.first == []
        assert do(client, contract(one)).converted == 0
        assert [document(client, storage, "new")["note"] for storage in Storage] == ["", ""]
        client.delete(*(f"{prefix}new" for prefix in PREFIX.values()))
    assert do(client, back(one)).data.kept == 0
    assert difference(before, documents(client)) == []


@pytest.mark.parametrize("name", CHANGES)
def test_each_operation_is_run_contracted_and_rolled_back(client: redis.Redis, name: str) -> None:
    operations, expanded, contracted = CHANGES[name]
    before = load(client)
    one = migration(*operations)
    touched = {*expanded, *contracted}
    result = do(client, forward(one))
    assert result.is_complete
    for storage in Storage:
        found = document(client, storage, "a1")
        assert {key: found[key] for key in touched if key in found} == as_stored(expanded, storage)
    assert do(client, one.verify(base())).problems.first == []
    if name == "rename":
        times = client.execute_command(
            "HPEXPIRETIME", PREFIX[Storage.HASH] + "a0", "FIELDS", 2, "name", "title"
        )
        assert times == [EXPIRY + 1, EXPIRY + 1]
    again = do(client, forward(one))
    assert (again.data.converted, again.data.errors) == (0, 0)
    _ = do(client, contract(one))
    for storage in Storage:
        found = document(client, storage, "a1")
        assert {key: found[key] for key in touched if key in found} == as_stored(contracted, storage)
    undone = do(client, back(one)).data
    assert (undone.stopped, undone.kept, undone.unrestored) == (None, 0, 0)
    assert difference(before, documents(client)) == []


def as_stored(values: dict[str, Any], storage: Storage) -> dict[str, Any]:
    return values if storage is Storage.JSON else {name: str(value) for name, value in values.items()}


def everything() -> FileMigration:
    """Operations and an index change in one file."""
    operations: list[Operation] = []
    for storage, name in NAMES.items():
        operations += [
            RenameField(name, "name", "title"),
            AddField(name, Field("priority", "int", default=3)),
            RemoveField(name, "legacy"),
            ConvertField(name, Field("price", "str"), Field("price", "int")),
            AlterIndex(
                name,
                before=index_of(storage, attribute(storage, "name"), attribute(storage, "price")),
                after=index_of(
                    storage,
                    attribute(storage, "title"),
                    attribute(storage, "price", FieldKind.NUMERIC),
                    attribute(storage, "priority", FieldKind.NUMERIC),
                ),
            ),
        ]
    return migration(*operations, before=state("name", "price"))


def initial() -> FileMigration:
    """The indexes before it, as `om migrate run` has created them."""
    before = state()
    operations = [
        AlterIndex(
            NAMES[storage],
            before=None,
            after=index_of(storage, attribute(storage, "name"), attribute(storage, "price")),
        )
        for storage in Storage
    ]
    file = MigrationFile("20261130_110000_initial", "i.py", "1" * 64, "Initial", Migration((), operations))
    return FileMigration.of(file, before)


def found(client: redis.Redis, storage: Storage, query: str) -> int:
    reply = client.execute_command("FT.SEARCH", f"{PREFIX[storage]}index", query, "LIMIT", 0, 0, "DIALECT", 2)
    return reply[b"total_results"] if isinstance(reply, dict) else reply[0]


def test_documents_and_indexes_change_together(client: redis.Redis) -> None:
    before = load(client)
    do(client, forward(initial()))
    one = everything()
    for storage in Storage:
        assert found(client, storage, "@name:{oak}") == 8
    assert do(client, forward(one)).is_complete
    for storage in Storage:
        assert found(client, storage, "@title:{oak}") == 8
        assert found(client, storage, "@price:[12 12] @priority:[3 3]") == 8
    _ = do(client, contract(one))
    for storage in Storage:
        assert document(client, storage, "a1") == as_stored(
            {"pk": "a", "title": "oak", "price": 12, "priority": 3, "full_name": "Ada Lovelace"}, storage
        )
    undone, results = (rolled := do(client, back(one))).data, rolled.indexes
    assert (undone.kept, [result.is_refused for result in results]) == (0, [False, False])
    assert difference(before, documents(client)) == []
    for storage in Storage:
        assert found(client, storage, "@name:{oak} @price:{12}") == 8


@pytest.mark.sample(1)
def test_a_stop_at_any_request_is_resumed(
    client: redis.Redis, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_pieces(monkeypatch)
    one = everything()

    def whole() -> Op[Any]:
        yield from forward(one)
        yield from contract(one)

    before = load(client, copies=2)
    do(client, forward(initial()))
    with CrashDriver(url) as driver:
        driver.run(whole())
        names, end = driver.names, documents(client)
    with CrashDriver(url) as driver:
        driver.run(back(one))
        undo_names = driver.names
    for at, kind in crash_points(names):
        load(client, copies=2)
        do(client, forward(initial()))
        crash(url, whole(), at, kind)
        do(client, whole())
        assert difference(end, documents(client)) == [], (names[at], kind)
    for at, kind in crash_points(undo_names):
        load(client, copies=2)
        do(client, forward(initial()))
        do(client, whole())
        crash(url, back(one), at, kind)
        do(client, back(one))
        assert difference(before, documents(client)) == [], (undo_names[at], kind)


def priced() -> FileMigration:
    """A change that documents do not show, and one that they do."""
    operations = both(Transform, cents, euros, before=Price)
    return migration(*operations, *both(RenameField, "name", "title"))


def prices(client: redis.Redis) -> dict[str, str]:
    return {
        f"{storage}{document_['pk']}{copy}": document(client, storage, f"{document_['pk']}{copy}")["price"]
        for storage in Storage
        for document_ in DOCUMENTS
        for copy in range(2)
    }


def test_a_change_that_documents_do_not_show_is_made_once(
    client: redis.Redis, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_pieces(monkeypatch)
    before = load(client, copies=2)
    old = prices(client)
    one = priced()
    with CrashDriver(url) as driver:
        driver.run(forward(one))
        names, end = driver.names, documents(client)
    assert prices(client) == {key: str(int(price) * 100) for key, price in old.items()}
    assert do(client, forward(one)).data.converted == 0
    assert difference(end, documents(client)) == []
    assert do(client, one.verify(base())).problems.first == []
    with CrashDriver(url) as driver:
        driver.run(back(one))
        undo_names = driver.names
    assert difference(before, documents(client)) == []
    left = client.scan_iter(match="redstart:20261130*")
    assert [key for key in left if b":fence" not in key] == []
    for at, kind in [*crash_points(names), *crash_points(names)]:
        load(client, copies=2)
        crash(url, forward(one), at, kind)
        do(client, forward(one))
        assert difference(end, documents(client)) == [], (names[at], kind)
    for at, kind in crash_points(undo_names):
        load(client, copies=2)
        do(client, forward(one))
        crash(url, back(one), at, kind)
        do(client, back(one))
        assert difference(before, documents(client)) == [], (undo_names[at], kind)


def test_documents_written_since_are_reverted_once(client: redis.Redis) -> None:
    load(client)
    one = priced()
    do(client, forward(one))
    key = PREFIX[Storage.HASH]
    client.hset(key + "a1", "price", "1500")
    client.hset(key + "new", mapping={"title": "n", "price": "300", "full_name": "N"})
    client.delete(key + "b1")
    undone = do(client, back(one)).data
    assert (undone.stopped, undone.kept, undone.unrestored) == (None, 0, 0)
    assert document(client, Storage.HASH, "a1")["price"] == "15"
    assert document(client, Storage.HASH, "a1")["name"] == "oak"
    assert document(client, Storage.HASH, "new") == {"name": "n", "price": "3", "full_name": "N"}
    assert document(client, Storage.HASH, "a2")["price"] == "12"
    assert not client.exists(key + "b1")


def test_a_run_that_was_interrupted_is_rolled_back(client: redis.Redis, url: str) -> None:
    before = load(client)
    one = priced()
    with CrashDriver(url) as driver:
        driver.run(forward(one))
        applied = [at for at, name in enumerate(driver.names) if "apply" in name]
    for at in (applied[0], applied[len(applied) // 2], applied[-1]):
        load(client)
        crash(url, forward(one), at, CrashKind.AFTER)
        undone = do(client, back(one)).data
        assert undone.stopped is None
        assert difference(before, documents(client)) == []


def test_keys_of_other_models_and_indexes_are_left_alone(client: redis.Redis) -> None:
    load(client)
    item = PREFIX[Storage.HASH] + "item:"
    client.hset(item + "1", mapping={"name": "bolt", "price": "1"})
    with_items = state().with_model(Model("shop.Item", key_prefix=item, storage=Storage.HASH, fields=FIELDS))
    one = migration(RenameField("shop.Order", "name", "title"), before=with_items)
    do(client, forward(one))
    do(client, contract(one))
    assert client.hgetall(item + "1") == {b"name": b"bolt", b"price": b"1"}
    assert client.hget(PREFIX[Storage.HASH] + "a1", "title") == b"oak"
    do(client, back(one))
    alone = migration(RenameField("shop.Order", "name", "title"))
    client.execute_command("FT.CREATE", "items", "ON", "HASH", "PREFIX", 1, item, "SCHEMA", "name", "TAG")
    with pytest.raises(MigrationError, match="belong to the index items"):
        do(client, forward(alone))
    assert client.hgetall(item + "1") == {b"name": b"bolt", b"price": b"1"}


def test_an_index_of_no_model_that_filters_by_a_changed_value(client: redis.Redis) -> None:
    load(client)
    prefix = PREFIX[Storage.HASH]
    words = ("ON", "HASH", "PREFIX", 1, prefix, "FILTER", "@name=='oak'", "SCHEMA", "name", "TAG")
    client.execute_command("FT.CREATE", "oaks", *words)
    one = migration(RenameField("shop.Order", "name", "title"))
    with pytest.raises(MigrationError, match="oaks"):
        do(client, forward(one))
    assert client.hget(prefix + "a1", "title") is None


LINES = Model(
    "shop.Basket",
    key_prefix=PREFIX[Storage.JSON],
    storage=Storage.JSON,
    fields=(
        Field(
            "lines",
            "list[object]",
            fields=(
                Field("sku", "str"),
                Field("note", "str", default=""),
                Field("size", "object", fields=(Field("width", "int"),)),
            ),
        ),
        Field("by_day", "dict[str, list[object]]", fields=(Field("sku", "str"),)),
    ),
)
IN_LISTS: dict[str, Operation] = {
    "rename": RenameField("shop.Basket", "sku", "code", within="lines[]"),
    "rename in a map of lists": RenameField("shop.Basket", "sku", "code", within="by_day{}[]"),
    "rename an object": RenameField("shop.Basket", "size", "extent", within="lines[]"),
    "remove": RemoveField("shop.Basket", "note", within="lines[]"),
    "move out of an object": MoveField("shop.Basket", "lines[].size.width", "lines[].width"),
}


@pytest.mark.parametrize("name", IN_LISTS)
def test_values_inside_lists_stay_until_the_cleanup(client: redis.Redis, name: str) -> None:
    content = {
        "lines": [{"sku": "a", "note": "n", "size": {"width": 1}}, {"sku": "b", "size": {"width": 2}}],
        "by_day": {"monday": [{"sku": "c"}]},
    }
    key = f"{PREFIX[Storage.JSON]}a"
    client.execute_command("JSON.SET", key, "$", json.dumps(content))
    before = documents(client)
    one = migration(IN_LISTS[name], before=ProjectState.of([LINES]))
    assert do(client, forward(one)).is_complete
    assert contains(document(client, Storage.JSON, "a"), content)
    assert do(client, forward(one)).data.converted == 0
    _ = do(client, contract(one))
    assert not contains(document(client, Storage.JSON, "a"), content)
    undone = do(client, back(one)).data
    assert (undone.stopped, undone.kept, undone.unrestored) == (None, 0, 0)
    assert difference(before, documents(client)) == []


def contains(value: Any, part: Any) -> bool:
    """Return whether a JSON value has all members of another one, also in the objects of its lists."""
    if isinstance(part, dict):
        return all(name in value and contains(value[name], inside) for name, inside in part.items())
    if isinstance(part, list):
        return len(value) == len(part) and all(map(contains, value, part))
    return bool(value == part)


REUSED: dict[str, tuple[list[Operation], dict[str, Any]]] = {
    "another type": (
        [RemoveField(name, "price") for name in NAMES.values()]
        + both(AddField, Field("price", "UUID"), fill=uuid.UUID(int=1)),
        {"price": str(uuid.UUID(int=1)), "name": "oak"},
    ),
    "another field": (
        both(RemoveField, "name") + both(RenameField, "legacy", "name"),
        {"name": "x", "price": "12"},
    ),
    "the name of a renamed field": (
        both(RenameField, "name", "title") + both(AddField, Field("name", "str", default="new")),
        {"title": "oak", "name": "new", "price": "12"},
    ),
    "swapped names": (
        both(RenameField, "name", "swap")
        + both(RenameField, "legacy", "name")
        + both(RenameField, "swap", "legacy"),
        {"name": "x", "legacy": "oak", "price": "12"},
    ),
}


@pytest.mark.parametrize("name", REUSED)
def test_a_name_is_used_again_for_another_field(client: redis.Redis, name: str) -> None:
    """The values of the new field survive the cleanup, and those of the old one are restored."""
    operations, expected = REUSED[name]
    before = load(client)
    one = migration(*operations)
    result = do(client, forward(one))
    assert (result.is_complete, result.failures.count) == (True, 0)
    for storage in Storage:
        found = document(client, storage, "a1")
        assert {field: found.get(field) for field in expected} == expected
        assert set(found) <= {*expected, "pk", "name", "legacy", "full_name", "price"}
    assert do(client, one.verify(base())).problems.first == []
    key = f"{PREFIX[Storage.HASH]}b1"
    value = client.hget(key, "name")
    client.hset(key, "name", "of the new version")
    _ = do(client, contract(one))
    assert client.hget(key, "name") == b"of the new version"
    client.hset(key, "name", value)
    undone = do(client, back(one)).data
    assert (undone.stopped, undone.kept, undone.unrestored) == (None, 0, 0)
    assert difference(before, documents(client)) == []
