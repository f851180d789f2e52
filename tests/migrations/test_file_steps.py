"""Steps of migration files on a real server: keys move, models are removed, functions are called; and back."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import redis

from redstart.effects import Op
from redstart.errors import MigrationError, MigrationStateError, UnsupportedOperationError
from redstart.migrations.context import Context, Monitor
from redstart.migrations.data.failures import FailureLog, failure_at
from redstart.migrations.data.results import RunOptions
from redstart.migrations.file_migration import FileMigration
from redstart.migrations.indexes import migrator
from redstart.migrations.indexes.expand import ExpansionOptions
from redstart.migrations.maintenance import drop_undo_log_of_data
from redstart.migrations.operations.state import ProjectState
from redstart.migrations.outcomes import Outcome
from redstart.migrations.steps import key_passes, removed_models
from redstart.migrations.steps.key_moves import move_keys
from redstart.operations import (
    AlterIndex,
    ChangeKeyPrefix,
    Index,
    Operation,
    RemoveModel,
    RenameField,
    RunPython,
    Storage,
)
from tests.migrations.data.test_second_migration import crash
from tests.migrations.test_file_migration import (
    NAMES,
    PREFIX,
    attribute,
    base,
    do,
    documents,
    indexes,
    load,
    migration,
    model,
    state,
)
from tests.support.crash_driver import CrashDriver, CrashKind
from tests.support.snapshot import Snapshot, difference
from tests.support.soak import SOAK

NEW = {Storage.HASH: "store:purchase:", Storage.JSON: "store:cart:"}


@pytest.fixture(autouse=True)
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make pages small, and let no run wait for the lease of the indexes of a crashed one, which is this process."""
    monkeypatch.setattr(migrator, "is_gone", lambda _: True)
    monkeypatch.setattr(key_passes, "PAGE_KEYS", 3)
    monkeypatch.setattr(removed_models, "PAGE_ENTRIES", 3)


def index(storage: Storage, prefix: str, name: str = "name", index_name: str = "") -> Index:
    return Index(index_name or f"{prefix}index", storage, (prefix,), (attribute(storage, name),))


def moved(*, keeps_name: bool = False, suffix: str = "") -> FileMigration:
    """Both models to other keys, and a field renamed, in one file."""
    operations: list[Operation] = []
    for storage, name in NAMES.items():
        old = index(storage, PREFIX[storage])
        new_name = old.name if keeps_name else f"{NEW[storage]}index"
        operations += [
            RenameField(name, "name", "title"),
            ChangeKeyPrefix(name, PREFIX[storage], NEW[storage], suffix_after=suffix),
            AlterIndex(name, before=old, after=index(storage, NEW[storage], "title", new_name)),
        ]
    return migration(*operations, before=state("name"))


def only_moved(after: dict[Storage, str], suffix: str = "") -> FileMigration:
    operations = [
        ChangeKeyPrefix(name, PREFIX[storage], after[storage], suffix_after=suffix)
        for storage, name in NAMES.items()
    ]
    return migration(*operations)


def forward(one: FileMigration, context: Context | None = None) -> Op[Any]:
    return one.run(context or base(), RunOptions(batch_documents=10), indexes(), ExpansionOptions())


def back(one: FileMigration, context: Context | None = None) -> Op[Any]:
    return one.roll_back(context or base(), indexes(), ExpansionOptions())


def indexed(client: redis.Redis, copies: int = 2) -> Snapshot:
    """Documents with the indexes before."""
    before = load(client, copies)
    operations = [
        AlterIndex(name, before=None, after=index(storage, PREFIX[storage]))
        for storage, name in NAMES.items()
    ]
    do(client, forward(migration(*operations)))
    return before


def with_new_keys(before: Snapshot, after: dict[Storage, str], suffix: str = "") -> Snapshot:
    new = {}
    for key, entry in before.items():
        name = key.decode()
        storage = next(one for one in Storage if name.startswith(PREFIX[one]))
        new[(after[storage] + name.removeprefix(PREFIX[storage]) + suffix).encode()] = entry
    return new


