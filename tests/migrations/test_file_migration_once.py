"""A change that must not be made twice, on many documents: programs and servers end, SCAN repeats keys."""

import json
import os
import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from typing import Any, NotRequired

import pytest
import redis
from typing_extensions import TypedDict

from redstart.devserver.process import EmbeddedServer
from redstart.effects import Op
from redstart.errors import UndoLogCorruptError
from redstart.migrations.context import Context
from redstart.migrations.data.plan import PlannedModel
from redstart.migrations.data.results import RunOptions
from redstart.migrations.data.scanner import Scanner
from redstart.migrations.file_migration import FileMigration
from redstart.migrations.indexes.expand import ExpansionOptions
from redstart.migrations.maintenance import clear_progress
from redstart.migrations.operations.state import ProjectState
from redstart.operations import Field, Model, Storage, Transform
from tests.migrations import test_file_migration
from tests.migrations.test_file_migration import (
    NAMES,
    PREFIX,
    base,
    do,
    document,
    documents,
    indexes,
    migration,
)
from tests.support.crash_driver import Crash, CrashDriver, CrashKind
from tests.support.migration import EXPIRY, small_pieces
from tests.support.replies import replies, send
from tests.support.snapshot import Snapshot, difference, every_byte
from tests.support.soak import SOAK

SEED = int(os.environ.get("REDSTART_SEED") or random.SystemRandom().randrange(10**9))
DOCUMENTS = 20_000 if SOAK else 500
KILLS = 30 if SOAK else 8


class Item(TypedDict):
    price: int
    count: int


class Basket(TypedDict):
    price: int
    count: int
    tags: list[str]


def forward(old: Any) -> Any:
    new = {"price": old["price"] * 100, "count": old["count"] + 1}
    return new | ({"tags": [*old["tags"], "once"]} if "tags" in old else {})


