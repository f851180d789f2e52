"""Both versions of an application write beside a migration file: between its steps, and between its requests."""

import json
import random
import uuid
from typing import Any

import pytest
import redis
from typing_extensions import TypedDict

from redstart.effects import Op
from redstart.migrations.data.failures import FailureLog
from redstart.migrations.outcomes import Outcome
from redstart.operations import (
    AddField,
    ConvertField,
    Field,
    MergeFields,
    Operation,
    RenameField,
    RunPython,
    SplitField,
    Storage,
    Transform,
)
from tests.migrations.test_file_migration import (
    NAMES,
    PREFIX,
    as_stored,
    back,
    base,
    contract,
    do,
    document,
    documents,
    forward,
    load,
    migration,
)
from tests.support.crash_driver import CrashDriver
from tests.support.migration import small_pieces
from tests.support.snapshot import difference
from tests.support.soak import SOAK

Values = dict[str, Any]


class Whole(TypedDict):
    full_name: str


class Parts(TypedDict):
    first: str
    last: str


def parts_of(old: Any) -> Any:
    first, last = old["full_name"].split(" ")
    return {"first": first, "last": last}


def whole_of(new: Any) -> Any:
    return {"full_name": f"{new['first']} {new['last']}"}


def operations(kind: str, storage: Storage) -> list[Operation]:
    name = NAMES[storage]
    found: dict[str, list[Operation]] = {
        "rename": [RenameField(name, "name", "title")],
        "rename, the old value wins": [RenameField(name, "name", "title", keep="old")],
        "rename, the new value wins": [RenameField(name, "name", "title", keep="new")],
        "split": [SplitField(name, "full_name", [Field("first", "str"), Field("last", "str")])],
        "merge": [MergeFields(name, ["name", "price"], Field("label", "str"))],
        "rename and convert": [
            RenameField(name, "price", "cost"),
            ConvertField(name, Field("cost", "str"), Field("cost", "int")),
        ],
        "transform": [Transform(name, parts_of, whole_of, before=Whole, after=Parts)],
    }
    return found[kind]


WRITTEN: dict[str, tuple[Values, Values, Values, Values]] = {
    "rename": ({"title": "new"}, {"name": "new"}, {"name": "old"}, {"title": "old"}),
    "rename, the old value wins": ({"title": "new"}, {"name": "new"}, {"name": "old"}, {"title": "old"}),
    "rename, the new value wins": ({"title": "new"}, {"name": "new"}, {"name": "old"}, {"title": "old"}),
    "split": (
        {"first": "Bob"},
        {"full_name": "Bob Lovelace"},
        {"full_name": "Carl Orff"},
        {"first": "Carl", "last": "Orff"},
    ),
    "transform": (
        {"first": "Bob"},
        {"full_name": "Bob Lovelace"},
        {"full_name": "Carl Orff"},
        {"first": "Carl", "last": "Orff"},
    ),
    "merge": ({"label": "yew 9"}, {"name": "yew", "price": "9"}, {"price": "5"}, {"label": "oak 5"}),
    "rename and convert": ({"cost": 55}, {"price": "55"}, {"price": "44"}, {"cost": 44}),
}
"""What the new version writes, how the old one reads it; what the old version writes, how the new one reads it."""


def write(client: redis.Redis, storage: Storage, pk: str, values: Values) -> None:
    key = PREFIX[storage] + pk
    if storage is Storage.HASH:
        client.hset(key, mapping=as_stored(values, storage))
        return
    for name, value in values.items():
        client.execute_command("JSON.SET", key, f"$.{name}", json.dumps(value))


def has(client: redis.Redis, storage: Storage, pk: str, values: Values) -> bool:
    return as_stored(values, storage).items() <= document(client, storage, pk).items()


