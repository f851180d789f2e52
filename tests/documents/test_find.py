"""Queries on a server find what Python finds among the same documents."""

import operator
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from redstart import (
    Coordinates,
    Field,
    GeoFilter,
    HashModel,
    NotFoundError,
    QueryNotSupportedError,
    QuerySyntaxError,
    col,
)
from redstart.commands.search import SearchReply
from redstart.documents import find
from redstart.documents.find import first_document, page_of
from redstart.documents.json_codec import json_document
from redstart.documents.query import query_of
from redstart.effects import Pending, SendAhead, ServerKnowledge
from redstart.errors import DocumentDecodeError, IndexNotFoundError, SearchDatabaseError
from redstart.search.expressions import Expression
from redstart.values.timezones import NaiveTimezone
from tests.documents.people import ON_SERVER, START, Member, Person, Place
from tests.support.models import create_indexes
from tests.support.stepping import Stepped

pytestmark = pytest.mark.usefixtures("models_url")

UTC_ZONE = NaiveTimezone.parse("UTC")

NAMES = ["ann", "Bob", "c d", "{e}", "f|g", "@h:[1 2]", "*", "ü"]
AGES = st.integers(-3, 3)
MOMENTS = st.integers(-2, 2).map(lambda hours: START + timedelta(hours=hours, microseconds=1))
DAYS = st.integers(-2, 2).map(lambda days: date(2020, 1, 1) + timedelta(days))
SHARED: dict[str, Any] = {
    "name": st.sampled_from(NAMES),
    "age": AGES,
    "member": st.booleans(),
    "born": DAYS,
    "seen_at": st.none() | MOMENTS,
}
PEOPLE = st.builds(
    Person, place=st.builds(Place, city=st.sampled_from(NAMES), floor=st.integers(0, 1)), **SHARED
)
MEMBERS = st.builds(Member, **SHARED)

Predicate = Callable[[Any], bool]
Condition = tuple[Expression, Predicate]

ORDER = (operator.lt, operator.le, operator.gt, operator.ge)


def compared(field: Any, read: Callable[[Any], Any], values: st.SearchStrategy[Any]) -> Any:
    """Strategies of conditions on a field that has an order; documents without a value meet only `!=`."""

    def build(compare: Callable[[Any, Any], Any], value: Any) -> Condition:
        def holds(document: Any) -> bool:
            found = read(document)
            return compare is operator.ne if found is None else bool(compare(found, value))

        return compare(field, value), holds

    return st.builds(build, st.sampled_from((operator.eq, operator.ne, *ORDER)), values)


def one_of(field: Any, read: Callable[[Any], Any], values: st.SearchStrategy[Any]) -> Any:
    """Strategies of equality and membership."""

    def tags(value: Any) -> set[Any]:
        return set(value.split("|")) if isinstance(value, str) else {value}

    def build(chosen: list[Any], kind: int) -> Condition:
        first = chosen[0]
        return [
            (field == first, lambda document: tags(first) <= tags(read(document))),
            (field != first, lambda document: not tags(first) <= tags(read(document))),
            (
                col(field) << chosen,
                lambda document: any(tags(value) <= tags(read(document)) for value in chosen),
            ),
            (
                col(field) >> chosen,
                lambda document: not any(tags(value) <= tags(read(document)) for value in chosen),
            ),
        ][kind]

    return st.builds(build, st.lists(values, min_size=1, max_size=3), st.integers(0, 3))


def leaves(model: Any) -> Any:
    """Conditions on the fields that both models have."""
    return (
        one_of(model.name, lambda document: document.name, st.sampled_from(NAMES))
        | one_of(model.member, lambda document: document.member, st.booleans())
        | compared(model.age, lambda document: document.age, AGES)
        | compared(model.born, lambda document: document.born, DAYS)
        | compared(model.seen_at, lambda document: document.seen_at, MOMENTS)
    )


def combined(parts: Any) -> Any:
    """Conditions made of others."""
    negated = st.builds(lambda part: (~part[0], lambda document: not part[1](document)), parts)
    both = st.builds(
        lambda one, two: (one[0] & two[0], lambda document: one[1](document) and two[1](document)),
        parts,
        parts,
    )
    either = st.builds(
        lambda one, two: (one[0] | two[0], lambda document: one[1](document) or two[1](document)),
        parts,
        parts,
    )
    return negated | both | either


IN_PLACE = one_of(Person.place.city, lambda person: person.place.city, st.sampled_from(NAMES)) | compared(
    Person.place.floor, lambda person: person.place.floor, st.integers(0, 1)
)

