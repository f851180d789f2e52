"""Fields of model classes as expressions, and everything else about the classes as it was."""

import copy
import datetime
import pickle
import warnings
from typing import Any

import pytest
from pydantic import ValidationError, computed_field

from redstart import EmbeddedJsonModel, Field, HashModel, JsonModel
from redstart.errors import QueryError, QueryNotSupportedError, QuerySyntaxError
from redstart.mapping.coordinates import Coordinates
from redstart.mapping.field_proxies import FieldProxy, query_field_named
from redstart.mapping.vectors import VectorFieldOptions
from redstart.search.expressions import Expression, KNNExpression, col
from redstart.search.geo import GeoFilter
from redstart.search.query_compiler import query_text
from redstart.values.timezones import NaiveTimezone

UTC = NaiveTimezone.parse("UTC")
VECTOR = VectorFieldOptions.flat(VectorFieldOptions.TYPE.FLOAT32, 2, VectorFieldOptions.DISTANCE_METRIC.L2)


class Address(EmbeddedJsonModel):
    city: str = Field(index=True)
    zip: str
    floor: int = Field(default=0, index=True)


class Line(EmbeddedJsonModel):
    sku: str = Field(index=True)


class Person(JsonModel, index=True):
    name: str = Field(index=True, full_text_search=True)
    age: int = Field(index=True, sortable=True)
    active: bool = Field(default=True, index=True)
    born: datetime.date | None = Field(default=None, index=True)
    tags: list[str] = Field(default=[], index=True, separator=",")
    home: Address
    work: Address | None = None
    lines: list[Line] = Field(default=[])
    place: Coordinates | None = Field(default=None, index=True)
    vector: list[float] = Field(default=[], vector_options=VECTOR)
    score: float | None = None
    note: str = ""


class Login(HashModel):
    user: str = Field(primary_key=True)
    ok: bool = Field(default=True, index=True)


def person(**given: Any) -> Person:
    return Person(**({"name": "Ada", "age": 36, "home": Address(city="London", zip="1")} | given))


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (lambda: Person.name == "Ada", "@name:{Ada}"),
        (lambda: Person.name % "Ada", "@name_fts:Ada"),
        (lambda: Person.age > 18, "@age:[(18 +inf]"),
        (lambda: Person.active == True, "@active:{True}"),  # noqa: E712 - a condition
        (lambda: Login.ok == True, "@ok:{1}"),  # noqa: E712 - a condition
        (lambda: Person.born >= datetime.date(1970, 1, 2), "@born:[86400.0 +inf]"),
        (lambda: Person.tags << ["a", "b"], "(@tags:{a|b})"),
        (lambda: Person.tags == "a,b", "@tags:{a}@tags:{b}"),
        (lambda: Person.home.city == "x", "@home_city:{x}"),
        (lambda: Person.work.floor < 3, "@work_floor:[-inf (3]"),
        (lambda: Person.lines.sku == "x", "@lines_sku:{x}"),
        (lambda: Person.place == GeoFilter(1, 2, 3, "km"), "@place:[1 2 3 km]"),
        (lambda: Person.pk == "x", "@pk:{x}"),
        (lambda: Login.pk == "x", "@user:{x}"),
        (lambda: Login.user == "x", "@user:{x}"),
        (lambda: col(Person.age) == 1, "@age:[1 1]"),
    ],
)
def test_text(condition: Any, text: str) -> None:
    assert query_text([condition()], UTC).text == text


def test_neighbours_name_any_field_of_the_model_as_their_score() -> None:
    knn = KNNExpression(
        k=2, vector_field=Person.vector, score_field=Person.score, reference_vector=b"12345678"
    )
    assert query_text([], UTC, knn=knn).text == "*=>[KNN $K @vector $knn_ref_vector AS score]"


@pytest.mark.parametrize(
    ("condition", "error", "label"),
    [
        (lambda: Person.note == "x", QueryNotSupportedError, "Person.note"),
        (lambda: Person.home.zip == "x", QueryNotSupportedError, "Person.home.zip"),
        (lambda: Person.home == "x", QuerySyntaxError, "Person.home"),
        (lambda: Person.lines == [], QuerySyntaxError, "Person.lines"),
        (lambda: Person.tags % "x", QuerySyntaxError, "Person.tags"),
        (lambda: Person.name < "x", QueryNotSupportedError, "Person.name"),
        (lambda: Person.age.contains("1"), QueryNotSupportedError, "Person.age"),
    ],
)
def test_errors_name_model_and_field(condition: Any, error: type[QueryError], label: str) -> None:
    with pytest.raises(error) as refused:
        query_text([condition()], UTC)
    assert refused.value.field == f"{__name__}.{label}"