@pytest.mark.sample(6)
@pytest.mark.parametrize("written", ["before contraction", "after contraction", "not contracted"])
@pytest.mark.parametrize("storage", Storage)
@pytest.mark.parametrize("kind", WRITTEN)
def test_what_the_new_version_writes_stays(
    client: redis.Redis, kind: str, storage: Storage, written: str
) -> None:
    """It writes only its own fields: those of the old version are left behind, or come back from the undo log."""
    before = load(client)
    of_new, for_old, _, _ = WRITTEN[kind]
    one = migration(*operations(kind, storage))
    do(client, forward(one))
    if written == "after contraction":
        do(client, contract(one))
    write(client, storage, "a1", of_new)
    assert do(client, one.verify(base())).problems.first == []
    assert do(client, forward(one)).data.errors == 0
    if written == "before contraction":
        assert do(client, contract(one)).errors == 0
    assert has(client, storage, "a1", of_new)
    undone = do(client, back(one)).data
    assert (undone.stopped, undone.kept, undone.unrestored) == (None, 0, 0)
    assert has(client, storage, "a1", for_old)
    assert document(client, storage, "a1").keys() == document(client, storage, "a2").keys()
    key = f"{PREFIX[storage]}a1".encode()
    others = [found for found in (before, documents(client)) if found.pop(key)]
    assert difference(*others) == []
    assert [key for key in client.scan_iter(match="redstart:2026*") if b":fence" not in key] == []


@pytest.mark.sample(6)
@pytest.mark.parametrize("storage", Storage)
@pytest.mark.parametrize("kind", WRITTEN)
def test_what_the_old_version_writes_reaches_the_new_one(
    client: redis.Redis, kind: str, storage: Storage
) -> None:
    before = load(client)
    _, _, of_old, for_new = WRITTEN[kind]
    one = migration(*operations(kind, storage))
    do(client, forward(one))
    write(client, storage, "a1", of_old)
    write(client, storage, "a2", of_old)
    assert do(client, forward(one)).data.errors == 0
    assert has(client, storage, "a1", for_new)
    write(client, storage, "a2", {name: before_value(before, storage, "a2", name) for name in of_old})
    assert do(client, contract(one)).errors == 0
    assert has(client, storage, "a1", for_new)
    undone = do(client, back(one)).data
    assert (undone.stopped, undone.kept, undone.unrestored) == (None, 0, 0)
    assert has(client, storage, "a1", of_old)
    key = f"{PREFIX[storage]}a1".encode()
    others = [found for found in (before, documents(client)) if found.pop(key)]
    assert difference(*others) == []


def before_value(before: Any, storage: Storage, pk: str, name: str) -> str:
    content = before[f"{PREFIX[storage]}{pk}".encode()].content
    found = json.loads(content)[name] if storage is Storage.JSON else content[name.encode()].decode()
    return str(found)


def test_values_that_both_versions_write_are_a_failure_and_stay(client: redis.Redis) -> None:
    load(client)
    one = migration(*operations("rename", Storage.HASH))
    do(client, forward(one))
    write(client, Storage.HASH, "a1", {"name": "old", "title": "new"})
    assert do(client, forward(one)).data.errors == 1
    assert do(client, contract(one)).errors == 1
    assert has(client, Storage.HASH, "a1", {"name": "old", "title": "new"})


CLEARED = {
    "rename": (["title"], ["name"]),
    "rename, the old value wins": (["title"], ["name"]),
    "rename, the new value wins": (["title"], ["name"]),
    "split": (["first", "last"], ["full_name"]),
    "merge": (["label"], ["name", "price"]),
}
"""The fields that the new version removes, and those of the old version of which the run has made them."""