def count(client: redis.Redis, name: str, query: str) -> int:
    reply = client.execute_command("FT.SEARCH", name, query, "LIMIT", 0, 0, "DIALECT", 2)
    return reply[b"total_results"] if isinstance(reply, dict) else reply[0]


@pytest.mark.parametrize("suffix", ["", ":v2"])
def test_documents_move_with_every_byte_and_expiry_and_back(client: redis.Redis, suffix: str) -> None:
    before = load(client, 3)
    one = only_moved(NEW, suffix)
    result = do(client, forward(one))
    assert (result.is_complete, [move.moved for move in result.moves]) == (True, [12, 12])
    assert difference(with_new_keys(before, NEW, suffix), documents(client)) == []
    assert do(client, forward(one)).is_complete
    do(client, back(one))
    assert difference(before, documents(client)) == []
    assert [key for key in client.scan_iter(match="redstart:20261130*") if b":fence" not in key] == []


@pytest.mark.parametrize(
    "after",
    [
        {storage: f"{prefix}v2:" for storage, prefix in PREFIX.items()},
        {storage: prefix[: prefix.index(":") + 1] + storage for storage, prefix in PREFIX.items()},
    ],
)
def test_the_new_keys_may_be_among_the_old_ones(client: redis.Redis, after: dict[Storage, str]) -> None:
    before = load(client, 3)
    one = only_moved(after)
    assert do(client, forward(one)).is_complete
    assert difference(with_new_keys(before, after), documents(client)) == []
    do(client, back(one))
    assert difference(before, documents(client)) == []


def test_the_suffix_alone_changes(client: redis.Redis) -> None:
    before = load(client, 3)
    one = only_moved(PREFIX, ":v2")
    assert do(client, forward(one)).is_complete
    assert difference(with_new_keys(before, PREFIX, ":v2"), documents(client)) == []
    do(client, back(one))
    assert difference(before, documents(client)) == []


@pytest.mark.parametrize("keeps_name", [False, True])
def test_fields_keys_and_indexes_change_in_one_file(client: redis.Redis, keeps_name: bool) -> None:
    before = indexed(client)
    one = moved(keeps_name=keeps_name)
    result = do(client, forward(one))
    assert result.is_complete
    for storage in Storage:
        name = f"{PREFIX[storage] if keeps_name else NEW[storage]}index"
        assert count(client, name, "@title:{oak}") == 2
    assert not list(client.scan_iter(match="shop:*:[abcd]*"))
    assert one.needs_cleanup is not keeps_name
    if not keeps_name:
        do(client, one.remove_models(base(), indexes(), one.after))
        for storage in Storage:
            with pytest.raises(redis.ResponseError):
                count(client, f"{PREFIX[storage]}index", "*")
    undone = do(client, back(one)).data
    assert (undone.stopped, undone.kept, undone.unrestored) == (None, 0, 0)
    assert difference(before, documents(client)) == []
    for storage in Storage:
        assert count(client, f"{PREFIX[storage]}index", "@name:{oak}") == 2
        if not keeps_name:
            with pytest.raises(redis.ResponseError):
                count(client, f"{NEW[storage]}index", "*")


@pytest.mark.parametrize("keeps_name", [False, True])
def test_queries_find_each_document_at_every_moment_of_a_move(
    client: redis.Redis, url: str, keeps_name: bool
) -> None:
    """Between any two requests of the run and of the rollback, by each name that exists."""
    operations: list[Operation] = []
    for storage, name in NAMES.items():
        old = index(storage, PREFIX[storage])
        new_name = old.name if keeps_name else f"{NEW[storage]}index"
        operations += [
            ChangeKeyPrefix(name, PREFIX[storage], NEW[storage]),
            AlterIndex(name, before=old, after=index(storage, NEW[storage], index_name=new_name)),
        ]
    one = migration(*operations, before=state("name"))
    indexed(client)
    seen: list[tuple[str, str, int]] = []

    def look(request: str) -> None:
        for prefix in {*PREFIX.values(), *NEW.values()}:
            try:
                seen.append((request, prefix, count(client, f"{prefix}index", "@name:{oak}")))
            except redis.ResponseError:
                continue

    for operation in (forward(one), back(one)):
        seen.clear()
        with CrashDriver(url, before=look) as driver:
            driver.run(operation)
        assert len(seen) > 100
        assert [entry for entry in seen if entry[2] != 2] == []


