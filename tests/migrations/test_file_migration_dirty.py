"""Migration files on documents as no model has written them, and functions that do not what they should."""

import json
from typing import Any

import pytest
import redis

from redstart.migrations.operations.state import ProjectState
from redstart.operations import (
    AddField,
    ConvertField,
    Field,
    MergeFields,
    Model,
    MoveField,
    Operation,
    RemoveField,
    RenameField,
    SplitField,
    Storage,
    Transform,
)
from tests.migrations.test_file_migration import (
    CHANGES,
    DOCUMENTS,
    NAMES,
    PREFIX,
    Price,
    back,
    base,
    both,
    cents,
    contract,
    do,
    document,
    documents,
    euros,
    forward,
    load,
    migration,
)
from tests.support.migration import EXPIRY
from tests.support.snapshot import difference

HASH, JSON = PREFIX[Storage.HASH], PREFIX[Storage.JSON]
BASKET = NAMES[Storage.JSON]

BYTES = [
    b"\xff\xfe",
    b"",
    b" ",
    b"1e999",
    b"[]",
    b"{}",
    b"null",
    b"9" * 400,
    b"1.0",
    "ü\u2028".encode(),
    b'"q"',
]
TEXTS = [
    *("null", "1", '"x"', "[]", "{}", "[[1]]", "1.50", "1e3", "true", '"\\u0000"', '{"a":null}', "[null]"),
    *('"\\ud83d\\ude00"', "12345678901234567890123", "-0", '" "', '"a\\"}],{b"', '{"{":"}","]":[1,{"x":2}]}'),
]
NAMES_OF_FIELDS = ["name", "legacy", "price", "full_name", "title", "priority", "both", "first"]
HOSTILE = [" lead", "q'\"x", "a.b", "__", "ü", "back\\slash", "[0]", "$"]


def load_dirty(client: redis.Redis) -> None:
    """Write every value in every field, in documents with only that field, with many, and with hostile names."""
    client.execute_command("FLUSHALL", "SYNC")
    many = [*NAMES_OF_FIELDS[:4], *HOSTILE]
    for number, raw in enumerate(BYTES):
        client.hset(f"{HASH}many{number}", mapping=dict.fromkeys(many, raw))
        client.hset(HASH.encode() + b"\xff%d" % number, mapping={"name": "x", HOSTILE[number % 8]: raw})
        for name in NAMES_OF_FIELDS:
            client.hset(f"{HASH}{name}{number}", name, raw)
    for number, text in enumerate(TEXTS):
        members = ",".join(f"{json.dumps(name)}:{text}" for name in many)
        client.execute_command("JSON.SET", f"{JSON}many{number}", "$", f"{{{members}}}")
        client.execute_command("JSON.SET", f"{JSON}root{number}", "$", text)
        for name in NAMES_OF_FIELDS:
            client.execute_command("JSON.SET", f"{JSON}{name}{number}", "$", f'{{"pk":1,"{name}":{text}}}')
    client.set(f"{HASH}text", "x")
    client.hset(f"{JSON}hash", "name", "x")
    for key in client.scan_iter(match="shop:*1"):
        client.pexpireat(key, EXPIRY)


OPERATIONS: dict[str, list[Operation]] = {
    **{name: made for name, (made, _, _) in CHANGES.items()},
    "transform": both(Transform, cents, euros, before=Price),
    "split": both(SplitField, "full_name", [Field("first", "str"), Field("last", "str")]),
    "merge": both(MergeFields, ["name", "legacy"], Field("both", "str")),
}


@pytest.mark.sample(2)
@pytest.mark.parametrize("name", OPERATIONS)
def test_dirty_documents_come_back_byte_for_byte(client: redis.Redis, name: str) -> None:
    load_dirty(client)
    before = documents(client)
    one = migration(*OPERATIONS[name])
    assert do(client, forward(one)).is_complete
    assert do(client, forward(one)).data.converted == 0
    assert do(client, one.verify(base())) is not None
    _ = do(client, contract(one))
    undone = do(client, back(one)).data
    assert (undone.stopped, undone.unrestored) == (None, 0)
    assert difference(before, documents(client)) == []


def embedded() -> ProjectState:
    line = (Field("sku", "str"), Field("n", "int", default=1))
    address = (Field("street", "str"), Field("zip", "str", default=""))
    fields = (
        Field("name", "str"),
        Field("lines", "list[object]", fields=line),
        Field("address", "object", is_optional=True, fields=address),
    )
    return ProjectState().with_model(
        Model(BASKET, key_prefix=JSON, storage=Storage.JSON, fields=fields, index=None)
    )


