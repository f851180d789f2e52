"""The files of a project: applied in order, recorded, contracted, rolled back, one process at a time."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import redis

from redstart.effects import Op
from redstart.errors import LeaseLostError, MigrationFileError, RollbackInProgressError
from redstart.migrations.data.results import RunOptions
from redstart.migrations.files.ledger import read_ledger
from redstart.migrations.files.migration_file import load_files
from redstart.migrations.files.project_history import project_history
from redstart.migrations.indexes.expand import ExpansionOptions
from redstart.migrations.project_migrations import FileMigrations
from redstart.server.clients import open_like
from tests.migrations.data.test_second_migration import crash
from tests.support.crash_driver import CrashDriver, CrashKind
from tests.support.migration import documents_of, new_context
from tests.support.snapshot import difference
from tests.support.soak import SOAK

INITIAL = """
from redstart.operations import *

migration = Migration(
    operations=[
        CreateModel(
            Model(
                "shop.Order",
                key_prefix="shop:order:",
                storage="hash",
                fields=[Field("name", "str"), Field("price", "int")],
                index=Index(
                    "shop:order:index",
                    Storage.HASH,
                    ("shop:order:",),
                    (IndexField("name", "name", FieldKind.TAG, separator="|"),),
                ),
            )
        )
    ]
)
"""
RENAME = """
from redstart.operations import *

migration = Migration(
    dependencies=["20260101_000000_initial"],
    operations=[RenameField("shop.Order", "name", "title")],
)
"""
CENTS = """
from redstart.operations import *
from typing_extensions import TypedDict


class Price(TypedDict):
    price: int


def cents(old):
    return {"price": old["price"] * 100}