@pytest.mark.parametrize("kind", CLEARED)
def test_a_cleanup_does_not_restore_what_the_new_version_has_removed(client: redis.Redis, kind: str) -> None:
    """A hash that the old version has deleted and written again looks alike: both values stay, unless keep= decides."""
    before = load(client)
    new, old = CLEARED[kind]
    one = migration(*operations(kind, Storage.HASH))
    key, of_old = f"{PREFIX[Storage.HASH]}a1", f"{PREFIX[Storage.HASH]}b1"
    do(client, forward(one))
    client.hdel(key, *new)
    client.hdel(of_old, *new)
    client.hset(of_old, mapping=dict.fromkeys(old, "Carl Orff" if kind == "split" else "Carl"))
    contracted = do(client, contract(one))
    kept = one.models[0].changes[0].change.kept
    assert contracted.errors == (1 if kept is None else 0)
    found = document(client, Storage.HASH, "a1").keys()
    assert (set(new) <= found, set(old) <= found) == (kept == "old", kept is None)
    assert set(new) <= document(client, Storage.HASH, "b1").keys(), "the old version has written it since"
    if kept is None:
        failure = do(client, FailureLog(one.context(base()).keys).all())[0]
        assert failure.key == key
        assert "the new version has removed it, or the old one has written" in failure.reason
    undone = do(client, back(one)).data
    assert (undone.stopped, undone.unrestored) == (None, 0)
    changed = {key.encode(), of_old.encode()}
    left = [
        {name: entry for name, entry in found.items() if name not in changed}
        for found in (before, documents(client))
    ]
    assert difference(*left) == []
    assert document(client, Storage.HASH, "a1").keys() == document(client, Storage.HASH, "a2").keys()


def test_a_part_that_the_new_version_has_removed_stays_so_and_null_is_a_value(client: redis.Redis) -> None:
    load(client)
    one = migration(*(item for storage in Storage for item in operations("split", storage)))
    do(client, forward(one))
    client.hdel(f"{PREFIX[Storage.HASH]}a1", "last")
    for name in ("first", "last"):
        client.execute_command("JSON.SET", f"{PREFIX[Storage.JSON]}a1", f"$.{name}", "null")
    assert do(client, contract(one)).errors == 0
    found = document(client, Storage.HASH, "a1")
    assert (found["first"], "last" in found, "full_name" in found) == ("Ada", False, False)
    found = document(client, Storage.JSON, "a1")
    assert (found["first"], found["last"], "full_name" in found) == (None, None, False)


def test_a_value_that_is_changed_and_changed_back_is_taken_for_unchanged(
    client: redis.Redis, url: str
) -> None:
    """Only bytes are compared: docs/migration-files.md lists what is not noticed."""
    before = load(client)
    prefix = PREFIX[Storage.HASH]
    one = migration(
        *operations("rename", Storage.HASH),
        ConvertField(NAMES[Storage.HASH], Field("price", "str"), Field("price", "int")),
    )
    expected = ["oak", "12"]

    def write_twice(name: str) -> None:
        if "apply" in name:
            for value in ("changed", expected[0]):
                client.hset(f"{prefix}a2", "name", value)

    with CrashDriver(url, before=write_twice) as driver:
        assert driver.run(forward(one)).data.errors == 0
    assert client.hmget(f"{prefix}a2", "title", "price") == [text.encode() for text in expected]
    client.hset(f"{prefix}a1", "title", "of the new")
    client.hset(f"{prefix}a1", "name", "oak")  # by the old version, later
    for value in ("of the new", "oak"):
        client.hset(f"{prefix}a2", "title", value)
    deleted, restored = client.dump(f"{prefix}a3"), f"{prefix}a3"
    client.delete(restored)
    client.restore(restored, 0, deleted)
    assert do(client, contract(one)).errors == 0
    assert client.hget(f"{prefix}a1", "title") == b"of the new"
    undone = do(client, back(one)).data
    assert (undone.stopped, undone.kept, undone.unrestored) == (None, 0, 0)
    key = f"{prefix}a1".encode()
    others = [found for found in (before, documents(client)) if found.pop(key)]
    assert difference(*others) == []
    assert client.hget(key, "name") == b"of the new"


