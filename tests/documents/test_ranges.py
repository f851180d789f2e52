"""More documents than the server answers at once."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import redis

from redstart import Field, HashModel, QueryNotSupportedError
from redstart.documents import find
from redstart.errors import CommandError
from tests.support.models import create_indexes

MOST = 10


class Event(HashModel, index=True):
    kind: str = Field(index=True)
    weight: float | None = Field(default=None, index=True)
    at: datetime = Field(index=True, sortable=True)


class Word(HashModel, index=True):
    text: str = Field(index=True, sortable=True)


@pytest.fixture
def small_answers(client: redis.Redis, models_url: str) -> Iterator[redis.Redis]:
    """A server that answers 10 documents at most."""
    create_indexes(client, Event, Word)
    before = client.execute_command("FT.CONFIG", "GET", "MAXSEARCHRESULTS")
    most = before[b"MAXSEARCHRESULTS"] if isinstance(before, dict) else before[0][1]
    client.execute_command("FT.CONFIG", "SET", "MAXSEARCHRESULTS", MOST)
    yield client
    client.execute_command("FT.CONFIG", "SET", "MAXSEARCHRESULTS", most)


def events(count: int, *, kind: str = "a", apart: timedelta = timedelta(hours=1)) -> list[Event]:
    """That many, saved, in the order of their times. Every fifth has no weight."""
    start = datetime(2020, 1, 1, tzinfo=UTC)
    return [
        Event(kind=kind, at=start + number * apart, weight=None if number % 5 == 0 else number**7).save()
        for number in range(count)
    ]


def test_all_documents_are_returned_in_any_order(small_answers: redis.Redis) -> None:
    stored = events(47)
    events(30, kind="b")
    query = Event.find(Event.kind == "a")
    assert query.count() == 47
    assert sorted(event.pk for event in query.all()) == sorted(event.pk for event in stored)
    assert query.sort_by("at").all() == stored
    assert query.sort_by("-at").all() == stored[::-1]
    assert len(Event.find().all()) == 77
    heavy = [event for event in stored if event.weight is not None]
    assert query.sort_by("weight").all()[: len(heavy)] == heavy
    assert query.sort_by("-weight").all()[: len(heavy)] == heavy[::-1]
    assert len(query.sort_by("weight").all()) == len(stored)


def test_as_many_as_the_server_answers_need_no_ranges(small_answers: redis.Redis) -> None:
    stored = events(MOST)
    assert Event.find().sort_by("at").all() == stored
    searches = small_answers.info("commandstats")["cmdstat_FT.SEARCH"]["calls"]
    assert Event.find().sort_by("at").all() == stored
    # It asks for documents and then for keys, each time for too many, and is told how many it may ask for.
    assert small_answers.info("commandstats")["cmdstat_FT.SEARCH"]["calls"] == searches + 3


@pytest.mark.parametrize(
    ("sort", "reason"),
    [("kind", "no numeric field divides them"), ("at", "too many have the same value of at")],
)
def test_without_a_small_enough_range_the_error_has_a_hint(
    small_answers: redis.Redis, sort: str, reason: str
) -> None:
    events(MOST + 1, apart=timedelta())
    with pytest.raises(
        QueryNotSupportedError,
        match=rf"than the server returns in one reply \(MAXSEARCHRESULTS is 10\).*{reason}",
    ) as said:
        Event.find().sort_by(sort).all()
    assert "raise MAXSEARCHRESULTS" in str(said.value)


def test_too_many_without_a_value(small_answers: redis.Redis) -> None:
    events(60)
    with pytest.raises(QueryNotSupportedError, match="too many have no value of weight"):
        Event.find().sort_by("weight").all()


def test_a_model_without_numbers(small_answers: redis.Redis) -> None:
    for number in range(MOST + 1):
        Word(text=str(number)).save()
    with pytest.raises(QueryNotSupportedError, match="no numeric field divides them"):
        Word.find().all()
    assert len(Word.find(Word.text != "3").all()) == MOST


@pytest.mark.parametrize("offset", [0, 3, 7, 9, 10, 11, 30, 44, 47, 60])
def test_a_page_behind_the_most_is_whole(small_answers: redis.Redis, offset: int) -> None:
    """The server answers such a page with what is left of the most, and says nothing of it."""
    stored = events(47)
    query = Event.find(Event.kind == "a").sort_by("at")
    page = stored[offset : offset + 6]
    assert query.page(offset, 6) == page
    assert query.copy(offset=offset, limit=6).all() == page
    assert [found["at"] for found in query.values("at").page(offset, 6)] == [event.at for event in page]
    assert len(Event.find().page(offset, 6)) == len(page)


def test_a_page_behind_the_most_is_refused_where_nothing_parts_the_documents(
    small_answers: redis.Redis,
) -> None:
    words = [Word(text=f"w{number:02}").save() for number in range(15)]
    assert Word.find().sort_by("text").page(0, 10) == words[:10]
    with pytest.raises(QueryNotSupportedError, match="MAXSEARCHRESULTS"):
        Word.find().sort_by("text").page(8, 5)


@pytest.fixture
def small_aggregations(client: redis.Redis, small_answers: redis.Redis) -> Iterator[redis.Redis]:
    """A server that sorts 10 documents by several fields at most."""
    client.execute_command("FT.CONFIG", "SET", "MAXAGGREGATERESULTS", MOST)
    yield client
    client.execute_command("FT.CONFIG", "SET", "MAXAGGREGATERESULTS", -1)  # as many as there are, the default


def test_so_is_one_of_several_fields(small_aggregations: redis.Redis) -> None:
    stored = events(15)
    query = Event.find().sort_by("kind", "at")
    assert query.page(2, 6) == stored[2:8]
    with pytest.raises(CommandError, match="LIMIT exceeds maximum of 10"):
        query.page(8, 5)


@pytest.mark.parametrize("first", [3, 100])
def test_all_of_them_sorted_by_several_fields(
    small_aggregations: redis.Redis, monkeypatch: pytest.MonkeyPatch, first: int
) -> None:
    """The server is asked for fewer where it refuses so many, and a full answer is not taken for all there is."""
    monkeypatch.setattr(find, "FIRST_KEYS", first)
    query = Event.find().sort_by("kind", "at")
    for count in (0, MOST - 1, MOST):
        small_aggregations.delete(*small_aggregations.scan_iter(), "none")
        stored = events(count)
        assert query.all() == list(query) == stored
    events(1)
    for ask in (query.all, query.delete, lambda: list(query), lambda: query.update(kind="b")):
        with pytest.raises(
            QueryNotSupportedError, match=r"Event matches more .*\(MAXAGGREGATERESULTS is 10\)"
        ):
            ask()
    assert Event.find(Event.kind == "a").count() == MOST + 1
