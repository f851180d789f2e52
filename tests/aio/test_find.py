"""The arguments and members that redis-om's queries have."""

import copy
from typing import Any

import pytest
import redis

from redstart import EmbeddedJsonModel, Field, QueryNotSupportedError, QuerySyntaxError
from redstart.aio import FindQuery, JsonModel
from redstart.errors import IndexNotFoundError
from tests.support.models import create_indexes


class Place(EmbeddedJsonModel):
    city: str = Field(index=True)


class Person(JsonModel, index=True):
    name: str = Field(index=True)
    age: int = Field(index=True, sortable=True)
    note: str = ""
    place: Place = Place(city="Oslo")

    class Meta:
        model_key_prefix = "person"


INDEX = ":person:index"


@pytest.fixture
async def people(client: redis.Redis, models_url: str) -> list[Person]:
    """Seven of them, by age."""
    create_indexes(client, Person)
    return [await Person(name="ab"[age % 2], age=age).save() for age in range(7)]


async def test_what_a_query_is_made_of() -> None:
    condition = Person.name == "a"
    query = Person.find(condition, Person.age > 1).sort_by("-age").copy(offset=2, limit=3, page_size=5)
    said = query.dict()
    assert said == {
        "expressions": query.expressions,
        "model": Person,
        "knn": None,
        "offset": 2,
        "limit": 3,
        "page_size": 5,
        "sort_fields": ("-age",),
        "projected_fields": (),
        "nocontent": False,
        "return_as_dict": False,
        "on_error": "raise",
    }
    assert said["expressions"][0] is condition
    assert await FindQuery(**said).get_query() == await query.get_query()
    assert query.query == "(@name:{a}) (@age:[(1 +inf])"
    assert query.pagination == ["LIMIT", 2, 3]
    assert query.query_params == []
    assert repr(query.expression) == "(Person.name == 'a') & (Person.age > 1)"
    assert Person.find().expression is None
    assert FindQuery([], Person).pagination == ["LIMIT", 0, 1000]


@pytest.mark.parametrize("name", [*Person.find().dict(), "pagination", "query", "limitt"])
def test_assigning_to_a_query_is_refused(name: str) -> None:
    query = Person.find(Person.age > 1).copy(limit=5)
    before = query.dict()
    for change in (lambda: setattr(query, name, 3), lambda: delattr(query, name)):
        with pytest.raises(AttributeError, match=rf"'{name}' cannot be changed. Use .*copy\("):
            change()
    assert query.dict() == before
    assert query.pagination == ["LIMIT", 0, 5]
    assert copy.copy(query).dict() == before


def test_the_copy_to_make_instead_is_named() -> None:
    with pytest.raises(AttributeError, match=r"Use query = query\.copy\(limit=3\)$"):
        Person.find().limit = 3  # type: ignore[misc]


async def test_a_parameter_of_a_query() -> None:
    query = Person.find(Person.name == "\x01")
    assert (query.query, query.query_params) == ("@name:{$tag0}", ["tag0", "\x01"])
    assert (await query.get_query())[1][6:] == ["PARAMS", "2", "tag0", "\x01", "DIALECT", "2"]


def test_the_drawing_of_a_condition() -> None:
    query = Person.find((Person.name == "a") & ~(Person.age > 1) | (Person.place.city != "Oslo"))
    assert query.expression is not None
    assert query.expression.tree.splitlines() == [
        "OR",
        "  AND",
        "    Person.name == 'a'",
        "    NOT",
        "      Person.age > 1",
        "  Person.place.city != 'Oslo'",
    ]
    assert (Person.age == 1).tree == "Person.age == 1"


