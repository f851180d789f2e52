"""Tests of migration files, as an application writes them."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import redis

from redstart.errors import (
    ConfigurationError,
    MigrationFileError,
    MigrationStateError,
    NotConvertibleError,
    UnknownMigrationError,
)
from redstart.testing import MigrationTest
from redstart.testing.interruptions import Interruption
from redstart.testing.server_check import ServerCheck, points

INITIAL = """
from redstart.operations import *

migration = Migration(
    operations=[
        CreateModel(
            Model(
                name,
                key_prefix=prefix,
                storage=storage,
                fields=[Field("name", "str"), Field("price", "int"), Field("size", "str", default="")],
                index=Index(
                    f"{prefix}index",
                    storage,
                    (prefix,),
                    (IndexField(path, "name", FieldKind.TAG, separator="|"),),
                ),
            )
        )
        for name, prefix, storage, path in [
            ("shop.Order", "shop:order:", Storage.HASH, "name"),
            ("shop.Basket", "shop:basket:", Storage.JSON, "$.name"),
        ]
    ]
)
"""
CHANGE = '''
"""Rename the name, count in cents."""
from redstart.operations import *


class Price(TypedDict):
    price: int


def cents(old):
    return {"price": old["price"] * 100}


def euros(new):
    return {"price": new["price"] // 100}


migration = Migration(
    dependencies=["20260101_000000_initial"],
    operations=[
        operation
        for name in ("shop.Order", "shop.Basket")
        for operation in (
            RenameField(name, "name", "title"),
            ConvertField(name, Field("size", "str", default=""), Field("size", "int", default=0)),
        )
    ] + [Transform("shop.Order", cents, euros, before=Price)],
)
'''
RENAME = """
from redstart.operations import *

migration = Migration(
    dependencies=["20260102_000000_change"],
    operations=[
        RenameModel("shop.Order", "shop.Purchase"),
        RenameField("shop.Purchase", "title", "label"),
        RemoveField("shop.Basket", "price"),
    ],
)
"""
FUNCTION = """
from redstart.operations import *


def fill(client):
    client.rpush("shop:log", "filled")