FIND_PERSON = st.recursive(leaves(Person) | IN_PLACE, combined, max_leaves=4)
FIND_MEMBER = st.recursive(leaves(Member), combined, max_leaves=4)


@pytest.fixture(params=[2, 3], ids=["RESP2", "RESP3"])
def indexes(
    request: pytest.FixtureRequest, client: redis.Redis, models_url: str, monkeypatch: pytest.MonkeyPatch
) -> redis.Redis:
    """A server that has the indexes of both models, and no documents; models talk to it in each protocol."""
    monkeypatch.setenv("REDIS_OM_URL", f"{models_url}?protocol={request.param}")
    create_indexes(client, Person, Member)
    return client


def replace_all(client: redis.Redis, documents: list[Any]) -> None:
    """Let these be the only documents."""
    if keys := list(client.scan_iter(count=1_000)):
        client.delete(*keys)
    for document in documents:
        document.save()


def check(client: redis.Redis, documents: list[Any], conditions: list[Condition]) -> None:
    """Store documents instead of all others, and compare what queries find with what Python does."""
    replace_all(client, documents)
    model = type(documents[0])
    expected = [one for one in documents if all(holds(one) for _, holds in conditions)]
    query = model.find(*(expression for expression, _ in conditions))
    found = query.all()
    assert sorted(found, key=lambda one: one.pk) == sorted(expected, key=lambda one: one.pk)
    assert query.count() == len(expected)
    assert list(query.sort_by("age")) == query.sort_by("age").page(0, 100)
    assert [one.age for one in query.sort_by("-age").all()] == sorted((d.age for d in expected), reverse=True)
    if expected:
        assert query.sort_by("age").first().age == min(one.age for one in expected)
        assert query.first() in expected
    else:
        with pytest.raises(NotFoundError):
            query.first()


@ON_SERVER
@given(
    documents=st.lists(PEOPLE, min_size=1, max_size=6),
    conditions=st.lists(FIND_PERSON, max_size=2),
)
def test_json_documents(indexes: redis.Redis, documents: list[Person], conditions: list[Condition]) -> None:
    check(indexes, documents, conditions)


@ON_SERVER
@given(
    documents=st.lists(MEMBERS, min_size=1, max_size=6),
    conditions=st.lists(FIND_MEMBER, max_size=2),
)
def test_hashes(indexes: redis.Redis, documents: list[Member], conditions: list[Condition]) -> None:
    check(indexes, documents, conditions)


def people(count: int) -> list[Person]:
    """That many, saved."""
    return [
        Person(
            name=f"n{number}",
            age=number,
            member=False,
            born=START.date(),
            seen_at=START + timedelta(hours=number) if number % 3 else None,
            place=Place(city="x", floor=0),
        ).save()
        for number in range(count)
    ]


def test_pages_of_a_sorted_query_are_all_of_it(indexes: redis.Redis) -> None:
    everyone = people(25)
    query = Person.find().sort_by("age")
    paged = [person for offset in range(0, 30, 10) for person in query.page(offset, 10)]
    assert paged == query.all() == query.all(batch_size=4) == everyone
    assert (query.page(), query.page(3, 0), query.page(100)) == (everyone[:10], [], [])
    with pytest.raises(QuerySyntaxError, match="offset has to be 0 or more, not -1"):
        query.page(-1)


def test_documents_without_a_value_stand_behind_the_others(indexes: redis.Redis) -> None:
    everyone = people(10)
    with_value = [person for person in everyone if person.seen_at]
    for order, expected in (("seen_at", with_value), ("-seen_at", with_value[::-1])):
        found = Person.find().sort_by(order).all()
        assert found[: len(expected)] == expected
        assert len(found) == len(everyone)


SORTED = (
    ("member", lambda one: one.member),
    ("age", lambda one: one.age),
    ("born", lambda one: one.born),
    ("name", lambda one: one.name),
)


