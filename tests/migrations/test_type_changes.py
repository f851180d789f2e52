"""An indexed field changes between text and number: queries by other fields find each document all the time."""

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise, product
from operator import ne

import pytest
import redis

from redstart.effects import Op
from redstart.migrations import file_indexes
from redstart.migrations.data.results import RunOptions
from redstart.migrations.file_estimate import estimate_files
from redstart.migrations.file_migration import FileMigration
from redstart.migrations.indexes import migrator
from redstart.migrations.indexes.build import find_index
from redstart.migrations.indexes.expand import ExpansionOptions
from redstart.migrations.indexes.preflight import UNCOUNTED_MEMORY_FACTOR
from redstart.migrations.operations.base import model_title
from redstart.migrations.operations.state import ProjectState
from redstart.migrations.outcomes import Outcome
from redstart.operations import (
    AlterIndex,
    ChangeKeyPrefix,
    ConvertField,
    Field,
    FieldKind,
    Index,
    IndexField,
    Operation,
    Storage,
)
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
)
from tests.migrations.test_file_steps import NEW, back, count, forward, index, resumes_at_every_request
from tests.support.crash_driver import CrashDriver
from tests.support.snapshot import Snapshot, difference
from tests.support.soak import SOAK


@pytest.fixture(autouse=True)
def gone_holders(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no run wait for the lease of the indexes of a crashed one, which is this process."""
    monkeypatch.setattr(migrator, "is_gone", lambda _: True)


def number_types(*, back_to_text: bool, moves: bool) -> FileMigration:
    """The type of an indexed field changes between text (TAG) and number (NUMERIC); also with keys and index name."""
    operations: list[Operation] = []
    kinds = [FieldKind.TAG, FieldKind.NUMERIC]
    types = ["str", "int"]
    if back_to_text:
        kinds.reverse()
        types.reverse()
    fields = (Field("name", "str"), Field("price", types[0]))
    before = ProjectState()
    for storage, name in NAMES.items():
        prefixes = (PREFIX[storage], NEW[storage] if moves else PREFIX[storage])
        old, new = (
            replace(
                index(storage, prefix),
                fields=(attribute(storage, "name"), attribute(storage, "price", kind)),
            )
            for prefix, kind in zip(prefixes, kinds, strict=True)
        )
        operations.append(ConvertField(name, Field("price", types[0]), Field("price", types[1])))
        if moves:
            operations.append(ChangeKeyPrefix(name, *prefixes))
        operations.append(AlterIndex(name, before=old, after=new))
        before = before.with_model(model(storage).replaced(fields=fields, index=old))
    return migration(*operations, before=before)


def indexed_by_type(client: redis.Redis, one: FileMigration, *, as_numbers: bool) -> Snapshot:
    """Documents with the indexes before a file."""
    load(client, 2)
    for key in client.scan_iter(match=f"{PREFIX[Storage.JSON]}*"):
        if as_numbers:
            price = json.loads(client.execute_command("JSON.GET", key, "$.price"))[0]
            client.execute_command("JSON.SET", key, "$.price", price)
    create = [AlterIndex(name, before=None, after=state_.index) for name, state_ in one.before.models.items()]
    bare = ProjectState.of([state_.replaced(index=None) for state_ in one.before.models.values()])
    do(client, forward(migration(*create, before=bare)))
    return documents(client)


def require_found_at_each_request(
    client: redis.Redis, url: str, one: FileMigration, *, documents_found: int, least_counts: int
) -> None:
    """Run and roll back; before each request, require that each index of a model finds the same documents."""
    names = {f"{prefix}index" for prefix in (*PREFIX.values(), *NEW.values())}
    seen: list[tuple[str, str, int]] = []

    def look(request: str) -> None:
        for name in names:
            try:
                seen.append((request, name, count(client, name, "@name:{oak}")))
            except redis.ResponseError:
                continue

    for operation in (forward(one), back(one)):
        seen.clear()
        with CrashDriver(url, before=look) as driver:
            result = driver.run(operation)
        assert result.outcome is Outcome.DONE
        assert [entry for entry in seen if entry[2] != documents_found] == []
        assert len(seen) > least_counts


@pytest.mark.sample(2)
@pytest.mark.parametrize("moves", [False, True])
@pytest.mark.parametrize("back_to_text", [False, True])
def test_the_type_of_an_indexed_number_changes_with_keys_and_names(
    client: redis.Redis, back_to_text: bool, moves: bool
) -> None:
    one = number_types(back_to_text=back_to_text, moves=moves)
    before = indexed_by_type(client, one, as_numbers=back_to_text)
    as_number, as_text = "@name:{oak} @price:[12 12]", "@name:{oak} @price:{12}"
    old_query, new_query = (as_number, as_text) if back_to_text else (as_text, as_number)
    for storage in Storage:
        assert count(client, f"{PREFIX[storage]}index", old_query) == 2
    result = do(client, forward(one))
    assert (result.outcome, result.failures.count) == (Outcome.DONE, 0)
    for storage in Storage:
        prefix = NEW[storage] if moves else PREFIX[storage]
        assert count(client, f"{prefix}index", new_query) == 2
        key = f"{prefix}a1"
        price = (
            json.loads(client.execute_command("JSON.GET", key, "$.price"))[0]
            if storage is Storage.JSON
            else client.hget(key, "price")
        )
        assert price == (b"12" if storage is Storage.HASH else "12" if back_to_text else 12)
    undone = do(client, back(one))
    assert (undone.outcome, undone.data.kept) == (Outcome.DONE, 0)
    assert difference(before, documents(client)) == []
    for storage in Storage:
        assert count(client, f"{PREFIX[storage]}index", old_query) == 2
        if moves:
            with pytest.raises(redis.ResponseError):
                count(client, f"{NEW[storage]}index", "*")


@pytest.mark.sample(1)
@pytest.mark.parametrize("supports_filters", [False, True])
@pytest.mark.parametrize("moves", [False, True])
@pytest.mark.parametrize("back_to_text", [False, True])
def test_queries_find_each_document_while_the_type_of_another_field_changes(
    client: redis.Redis,
    url: str,
    monkeypatch: pytest.MonkeyPatch,
    back_to_text: bool,
    moves: bool,
    supports_filters: bool,
) -> None:
    """Between any two requests of the run and of the rollback, by each name that exists."""
    if not supports_filters:

        def without_filters() -> Op[bool]:
            yield from ()
            return False

        monkeypatch.setattr(file_indexes, "supports_all_path_filters", without_filters)
    one = number_types(back_to_text=back_to_text, moves=moves)
    indexed_by_type(client, one, as_numbers=back_to_text)
    require_found_at_each_request(client, url, one, documents_found=2, least_counts=100)


_NAME = Field("name", "str")
_IN_INDEX = IndexField("$.name", "name", FieldKind.TAG, separator="|")


def dates_as_text(storage: Storage, *, back_to_text: bool, renames: bool) -> FileMigration:
    """An indexed date becomes text, or the reverse: in a hash both formats are text, and only one is also a number."""
    types, kinds = ["str", "datetime"], [FieldKind.TAG, FieldKind.NUMERIC]
    if back_to_text:
        types.reverse()
        kinds.reverse()
    old, new = (
        replace(
            index(storage, PREFIX[storage]),
            fields=(attribute(storage, "name"), attribute(storage, "at", kind)),
        )
        for kind in kinds
    )
    if renames:
        new = replace(new, name=f"{NEW[storage]}index")
    zone = {"naive_timezone": "UTC"}
    operations = [
        ConvertField(NAMES[storage], Field("at", types[0]), Field("at", types[1]), **zone),
        AlterIndex(NAMES[storage], before=old, after=new),
    ]
    declared = model(storage).replaced(fields=(_NAME, Field("at", types[0])), index=old)
    return migration(*operations, before=ProjectState.of([declared]))


def numbers_in_lists(*, back_to_text: bool) -> FileMigration:
    """A list of numbers, and a number in each item of a list, become text, or the reverse."""
    numbers = [Field("sizes", "list[int]"), Field("lines", "list[object]", fields=[Field("count", "int")])]
    texts = [Field("sizes", "list[str]"), Field("lines", "list[object]", fields=[Field("count", "str")])]
    sides = [(numbers, FieldKind.NUMERIC), (texts, FieldKind.TAG)]
    if not back_to_text:
        sides.reverse()
    (old_fields, old_kind), (new_fields, new_kind) = sides
    old, new = (
        Index(
            f"{PREFIX[Storage.JSON]}index",
            Storage.JSON,
            (PREFIX[Storage.JSON],),
            (
                _IN_INDEX,
                IndexField("$.sizes[*]", "sizes", kind),
                IndexField("$.lines[*].count", "lines_count", kind),
            ),
        )
        for kind in (old_kind, new_kind)
    )
    name = NAMES[Storage.JSON]
    return migration(
        ConvertField(name, old_fields[0], new_fields[0]),
        ConvertField(name, old_fields[1].members["count"], new_fields[1].members["count"], within="lines[]"),
        AlterIndex(name, before=old, after=new),
        before=ProjectState.of([model(Storage.JSON).replaced(fields=(_NAME, *old_fields), index=old)]),
    )


SHAPES: dict[str, Callable[[bool], FileMigration]] = {
    "dates in hashes": lambda back: dates_as_text(Storage.HASH, back_to_text=back, renames=False),
    "dates in JSON": lambda back: dates_as_text(Storage.JSON, back_to_text=back, renames=False),
    "dates in hashes, and the name": lambda back: dates_as_text(
        Storage.HASH, back_to_text=back, renames=True
    ),
    "dates in JSON, and the name": lambda back: dates_as_text(Storage.JSON, back_to_text=back, renames=True),
    "lists": lambda back: numbers_in_lists(back_to_text=back),
}


@pytest.mark.sample(2)
@pytest.mark.parametrize("back_to_text", [False, True])
@pytest.mark.parametrize("shape", SHAPES)
def test_queries_find_each_document_whatever_the_shape_of_the_value(
    client: redis.Redis, url: str, shape: str, back_to_text: bool
) -> None:
    one = SHAPES[shape](back_to_text)
    client.execute_command("FLUSHALL", "SYNC")
    for number in range(12):
        key = f"{PREFIX[Storage.HASH]}{number}"
        at = 1_700_000_000 + number if back_to_text else f"2024-01-{number + 1:02}T00:00:00"
        client.hset(key, mapping={"name": "oak", "at": at})
        size = number if back_to_text else str(number)
        content = {
            "name": "oak",
            "at": at,
            "sizes": [size, size],
            "lines": [{"count": size}, {"count": size}],
        }
        client.execute_command("JSON.SET", f"{PREFIX[Storage.JSON]}{number}", "$", json.dumps(content))
    create = [AlterIndex(name, before=None, after=state_.index) for name, state_ in one.before.models.items()]
    bare = ProjectState.of([state_.replaced(index=None) for state_ in one.before.models.values()])
    do(client, forward(migration(*create, before=bare)))
    before = documents(client)
    require_found_at_each_request(client, url, one, documents_found=12, least_counts=40)
    assert difference(before, documents(client)) == []


@pytest.mark.sample(1)
@pytest.mark.parametrize(
    ("before", "after", "values", "query"),
    [
        ("int", "str", [12, 12, 7], "@price:[12 12]"),
        ("str", "int", ["12", "12", "7"], "@price:{12}"),
        ("bool", "int", [True, True, False], "@price:{true}"),
        ("int", "bool", [1, 1, 0], "@price:[1 1]"),
    ],
)
def test_queries_by_a_changing_field_find_the_documents_that_are_not_changed_yet(
    client: redis.Redis, url: str, before: str, after: str, values: list[object], query: str
) -> None:
    name, prefix = NAMES[Storage.JSON], PREFIX[Storage.JSON]
    kinds = {"int": FieldKind.NUMERIC, "str": FieldKind.TAG, "bool": FieldKind.TAG}
    old, new = (
        replace(index(Storage.JSON, prefix), fields=(attribute(Storage.JSON, "price", kinds[one]),))
        for one in (before, after)
    )
    declared = model(Storage.JSON).replaced(fields=(Field("price", before),), index=old)
    bare = ProjectState.of([declared.replaced(index=None)])
    client.execute_command("FLUSHALL", "SYNC")
    for number in range(24):
        text = json.dumps({"price": values[number % 3]})
        client.execute_command("JSON.SET", f"{prefix}{number}", "$", text)
    do(client, forward(migration(AlterIndex(name, before=None, after=old), before=bare)))
    one = migration(
        ConvertField(name, Field("price", before), Field("price", after)),
        AlterIndex(name, before=old, after=new),
        before=ProjectState.of([declared]),
    )
    seen: list[tuple[str, int, int]] = []

    def look(request: str) -> None:
        found = [
            json.loads(client.execute_command("JSON.GET", f"{prefix}{number}"))["price"]
            for number in range(24)
        ]
        unchanged = sum(one == values[0] and type(one) is type(values[0]) for one in found)
        if unchanged:
            seen.append((request, unchanged, count(client, f"{prefix}index", query)))

    with CrashDriver(url, before=look) as driver:
        assert driver.run(forward(one)).outcome is Outcome.DONE
    assert [entry for entry in seen if entry[1] != entry[2]] == []
    assert {unchanged for _, unchanged, _ in seen} > {16}, "some are changed, and others not"


@pytest.mark.parametrize(("back_to_text", "value"), [(False, {"x": 1}), (True, "free")])
def test_a_document_that_the_index_lacked_before_does_not_refuse_a_rollback(
    client: redis.Redis, back_to_text: bool, value: object
) -> None:
    one = number_types(back_to_text=back_to_text, moves=False)
    indexed_by_type(client, one, as_numbers=back_to_text)
    key, name = f"{PREFIX[Storage.JSON]}bad", f"{PREFIX[Storage.JSON]}index"
    client.execute_command("JSON.SET", key, "$", json.dumps({"name": "oak", "price": value}))
    before = documents(client)
    assert count(client, name, "@name:{oak}") == 2
    result = do(client, forward(one))
    assert result.outcome is (Outcome.DONE if back_to_text else Outcome.CUTOVER_REFUSED)
    assert count(client, name, "@name:{oak}") == 3
    assert do(client, back(one)).outcome is Outcome.DONE
    assert difference(before, documents(client)) == []
    assert count(client, name, "@name:{oak}") == 2


@pytest.mark.sample(1)
@pytest.mark.parametrize(
    ("back_to_text", "moves"), [(False, True), (True, False), *[(False, False), (True, True)][: SOAK * 2]]
)
def test_a_change_of_type_that_stops_at_any_request_is_resumed(
    client: redis.Redis, url: str, back_to_text: bool, moves: bool
) -> None:
    one = number_types(back_to_text=back_to_text, moves=moves)

    def reset() -> Snapshot:
        return indexed_by_type(client, one, as_numbers=back_to_text)

    def applied() -> None:
        reset()
        do(client, forward(one))

    before = reset()
    do(client, forward(one))
    after = documents(client)
    some = 1 if SOAK else 97
    resumes_at_every_request(client, url, reset, lambda: forward(one), after, writes=("swap",), every=some)
    resumes_at_every_request(client, url, applied, lambda: back(one), before, writes=("swap",), every=some)
    for storage in Storage:
        assert count(client, f"{PREFIX[storage]}index", "@name:{oak}") == 2


DEFINITIONS: dict[str, tuple[FieldKind, ...]] = {
    "text": (FieldKind.TAG,),
    "number": (FieldKind.NUMERIC,),
    "none": (),
}


@pytest.mark.sample(6)
@pytest.mark.parametrize("cleans_up", [False, True])
@pytest.mark.parametrize("storage", Storage)
@pytest.mark.parametrize(
    "chain", [chain for chain in product(DEFINITIONS, repeat=4) if all(map(ne, chain, chain[1:]))]
)
def test_a_rollback_of_several_files_accepts_what_each_index_lacked_before(
    client: redis.Redis, storage: Storage, chain: tuple[str, ...], cleans_up: bool
) -> None:
    """A document with a number, one with text and one with an object: some indexes contain all, others not."""
    client.execute_command("FLUSHALL", "SYNC")
    prefix = PREFIX[storage]
    for key, price in {"a": 1, "b": "free", "c": {"x": 1}}.items():
        if storage is Storage.JSON:
            text = json.dumps({"name": "oak", "price": price})
            client.execute_command("JSON.SET", prefix + key, "$", text)
        else:
            client.hset(prefix + key, mapping={"name": "oak", "price": str(price)})
    before = documents(client)
    name = attribute(storage, "name")
    states = [
        replace(
            index(storage, prefix),
            fields=(name, *(attribute(storage, "price", kind) for kind in DEFINITIONS[one])),
        )
        for one in chain
    ]
    files: list[FileMigration] = []
    found: list[int] = []
    for old, new in pairwise([None, *states]):
        state_before = ProjectState().with_model(model(storage).replaced(index=old))
        files.append(migration(AlterIndex(NAMES[storage], before=old, after=new), before=state_before))
        accepting = files[-1].run(base(), RunOptions(), indexes(), ExpansionOptions(accept_unindexed=True))
        assert do(client, accepting).is_complete
        found.append(count(client, f"{prefix}index", "@name:{oak}"))
        if cleans_up:
            do(client, indexes().cleanup())
    for one, expected in zip(files[:0:-1], found[-2::-1], strict=True):
        result = do(client, back(one))
        assert result.outcome is Outcome.DONE, (result, found)
        assert count(client, f"{prefix}index", "@name:{oak}") == expected
    assert difference(before, documents(client)) == []


@pytest.mark.parametrize("moves", [False, True])
@pytest.mark.parametrize("back_to_text", [False, True])
def test_an_estimate_contains_each_index_that_a_run_builds(
    client: redis.Redis, url: str, back_to_text: bool, moves: bool
) -> None:
    """Also the dual-format indexes, and those of a move."""
    one = number_types(back_to_text=back_to_text, moves=moves)
    indexed_by_type(client, one, as_numbers=back_to_text)
    (estimate,) = do(client, estimate_files([one], base(), None, one.after))
    expected = {found.model: found.to_build for found in estimate.indexes}
    assert expected[NAMES[Storage.JSON]] > 1
    for found in estimate.indexes:
        assert found.megabytes == pytest.approx(found.to_build * size_of(client, found.model))
    names: set[bytes] = set()

    def look(request: str) -> None:
        names.update(client.execute_command("FT._LIST"))

    before = {*client.execute_command("FT._LIST")}
    with CrashDriver(url, before=look) as driver:
        assert driver.run(forward(one)).is_complete
    look("the last")
    built: Counter[str] = Counter()
    for name in names - before:
        (storage,) = (one for one in Storage if name.decode().startswith((PREFIX[one], NEW[one])))
        built[NAMES[storage]] += 1
    assert expected == built


def size_of(client: redis.Redis, model_name: str) -> float:
    """Return the megabytes that one more index of a model needs."""
    storage = next(one for one in Storage if NAMES[one] == model_name)
    active = do(client, find_index(f"{PREFIX[storage]}index"))
    return active.memory_megabytes * UNCOUNTED_MEMORY_FACTOR


def renumbered(number: int) -> str:
    return f"n{number}"


@pytest.mark.parametrize(
    "kind", ["text to number", "number to its text", "number to other text", "only the index"]
)
def test_an_estimate_names_the_attributes_whose_queries_fail_from_the_start(
    client: redis.Redis, url: str, kind: str
) -> None:
    """Queries by the field until the first document changes: a run has then replaced the active index."""
    back_to_text = kind != "text to number"
    found = number_types(back_to_text=back_to_text, moves=False)
    operations: list[Operation] = []
    for operation in found.file.operations:
        if not isinstance(operation, ConvertField):
            operations.append(operation)
        elif kind != "only the index":
            parse = renumbered if "other" in kind else None
            operations.append(replace(operation, parse=parse))
    one = migration(*operations, before=found.before)
    indexed_by_type(client, one, as_numbers=back_to_text)
    (estimate,) = do(client, estimate_files([one], base(), None, one.after))
    query = "@price:[-inf +inf]" if back_to_text else "@price:{12}"
    before = {storage: count(client, f"{prefix}index", query) for storage, prefix in PREFIX.items()}
    assert all(before.values())
    failing: set[str] = set()
    is_changing = kind == "only the index"

    def look(request: str) -> None:
        nonlocal is_changing
        is_changing = is_changing or "apply" in request
        for storage, prefix in () if is_changing else PREFIX.items():
            try:
                number = count(client, f"{prefix}index", query)
            except redis.ResponseError:
                number = 0
            if number < before[storage]:
                failing.add(f"{model_title(one.before.models[NAMES[storage]])}.price")

    options = ExpansionOptions(accept_unindexed=True)
    with CrashDriver(url, before=look) as driver:
        assert driver.run(one.run(base(), RunOptions(), indexes(), options)).is_complete
    assert is_changing
    assert estimate.lost_at_start == sorted(failing) == ["Order.price"] * (kind == "number to other text")


@pytest.mark.parametrize("lacked_from_both", [0, 2])
@pytest.mark.parametrize("storage", Storage)
def test_a_rollback_does_not_take_newly_lost_documents_for_those_that_both_indexes_lack(
    client: redis.Redis, storage: Storage, lacked_from_both: int
) -> None:
    """Some documents are in no index. As many others are only in the new one, because they were written since."""
    client.execute_command("FLUSHALL", "SYNC")
    prefix = PREFIX[storage]

    def write(key: str, **values: object) -> None:
        content = {"name": "oak", "price": 1, **values}
        if storage is Storage.JSON:
            client.execute_command("JSON.SET", prefix + key, "$", json.dumps(content))
        else:
            client.hset(prefix + key, mapping={name: str(value) for name, value in content.items()})

    for number in range(6):
        write(f"{number}", price="free" if number < lacked_from_both else 1)
    number_fields = (attribute(storage, "name"), attribute(storage, "price", FieldKind.NUMERIC))
    states = [
        replace(index(storage, prefix), fields=(*number_fields, *more))
        for more in ((), (attribute(storage, "grade", FieldKind.NUMERIC),), (attribute(storage, "grade"),))
    ]
    files: list[FileMigration] = []
    for old, new in pairwise([None, *states]):
        state_before = ProjectState().with_model(model(storage).replaced(index=old))
        files.append(migration(AlterIndex(NAMES[storage], before=old, after=new), before=state_before))
        accepting = files[-1].run(base(), RunOptions(), indexes(), ExpansionOptions(accept_unindexed=True))
        assert do(client, accepting).is_complete
    for number in (4, 5):
        write(f"{number}", grade="good")
    found = count(client, f"{prefix}index", "@name:{oak}")
    assert found == 6 - lacked_from_both
    result = do(client, back(files[-1]))
    assert result.outcome is Outcome.CUTOVER_REFUSED
    assert count(client, f"{prefix}index", "@name:{oak}") == found
