"""Empty texts of fields whose type is converted: no value where they mean None, and a recorded failure elsewhere."""

import json
from collections.abc import Set
from itertools import product
from typing import Any

import pytest
import redis

from redstart.effects import Op
from redstart.migrations.data.results import RunOptions
from redstart.migrations.file_migration import FileMigration
from redstart.migrations.indexes.expand import ExpansionOptions
from redstart.migrations.operations.state import ProjectState
from redstart.operations import (
    AlterIndex,
    ChangeKeyPrefix,
    ChangeStorage,
    ConvertField,
    Field,
    FieldKind,
    Index,
    IndexField,
    Model,
    Operation,
    RenameField,
    SplitField,
    Storage,
)
from tests.migrations.operations.strategies import VALUES
from tests.migrations.test_file_migration import base, do, documents, indexes, migration
from tests.support.migration import EXPIRY
from tests.support.snapshot import Snapshot, difference

NAME, PREFIX, MOVED = "shop.Order", "shop:order:", "shop:purchase:"
NUMBERS = ("int", "float", "Decimal", "datetime", "date")
"""Types whose index accepts numbers only."""

TARGETS = {f"to_{number}": kind for number, kind in enumerate(VALUES) if kind != "str"}
"""The type that each field is converted to."""

NEVER_FAIL = ("bytes",)
"""Types that have a value for each text."""

DECIDED = {name: kind for name, kind in TARGETS.items() if kind not in NEVER_FAIL}
"""Those of which documents show whether they are converted. Without others, a run removes nothing but such texts."""

WITH = ("nothing", "rename", "key prefix", "rename and key prefix", "split", "storage")
Stored = dict[str, str]


def converted(storage: Storage, beside: str, *, is_optional: bool) -> FileMigration:
    """Return a file that converts all fields from text, and does something else to them."""
    others = "split" in beside
    targets = DECIDED if beside == "rename" else TARGETS
    fields = [Field("pk", "str"), *(Field(name, "str", is_optional=is_optional) for name in targets)]
    if others:
        fields = [Field("pk", "str"), Field("pair", "str", is_optional=is_optional)]
    names = {name: f"{name}_new" if "rename" in beside else name for name in targets}
    after, prefix, operations = storage, PREFIX, list[Operation]()
    if "rename" in beside:
        operations += [RenameField(NAME, old, new) for old, new in names.items()]
    kinds = {names[name]: kind for name, kind in targets.items()}
    if others:
        kinds = {"first": "int", "last": "datetime"}
        into = [Field(name, "str", is_optional=is_optional) for name in kinds]
        operations.append(SplitField(NAME, "pair", into, separator="|"))
    for name, kind in kinds.items():
        old = Field(name, "str", is_optional=is_optional)
        operations.append(ConvertField(NAME, old, old.replaced(type=kind), naive_timezone="UTC"))
    if "key prefix" in beside:
        prefix = MOVED
        operations.append(ChangeKeyPrefix(NAME, PREFIX, MOVED))
    if beside == "storage":
        after = Storage.JSON if storage is Storage.HASH else Storage.HASH
        operations.append(ChangeStorage(NAME, storage, after))
    before_index = index(storage, PREFIX, {one.name: FieldKind.TAG for one in fields})
    numeric = {name: FieldKind.NUMERIC for name, kind in kinds.items() if kind in NUMBERS}
    operations.append(AlterIndex(NAME, before=before_index, after=index(after, prefix, numeric)))
    model = Model(NAME, key_prefix=PREFIX, storage=storage, fields=fields, index=before_index)
    return migration(*operations, before=ProjectState.of([model]))


def index(storage: Storage, prefix: str, kinds: dict[str, FieldKind]) -> Index:
    path = "" if storage is Storage.HASH else "$."
    attributes = [
        IndexField(f"{path}{name}", name, kind, separator="|" if kind is FieldKind.TAG else None)
        for name, kind in kinds.items()
    ]
    return Index("shop:order:index", storage, (prefix,), tuple(attributes))


def created(one: FileMigration) -> FileMigration:
    """Return the file before it, which creates the index."""
    (model,) = one.before.models.values()
    bare = ProjectState.of([model.replaced(index=None)])
    return migration(AlterIndex(NAME, before=None, after=model.index), before=bare)


def forward(one: FileMigration, options: ExpansionOptions) -> Op[Any]:
    return one.run(base(), RunOptions(batch_documents=10), indexes(), options)


def load(client: redis.Redis, storage: Storage, stored: dict[str, Stored], *, expires: bool) -> Snapshot:
    for pk, fields in stored.items():
        if storage is Storage.JSON:
            client.execute_command("JSON.SET", PREFIX + pk, "$", json.dumps({"pk": pk} | fields))
        else:
            client.hset(PREFIX + pk, mapping={"pk": pk} | fields)
            if fields and expires:
                client.hpexpireat(PREFIX + pk, EXPIRY, *fields)
    return documents(client)


def indexed(client: redis.Redis) -> int:
    reply = client.execute_command("FT.SEARCH", "shop:order:index", "*", "LIMIT", 0, 0)
    return reply[b"total_results"] if isinstance(reply, dict) else reply[0]