@ON_SERVER
@given(
    documents=st.lists(MEMBERS, min_size=1, max_size=8) | st.lists(PEOPLE, min_size=1, max_size=8),
    chosen=st.permutations(SORTED).map(lambda order: order[:3]),
    descending=st.lists(st.booleans(), min_size=3, max_size=3),
)
def test_sorting_by_several_fields(
    indexes: redis.Redis, documents: list[Any], chosen: list[Any], descending: list[bool]
) -> None:
    replace_all(indexes, documents)
    expected = sorted(documents, key=lambda one: one.pk)
    for (_, read), reverse in reversed(list(zip(chosen, descending, strict=True))):
        expected.sort(key=read, reverse=reverse)
    names = [f"-{name}" if reverse else name for (name, _), reverse in zip(chosen, descending, strict=True)]
    query = type(documents[0]).find().sort_by(*names)

    def shown(found: list[Any]) -> list[Any]:
        return [[read(one) for _, read in chosen] for one in found]

    assert shown(query.all()) == shown(expected)
    assert shown(query.page(1, 3)) == shown(expected[1:4])
    assert shown([query.first()]) == shown(expected[:1])
    assert query.page(0, 0) == []
    assert query.count() == len(documents)


def requests_of(client: redis.Redis, ask: Callable[[], object]) -> dict[str, int]:
    client.config_resetstat()
    ask()
    sent: dict[str, Any] = client.info("commandstats")
    return {name: sent[name]["calls"] for name in ("cmdstat_FT.SEARCH", "cmdstat_json.get") if name in sent}


