"""A document that has expired and is still in the index is in no answer, and hides no other document."""

import time
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest
import redis

from redstart import Field, HashModel, NotFoundError
from redstart.devserver.process import EmbeddedServer
from redstart.documents import find
from redstart.documents.save import queue_document
from redstart.values.timezones import NaiveTimezone
from tests.documents.flavours import AsyncHashNote, AsyncJsonNote, HashNote, JsonNote, done, iterated
from tests.support.models import create_indexes

COUNT: Final = 12
UTC_ZONE: Final = NaiveTimezone.parse("UTC")
ORDERS: Final = [(), ("rank",), ("kind", "-rank")]
EXPIRED: Final = [[0], [11], [0, 1, 2, 3, 4], [1, 5, 6, 7], list(range(11))]


@pytest.fixture(scope="module")
def keeping() -> Iterator[EmbeddedServer]:
    """A server that leaves expired documents in the index until somebody asks for them."""
    with EmbeddedServer(extra_arguments=("--enable-debug-command", "yes")) as server:
        with redis.Redis.from_url(server.url) as client:
            client.execute_command("DEBUG", "SET-ACTIVE-EXPIRE", "0")
        yield server


@pytest.fixture
def client_of_it(keeping: EmbeddedServer) -> Iterator[redis.Redis]:
    with redis.Redis.from_url(keeping.url) as client:
        yield client


@pytest.fixture(params=[(2, HashNote), (2, AsyncJsonNote), (3, JsonNote), (3, AsyncHashNote)], ids=str)
def model(request: pytest.FixtureRequest, keeping: EmbeddedServer, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A model on it, in either protocol; a few documents are many to queries."""
    protocol, model = request.param
    monkeypatch.setenv("REDIS_OM_URL", f"{keeping.url}?protocol={protocol}")
    monkeypatch.setattr(find, "FIRST_KEYS", 3)
    monkeypatch.setattr(find, "MORE_KEYS", 2)
    monkeypatch.setattr(find, "PAGE_DOCUMENTS", 4)
    with redis.Redis.from_url(keeping.url) as client:
        client.flushall()
        create_indexes(client, model)
    return model


def notes(model: Any) -> list[Any]:
    return [model(number=100 + rank, kind="ab"[rank % 2], rank=rank) for rank in range(COUNT)]


def living(client: redis.Redis, model: Any, expired: list[int]) -> list[Any]:
    """Save all notes, have some of them expire, and return the others."""
    documents = notes(model)
    with client.pipeline(transaction=False) as pipeline:
        pipeline.delete(*[note.key() for note in documents])
        for note in documents:
            queue_document(note, UTC_ZONE, pipeline)
            if note.rank in expired:
                pipeline.pexpire(note.key(), 1)
        pipeline.execute()
    time.sleep(0.002)
    assert done(model.find().count()) == COUNT, "all are in the index"
    return [note for note in documents if note.rank not in expired]


def in_order(documents: list[Any], order: tuple[str, ...]) -> list[Any]:
    """As the server sorts them; by rank where it does not."""
    for field in reversed(order or ("rank",)):
        name = field.removeprefix("-")
        documents = sorted(documents, key=lambda note: getattr(note, name), reverse=field.startswith("-"))
    return documents


@pytest.mark.sample(4)
@pytest.mark.parametrize("order", ORDERS, ids=" ".join)
def test_every_living_document_is_found(
    client_of_it: redis.Redis, model: Any, order: tuple[str, ...]
) -> None:
    query = model.find().sort_by(*order)
    everything = in_order(notes(model), order)
    ways: dict[str, Callable[[], list[Any]]] = {
        "all": lambda: done(query.all()),
        "all, in batches": lambda: done(query.all(batch_size=2)),
        "iteration": lambda: iterated(query),
        "values": lambda: [model(**values) for values in done(query.values().all())],
        "pages": lambda: [note for offset in range(0, COUNT, 5) for note in done(query.page(offset, 5))],
        "page": lambda: done(query.page(0, COUNT)),
        "limit": lambda: done(query.copy(limit=COUNT).all()),
    }
    for expired in EXPIRED:
        for name, way in ways.items():
            alive = in_order(living(client_of_it, model, expired), order)
            found = way()
            assert (found if order else in_order(found, order)) == alive, (name, expired)
        for first in (query.first, lambda: query.get_item(0), query.only("rank").first):
            _ = living(client_of_it, model, expired)
            found = done(first())
            assert found.rank == alive[0].rank if order else found.rank in [note.rank for note in alive]
        if order:
            _ = living(client_of_it, model, expired)
            assert done(query.copy(offset=2).all()) == [note for note in everything[2:] if note in alive]
        _ = living(client_of_it, model, expired)
        done(query.update(text="changed"))
        updated = done(model.get_many(range(100, 100 + COUNT)))
        assert [note.text for note in updated] == ["changed"] * len(alive)
        assert done(query.delete()) == len(alive)
        assert done(model.get_many(range(100, 100 + COUNT))) == []


@pytest.mark.parametrize("order", ORDERS, ids=" ".join)
def test_where_none_is_alive_none_is_found(
    client_of_it: redis.Redis, model: Any, order: tuple[str, ...]
) -> None:
    query = model.find().sort_by(*order)
    assert living(client_of_it, model, list(range(COUNT))) == []
    assert done(query.all()) == iterated(query) == done(query.page(0, 5)) == []
    with pytest.raises(NotFoundError):
        done(query.first())
    with pytest.raises(IndexError):
        done(query.get_item(0))
    assert done(query.delete()) == 0


class Load(HashModel, index=True):
    number: int = Field(primary_key=True)
    weight: int | None = Field(default=None, index=True)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("expired", [[0, 1, 2], [3, 10, 11], [*range(4), *range(8, 12)], [0, *range(8, 12)]])
def test_more_than_one_search_answers(
    client_of_it: redis.Redis,
    keeping: EmbeddedServer,
    monkeypatch: pytest.MonkeyPatch,
    sign: int,
    expired: list[int],
) -> None:
    """The least and the greatest number, between which a query is split, are those of living documents."""
    monkeypatch.setenv("REDIS_OM_URL", keeping.url)
    client_of_it.flushall()
    create_indexes(client_of_it, Load)
    loads = Load.add(
        [Load(number=number, weight=sign * (1000 + number) if number else None) for number in range(COUNT)]
    )
    client_of_it.execute_command("FT.CONFIG", "SET", "MAXSEARCHRESULTS", 5)
    try:
        for number in expired:
            client_of_it.pexpire(loads[number].key(), 1)
        time.sleep(0.002)
        alive = [load for load in loads if load.number not in expired]
        assert Load.find().count() == COUNT
        assert sorted(Load.find().all(), key=lambda load: load.number) == alive
        assert Load.find().delete() == len(alive)
    finally:
        client_of_it.execute_command("FT.CONFIG", "SET", "MAXSEARCHRESULTS", 1_000_000)