def euros(new):
    return {"price": new["price"] // 100}


migration = Migration(
    dependencies=["20260102_000000_rename"],
    operations=[Transform("shop.Order", cents, euros, before=Price)],
)
"""
FILES = {
    "20260101_000000_initial": INITIAL,
    "20260102_000000_rename": RENAME,
    "20260103_000000_cents": CENTS,
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


def do(client: redis.Redis, operation: Op[Any]) -> Any:
    with open_like(client) as driver:
        return driver.run(operation)


def files(client: redis.Redis, root: Path) -> FileMigrations:
    history = project_history(load_files(root), do(client, read_ledger()), ())
    return FileMigrations(history, new_context(), "test@host")


def run(client: redis.Redis, root: Path, **options: Any) -> Any:
    found = files(client, root)
    return do(client, found.run(RunOptions(batch_documents=10), ExpansionOptions(), **options))


def applied(client: redis.Redis) -> list[str]:
    return sorted(do(client, read_ledger()).entries)


def order(client: redis.Redis, number: int) -> dict[bytes, bytes]:
    return client.hgetall(f"shop:order:{number}")


def documents(client: redis.Redis) -> Any:
    return {key: entry for key, entry in documents_of(client).items() if b":index:" not in key}


def test_files_are_applied_in_order_and_recorded(orders: redis.Redis, root: Path) -> None:
    before = documents(orders)
    result = run(orders, root)
    assert [one.migration_id for one in result.files] == list(FILES)
    assert (result.stopped, result.pending) == (None, ())
    assert applied(orders) == list(FILES)
    assert order(orders, 7) == {b"name": b"n7", b"title": b"n7", b"price": b"700"}
    assert run(orders, root).files == ()
    found = files(orders, root)
    assert found.to_contract() == ["20260102_000000_rename"]
    assert [name for name, _ in do(orders, found.contract(RunOptions()))] == ["20260102_000000_rename"]
    assert order(orders, 7) == {b"title": b"n7", b"price": b"700"}
    assert files(orders, root).to_contract() == []
    for name in reversed(list(FILES)[1:]):
        undone = do(orders, files(orders, root).roll_back(name, ExpansionOptions()))
        assert undone.is_complete
    assert applied(orders) == ["20260101_000000_initial"]
    assert difference(before, documents(orders)) == []


def test_a_run_up_to_a_file_and_with_a_limit(orders: redis.Redis, root: Path) -> None:
    assert run(orders, root, limit=1).pending == tuple(FILES)[1:]
    assert run(orders, root, to="20260102_000000_rename").pending == ("20260103_000000_cents",)
    assert applied(orders) == list(FILES)[:2]
    with pytest.raises(MigrationFileError, match="is not pending"):
        run(orders, root, to="20260101_000000_initial")


def test_only_the_last_file_can_be_rolled_back(orders: redis.Redis, root: Path) -> None:
    run(orders, root)
    with pytest.raises(MigrationFileError, match="20260103_000000_cents depends on it"):
        do(orders, files(orders, root).roll_back("20260102_000000_rename", ExpansionOptions()))
    assert files(orders, root).after("20260101_000000_initial") == [
        "20260103_000000_cents",
        "20260102_000000_rename",
    ]


def test_an_interrupted_run_and_rollback_are_resumed(orders: redis.Redis, root: Path, url: str) -> None:
    before = documents(orders)

    def forward() -> Op[Any]:
        return files(orders, root).run(RunOptions(batch_documents=10), ExpansionOptions())

    with CrashDriver(url) as driver:
        driver.run(forward())
        names, end = driver.names, documents(orders)
    last = "20260103_000000_cents"
    writes = [at for at, name in enumerate(names) if "apply" in name or "commit" in name]
    for at in writes[:: max(1, len(writes) // 6)]:
        orders.execute_command("FLUSHALL", "SYNC")
        for key, entry in before.items():
            orders.hset(key, mapping=entry.content)
        crash(url, forward(), at, CrashKind.AFTER)
        assert run(orders, root).stopped is None
        assert difference(end, documents(orders)) == [], names[at]
        assert applied(orders) == list(FILES)
    with CrashDriver(url) as driver:
        rolling_back = files(orders, root).roll_back(last, ExpansionOptions())
        driver.run(rolling_back)
        undo_names = driver.names
    assert run(orders, root).stopped is None
    at = next(at for at, name in enumerate(undo_names) if "apply" in name)
    crash(url, files(orders, root).roll_back(last, ExpansionOptions()), at, CrashKind.AFTER)
    with pytest.raises(RollbackInProgressError):
        run(orders, root)
    assert do(orders, files(orders, root).roll_back(last, ExpansionOptions())).is_complete
    assert order(orders, 7)[b"price"] == b"7"


def test_the_lease_of_the_files_is_renewed_between_requests(
    orders: redis.Redis, root: Path, url: str
) -> None:
    """A file may take longer than the lease lasts."""

    def commits(seconds_per_look: int) -> int:
        orders.execute_command("DEL", *orders.scan_iter(match="redstart:*"))
        ticks = itertools.count(step=seconds_per_look)
        found = files(orders, root)
        slow = replace(found, context=replace(found.context, clock=lambda: float(next(ticks))))
        with CrashDriver(url) as driver:
            driver.run(slow.run(RunOptions(), ExpansionOptions(), limit=1))
        return sum("commit" in name for name in driver.names)

    run(orders, root, limit=1)
    assert commits(1) > commits(0) + 3


def test_an_interrupted_file_can_be_rolled_back(orders: redis.Redis, root: Path, url: str) -> None:
    """Otherwise the way out of a run that cannot be completed would be closed: its file is not recorded yet."""
    run(orders, root, limit=2)
    before = documents(orders)

    def forward() -> Op[Any]:
        return files(orders, root).run(RunOptions(batch_documents=10), ExpansionOptions())

    with CrashDriver(url) as driver:
        driver.run(forward())
        names = driver.names
    rename, last = list(FILES)[1:]
    assert do(orders, files(orders, root).roll_back(last, ExpansionOptions())).is_complete
    with pytest.raises(MigrationFileError, match="is not applied"):
        do(orders, files(orders, root).roll_back(last, ExpansionOptions()))
    at = next(at for at, name in enumerate(names) if "apply" in name)
    crash(url, forward(), at, CrashKind.AFTER)
    assert applied(orders) == list(FILES)[:2]
    assert difference(before, documents(orders)) != []
    with pytest.raises(MigrationFileError, match=f"{last} depends on it"):
        do(orders, files(orders, root).roll_back(rename, ExpansionOptions()))
    with CrashDriver(url) as driver:
        driver.run(files(orders, root).roll_back(last, ExpansionOptions()))
        at = next(at for at, name in enumerate(driver.names) if "apply" in name)
    crash(url, forward(), next(at for at, name in enumerate(names) if "apply" in name), CrashKind.AFTER)
    crash(url, files(orders, root).roll_back(last, ExpansionOptions()), at, CrashKind.BEFORE)
    with pytest.raises(RollbackInProgressError, match=last):
        run(orders, root)
    assert do(orders, files(orders, root).roll_back(last, ExpansionOptions())).is_complete
    assert difference(before, documents(orders)) == []
    assert run(orders, root).stopped is None
    assert order(orders, 7)[b"price"] == b"700"


def test_two_processes_that_run_the_same_files(orders: redis.Redis, root: Path, url: str) -> None:
    """The other one takes over at a request, as after a long pause of the first: no document is changed twice."""
    before = documents(orders)
    with CrashDriver(url) as driver:
        driver.run(files(orders, root).run(RunOptions(batch_documents=10), ExpansionOptions()))
        names, end = driver.names, documents(orders)
    writes = [at for at, name in enumerate(names) if "apply" in name]
    for at in writes if SOAK else writes[::2]:
        orders.execute_command("FLUSHALL", "SYNC")
        for key, entry in before.items():
            orders.hset(key, mapping=entry.content)
        requests = itertools.count()

        def take_over(_: str, at: int = at, requests: Iterator[int] = requests) -> None:
            if next(requests) == at:
                run(orders, root)

        with CrashDriver(url, before=take_over) as driver, pytest.raises(LeaseLostError):
            driver.run(files(orders, root).run(RunOptions(batch_documents=10), ExpansionOptions()))
        assert difference(end, documents(orders)) == []
        assert applied(orders) == list(FILES)


REMOVE = """
from redstart.operations import *

migration = Migration(dependencies=["20260102_000000_rename"], operations=[RemoveField("shop.Order", "price")])
"""
ADD_AGAIN = """
from redstart.operations import *

migration = Migration(
    dependencies=["20260103_000000_cents"],
    operations=[AddField("shop.Order", Field("{name}", "str", default="new"))],
)
"""


@pytest.mark.parametrize(
    ("name", "vacated_by"), [("price", "20260103_000000_cents"), ("name", "20260102_000000_rename")]
)
def test_a_name_is_not_used_again_before_the_cleanup(
    orders: redis.Redis, root: Path, name: str, vacated_by: str
) -> None:
    """The cleanup of the first file would remove the values of the second one."""
    (root / "20260103_000000_cents.py").write_text(REMOVE)
    (root / "20260104_000000_again.py").write_text(ADD_AGAIN.format(name=name))
    refused = (
        rf"20260104_000000_again adds the field {name} of the documents shop:order:\* again, "
        f"which {vacated_by} removes only at the cleanup"
    )
    with pytest.raises(MigrationFileError, match=refused):
        run(orders, root)
    assert applied(orders) == []
    run(orders, root, to="20260103_000000_cents")
    with pytest.raises(MigrationFileError, match=refused):
        run(orders, root)
    do(orders, files(orders, root).contract(RunOptions()))
    assert run(orders, root).stopped is None
    assert order(orders, 1) == {b"title": b"n1", name.encode(): b"new"}
    do(orders, files(orders, root).contract(RunOptions()))
    assert order(orders, 1) == {b"title": b"n1", name.encode(): b"new"}