def test_a_page_of_documents_comes_with_its_search(
    indexes: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    everyone = people(7)
    _ = Person.get_many([one.pk for one in everyone])  # the size of a document is known afterwards
    monkeypatch.setattr(find, "PAGE_DOCUMENTS", 5)
    assert requests_of(indexes, Person.find(Person.age < 5).all) == {"cmdstat_FT.SEARCH": 1}
    query = Person.find().sort_by("age")
    assert requests_of(indexes, query.all) == {"cmdstat_FT.SEARCH": 2, "cmdstat_json.get": 2}
    assert query.all() == everyone
    assert query.copy(offset=1).all() == everyone[1:]
    assert query.copy(offset=2).all() == everyone[2:]
    assert query.copy(offset=1, limit=4).all() == everyone[1:5]
    assert query.copy(limit=6).all() == everyone[:6]


def test_what_changes_between_the_two_searches_of_a_large_result(
    indexes: redis.Redis, models_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    everyone = people(7)
    monkeypatch.setattr(find, "PAGE_DOCUMENTS", 4)
    operation = Stepped(models_url, find.all_documents(query_of(Person, sort_fields=["age"]), UTC_ZONE, 2))
    operation.step()
    Person.delete(everyone[0].pk)  # came with the first search
    Person.delete(everyone[6].pk)
    everyone[6].pk = "new"
    everyone[6].save()
    with pytest.raises(StopIteration) as ended:
        operation.step(times=10)
    assert ended.value.value == everyone[1:]


def test_sorting_many_by_several_fields(indexes: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    everyone = people(25)
    monkeypatch.setattr(find, "FIRST_KEYS", 3)
    query = Person.find(Person.name != "n3").sort_by("member", "-age")
    assert query.all() == [one for one in everyone[::-1] if one.name != "n3"]
    missing = Person.find(Person.age > 100).sort_by("age", "name")
    assert missing.all() == []
    with pytest.raises(NotFoundError):
        missing.first()


def test_values_that_are_missing_stand_last_by_several_fields_too(indexes: redis.Redis) -> None:
    everyone = people(9)
    found = Person.find().sort_by("-seen_at", "age").all()
    assert [one.seen_at is None for one in found] == [False] * 6 + [True] * 3
    assert found[6:] == [one for one in everyone if one.seen_at is None]


def test_sorting_by_an_embedded_field(indexes: redis.Redis) -> None:
    assert Person.find().sort_by("place__floor").all() == []


def test_a_missing_index_raises_an_error() -> None:
    sorted_by_two = Person.find().sort_by("age", "name")
    for ask in (
        *(Person.find().all, Person.find().first, Person.find().page, Person.find().count),
        *(sorted_by_two.all, sorted_by_two.first, sorted_by_two.page, sorted_by_two.count),
    ):
        with pytest.raises(
            IndexNotFoundError, match=f"'{Person._meta.index_name}' does not exist"
        ) as missing:
            ask()
        assert missing.value.hint == f"Create it with: om migrate run --models {Person.__module__}"


def test_another_database_than_0_is_refused(
    indexes: redis.Redis, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its documents are in no index, and the server would answer with those of database 0."""
    monkeypatch.setenv("REDIS_OM_URL", f"{url}?db=3")
    (elsewhere,) = people(1)
    assert Person.get(elsewhere.pk) == elsewhere
    query = Person.find(Person.name == "n0")
    for ask in (query.all, query.first, query.page, query.count, query.delete, lambda: list(query)):
        with pytest.raises(SearchDatabaseError, match="Database 3 cannot have indexes; only database 0 can"):
            ask()
    Person.delete(elsewhere.pk)


def test_a_place(indexes: redis.Redis) -> None:
    class Shop(HashModel, index=True):
        at: Coordinates = Field(index=True)

    create_indexes(indexes, Shop)
    near = Shop(at=Coordinates(52.5, 13.4)).save()
    Shop(at=Coordinates(48.1, 11.5)).save()
    assert Shop.find(col(Shop.at) == GeoFilter(13.4, 52.5, 1, "km")).all() == [near]


def test_anything_but_a_condition_is_refused(indexes: redis.Redis) -> None:
    with pytest.raises(QuerySyntaxError, match="True is not a condition"):
        Person.find(True).all()
    with pytest.raises(QueryNotSupportedError, match="is not indexed"):
        Person.find(Person.note == "x").all()


def test_an_unreadable_document_is_named_not_left_out(indexes: redis.Redis) -> None:
    people(3)
    indexes.execute_command("JSON.SET", Person.make_primary_key("bad"), "$", '{"age": 1}')
    for ask in (Person.find().all, lambda: Person.find().page(0, 10), lambda: list(Person.find())):
        with pytest.raises(DocumentDecodeError, match=r"Person:bad: .*name"):
            ask()


def _asked(operation: Any, reply: Any = None) -> Any:
    """What an operation sends next."""
    request = operation.send(reply)
    while isinstance(request, ServerKnowledge):
        request = operation.send(request.kind())
    return request


def test_a_document_that_expired_after_it_was_found_is_left_out() -> None:
    query = query_of(Person, ())
    person = Person(name="ann", age=1, member=True, born=START.date(), place=Place(city="x", floor=0))
    key, stored = person.key().encode(), json_document(person, UTC_ZONE)

    operation = first_document(query, UTC_ZONE)
    assert _asked(operation).args[2:6] == ("*", "LIMIT", 0, 1)
    assert operation.send(SearchReply(2, [b"k"], [{}])).args[2:6] == ("*", "LIMIT", 0, 10_000)
    # By now it has left the index, so the other one is the first there.
    read = _asked(operation, SearchReply(1, [key], []))
    assert isinstance(read, SendAhead)
    later = Pending(read.request)
    assert operation.send(later) is later
    with pytest.raises(StopIteration) as ended:
        operation.send([stored])
    assert ended.value.value == person

    paging = page_of(query, UTC_ZONE, 0, 10)
    _asked(paging)
    with pytest.raises(StopIteration) as ended:
        paging.send(SearchReply(2, [b"k", key], [{}, {b"$": stored}]))
    assert ended.value.value == [person]


def test_an_alias_is_a_name_like_any_other(indexes: redis.Redis) -> None:
    class Renamed(Member, index=False):
        class Meta:
            model_key_prefix = Member._meta.model_key_prefix
            index_name = "an-alias"

    indexes.execute_command("FT.ALIASADD", "an-alias", Member._meta.index_name)
    Member(name="ann", age=1, member=True, born=START.date()).save()
    assert [one.name for one in Renamed.find(Renamed.age == 1)] == ["ann"]


@pytest.mark.sample(4)
@pytest.mark.parametrize("count", [2, 16, 17, 99, 1_000, 5_000])
def test_any_number_of_conditions_can_be_joined(indexes: redis.Redis, count: int) -> None:
    Member.add([Member(name=str(n), age=n, member=True, born=date(2020, 1, 1)) for n in range(3)])
    either, both, right = Member.age == 0, Member.age > 0, Member.age == count
    for number in range(1, count):
        either |= Member.age == number * 2
        both &= ~(Member.age == number * 2 + 1)
        right = (Member.age == number * 2 - 1) | right
    assert {one.age for one in Member.find(either)} == {0, 2}
    assert {one.age for one in Member.find(both)} == {1, 2}
    assert {one.age for one in Member.find(right)} == {1} | ({2} if count == 2 else set())
    assert Member.find(*[Member.age < count] * count).count() == min(3, count)
    assert {one.age for one in Member.find(~either)} == {1}
    for condition in (either, both, right):
        assert len(condition.tree.splitlines()) > count
        assert repr(condition).count("Member.age") == count


def test_conditions_that_are_nested_too_deeply_are_refused(indexes: redis.Redis) -> None:
    condition = Member.age == 0
    for number in range(2_000):
        condition = (condition & (Member.age > number)) | (Member.age == number)
    with pytest.raises(QuerySyntaxError, match="nested too deeply"):
        Member.find(condition).count()
