"""Queries as they are written down, and what is refused before anything is sent."""

from collections.abc import Callable
from typing import Any

import pytest

import redstart.aio
from redstart import (
    Coordinates,
    Field,
    JsonModel,
    QueryNotSupportedError,
    QuerySyntaxError,
    VectorFieldOptions,
)
from tests.documents.people import Member, Person

pytestmark = pytest.mark.usefixtures("models_url")


class Spot(JsonModel, index=True):
    spot: Coordinates = Field(index=True)
    vector: list[float] = Field(
        vector_options=VectorFieldOptions.flat(
            VectorFieldOptions.TYPE.FLOAT32, 2, VectorFieldOptions.DISTANCE_METRIC.L2
        )
    )


def test_a_query_never_changes() -> None:
    query = Person.find()
    assert query.sort_by("age") is not query
    assert repr(query) != repr(query.sort_by("age"))


@pytest.mark.parametrize(
    ("field", "reason"),
    [
        (
            "agee",
            r"Person\.agee: the field does not exist.\nDid you mean 'age'\? Use one of the sortable fields: pk, name",
        ),
        ("--age", r"Person\.-age: the field does not exist"),
        ("age\nasc", "the field does not exist"),
        ("place__cty", r"Person\.place__cty: the field does not exist"),
        (
            "-note",
            r"Person\.note: the field is not indexed\.\nDeclare it with Field\(sortable=True\), then: om",
        ),
        ("place", r"the field is an embedded document\.\nSort by one of its fields"),
    ],
)
def test_what_cannot_be_sorted_by(field: str, reason: str) -> None:
    with pytest.raises(QueryNotSupportedError, match=reason) as refused:
        Person.find().sort_by(field)
    assert refused.value.code == "E2"


def test_places_and_vectors_have_no_order() -> None:
    for field, reason in (("spot", "coordinates have no order"), ("vector", "vectors have no order")):
        with pytest.raises(QueryNotSupportedError, match=rf"Spot\.{field}: {reason}\.\nSort by a string"):
            Spot.find().sort_by(field)


def test_sorting_by_nothing_keeps_the_order() -> None:
    query = Person.find().sort_by("-age")
    assert query.sort_by().sort_fields == ("-age",)


@pytest.mark.parametrize("ask", ["sort_by", "values", "only"])
@pytest.mark.parametrize("name", [3, Person.age, None])
def test_fields_are_named_by_text(ask: str, name: Any) -> None:
    with pytest.raises(
        QuerySyntaxError, match=r"Expected the name of a field; got .*\nGive names as strings"
    ):
        getattr(Person.find(), ask)(name)


@pytest.mark.parametrize(
    "ask", [lambda query: query.page("x"), lambda query: query["a"], lambda query: query.copy(limit=2.5)]
)
def test_documents_are_counted(ask: Callable[[Any], Any]) -> None:
    with pytest.raises(TypeError, match="has to be an int, not "):
        ask(Person.find())


def test_a_slice_is_a_page() -> None:
    with pytest.raises(TypeError, match=r"not slice\(2, 5, None\)\. For several documents use page\("):
        Person.find()[2:5]  # type: ignore[index]  # the point of the test


def test_a_batch_has_documents() -> None:
    with pytest.raises(QuerySyntaxError, match="has to be 1 or more, not -1"):
        Person.find().all(batch_size=-1)


def test_a_field_of_another_model_is_unknown() -> None:
    strange = Person.place.floor == 1
    assert Person.find(Person.name == "x", ~strange).query
    with pytest.raises(
        QuerySyntaxError, match=r"Person\.place\.floor is a field of \S+Person, not of \S+Member"
    ) as no:
        _ = Member.find((Member.name == "x") | ~strange).query
    assert (no.value.code, no.value.field) == ("E9", f"{Person.__module__}.Person.place.floor")
    assert str(no.value).endswith("Use one of the fields of Member: " + ", ".join(Member.model_fields))


def test_a_field_of_a_base_or_of_the_other_colour_is_the_models_own() -> None:
    class Worker(Person):
        salary: int = Field(index=True)

    class Colleague(redstart.aio.JsonModel):
        age: int = Field(index=True, sortable=True)

        class Meta:
            index_name = Person._meta.index_name

    class Stranger(JsonModel):
        age: int = Field(index=True, sortable=True)

    assert Worker.find(Person.age > 3, Worker.salary > 3).query == "(@age:[(3 +inf]) (@salary:[(3 +inf])"
    assert Person.find(Colleague.age > 3).query == "@age:[(3 +inf]"
    with pytest.raises(QuerySyntaxError, match=r"Worker\.salary is a field of"):
        _ = Person.find(Worker.salary > 3).query
    with pytest.raises(QuerySyntaxError, match=r"Stranger\.age is a field of"):
        _ = Person.find(Stranger.age > 3).query
