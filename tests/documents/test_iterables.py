"""Whatever takes many things takes any iterable and reads it once, at the call; a query is a value."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final

import pytest
import redis

from redstart import Field, JsonModel, col
from redstart.aio import FindQuery as AsyncFindQuery
from redstart.sync import FindQuery
from tests.documents.flavours import NOTES, AsyncHashNote, AsyncJsonNote, HashNote, done, iterated
from tests.support.models import create_indexes

pytestmark = pytest.mark.usefixtures("models_url")

Kind = Callable[[Iterable[Any]], Any]

KINDS: Final[dict[str, Kind]] = {
    "list": list,
    "tuple": tuple,
    "deque": deque,
    "generator": lambda items: (item for item in items),
    "iterator": iter,
    "values of a dict": lambda items: dict(enumerate(items)).values(),
}
OF_HASHABLES: Final[dict[str, Kind]] = KINDS | {
    "set": set,
    "keys of a dict": lambda items: dict.fromkeys(items).keys(),
}
of_each_kind = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
of_each_kind_of_hashables = pytest.mark.parametrize("kind", OF_HASHABLES.values(), ids=OF_HASHABLES)
COUNT: Final = 7


class Shelf(JsonModel, index=True):
    rank: int = Field(index=True)
    tags: list[str] = Field(default=[])
    codes: set[int] = Field(default=set())
    names: dict[str, list[str]] = Field(default={})


@pytest.fixture(params=NOTES, ids=lambda model: model.__name__)
def model(request: pytest.FixtureRequest, client: redis.Redis, models_url: str) -> Any:
    """A model of each flavour and form, with its index."""
    create_indexes(client, request.param)
    return request.param


def notes(model: Any, count: int = COUNT) -> list[Any]:
    """That many, not saved: every third of another kind."""
    return [model(number=number, kind="ab"[number % 3 == 0], rank=number) for number in range(count)]


@of_each_kind
@pytest.mark.parametrize("count", [0, COUNT])
def test_documents_to_add_and_to_delete(client: redis.Redis, model: Any, kind: Kind, count: int) -> None:
    documents = notes(model, count)
    verified: list[int] = []
    assert list(done(model.add(kind(documents)))) == documents
    assert client.dbsize() == count
    done(
        model.add(
            kind(documents),
            pipeline_verifier=lambda _, expected_responses: verified.append(expected_responses),
        )
    )
    assert verified == [count]
    assert done(model.delete_many(kind(documents))) == count
    assert client.dbsize() == 0


@of_each_kind
def test_documents_on_a_pipeline(client: redis.Redis, model: Any, kind: Kind) -> None:
    documents = notes(model)

    async def queue_async() -> None:
        pipeline = model.db().pipeline()
        assert list(await model.add(kind(documents), pipeline=pipeline)) == documents
        await pipeline.execute()
        assert client.dbsize() == COUNT
        assert await model.delete_many(kind(documents), pipeline=pipeline) == COUNT
        await pipeline.execute()

    def queue() -> None:
        pipeline = model.db().pipeline()
        assert list(model.add(kind(documents), pipeline=pipeline)) == documents
        pipeline.execute()
        assert client.dbsize() == COUNT
        assert model.delete_many(kind(documents), pipeline=pipeline) == COUNT
        pipeline.execute()

    if model.__name__.startswith("Async"):
        asyncio.run(queue_async())
    else:
        queue()
    assert client.dbsize() == 0


@pytest.mark.sample(54)
@of_each_kind_of_hashables
@pytest.mark.parametrize("batch_size", [2, 1000])
def test_primary_keys(model: Any, kind: Kind, batch_size: int) -> None:
    documents = done(model.add(notes(model)))
    found = done(model.get_many(kind(range(COUNT + 2)), batch_size=batch_size))
    assert sorted(found, key=lambda note: note.number) == documents
    assert done(model.get_many(kind([]), batch_size=batch_size)) == []


CONDITIONS: Final[list[tuple[list[Any], Any, Any]]] = [
    (["b"], lambda m, given: col(m.kind) << given, lambda note: note.kind == "b"),
    (["a", "c"], lambda m, given: col(m.kind) >> given, lambda note: note.kind == "b"),
    ([3, 5], lambda m, given: col(m.rank) >> given, lambda note: note.rank not in (3, 5)),
    ([], lambda m, given: col(m.rank) << given, lambda _note: False),
    ([], lambda m, given: col(m.kind) >> given, lambda _note: True),
    ([2], lambda m, given: (col(m.rank) << given) | (m.rank == 6), lambda note: note.rank in (2, 6)),
]
"""Operands; the condition that a model and these make; which documents meet it."""


@pytest.mark.sample(5)
@pytest.mark.parametrize("model", [HashNote, AsyncJsonNote], indirect=True)
@of_each_kind_of_hashables
def test_one_query_in_every_way(client: redis.Redis, model: Any, kind: Kind) -> None:
    """Each use sees all operands, whatever was used before it, and none reaches another document."""
    for operands, condition, holds in CONDITIONS:
        documents = done(model.add(notes(model)))
        expected = [note for note in documents if holds(note)]
        query = model.find(condition(model, kind(operands))).sort_by("rank")
        text = query.query
        for new_text in ("first", "second"):
            assert done(query.count()) == len(expected)
            assert done(query.all()) == done(query.page(0, 100)) == iterated(query) == expected
            assert len(done(query.sort_by("kind", "rank").all())) == len(expected)
            assert done(query.values("number").all()) == [{"number": note.number} for note in expected]
            if expected:
                assert done(query.first()) == done(query.get_item(0)) == expected[0]
            done(query.update(text=new_text))
            for note in expected:
                note.text = new_text
            assert done(model.find().sort_by("rank").all()) == documents
        assert query.query == text
        assert done(query.delete()) == len(expected)
        assert client.dbsize() == COUNT - len(expected)


@pytest.mark.parametrize("text", ["12", b"12", ""])
def test_a_text_is_not_taken_for_primary_keys(model: Any, text: Any) -> None:
    done(model.add(notes(model)))
    with pytest.raises(TypeError, match=r"such as \[b?'"):
        done(model.get_many(text))


def test_operands_that_change_later(model: Any) -> None:
    documents = done(model.add(notes(model)))
    ranks, kinds, fields, shown = [1, 2], ["a", "b"], ["rank"], ["number"]
    conditions = [col(model.rank) << ranks, col(model.kind) << kinds]
    make: Any = AsyncFindQuery if model.__name__.startswith("Async") else FindQuery
    queries = [model.find(*conditions), make(conditions, model, sort_fields=fields, projected_fields=shown)]
    for changed in (ranks, kinds, conditions, fields, shown):
        changed.clear()
    assert done(queries[0].sort_by("rank").all()) == documents[1:3]
    assert [one.number for one in done(queries[1].all())] == [1, 2]
    for part in (queries[0].expressions, queries[0].expressions[0].value, queries[1].sort_fields):
        assert isinstance(part, tuple)


@of_each_kind
def test_arguments_of_a_query(model: Any, kind: Kind) -> None:
    done(model.add(notes(model)))
    make: Any = AsyncFindQuery if model.__name__.startswith("Async") else FindQuery
    query = make(
        kind([model.rank > 1, model.rank < 4]),
        model,
        sort_fields=kind(["kind", "-rank"]),
        projected_fields=kind(["rank"]),
    )
    for _ in range(2):
        assert [one.rank for one in done(query.all())] == [2, 3]
        assert [one.rank for one in done(query.copy(sort_fields=kind(["-rank"])).all())] == [3, 2]


@of_each_kind
@pytest.mark.parametrize("use_transaction", [True, False])
def test_new_values_of_many_documents(client: redis.Redis, kind: Kind, use_transaction: bool) -> None:
    """The same for each: of an iterator, the first document would leave nothing to the others."""
    create_indexes(client, Shelf)
    Shelf.add([Shelf(rank=rank) for rank in range(3)])
    Shelf.find().copy(page_size=1).update(
        tags=kind(["x", "y"]), codes=kind([1, 2]), names={"n": kind(["z"])}, use_transaction=use_transaction
    )
    for shelf in Shelf.find().all():
        assert (shelf.tags, shelf.codes, shelf.names) == (["x", "y"], {1, 2}, {"n": ["z"]})
    shelf.update(tags=kind(["v"]), codes=kind([3]))
    assert Shelf.get(shelf.pk) == shelf
    shelf.tags = kind(["assigned"])
    assert Shelf.get(shelf.save().pk).tags == shelf.tags == ["assigned"]
    Shelf.add(kind([shelf]))
    assert Shelf.get(shelf.pk).tags == ["assigned"]


def test_keys_that_are_read_from_the_server_at_the_call(client: redis.Redis) -> None:
    create_indexes(client, HashNote)
    HashNote.add(notes(HashNote))
    found = HashNote.get_many((note.number for note in HashNote.find()), batch_size=2)
    assert len(found) == COUNT
    assert HashNote.delete_many(note for note in HashNote.find()) == COUNT


def test_what_changes_while_a_call_waits_for_the_server(client: redis.Redis) -> None:
    async def change() -> None:
        documents = notes(AsyncHashNote, 1200)
        numbers, given = [note.number for note in documents], list(documents)
        for call, argument in (
            (AsyncHashNote.add(given), given),
            (AsyncHashNote.get_many(numbers, batch_size=1), numbers),
            (AsyncHashNote.delete_many(documents), documents),
        ):
            task = asyncio.ensure_future(call)
            await asyncio.sleep(0)
            argument.clear()
            result = await task
            if argument is numbers:
                assert isinstance(result, list)
                assert len(result) == 1200
                assert client.dbsize() == 1200

    asyncio.run(change())
    assert client.dbsize() == 0