EMBEDDED: list[dict[str, Any]] = [
    {
        "name": "x",
        "lines": [{"sku": "1", "n": 2}, {"n": 3, "sku": "2", " lead": 1}],
        "address": {"street": "s", "zip": "1", **dict.fromkeys(HOSTILE, 1)},
    },
    {"lines": [], "name": "y", "address": None},
    {"lines": None, "name": "z"},
    {" lead": {"a,": ["}"]}, "lines": "text", "name": "v", "address": "text"},
    {"name": "w", "lines": [{"sku": "1"}, None, 5], "address": {"zip": "0", "street": "t"}},
]


@pytest.mark.parametrize(
    "operation",
    [
        RenameField(BASKET, "sku", "code", within="lines[]"),
        RemoveField(BASKET, "n", within="lines[]"),
        AddField(BASKET, Field("q", "int", default=5), within="lines[]"),
        ConvertField(BASKET, Field("n", "int", default=1), Field("n", "str", default="1"), within="lines[]"),
        RenameField(BASKET, "street", "road", within="address"),
        MoveField(BASKET, "name", "address.name"),
        MoveField(BASKET, "address.street", "street"),
        AddField(BASKET, Field("q", "int", default=5), within="address"),
        RemoveField(BASKET, "zip", within="address"),
        RenameField(BASKET, "address", "place"),
    ],
    ids=lambda operation: operation.describe(),
)
def test_embedded_models_keep_what_the_old_version_reads(client: redis.Redis, operation: Operation) -> None:
    client.execute_command("FLUSHALL", "SYNC")
    for number, content in enumerate(EMBEDDED):
        client.execute_command("JSON.SET", f"{JSON}{number}", "$", json.dumps(content))
        client.pexpireat(f"{JSON}{number}", EXPIRY + number)
    before = documents(client)
    one = migration(operation, before=embedded())
    assert do(client, forward(one)).is_complete
    if not isinstance(operation, ConvertField):
        for number, content in enumerate(EMBEDDED):
            assert contains(document(client, Storage.JSON, str(number)), content)
    assert do(client, forward(one)).data.converted == 0
    _ = do(client, contract(one))
    if isinstance(operation, RenameField) and operation.within == "lines[]":
        assert document(client, Storage.JSON, "0")["lines"][0] == {"code": "1", "n": 2}
    undone = do(client, back(one)).data
    assert (undone.stopped, undone.kept, undone.unrestored) == (None, 0, 0)
    assert difference(before, documents(client)) == []