async def test_limits_and_offsets(people: list[Person]) -> None:
    query = Person.find().sort_by("age")
    assert await query.copy(limit=3).all() == people[:3]
    assert [person async for person in query.copy(limit=3)] == people[:3]
    assert await query.copy(offset=5).all() == people[5:]
    assert await query.copy(offset=2, limit=2, page_size=1).all() == people[2:4]
    assert await query.copy(limit=0).all() == []
    assert await query.copy(limit=2).count() == 7
    assert await query.sort_by("name", "-age").copy(offset=1, limit=2).all() == [people[4], people[2]]
    assert await query.sort_by("name", "-age").copy(offset=5).all() == [people[3], people[1]]


async def test_one_by_its_position(people: list[Person]) -> None:
    query = Person.find().sort_by("age")
    assert await query.get_item(3) == people[3]
    assert await query.copy(offset=2).get_item(1) == people[3]
    for beyond in (7, 10_000):
        with pytest.raises(IndexError, match=f"position {beyond} is beyond the last document"):
            await query.get_item(beyond)
    with pytest.raises(QuerySyntaxError, match="position of a document has to be 0 or more, not -1"):
        await query.get_item(-1)


async def test_execute(people: list[Person]) -> None:
    query = Person.find().sort_by("age").copy(page_size=3)
    assert await query.execute() == people
    assert await query.execute(exhaust_results=False) == people
    assert await query.copy(limit=3).execute(exhaust_results=False) == people[:3]
    assert await query.copy(offset=4, limit=2).execute(exhaust_results=False) == people[4:6]
    assert await query.execute(return_query_args=True) == await query.get_query()
    index, words = await query.get_query()
    assert (index, words) == (INDEX, ["FT.SEARCH", INDEX, "*", "LIMIT", 0, 1000, "SORTBY", "age", "asc"])


async def test_values_and_parts(people: list[Person]) -> None:
    query = Person.find(Person.age > 2).sort_by("age")
    assert [one["age"] async for one in query.values("age")] == [3, 4, 5, 6]
    assert (await query.only("name").first()).name == "b"


async def test_documents_that_are_changed_and_deleted(people: list[Person]) -> None:
    query = Person.find(Person.age > 2).sort_by("age")
    await query.copy(limit=1).update(name="c")
    assert [person.name for person in await query.all()] == ["c", "a", "b", "a"]
    assert await query.copy(offset=2).delete() == 2
    assert await query.count() == 2


@pytest.mark.parametrize("protocol", [2, 3])
async def test_raw_results_are_those_of_the_client(
    people: list[Person], models_url: str, protocol: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REDIS_OM_URL", f"{models_url}?protocol={protocol}")
    query = Person.find().sort_by("age").copy(limit=2)
    for asked in (query, query.copy(nocontent=True), query.only("age", "note")):
        raw: Any = await asked.execute(return_raw_result=True)
        _, words = await asked.get_query()
        assert raw == await Person.db().execute_command(*words)
        assert people[1].pk in str(raw)
        assert people[2].pk not in str(raw)
    assert await query.copy(nocontent=True).all() == people[:2]


async def test_raw_results_need_an_index_too(client: redis.Redis, models_url: str) -> None:
    with pytest.raises(IndexNotFoundError, match=INDEX):
        await Person.find().execute(return_raw_result=True)


def test_invalid_arguments() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'limits'"):
        Person.find().copy(limits=3)
    with pytest.raises(QuerySyntaxError, match="offset has to be 0 or more, not -1"):
        Person.find().copy(offset=-1)
    with pytest.raises(QuerySyntaxError, match="has to be 1 or more, not -1"):
        Person.find().copy(page_size=-1)
    with pytest.raises(QueryNotSupportedError, match="the field does not exist"):
        FindQuery([], Person, sort_fields=["zip"])


def test_a_field_that_is_none_is_named_with_those_there_are() -> None:
    with pytest.raises(
        AttributeError, match=r"Person has no field 'agee'; it has pk, name, age, note, place"
    ):
        Person.find(Person.agee == 1)  # type: ignore[attr-defined]  # the point of the test
    assert not hasattr(Person, "agee")