def test_unknown_fields() -> None:
    with pytest.raises(AttributeError, match="nope"):
        Person.nope  # type: ignore[attr-defined]  # the point of the test
    with pytest.raises(
        AttributeError, match=r"Person\.home has no field 'nope'; .*Address has .*city, zip, floor"
    ):
        Person.home.nope
    with pytest.raises(AttributeError, match=r"Person\.name has no field 'startwith'; .* startswith\("):
        Person.name.startwith
    assert not hasattr(Person, "nope")


def test_instances_are_untouched() -> None:
    one = person()
    assert (one.name, one.home.city, one.work) == ("Ada", "London", None)
    one.name = "Grace"
    assert one.model_dump()["name"] == "Grace"
    assert "name" not in Person.__dict__
    with pytest.raises(AttributeError):
        one.nope
    login = Login(user="u")
    login.pk = "v"
    assert (login.user, login.pk) == ("v", "v")


def test_pydantic_sees_no_expressions() -> None:
    with pytest.raises(ValidationError):
        Person()
    assert Person.model_fields["name"].is_required()
    schema = Person.model_json_schema()
    assert schema["required"] == ["name", "age", "home"]
    assert "FieldProxy" not in str(schema)
    one = person()
    assert Person.model_validate(one.model_dump() | {"pk": one.pk}) == one


def test_subclasses_may_declare_a_field_again() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")

        class Base(JsonModel):
            name: str = Field(index=True)
            age: int

        class Derived(Base):
            name: str = Field(default="x", index=True)
            extra: int = Field(default=1, index=True)

        class Again(Derived):
            age: int = 3

            @computed_field
            def double(self) -> int:
                return 2 * self.age

    assert Again().model_dump(exclude={"pk"}) == {"name": "x", "age": 3, "extra": 1, "double": 6}
    assert repr(Again.extra) == "Again.extra"
    assert query_text([Again.name == "a"], UTC).text == "@name:{a}"
    assert not isinstance(Again.double, FieldProxy)


def test_copies_and_pickles() -> None:
    one = person()
    assert pickle.loads(pickle.dumps(one)) == copy.deepcopy(one) == copy.copy(one) == one
    assert pickle.loads(pickle.dumps(Person)) is Person
    proxy = Person.home.city
    for other in (pickle.loads(pickle.dumps(proxy)), copy.deepcopy(proxy)):
        assert isinstance(other, FieldProxy)
        assert query_text([other == "x"], UTC).text == "@home_city:{x}"


def test_a_field_is_an_expression_and_no_truth() -> None:
    assert isinstance(Person.name == "a", Expression)
    assert {Person.name: 1}
    assert repr(Person.home.city == "x") == "Person.home.city == 'x'"
    with pytest.raises(QuerySyntaxError):
        assert "a" in [Person.name]


def test_fields_by_their_name() -> None:
    city = query_field_named(Person, "home__city")
    assert city is not None and (city.attribute, city.sortable) == ("home_city", False)
    assert query_field_named(Person, "age") is not None
    for unknown in ("nope", "home__nope", "name__nope", "home__city__nope", ""):
        assert query_field_named(Person, unknown) is None


class Plot(EmbeddedJsonModel):
    field: str = Field(index=True)


class Farm(JsonModel, index=True):
    plot: Plot
    name: str = Field(default="", index=True)


def test_a_field_in_a_query_has_its_declaration_as_in_redis_om() -> None:
    assert Person.age.field is Person.model_fields["age"]
    assert Person.home.city.field is Address.model_fields["city"]
    assert Person.pk.field.name == "pk"
    # What a document inside has of that name comes first.
    assert isinstance(Farm.plot.field, FieldProxy)
    assert query_text([Farm.plot.field == "a"], UTC).text == "@plot_field:{a}"
    assert Farm.plot.field.field.name == "field"


def test_neighbours_have_the_attributes_of_redis_om() -> None:
    class Picture(JsonModel, index=True):
        vector: list[float] = Field(vector_options=VECTOR)
        distance: float | None = None

    knn = KNNExpression(
        k=3, vector_field=Picture.vector, score_field=Picture.distance, reference_vector=b"12345678"
    )
    assert (knn.vector_field_name, knn.score_field_name) == ("vector", "distance")
    assert knn.query_params == {"K": "3", "knn_ref_vector": b"12345678"}