BOTH = {
    "rename": ({"name": "of the old", "title": "of the new"}, {"name": "before", "title": "other"}),
    "rename, the old value wins": (
        {"name": "of the old", "title": "of the new"},
        {"name": "before", "title": "other"},
    ),
    "split": (
        {"full_name": "Carl Orff", "first": "Bob"},
        {"full_name": "Ann Lee", "first": "Eve", "last": "Lee"},
    ),
    "merge": ({"name": "elm", "label": "yew 9"}, {"label": "other 1"}),
}
"""What both versions write since the run; and a document that has both before the run."""


@pytest.mark.parametrize("storage", Storage)
@pytest.mark.parametrize("kind", BOTH)
def test_what_both_versions_have_written_is_counted_after_a_rollback(
    client: redis.Redis, kind: str, storage: Storage
) -> None:
    load(client)
    since, at_first = BOTH[kind]
    write(client, storage, "d2", at_first)
    before = documents(client)
    one = migration(*operations(kind, storage))
    do(client, forward(one))
    write(client, storage, "a1", since)
    write(client, storage, "b1", WRITTEN[kind][0])
    write(client, storage, "c1", WRITTEN[kind][2])
    undone = do(client, back(one))
    assert [failure.key for failure in undone.data.examples] == [f"{PREFIX[storage]}a1"]
    assert undone.data.examples[0].reason == "both versions have written it since the run; both values stay"
    assert (undone.data.kept, undone.outcome) == (1, Outcome.PROBLEMS_FOUND)
    assert has(client, storage, "a1", since)
    changed = {f"{PREFIX[storage]}{pk}".encode() for pk in ("a1", "b1", "c1")}
    left = {key: entry for key, entry in documents(client).items() if key not in changed}
    assert difference({key: entry for key, entry in before.items() if key not in changed}, left) == []


class Writers:
    """Writes a random document between requests; before one of them, remembers what it has written last.

    Args:
        old: whether the old version writes.
    """

    def __init__(self, client: redis.Redis, storage: Storage, *, old: bool) -> None:
        self._client, self._storage, self._old = client, storage, old
        self._random = random.Random(uuid.uuid4().int)
        self._number = 0
        self.names: dict[str, str] = {}

    def __call__(self, _name: str) -> None:
        self._number += 1
        pk, text = f"{self._random.choice('abd')}{self._random.randrange(8)}", f"w{self._number}"
        if self._random.random() < 0.2:
            pk = f"new{self._number}"
        self.names[pk] = text
        key = PREFIX[self._storage] + pk
        name = "name" if self._old else "title"
        if self._storage is Storage.HASH:
            self._client.hset(key, name, text)
        elif self._client.exists(key):
            self._client.execute_command("JSON.SET", key, f"$.{name}", json.dumps(text))
        else:
            self._client.execute_command("JSON.SET", key, "$", json.dumps({name: text}))


@pytest.mark.sample(1)
@pytest.mark.parametrize("storage", Storage)
def test_writers_between_requests_lose_nothing(
    client: redis.Redis, url: str, monkeypatch: pytest.MonkeyPatch, storage: Storage
) -> None:
    """The old version writes during the run, the new one during contraction and rollback."""
    small_pieces(monkeypatch)
    one = migration(
        RenameField(NAMES[storage], "name", "title"), AddField(NAMES[storage], Field("n", "int", default=1))
    )
    for _ in range(20 if SOAK else 2):
        load(client)
        written = during(url, forward(one), old := Writers(client, storage, old=True))
        do(client, forward(one))  # what was written during the last pass
        assert {pk: document(client, storage, pk)["title"] for pk in written} == written
        later = during(url, contract(one), Writers(client, storage, old=False))
        assert do(client, contract(one)).errors == 0
        written |= later
        assert {pk: document(client, storage, pk)["title"] for pk in written} == written
        assert not any("name" in document(client, storage, pk) for pk in written)
        assert old.names
        written |= during(url, back(one), Writers(client, storage, old=False))
        do(client, back(one))
        assert {pk: name_of(client, storage, pk) for pk in written} == written


def name_of(client: redis.Redis, storage: Storage, pk: str) -> str:
    """Return the name of a document that is rolled back; or of one that was written after its last pass."""
    found = document(client, storage, pk)
    return str(found.get("title", found.get("name")))