@pytest.mark.sample(4)
@pytest.mark.parametrize("is_optional", [True, False])
@pytest.mark.parametrize("beside", WITH)
@pytest.mark.parametrize("storage", Storage)
def test_no_empty_text_keeps_its_document_out_of_an_index_in_silence(
    client: redis.Redis, storage: Storage, beside: str, is_optional: bool
) -> None:
    """It is removed where it means None. Elsewhere it is a failure, like any text that is no value of the new type."""
    means_none = is_optional and storage is Storage.HASH
    stored: dict[str, Stored] = {name: {name: ""} for name in (DECIDED if beside == "rename" else TARGETS)}
    if not means_none:
        stored |= {f"{name}_bad": {name: "?"} for name in list(stored)}
    fails = {pk for pk in stored if TARGETS[pk.removesuffix("_bad")] not in NEVER_FAIL} - (
        stored.keys() if means_none else set()
    )
    if beside == "split":
        stored = {f"{at}": {"pair": "|".join(texts)} for at, texts in enumerate(product(("", "7"), repeat=2))}
        fails = set() if means_none else {"0", "1", "2"}
    stored["none"] = {}
    if means_none and beside == "nothing":
        stored["all"] = dict.fromkeys(TARGETS, "")
    before = load(client, storage, stored, expires=beside != "storage")
    one = converted(storage, beside, is_optional=is_optional)
    do(client, forward(created(one), ExpansionOptions()))
    assert indexed(client) == len(stored)

    options = ExpansionOptions(accept_unindexed=bool(fails))
    result = do(client, forward(one, options))
    assert {failure.key.rpartition(":")[2] for failure in result.failures.first} == fails
    if not (beside == "storage" and fails):  # its documents change together or not at all
        assert result.is_complete
        require_fit(client, one, stored.keys() - fails, means_none=means_none)
        assert fails or not one.models or do(client, one.verify(base())).problems.first == []
        again = do(client, forward(one, options))
        assert again.is_complete
        assert again.data is None or again.data.converted == 0
        _ = do(client, one.contract(base(), RunOptions()))
        require_fit(client, one, stored.keys() - fails, means_none=means_none)
    undone = do(client, one.roll_back(base(), indexes(), options))
    assert undone.is_complete
    assert difference(before, documents(client)) == []
    assert indexed(client) == len(stored)


def require_fit(client: redis.Redis, one: FileMigration, pks: Set[str], *, means_none: bool) -> None:
    """Assert that these documents are indexed, and that no field has an empty text where that means None."""
    assert len(pks) <= indexed(client)
    (model,) = one.after.models.values()
    for pk in pks if means_none else ():
        key = model.key_prefix + pk
        if model.storage is Storage.HASH:
            found = client.hgetall(key)
            assert found[b"pk"] == pk.encode()
            assert {
                name: found[name.encode()] for name in model.members if found.get(name.encode()) == b""
            } == {}
        else:
            assert b'""' not in client.execute_command("JSON.GET", key)


@pytest.mark.parametrize("is_contracted", [True, False])
def test_a_value_that_is_written_since_in_place_of_an_empty_one_is_kept_by_a_rollback(
    client: redis.Redis, is_contracted: bool
) -> None:
    """The old value is not restored alone: it would hide the new one."""
    load(client, Storage.HASH, {"a": {"pair": "|7"}, "b": {"pair": "|"}}, expires=False)
    one = converted(Storage.HASH, "split", is_optional=True)
    do(client, forward(created(one), ExpansionOptions()))
    assert do(client, forward(one, ExpansionOptions())).is_complete
    for pk in "ab":
        client.hset(f"{PREFIX}{pk}", "first", "9")
    if is_contracted:
        assert do(client, one.contract(base(), RunOptions())).errors == 0
        assert [client.hexists(f"{PREFIX}{pk}", "pair") for pk in "ab"] == [False, False]
    _ = do(client, one.roll_back(base(), indexes(), ExpansionOptions()))
    assert client.hgetall(f"{PREFIX}a") == {b"pk": b"a", b"pair": b"9|1970-01-01T00:00:07"}


@pytest.mark.sample(10)
@pytest.mark.parametrize("is_contracted", [True, False])
@pytest.mark.parametrize("pair", ["7|", "|7", "|"])
@pytest.mark.parametrize("name", ["first", "last"])
def test_a_part_that_is_written_alone_since_is_never_left_unreported(
    client: redis.Redis, pair: str, name: str, is_contracted: bool
) -> None:
    """A rollback merges the parts that the new version has written, or reports the document."""
    load(client, Storage.HASH, {"a": {"pair": pair}}, expires=False)
    one = converted(Storage.HASH, "split", is_optional=True)
    do(client, forward(created(one), ExpansionOptions()))
    assert do(client, forward(one, ExpansionOptions())).is_complete
    client.hset(f"{PREFIX}a", name, "9")
    if is_contracted:
        assert do(client, one.contract(base(), RunOptions())).errors == 0
    data = do(client, one.roll_back(base(), indexes(), ExpansionOptions())).data
    left = client.hgetall(f"{PREFIX}a").keys() & {b"first", b"last"}
    assert not left or data.kept or data.unrestored, (client.hgetall(f"{PREFIX}a"), data)
