"""Each operation on a server: interrupted in each way and repeated, rolled back byte for byte, as `forward` tells.

In the ordinary run a sample of the cases, and fewer interruptions than in the soak.
"""

from typing import Any

import pytest

from redstart.migrations.file_migration import FileMigration
from redstart.migrations.files.migration_file import Migration, MigrationFile
from redstart.migrations.operations.state import ProjectState
from redstart.operations import (
    AddField,
    AlterField,
    AlterIndex,
    ChangeKeyPrefix,
    ConvertField,
    CreateModel,
    Field,
    FieldKind,
    Index,
    IndexField,
    MergeFields,
    Model,
    MoveField,
    Operation,
    RemoveField,
    RemoveModel,
    RenameField,
    RenameModel,
    RunPython,
    SplitField,
    Storage,
    Transform,
    TypedDict,
)
from redstart.testing import MigrationTest
from tests.support.soak import SOAK

NAME, PREFIX = "shop.Order", "shop:order:"
NOTE = Field("note", "str", default=None, is_optional=True)
ADDRESS = Field("address", "object", fields=[Field("town", "str")])
FIELDS = (Field("name", "str"), Field("price", "str"), Field("full_name", "str"), NOTE)


class Price(TypedDict):
    """Before and after."""

    price: str


class Label(TypedDict):
    """After."""

    name: str
    label: str


class Name(TypedDict):
    """Before."""

    name: str


def cents(old: Any) -> Any:
    return {"price": str(int(old["price"]) * 100)}