def during(url: str, operation: Op[Any], writers: Writers) -> dict[str, str]:
    """Run an operation with writers between its requests. Return what they have written."""
    with CrashDriver(url, before=writers) as driver:
        driver.run(operation)
    return writers.names


STEADY: dict[str, tuple[Operation, Operation]] = {
    kind: (make(NAMES[Storage.HASH]), make(NAMES[Storage.JSON]))
    for kind, make in {
        "add": lambda name: AddField(name, Field("priority", "int", default=1)),
        "rename": lambda name: RenameField(name, "name", "title", keep="old"),
        "split": lambda name: SplitField(name, "full_name", [Field("first", "str"), Field("last", "str")]),
        "convert": lambda name: ConvertField(name, Field("price", "str"), Field("price", "int")),
    }.items()
}


@pytest.mark.sample(2)
@pytest.mark.parametrize("kind", STEADY)
def test_a_run_is_complete_beside_an_old_version_that_writes_all_the_time(
    client: redis.Redis, url: str, kind: str
) -> None:
    """The rest is changed by the cleanup, which needs the old version to be stopped."""
    load(client)
    numbers = iter(range(10_000))

    def write(name: str) -> None:
        if "SCAN" in name:
            written = {"pk": "z", "name": "elm", "price": "5", "full_name": f"Ada L{next(numbers)}"}
            client.hset(f"{PREFIX[Storage.HASH]}new{next(numbers)}", mapping=written)
            client.execute_command("JSON.SET", f"{PREFIX[Storage.JSON]}a1", "$", json.dumps(written))

    one = migration(*STEADY[kind])
    with CrashDriver(url, before=write) as driver:
        result = driver.run(forward(one))
        assert (result.outcome, result.data.errors) == (Outcome.DONE, 0)
        assert result.data.changed_by_last_pass > 0
        assert result.data.passes <= 4
        stopped = driver.run(contract(one)).stopped
    assert "old version of the application still writes" in stopped
    late = {"name": "elm", "price": "5", "full_name": "Ada L"}
    client.hset(f"{PREFIX[Storage.HASH]}late", mapping=late)
    # A hash stores 5 as text in both versions, and whether the last JSON document was converted depends on the scan.
    client.execute_command("JSON.SET", f"{PREFIX[Storage.JSON]}late", "$", json.dumps(late))
    assert do(client, one.verify(base())).problems.count > 0
    assert one.needs_cleanup
    done = do(client, contract(one))
    assert (done.stopped, done.errors, done.changed_by_last_pass) == (None, 0, 0)
    assert do(client, one.verify(base())).problems.first == []


@pytest.mark.parametrize("kind", STEADY)
def test_a_run_ends_with_a_pass_that_changes_nothing_when_the_old_version_pauses(
    client: redis.Redis, url: str, kind: str
) -> None:
    load(client)
    writes = iter(range(3))

    def write(name: str) -> None:
        if "SCAN" in name and next(writes, None) is not None:
            client.hset(f"{PREFIX[Storage.HASH]}new{name}", mapping={"name": "elm", "price": "5"})

    one = migration(*STEADY[kind])
    with CrashDriver(url, before=write) as driver:
        assert driver.run(forward(one)).data.changed_by_last_pass == 0
    problems = do(client, one.verify(base())).problems
    assert problems.first == []


def test_a_function_at_the_end_waits_until_all_documents_are_changed(client: redis.Redis, url: str) -> None:
    load(client)
    numbers = iter(range(10_000))

    def write(name: str) -> None:
        if "SCAN" in name:
            client.hset(f"{PREFIX[Storage.HASH]}new{next(numbers)}", "name", "elm")

    called: list[object] = []
    with CrashDriver(url, before=write) as driver:
        result = driver.run(forward(migration(*STEADY["rename"], RunPython(called.append))))
    assert (result.outcome, called) == (Outcome.STOPPED, [])