def backward(new: Any) -> Any:
    old = {"price": new["price"] // 100, "count": new["count"] - 1}
    return old | ({"tags": new["tags"][:-1]} if "tags" in new else {})


def state() -> ProjectState:
    fields = (Field("price", "int"), Field("count", "int"))
    hashes = Model(
        NAMES[Storage.HASH], key_prefix=PREFIX[Storage.HASH], storage=Storage.HASH, fields=fields, index=None
    )
    objects = Model(
        NAMES[Storage.JSON],
        key_prefix=PREFIX[Storage.JSON],
        storage=Storage.JSON,
        fields=(*fields, Field("tags", "list[str]")),
        index=None,
    )
    return ProjectState().with_model(hashes).with_model(objects)


def once() -> FileMigration:
    return migration(
        Transform(NAMES[Storage.HASH], forward, backward, before=Item),
        Transform(NAMES[Storage.JSON], forward, backward, before=Basket),
        before=state(),
    )


def load(client: redis.Redis) -> Snapshot:
    client.execute_command("FLUSHALL", "SYNC")
    commands: list[tuple[Any, ...]] = []
    for number in range(DOCUMENTS // 2):
        key = f"{PREFIX[Storage.HASH]}{number}"
        commands.append(("HSET", key, "name", "x", "price", number, "count", -1))
        if number % 5 == 0:
            commands.append(("PEXPIREAT", key, EXPIRY))
            commands.append(("HPEXPIREAT", key, EXPIRY + 1, "FIELDS", 1, "price"))
        content = {"tags": ["a", "once"], "price": number, "count": 0}
        commands.append(("JSON.SET", f"{PREFIX[Storage.JSON]}{number}", "$", json.dumps(content)))
    send(client, commands)
    return documents(client)


def require_once(client: redis.Redis) -> None:
    """Check every document against what one call of the function makes of it."""
    hashes = replies(
        client, [("HMGET", f"{PREFIX[Storage.HASH]}{n}", "price", "count") for n in range(DOCUMENTS // 2)]
    )
    assert hashes == [[b"%d" % (number * 100), b"0"] for number in range(DOCUMENTS // 2)]
    found = replies(client, [("JSON.GET", f"{PREFIX[Storage.JSON]}{n}") for n in range(DOCUMENTS // 2)])
    wanted = [{"tags": ["a", "once", "once"], "price": n * 100, "count": 1} for n in range(DOCUMENTS // 2)]
    assert [json.loads(one) for one in found] == wanted


@pytest.fixture
def rng() -> random.Random:
    print(f"REDSTART_SEED={SEED}")
    return random.Random(SEED)


@pytest.fixture
def repeating(monkeypatch: pytest.MonkeyPatch, rng: random.Random) -> Iterator[None]:
    """SCAN returns keys again, within a page and on later pages, as it may while the table of keys changes."""
    small_pieces(monkeypatch)
    seen: list[tuple[bytes, PlannedModel]] = []
    ask = Scanner._ask

    def again(self: Scanner, cursor: int, found: list[tuple[bytes, PlannedModel]], *others: Any) -> Op[Any]:
        seen.extend(found)
        repeated = rng.sample(seen, min(len(seen), 5))
        del seen[:-2_000]
        return ask(self, cursor, found + repeated, *others)

    monkeypatch.setattr(Scanner, "_ask", again)
    yield


def run(rng: random.Random) -> Op[Any]:
    """Run it as the next operator may: resumed, from the start, or after `clear-progress`."""
    if rng.random() < 0.3:
        yield from clear_progress(context())
    options = RunOptions(
        batch_documents=rng.choice((30, 70)) * (20 if SOAK else 1), resume=rng.random() < 0.7
    )
    return (yield from once().run(base(), options, indexes(), ExpansionOptions()))


def undo(rng: random.Random) -> Op[Any]:
    if rng.random() < 0.3:
        yield from clear_progress(context())
    return (yield from once().roll_back(base(), indexes(), ExpansionOptions()))


def context() -> Context:
    return once().context(base())


def disturbed(
    url: str, rng: random.Random, make: Callable[[random.Random], Op[Any]], before: Callable[[], Any]
) -> None:
    """Perform an operation again and again, each time up to a random request; at last to its end."""
    length = 40 * DOCUMENTS // 500 if SOAK else 40  # requests, about as many as it takes
    for _ in range(KILLS):
        kind = rng.choice(list(CrashKind))
        number = count()
        restarts_at = rng.randrange(length)

        def hook(_: str, number: Iterator[int] = number, restarts_at: int = restarts_at) -> None:
            if next(number) == restarts_at:
                before()

        with CrashDriver(url, at=rng.randrange(4, length), kind=kind, before=hook) as driver, suppress(Crash):
            driver.run(make(rng))
    with CrashDriver(url) as driver:
        assert driver.run(make(rng)) is not None


def nothing() -> None:
    """Do nothing between requests."""


@pytest.mark.usefixtures("repeating")
def test_each_document_is_changed_once_although_programs_end(
    client: redis.Redis, url: str, rng: random.Random
) -> None:
    before = load(client)
    disturbed(url, rng, run, nothing)
    require_once(client)
    assert do(client, once().verify(base())).problems.first == []
    disturbed(url, rng, undo, nothing)
    assert difference(before, documents(client)) == []


@pytest.mark.usefixtures("repeating")
def test_an_interrupted_run_is_rolled_back_exactly(client: redis.Redis, url: str, rng: random.Random) -> None:
    """Also documents that an old version has written meanwhile stay as they are."""
    for _ in range(5 if SOAK else 3):
        before = load(client)
        with (
            CrashDriver(url, at=rng.randrange(15, 60), kind=rng.choice(list(CrashKind))) as driver,
            suppress(Crash),
        ):
            driver.run(run(rng))
        changed = {key for key, entry in documents(client).items() if entry != before[key]}
        untouched = sorted(before.keys() - changed)
        if untouched:
            key = next(key for key in untouched if key.startswith(b"shop:"))
            write(client, key)
            before[key] = documents(client)[key]
        disturbed(url, rng, undo, nothing)
        assert difference(before, documents(client)) == []


def write(client: redis.Redis, key: bytes) -> None:
    if key.startswith(PREFIX[Storage.HASH].encode()):
        client.hset(key, "price", 7)
    else:
        client.execute_command("JSON.SET", key, "$.price", "7")


@pytest.mark.soak
@pytest.mark.usefixtures("repeating")
def test_each_document_is_changed_once_although_the_server_ends(
    own_server: Callable[..., EmbeddedServer], rng: random.Random
) -> None:
    server = own_server(append_only=True, append_sync="always")

    def end() -> None:
        if rng.random() < 0.5:
            server.restart()
        else:
            server.kill()
            server.start()

    with redis.Redis.from_url(server.url) as client:
        before = load(client)
        disturbed(server.url, rng, run, end)
        require_once(client)
        disturbed(server.url, rng, undo, end)
        assert difference(before, documents(client)) == []


class PriceAndName(TypedDict):
    price: str
    legacy: NotRequired[str]


class PriceAndTitle(TypedDict):
    price: str
    label: NotRequired[str]


class OnlyPrice(TypedDict):
    price: str


def with_label(old: Any) -> Any:
    return {"price": str(int(old["price"]) * 100), "label": old.get("legacy", "")}


def only_price(old: Any) -> Any:
    return {"price": str(int(old["price"]) * 100)}


@pytest.mark.parametrize(("function", "after"), [(with_label, PriceAndTitle), (only_price, OnlyPrice)])
def test_a_function_that_also_removes_a_field_is_called_once(
    client: redis.Redis, function: Any, after: type
) -> None:
    """The removed field shows what is pending; as long as it stays, the price would be multiplied in each pass."""
    before = test_file_migration.load(client)
    one = migration(*test_file_migration.both(Transform, function, before=PriceAndName, after=after))
    assert do(client, test_file_migration.forward(one)).is_complete
    assert do(client, test_file_migration.forward(one)).data.converted == 0
    _ = do(client, test_file_migration.contract(one))
    for storage in Storage:
        found = document(client, storage, "a1")
        assert (found["price"], "legacy" in found) == ("1200", False)
    _ = do(client, test_file_migration.back(one))
    assert difference(before, documents(client)) == []


def lost_set(client: redis.Redis) -> dict[bytes, Any]:
    """Delete a part of the set of processed documents. Return all keys."""
    parts = [key for key in client.scan_iter("redstart:*:processed:*") if b"-marks" not in key]
    assert parts
    client.delete(min(parts))
    return every_byte(client)


def test_a_lost_set_of_processed_documents_stops_a_run_and_a_rollback(
    client: redis.Redis, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it, documents would be changed or reverted twice."""
    small_pieces(monkeypatch)
    load(client)
    limited = RunOptions(batch_documents=40, limit_documents=80)
    assert do(client, once().run(base(), limited, indexes(), ExpansionOptions())).stopped is not None
    lost = lost_set(client)
    for operation in (whole, rolling_back):
        with pytest.raises(UndoLogCorruptError, match=r"processed:\w+:\* have \d+ of the \d+ documents"):
            do(client, operation())
        assert {key: lost[key] for key in lost if b"shop:" in key} == {
            key: content for key, content in every_byte(client).items() if b"shop:" in key
        }


def test_a_lost_set_of_reverted_documents_stops_a_rollback(
    client: redis.Redis, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The function reverts what was written since the run, and the documents do not show which it has reverted."""
    small_pieces(monkeypatch)

    def applied() -> None:
        load(client)
        do(client, whole())
        for key in client.scan_iter(f"{PREFIX[Storage.HASH]}*"):
            client.hincrby(key, "price", 100)

    applied()
    with CrashDriver(url) as driver:
        assert driver.run(rolling_back()).is_complete
        last = max(at for at, name in enumerate(driver.names) if "apply" in name)
    applied()
    with CrashDriver(url, at=last, kind=CrashKind.AFTER) as driver, suppress(Crash):
        driver.run(rolling_back())
    _ = lost_set(client)
    before = documents(client)
    with pytest.raises(UndoLogCorruptError, match="which documents are converted is not certain"):
        do(client, rolling_back())
    assert difference(before, documents(client)) == []


def whole() -> Op[Any]:
    return once().run(base(), RunOptions(batch_documents=100), indexes(), ExpansionOptions())


def rolling_back() -> Op[Any]:
    return once().roll_back(base(), indexes(), ExpansionOptions())


def test_progress_cleared_during_a_rollback(
    client: redis.Redis, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was reverted before must not be reverted again: the checkpoint is gone, the documents are not."""
    small_pieces(monkeypatch)
    before = load(client)

    do(client, whole())
    with CrashDriver(url) as driver:
        driver.run(rolling_back())
        applied = [at for at, name in enumerate(driver.names) if "apply" in name]
    for at in (applied[0], applied[len(applied) // 2], applied[-1]):
        do(client, whole())
        with CrashDriver(url, at=at, kind=CrashKind.AFTER) as driver, suppress(Crash):
            driver.run(rolling_back())
        do(client, clear_progress(context()))
        do(client, rolling_back())
        assert difference(before, documents(client)) == []
