"""Files with steps in the history of a project: recorded, contracted with the documents of models, and rolled back."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis

from redstart.errors import RollbackInProgressError
from redstart.migrations.data.results import RunOptions
from redstart.migrations.indexes.expand import ExpansionOptions
from redstart.migrations.project_migrations import FileMigrations
from redstart.server.clients import open_like
from tests.migrations.data.test_second_migration import crash
from tests.migrations.test_project_migrations import INITIAL, applied, do, documents, files
from tests.support.crash_driver import CrashDriver, CrashKind
from tests.support.snapshot import difference

MOVE = """
from redstart.operations import *


def index(prefix):
    field = IndexField("name", "name", FieldKind.TAG, separator="|")
    return Index(f"{prefix}index", Storage.HASH, (prefix,), (field,))


migration = Migration(
    dependencies=["20260101_000000_initial"],
    operations=[
        ChangeKeyPrefix("shop.Order", "shop:order:", "shop:purchase:"),
        AlterIndex("shop.Order", before=index("shop:order:"), after=index("shop:purchase:")),
    ],
)
"""
CALL = """
from redstart.operations import *


def up(client, step):
    client.rpush("shop:log", f"up {step} {client.hget('shop:purchase:7', 'name')}")


def down(client, step):
    client.rpush("shop:log", f"down {step}")


migration = Migration(
    dependencies=["20260102_000000_move"], operations=[RunPython(up, down, steps=["one", "two"])]
)
"""
REMOVE = """
from redstart.operations import *

migration = Migration(dependencies=["20260103_000000_call"], operations=[RemoveModel("shop.Order")])
"""
AGAIN = """
from redstart.operations import *

migration = Migration(
    dependencies=["20260104_000000_remove"],
    operations=[
        CreateModel(
            Model("shop.Purchase", key_prefix="shop:purchase:", storage="hash", fields=[Field("name", "str")])
        )
    ],
)
"""
FILES = {
    "20260101_000000_initial": INITIAL,
    "20260102_000000_move": MOVE,
    "20260103_000000_call": CALL,
    "20260104_000000_remove": REMOVE,
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / f"{name}.py").write_text(text)
    return tmp_path


@pytest.fixture
def orders(client: redis.Redis) -> redis.Redis:
    for number in range(20):
        client.hset(f"shop:order:{number}", mapping={"name": f"n{number}", "price": str(number)})
    return client


def with_client(client: redis.Redis, root: Path) -> FileMigrations:
    found = files(client, root)
    return replace(found, context=replace(found.context, client=open_like(client).client))


def run(client: redis.Redis, root: Path, **options: Any) -> Any:
    return do(client, with_client(client, root).run(RunOptions(), ExpansionOptions(), **options))


def roll_back(client: redis.Redis, root: Path, name: str) -> Any:
    return do(client, with_client(client, root).roll_back(name, ExpansionOptions()))


def counted(client: redis.Redis, found: FileMigrations) -> dict[str, int]:
    return do(client, found.count_removed([found.migration(name) for name in found.to_contract()]))


def test_files_with_steps_are_applied_contracted_and_rolled_back(orders: redis.Redis, root: Path) -> None:
    before = documents(orders)
    result = run(orders, root)
    assert (result.stopped, applied(orders)) == (None, list(FILES))
    assert orders.lrange("shop:log", 0, -1) == [b"up one n7", b"up two n7"]
    assert len(list(orders.scan_iter(match="shop:purchase:[0-9]*"))) == 20
    found = with_client(orders, root)
    assert found.to_contract() == ["20260102_000000_move", "20260104_000000_remove"]
    assert counted(orders, found) == {"shop.Order": 20}
    contracted = dict(do(orders, found.contract(RunOptions())))
    assert [one.documents for one in contracted["20260104_000000_remove"].removed] == [20]
    assert list(orders.scan_iter(match="shop:purchase:[0-9]*")) == []
    assert [name for name in orders.execute_command("FT._LIST") if b"shop" in name] == []
    assert with_client(orders, root).to_contract() == []
    undone = {name: roll_back(orders, root, name) for name in reversed(list(FILES)[1:])}
    assert all(one.is_complete for one in undone.values())
    assert undone["20260104_000000_remove"].restored_documents == 20
    assert [one.moved for one in undone["20260102_000000_move"].moves] == [20]
    assert orders.lrange("shop:log", 2, -1) == [b"down two", b"down one"]
    orders.delete("shop:log")
    assert difference(before, documents(orders)) == []


def test_documents_of_a_later_model_are_not_removed(orders: redis.Redis, root: Path) -> None:
    (root / "20260105_000000_again.py").write_text(AGAIN)
    run(orders, root)
    found = with_client(orders, root)
    assert counted(orders, found) == {}
    contracted = dict(do(orders, found.contract(RunOptions())))
    assert [one.owner for one in contracted["20260104_000000_remove"].removed] == ["shop.Purchase"]
    assert with_client(orders, root).to_contract() == []
    assert len(list(orders.scan_iter(match="shop:purchase:[0-9]*"))) == 20


def test_an_interrupted_rollback_of_a_move_is_finished_before_a_run(
    orders: redis.Redis, root: Path, url: str
) -> None:
    before = documents(orders)
    name = "20260102_000000_move"
    run(orders, root, to=name)
    with CrashDriver(url) as driver:
        driver.run(with_client(orders, root).roll_back(name, ExpansionOptions()))
        names = driver.names
    run(orders, root, to=name)
    at = next(at for at, request in enumerate(names) if "move_keys" in request)
    crash(url, with_client(orders, root).roll_back(name, ExpansionOptions()), at, CrashKind.AFTER)
    with pytest.raises(RollbackInProgressError):
        run(orders, root)
    assert roll_back(orders, root, name).is_complete
    assert difference(before, documents(orders)) == []