def contains(found: Any, wanted: Any) -> bool:
    """Return whether everything that the old version reads is still there."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(
            name in found and contains(found[name], value) for name, value in wanted.items()
        )
    if isinstance(wanted, list):
        return len(found) == len(wanted) and all(map(contains, found, wanted))
    return bool(found == wanted) or wanted is None


@pytest.mark.sample(0)
def test_a_large_document_comes_back(client: redis.Redis) -> None:
    client.execute_command("FLUSHALL", "SYNC")
    lines = [{"sku": f"{number:020}", "n": number} for number in range(60_000)]
    content = {"name": "n", "lines": lines, "address": {"street": "x" * 2_000_000, "zip": "1", "k": 1}}
    client.execute_command("JSON.SET", f"{JSON}a", "$", json.dumps(content))
    before = documents(client)
    one = migration(
        RenameField(BASKET, "sku", "code", within="lines[]"),
        RenameField(BASKET, "street", "road", within="address"),
        RemoveField(BASKET, "zip", within="address"),
        before=embedded(),
    )
    assert do(client, forward(one)).data.errors == 0
    assert do(client, contract(one)).errors == 0
    assert document(client, Storage.JSON, "a")["lines"][1] == {"n": 1, "code": f"{1:020}"}
    _ = do(client, back(one))
    assert difference(before, documents(client)) == []


@pytest.mark.sample(0)
def test_600_fields_of_one_document_are_added_at_once(client: redis.Redis) -> None:
    before = load(client, copies=1)
    one = migration(
        *(made for number in range(600) for made in both(AddField, Field(f"f{number}", "int", default=1)))
    )
    assert do(client, forward(one)).data.errors == 0
    for storage in Storage:
        assert len(document(client, storage, "b0")) == len(DOCUMENTS[1]) + 600
    _ = do(client, back(one))
    assert difference(before, documents(client)) == []


def test_the_last_field_of_a_hash_is_not_removed(client: redis.Redis) -> None:
    """Without fields there is no hash: it would be gone, with its expiry."""
    client.hset(f"{HASH}a", "legacy", "x")
    client.pexpireat(f"{HASH}a", EXPIRY)
    before = documents(client)
    one = migration(*both(RemoveField, "legacy"))
    do(client, forward(one))
    assert do(client, contract(one)).errors == 1
    assert difference(before, documents(client)) == []
    do(client, back(one))
    assert difference(before, documents(client)) == []


def test_new_fields_expire_with_those_they_are_made_of(client: redis.Redis) -> None:
    """The name of a person must not outlive the field that expires; an unrelated field must not expire."""
    load(client)
    client.hset(f"{HASH}a1", "price", "oak")
    for at, name in enumerate(("name", "legacy", "full_name")):
        client.execute_command("HPEXPIREAT", f"{HASH}a1", EXPIRY + at, "FIELDS", 1, name)
    before = documents(client)
    order = NAMES[Storage.HASH]
    one = migration(
        AddField(order, Field("flag", "str", default="oak")),
        SplitField(order, "full_name", [Field("first", "str"), Field("last", "str")]),
        RenameField(order, "first", "given"),
        MergeFields(order, ["name", "legacy"], Field("label", "str")),
    )
    for step in (forward, contract):
        _ = do(client, step(one))
        names = ("flag", "given", "last", "label")
        times = client.execute_command("HPEXPIRETIME", f"{HASH}a1", "FIELDS", 4, *names)
        assert times == [-1, EXPIRY + 2, EXPIRY + 2, EXPIRY]
    _ = do(client, back(one))
    assert difference(before, documents(client)) == []


def test_a_field_does_not_inherit_the_expiry_of_another_change(client: redis.Redis) -> None:
    """Also where all changes of a document are made and undone together."""
    before = load(client)
    order = NAMES[Storage.HASH]
    one = migration(
        AddField(order, Field("flag", "str", default="oak")),
        RenameField(order, "name", "title"),
        Transform(order, cents, euros, before=Price),
    )
    do(client, forward(one))
    times = client.execute_command("HPEXPIRETIME", f"{HASH}a0", "FIELDS", 2, "flag", "title")
    assert times == [-1, EXPIRY + 1]
    _ = do(client, back(one))
    assert difference(before, documents(client)) == []


def cents_of_small(old: Any) -> Any:
    price = int(old["price"])
    if price > 50:
        raise ValueError("too much")
    return {"price": str(price * 100)}


def small_in_cents(old: Any) -> Any:
    price = int(old["price"])
    return {"price": str(price * 100) if price <= 50 else old["price"]}


@pytest.mark.parametrize("function", [cents_of_small, small_in_cents])
def test_documents_that_a_run_has_left_are_not_reverted(client: redis.Redis, function: Any) -> None:
    """They look like changed ones: a rollback must not divide a price that was never multiplied."""
    before = load(client)
    one = migration(*both(Transform, function, euros, before=Price))
    result = do(client, forward(one))
    assert result.data.errors == (16 if function is cents_of_small else 0)
    client.hset(f"{HASH}d1", "price", "70000")  # the new version has written it since
    undone = do(client, back(one)).data
    assert (undone.stopped, undone.kept, undone.reformatted) == (None, 0, 1)
    assert client.hget(f"{HASH}d1", "price") == b"700"
    client.hset(f"{HASH}d1", "price", "100")
    assert difference(before, documents(client)) == []


def leave(_: Any) -> Any:
    raise SystemExit(0)


def recurse(old: Any) -> Any:
    return recurse(old)


def mutate(old: Any) -> Any:
    old["price"] = "1"
    return old


@pytest.mark.parametrize("function", [leave, recurse, mutate])
def test_what_a_function_does_wrong_is_a_failure_of_the_document(client: redis.Redis, function: Any) -> None:
    """sys.exit(0) in a function must not look like a successful command."""
    before = load(client)
    converting = ConvertField(
        NAMES[Storage.HASH],
        Field("legacy", "str", default="none"),
        Field("legacy", "int", default=0),
        parse=leave,
    )
    for operations in (both(Transform, function, euros, before=Price), [converting]):
        one = migration(*operations)
        result = do(client, forward(one))
        assert result.data.stopped is None
        assert result.data.errors == (64 if len(operations) == 2 else 24)
        assert difference(before, documents(client)) == []
        _ = do(client, back(one))
        assert difference(before, documents(client)) == []


def interrupt(_: Any) -> Any:
    raise KeyboardInterrupt


def test_a_function_can_be_interrupted(client: redis.Redis) -> None:
    before = load(client)
    one = migration(*both(Transform, interrupt, euros, before=Price))
    with pytest.raises(KeyboardInterrupt):
        do(client, forward(one))
    assert difference(before, documents(client)) == []
    again = migration(*both(Transform, cents, euros, before=Price))
    assert do(client, forward(again)).is_complete
    _ = do(client, back(again))
    assert difference(before, documents(client)) == []