_WRITES = ("move_keys", "remove_documents", "restore_documents")


def resumes_at_every_request(
    client: redis.Redis,
    url: str,
    reset: Callable[[], object],
    make: Callable[[], Op[Any]],
    end: Snapshot,
    *,
    writes: tuple[str, ...] = _WRITES,
    every: int = 1,
) -> None:
    """Let an operation go wrong at each request, in a way that changes from one to the next, then do it again.

    Args:
        writes: names of scripts that go wrong in every way, or in two if not each request goes wrong.
        every: which share of the requests go wrong: each, every second one ...
    """
    reset()
    with CrashDriver(url) as driver:
        driver.run(make())
        names = driver.names
    assert difference(end, documents(client)) == []
    kinds = list(CrashKind)
    scripts = [at for at, name in enumerate(names) if any(one in name for one in writes)]
    points = [(at, kinds[at // every % len(kinds)]) for at in range(0, len(names), every)]
    some = scripts[:: max(1, len(scripts) // 4)] if every == 1 else scripts[len(scripts) // 2 :][:1]
    points += [(at, kind) for at in some for kind in (kinds if every == 1 else kinds[len(names) % 2 :: 2])]
    for at, kind in points:
        reset()
        crash(url, make(), at, kind)
        do(client, make())
        assert difference(end, documents(client)) == [], (names[at], kind)


@pytest.mark.soak
def test_a_move_that_stops_at_any_request_is_resumed(client: redis.Redis, url: str) -> None:
    one = only_moved(NEW)
    before = load(client, 1)
    some = 1 if SOAK else 7
    end = with_new_keys(before, NEW)
    resumes_at_every_request(client, url, lambda: load(client, 1), lambda: forward(one), end, every=some)

    def applied() -> None:
        load(client, 1)
        do(client, forward(one))

    resumes_at_every_request(client, url, applied, lambda: back(one), before, every=some)


def test_nothing_moves_while_a_new_key_exists(client: redis.Redis) -> None:
    before = load(client)
    client.set(f"{NEW[Storage.JSON]}x", "another program's")
    with pytest.raises(MigrationError, match="1 keys store:cart:\\* exist already, such as store:cart:x"):
        do(client, forward(only_moved(NEW)))
    client.delete(f"{NEW[Storage.JSON]}x")
    assert difference(before, documents(client)) == []
    assert do(client, forward(only_moved(NEW))).is_complete


@pytest.mark.parametrize("storage", Storage)
@pytest.mark.parametrize("with_fields", [False, True])
def test_documents_that_cannot_move_stay_and_are_recorded(
    client: redis.Redis, url: str, storage: Storage, with_fields: bool
) -> None:
    load(client)
    one = moved() if with_fields else only_moved(NEW)
    log = FailureLog(one.context(base()).keys)
    old, new = f"{PREFIX[storage]}a1", f"{NEW[storage]}a1"
    before = documents(client)

    def write(name: str) -> None:
        if "move_keys" in name and not client.exists(new):
            client.set(new, "of the new version")

    with CrashDriver(url, before=write) as driver:
        result = driver.run(forward(one))
    for _ in range(2):
        assert result.outcome is Outcome.STOPPED
        assert f"1 document cannot move from {PREFIX[storage]}* to {NEW[storage]}*" in result.stopped
        assert (result.failures.count, client.get(new)) == (1, b"of the new version")
        (failure,) = do(client, log.all())
        assert (failure.key, failure.path) == (old, "")
        assert failure.reason == f"there is a document with its new key {new} already"
        result = do(client, forward(one))
    assert with_fields or documents(client)[old.encode()] == before[old.encode()]
    client.delete(new)
    assert do(client, forward(one)).is_complete
    assert (client.exists(old), do(client, log.all())) == (0, [])
    client.set(old, "of the old version")
    for _ in range(2):
        with pytest.raises(MigrationError, match="1 document cannot move from "):
            do(client, back(one))
        assert [failure.key for failure in do(client, log.all())] == [new]
    client.delete(old)
    assert do(client, back(one)).is_complete
    assert (difference(before, documents(client)), do(client, log.all())) == ([], [])


def test_a_move_removes_only_its_own_records_and_only_when_it_is_whole(client: redis.Redis) -> None:
    load(client)
    one = only_moved(NEW)
    context = one.context(base())
    log = FailureLog(context.keys)
    key = f"{PREFIX[Storage.HASH]}a1".encode()
    value, document = failure_at(key, ("name",), b"x", "not a number"), failure_at(key, "", b"", "taken")
    do(client, context.under_lease(lambda lease: log.record(lease, [value, document])))
    (move,) = [move for move in one.steps.moves if move.is_old(key)]

    interrupted = replace(context, monitor=Monitor(stop_requested=lambda: True))
    assert do(client, move_keys(interrupted, move)).stopped == "interrupted"
    assert {failure.name for failure in do(client, log.all())} == {value.name, document.name}
    assert do(client, move_keys(context, move)).stopped is None
    assert [failure.name for failure in do(client, log.all())] == [value.name]


def test_documents_written_beside_a_move_are_moved(client: redis.Redis, url: str) -> None:
    load(client)
    one = only_moved(NEW)
    written = iter(range(12))

    def write(name: str) -> None:
        if "move_keys" in name and (number := next(written, None)) is not None:
            client.hset(f"{PREFIX[Storage.HASH]}new{number}", "name", "late")

    with CrashDriver(url, before=write) as driver:
        assert driver.run(forward(one)).is_complete
    assert not list(client.scan_iter(match=f"{PREFIX[Storage.HASH]}[abcdn]*"))
    assert len(list(client.scan_iter(match=f"{NEW[Storage.HASH]}new*"))) == 12
    client.hset(f"{NEW[Storage.HASH]}since", "name", "since")
    do(client, back(one))
    assert client.hget(f"{PREFIX[Storage.HASH]}since", "name") == b"since"


def test_a_version_that_keeps_writing_stops_the_move(client: redis.Redis, url: str) -> None:
    load(client)
    numbers = iter(range(10_000))

    def write(name: str) -> None:
        if "SCAN" in name:
            client.hset(f"{PREFIX[Storage.HASH]}new{next(numbers)}", "name", "late")

    with CrashDriver(url, before=write) as driver:
        result = driver.run(forward(only_moved(NEW)))
    assert (result.outcome, "old version of the application still writes" in result.stopped) == (
        Outcome.STOPPED,
        True,
    )


def test_keys_that_could_not_be_told_apart_are_refused() -> None:
    name = NAMES[Storage.HASH]
    with pytest.raises(MigrationStateError, match="a key can match both"):
        migration(
            ChangeKeyPrefix(name, "shop:order:", "shop:", suffix_after=":z"),
            before=ProjectState().with_model(model(Storage.HASH)),
        )
    inside = ProjectState().with_model(model(Storage.HASH)).with_model(
        model(Storage.HASH).replaced(name="shop.Line", key_prefix="store:purchase:line:")
    )  # fmt: skip
    with pytest.raises(MigrationStateError, match=r"keys of shop.Line \(store:purchase:line:\*\)"):
        migration(ChangeKeyPrefix(name, "shop:order:", "store:purchase:"), before=inside)
    with pytest.raises(MigrationStateError, match="would not contain the keys store:purchase:"):
        migration(ChangeKeyPrefix(name, "shop:order:", "store:purchase:"), before=state("name"))


def test_excluded_keys_and_those_of_another_index_stay(client: redis.Redis) -> None:
    before = load(client)
    inner = f"{PREFIX[Storage.HASH]}b"
    client.execute_command("FT.CREATE", "others", "PREFIX", 1, inner, "SCHEMA", "name", "TAG")
    name = NAMES[Storage.HASH]
    for operation, do_it in (
        (ChangeKeyPrefix(name, PREFIX[Storage.HASH], NEW[Storage.HASH]), forward),
        (RemoveModel(name), contract),
    ):
        file = migration(operation)
        with pytest.raises(
            MigrationError, match=f"Keys that begin with '{inner}' belong to the index others"
        ):
            do(client, do_it(file))
        assert difference(before, documents(client)) == []
        excluding = FileMigration.of(file.file, file.before, exclude_prefixes=[inner])
        do(client, do_it(excluding))
        left = list(client.scan_iter(match=f"{PREFIX[Storage.HASH]}*"))
        assert (len(left), all(key.startswith(inner.encode()) for key in left)) == (8, True)
        do(client, back(excluding))
        assert difference(before, documents(client)) == []


def removed() -> FileMigration:
    return migration(*(RemoveModel(name) for name in NAMES.values()), before=state("name"))


def contract(one: FileMigration) -> Op[Any]:
    return one.remove_models(base(), indexes(), one.after)


def test_a_removed_model_keeps_its_documents_until_it_is_contracted(client: redis.Redis) -> None:
    before = indexed(client)
    large = json.dumps({"name": "oak", "text": "x" * 2_000_000})
    client.execute_command("JSON.SET", f"{PREFIX[Storage.JSON]}large", "$", large)
    before = documents(client)
    one = removed()
    assert do(client, forward(one)).is_complete
    assert difference(before, documents(client)) == []
    assert one.needs_cleanup
    assert [result.documents for result in do(client, contract(one))] == [8, 9]
    assert documents(client) == {}
    for storage in Storage:
        with pytest.raises(redis.ResponseError):
            count(client, f"{PREFIX[storage]}index", "*")
    assert [result.documents for result in do(client, contract(one))] == [8, 9]
    do(client, back(one))
    assert difference(before, documents(client)) == []
    for storage in Storage:
        assert count(client, f"{PREFIX[storage]}index", "@name:{oak}") == (
            2 if storage is Storage.HASH else 3
        )
    assert [key for key in client.scan_iter(match="redstart:20261130*") if b":fence" not in key] == []


@pytest.mark.sample(0)
def test_a_removal_that_stops_at_any_request_is_resumed(client: redis.Redis, url: str) -> None:
    one = removed()
    before = load(client, 1)
    resumes_at_every_request(client, url, lambda: load(client, 1), lambda: contract(one), {})

    def contracted() -> None:
        load(client, 1)
        do(client, contract(one))

    resumes_at_every_request(client, url, contracted, lambda: back(one), before)


def test_a_key_that_exists_is_not_overwritten_by_a_restored_document(client: redis.Redis) -> None:
    before = load(client)
    one = removed()
    do(client, contract(one))
    client.hset(f"{PREFIX[Storage.HASH]}a1", "name", "new")
    with pytest.raises(MigrationError, match="1 removed documents cannot be restored: their keys exist"):
        do(client, back(one))
    assert client.hget(f"{PREFIX[Storage.HASH]}a1", "name") == b"new"
    client.delete(f"{PREFIX[Storage.HASH]}a1")
    do(client, back(one))
    assert difference(before, documents(client)) == []


def test_the_copies_of_removed_documents_are_dropped_with_the_undo_log(client: redis.Redis) -> None:
    load(client)
    one = removed()
    do(client, contract(one))
    assert client.xlen(one.context(base()).keys.removed) == 64
    assert do(client, drop_undo_log_of_data(one.context(base())))
    assert not client.exists(one.context(base()).keys.removed)


def test_documents_of_another_model_are_never_removed(client: redis.Redis) -> None:
    before = load(client)
    one = removed()
    used = ProjectState().with_model(model(Storage.HASH).replaced(name="shop.Later"))
    results = do(client, one.remove_models(base(), indexes(), used))
    assert [(result.documents, result.owner) for result in results] == [(0, "shop.Later"), (32, "")]
    do(client, back(one))
    assert difference(before, documents(client)) == []


class Calls:
    """Functions that record how they are called."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.failing: set[str] = set()

    def up(self, client: Any, step: str = "") -> None:
        self.made.append(f"up {step}")
        client.rpush("shop:log", f"up {step}")
        if step in self.failing:
            raise ValueError(f"no {step}")

    def down(self, client: Any, step: str = "") -> None:
        self.made.append(f"down {step}")
        client.rpush("shop:log", f"down {step}")


def functions(client: redis.Redis, **changes: Any) -> Context:
    @contextmanager
    def opened() -> Iterator[Any]:
        yield client

    return replace(base(), client=opened, **changes)


def test_functions_are_called_once_for_each_step(client: redis.Redis) -> None:
    load(client)
    calls = Calls()
    steps = ["one", "two", "three"]
    one = migration(
        RunPython(calls.up, calls.down),
        RenameField(NAMES[Storage.HASH], "name", "title"),
        RunPython(calls.up, calls.down, steps=steps),
    )
    calls.failing = {"two"}
    result = do(client, forward(one, functions(client)))
    assert result.outcome is Outcome.STOPPED
    assert result.stopped == "up('two') raised ValueError: 'no two'"
    calls.failing.clear()
    assert do(client, forward(one, functions(client))).is_complete
    assert calls.made == ["up ", "up one", "up two", "up two", "up three"]
    assert do(client, forward(one, functions(client))).is_complete
    assert len(calls.made) == 5
    calls.made.clear()
    do(client, back(one, functions(client)))
    assert calls.made == ["down three", "down two", "down one", "down "]
    do(client, back(one, functions(client)))
    assert len(calls.made) == 4


def test_a_function_without_inverse_is_not_rolled_back(client: redis.Redis) -> None:
    before = load(client)
    calls = Calls()
    one = migration(RenameField(NAMES[Storage.HASH], "name", "title"), RunPython(calls.up))
    do(client, forward(one, functions(client)))
    after = documents(client)
    with pytest.raises(UnsupportedOperationError, match=r"RunPython has called up\(\), which has no inverse"):
        do(client, back(one, functions(client)))
    assert difference(after, documents(client)) == []
    assert difference(before, after) != []


def test_functions_resume_with_the_next_step_at_any_request(client: redis.Redis, url: str) -> None:
    calls = Calls()
    one = migration(RunPython(calls.up, calls.down, steps=["one", "two"]))
    with CrashDriver(url) as driver:
        driver.run(forward(one, functions(client)))
        names = driver.names
    for at in range(len(names)):
        for kind in CrashKind:
            client.execute_command("FLUSHALL", "SYNC")
            calls.made.clear()
            crash(url, forward(one, functions(client)), at, kind)
            do(client, forward(one, functions(client)))
            assert list(dict.fromkeys(calls.made)) == ["up one", "up two"]
            assert len(calls.made) <= 3, (names[at], kind)


def test_a_request_to_stop_is_heeded_between_steps(client: redis.Redis) -> None:
    calls = Calls()
    one = migration(RunPython(calls.up, steps=["one", "two"]))
    monitor = Monitor(stop_requested=lambda: bool(calls.made))
    result = do(client, forward(one, functions(client, monitor=monitor)))
    assert (calls.made, result.stopped) == (["up one"], "interrupted before up('two')")
    assert do(client, forward(one, functions(client))).is_complete
    assert calls.made == ["up one", "up two"]


def test_functions_in_the_wrong_place_or_asynchronous_are_refused() -> None:
    async def up(_: Any) -> None: ...

    rename = RenameField(NAMES[Storage.HASH], "name", "title")
    again = RenameField(NAMES[Storage.HASH], "title", "label")
    with pytest.raises(MigrationStateError, match="stands between other operations"):
        migration(rename, RunPython(Calls().up), again)
    with pytest.raises(MigrationStateError, match=r"up\(\) of RunPython is a coroutine function"):
        migration(RunPython(up))