migration = Migration(dependencies=["20260102_000000_change"], operations=[RunPython(fill)])
"""
OLD, NEW = (
    {"name": "oak", "price": "12", "size": "3"},
    {"title": "oak", "price": "1200", "size": "3"},
)
BASKET = {"name": "oak", "price": 12, "size": "3"}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "20260101_000000_initial.py").write_text(INITIAL)
    (tmp_path / "20260102_000000_change.py").write_text(CHANGE)
    return tmp_path


def test_a_document_is_changed_forward_and_backward_without_a_server(root: Path) -> None:
    one = MigrationTest("20260102", root)
    assert one.migration_id == "20260102_000000_change"
    assert one.operations[0] == "Rename the field name of Order to title."
    assert one.forward("Order", OLD) == NEW
    assert one.backward("shop.Order", NEW) == OLD
    assert one.forward("Order", OLD | {"unknown": b"\xff", "price": 12}) == NEW | {"unknown": b"\xff"}
    assert one.forward("Basket", BASKET) == {"title": "oak", "price": 12, "size": 3}
    assert one.backward("Basket", one.forward("Basket", BASKET)) == BASKET
    assert OLD["name"] == BASKET["name"] == "oak"
    initial = MigrationTest("20260101", root)
    with pytest.raises(MigrationStateError, match="No model before the migration has the name 'Order'"):
        initial.forward("Order", OLD)


def test_a_value_that_cannot_be_changed_is_an_error(root: Path) -> None:
    one = MigrationTest(directory=root)
    with pytest.raises(NotConvertibleError, match="price"):
        one.forward("Order", OLD | {"price": "a lot"})
    with pytest.raises(TypeError, match="price: a hash contains text"):
        one.forward("Order", {"price": [1]})


def test_a_renamed_model_has_both_names(root: Path) -> None:
    (root / "20260103_000000_rename.py").write_text(RENAME)
    one = MigrationTest(directory=root)
    for name in ("Order", "Purchase", "shop.Order", "shop.Purchase"):
        assert one.forward(name, {"title": "oak"}) == {"label": "oak"}
        assert one.backward(name, {"label": "oak"}) == {"title": "oak"}
        assert one.forward(name, {"title": "oak"}, cleanup=False) == {"title": "oak", "label": "oak"}
    with pytest.raises(MigrationStateError, match="No model before the migration has the name 'Ordr'"):
        one.forward("Ordr", {})
    assert one.forward("Basket", {"price": 3}) == {}
    with pytest.raises(NotConvertibleError, match="no inverse"):
        one.backward("Basket", {})


def test_unusable_files_are_errors(root: Path) -> None:
    with pytest.raises(UnknownMigrationError):
        MigrationTest("2027", root)
    (root / "20260103_000000_bad.py").write_text("import nothing_of_this_name")
    with pytest.raises(MigrationFileError, match="nothing_of_this_name"):
        MigrationTest(directory=root)
    with pytest.raises(MigrationFileError, match="no migration files"):
        MigrationTest(directory=root / "absent")


DOCUMENTS: dict[str, dict[str, Any]] = {
    "shop:order:1": OLD,
    "shop:order:2": OLD | {"name": "ash", "unknown": "stays"},
    "shop:basket:1": BASKET,
    "shop:basket:2": {"name": "élm", "price": 7, "size": ""} | {"unknown": [1.5, None]},
}
AFTER = {
    "shop:order:1": NEW,
    "shop:order:2": NEW | {"title": "ash", "unknown": "stays"},
    "shop:basket:1": {"title": "oak", "price": 12, "size": 3},
    "shop:basket:2": {"title": "élm", "price": 7, "size": "", "unknown": [1.5, None]},
}


def without_empty_size() -> dict[str, dict[str, Any]]:
    return {key: document for key, document in DOCUMENTS.items() if document["size"]}


def test_a_file_is_checked_on_a_server(root: Path, url: str, client: redis.Redis) -> None:
    one = MigrationTest("20260102", root)
    expected = {key: AFTER[key] for key in without_empty_size()}
    assert one.check(without_empty_size(), url, interruptions=2) == expected
    assert asyncio.run(one.check_async(without_empty_size(), url, interruptions=0)) == expected
    assert (client.dbsize(), client.execute_command("FT._LIST")) == (0, [])


def test_a_development_server_is_started_without_a_url(root: Path) -> None:
    one = MigrationTest("20260102", root)
    assert one.check({"shop:order:1": OLD}, interruptions=0) == {"shop:order:1": NEW}


def test_the_check_refuses_what_it_would_delete(root: Path, url: str, client: redis.Redis) -> None:
    client.set("mine", "1")
    with pytest.raises(ConfigurationError, match=r"not empty \(db0: keys=1"):
        MigrationTest("20260102", root).check(DOCUMENTS, url)
    assert client.get("mine") == b"1"
    client.delete("mine")
    client.execute_command("FT.CREATE", "mine", "SCHEMA", "a", "TAG")
    with pytest.raises(ConfigurationError, match=r"not empty \(1 search index"):
        MigrationTest("20260102", root).check(DOCUMENTS, url)
    with pytest.raises(ConfigurationError, match="shop:visit:1 belongs to no model"):
        MigrationTest("20260102", root).check({"shop:visit:1": {}}, url)


def test_a_failed_value_fails_the_check(root: Path, url: str) -> None:
    one = MigrationTest("20260102", root)
    documents = {"shop:order:1": OLD | {"price": "a lot"}}
    with pytest.raises(AssertionError, match=r"could not change 1 values: shop:order:1 .*a lot"):
        one.check(documents, url, interruptions=0)
    found = one.check(documents, url, interruptions=0, allow_failures=True)
    assert found == documents


@pytest.mark.usefixtures("client")
def test_a_function_that_is_not_repeatable_fails_the_check(root: Path, url: str) -> None:
    (root / "20260103_000000_function.py").write_text(FUNCTION)
    one = MigrationTest(directory=root)
    with pytest.raises(AssertionError, match=r"After a run that was .* other documents:\n *shop:log"):
        one.check({"shop:order:1": NEW}, url, interruptions=None, rollback=False)


def test_a_rollback_that_restores_other_bytes_fails_the_check(
    root: Path, url: str, monkeypatch: pytest.MonkeyPatch, client: redis.Redis
) -> None:
    real = ServerCheck._roll_back

    def spoilt(self: ServerCheck) -> Any:
        yield from real(self)
        client.hset("shop:order:1", "price", "13")

    monkeypatch.setattr(ServerCheck, "_roll_back", spoilt)
    with pytest.raises(
        AssertionError, match=r"does not restore the documents:\n *shop:order:1: field price was 12"
    ):
        MigrationTest("20260102", root).check({"shop:order:1": OLD}, url, interruptions=0)


def test_interruptions_are_spread_over_all_requests() -> None:
    kinds = list(Interruption)
    assert points(2, None) == [(at, how) for at in range(2) for how in kinds]
    assert points(3, 5) == list(enumerate(kinds))
    assert [at for at, _ in points(10, 3)] == [0, 3, 6]
    assert points(0, 3) == points(3, 0) == points(0, None) == []