def euros(new: Any) -> Any:
    return {"price": str(int(new["price"]) // 100)}


def with_label(old: Any) -> Any:
    return {"name": old["name"], "label": old["name"].upper()}


def without_label(new: Any) -> Any:
    return {"name": new["name"]}


def up(client: Any) -> None:
    client.hset("shop:done", "done", "1")


def down(client: Any) -> None:
    client.delete("shop:done")


OPERATIONS: dict[str, list[Operation]] = {
    "add": [AddField(NAME, Field("priority", "int", default=3))],
    "alter": [AlterField(NAME, NOTE, Field("note", "str", default="none"), fill="none")],
    "remove": [RemoveField(NAME, "name")],
    "rename": [RenameField(NAME, "name", "title")],
    "declared rename": [RenameField(NAME, "name", "title", keep="old")],
    "convert": [ConvertField(NAME, Field("price", "str"), Field("price", "int"))],
    "split": [SplitField(NAME, "full_name", [Field("first", "str"), Field("last", "str")])],
    "merge": [MergeFields(NAME, ["name", "price"], Field("both", "str"))],
    "transform": [Transform(NAME, cents, euros, before=Price)],
    "transform to more": [Transform(NAME, with_label, without_label, before=Name, after=Label)],
    "move in": [MoveField(NAME, "name", "address.name")],
    "move out": [MoveField(NAME, "address.town", "town")],
    "rename the model": [RenameModel(NAME, "shop.Purchase"), RenameField("shop.Purchase", "name", "title")],
    "change keys": [ChangeKeyPrefix(NAME, PREFIX, "shop:purchase:"), RenameField(NAME, "name", "title")],
    "remove the model": [RemoveModel(NAME)],
    "create a model": [CreateModel(Model("shop.Other", key_prefix="shop:other:", storage="hash"))],
    "run python": [RunPython(up, down)],
    "many": [
        RenameField(NAME, "name", "title"),
        ConvertField(NAME, Field("price", "str"), Field("price", "int")),
        SplitField(NAME, "full_name", [Field("first", "str"), Field("last", "str")]),
        RemoveField(NAME, "note"),
    ],
}
"""Of both storages; those with an embedded model are of JSON only."""

INDEXED: dict[str, tuple[str, ...]] = {
    "remove": ("price",),
    "rename": ("title", "price"),
    "declared rename": ("title", "price"),
    "convert": ("name", "price:int"),
    "split": ("name", "first", "last"),
    "merge": ("both",),
    "transform to more": ("label", "price"),
    "move in": ("address.name", "price"),
    "move out": ("name", "town"),
    "rename the model": ("title",),
    "change keys": ("title", "price"),
    "many": ("title", "price:int", "first"),
}
"""The fields of the index after an operation; by default those before it."""

DOCUMENTS: list[dict[str, Any]] = [
    {"name": "oak", "price": "12", "full_name": "Ada Lovelace", "note": "x"},
    {"note": "", "name": "ásh", "price": "0", "full_name": "Alan Turing", "unknown": "stays"},
    {"full_name": "Grace Hopper", "price": "7", "name": "élm"},
]

CASES = [
    (name, storage, is_indexed)
    for name in OPERATIONS
    for storage in Storage
    for is_indexed in (False, True)
    if storage is Storage.JSON or not name.startswith("move")
]


def index(storage: Storage, prefix: str, names: tuple[str, ...]) -> Index:
    fields = []
    for name in names:
        path, _, kind = name.partition(":")
        identifier = path if storage is Storage.HASH else f"$.{path}"
        attribute = path.replace(".", "_")
        if kind:
            fields.append(IndexField(identifier, attribute, FieldKind.NUMERIC))
        else:
            fields.append(IndexField(identifier, attribute, FieldKind.TAG, separator="|"))
    return Index(f"{prefix}index", storage, (prefix,), tuple(fields))


def case(name: str, storage: Storage, is_indexed: bool) -> MigrationTest:
    before = index(storage, PREFIX, ("name", "price"))
    fields = FIELDS if storage is Storage.HASH else (*FIELDS, ADDRESS)
    model = Model(
        NAME, key_prefix=PREFIX, storage=storage, fields=fields, index=before if is_indexed else None
    )
    operations = list(OPERATIONS[name])
    if is_indexed and name in INDEXED:
        prefix = "shop:purchase:" if name == "change keys" else PREFIX
        after = index(storage, prefix, INDEXED[name])
        changed = "shop.Purchase" if name == "rename the model" else NAME
        operations.append(AlterIndex(changed, before=before, after=after))
    file = MigrationFile("20261130_120000_test", "test.py", "0" * 64, "Test", Migration((), operations))
    return MigrationTest.of(FileMigration.of(file, ProjectState.of([model])))


def expected(one: MigrationTest, name: str, documents: dict[str, Any]) -> dict[str, Any]:
    """What `forward` makes of each document, under its key after the migration."""
    if name == "remove the model":
        return {}
    made = {key: one.forward("Order", document) for key, document in documents.items()}
    if name == "change keys":
        return {key.replace(PREFIX, "shop:purchase:"): document for key, document in made.items()}
    return made | ({"shop:done": {"done": "1"}} if name == "run python" else {})


def sample() -> list[tuple[str, Storage, bool]]:
    """One case of each operation: hash and JSON, indexed or not, in turn."""
    chosen = []
    for number, name in enumerate(OPERATIONS):
        own = [one for one in CASES if one[0] == name]
        chosen.append(own[number % len(own)])
    return chosen


@pytest.mark.sample(3)
@pytest.mark.soak
@pytest.mark.usefixtures("client")
@pytest.mark.parametrize(("name", "storage", "is_indexed"), CASES if SOAK else sample())
def test_an_operation_converges_and_is_rolled_back(
    url: str, name: str, storage: Storage, is_indexed: bool
) -> None:
    one = case(name, storage, is_indexed)
    documents = {f"{PREFIX}{number}": document for number, document in enumerate(DOCUMENTS)}
    if storage is Storage.JSON:
        documents = {
            key: document | {"address": {"town": "Oslo", "zip": 1}} for key, document in documents.items()
        }
    found = one.check(documents, url, interruptions=6 if SOAK else 2)
    assert found == expected(one, name, documents)
