"""Values that are assigned after a document was made: what is stored is what their fields hold, or nothing."""

import enum
from datetime import UTC, datetime
from typing import Any

import pydantic
import pytest
import redis

from redstart import EmbeddedJsonModel, Field, HashModel, JsonModel
from tests.support.models import create_indexes


class Colour(enum.Enum):
    RED = "red"


class Address(EmbeddedJsonModel):
    number: int
    city: str = "Oslo"


class Plain(pydantic.BaseModel):
    number: int


class Visit(HashModel, index=True):
    name: str = Field(index=True)
    at: datetime = Field(default=datetime(2020, 1, 1, tzinfo=UTC), index=True)
    count: int = Field(default=0, index=True)
    colour: Colour | None = None


class House(JsonModel, index=True):
    name: str = Field(index=True)
    at: datetime = Field(default=datetime(2020, 1, 1, tzinfo=UTC), index=True)
    count: int = Field(default=0, index=True)
    colour: Colour | None = None
    address: Address = Field(default_factory=lambda: Address(number=1))
    others: list[Address] = Field(default_factory=list)
    by_name: dict[str, Address] = Field(default_factory=dict)
    plain: Plain | None = None


pytestmark = pytest.mark.usefixtures("models_url", "client")


@pytest.mark.parametrize("model", [Visit, House])
def test_what_a_field_takes_in_another_form_is_stored_as_its_own(client: redis.Redis, model: Any) -> None:
    create_indexes(client, model)
    document = model(name="a")
    document.at, document.count, document.colour = "2024-01-01T00:00:00Z", "7", "red"
    document.save()
    moment = datetime(2024, 1, 1, tzinfo=UTC)
    assert (document.at, document.count, document.colour) == (moment, 7, Colour.RED)
    assert model.get(document.pk) == document
    assert model.find(model.at == moment, model.count == 7).all() == [document]


@pytest.mark.parametrize("model", [Visit, House])
def test_that_holds_for_many_at_once_and_on_a_pipeline(model: Any) -> None:
    first, second = model(name="a"), model(name="b")
    first.count = second.count = "7"
    model.add([first])
    with model.db().pipeline() as pipeline:
        second.save(pipeline=pipeline)
        pipeline.execute()
    assert [one.count for one in (first, second)] == [7, 7]
    assert model.get_many([first.pk, second.pk]) == [first, second]


def houses() -> list[tuple[House, Any]]:
    made = []
    for house in (
        House(name="a"),
        House(name="b", others=[Address(number=1)]),
        House(name="c", by_name={"x": Address(number=1)}),
        House(name="d", plain=Plain(number=1)),
    ):
        parts = (*house.others, *house.by_name.values(), house.plain, house.address)
        made.append((house, next(part for part in parts if part is not None)))
    return made


@pytest.mark.parametrize(("house", "part"), houses())
def test_documents_inside_are_validated_too(client: redis.Redis, house: House, part: Any) -> None:
    house.save()
    before = client.execute_command("JSON.GET", house.key())
    part.number = "none"
    for save in (house.save, lambda: House.add([house])):
        with pytest.raises(pydantic.ValidationError, match="number"):
            save()
    assert client.execute_command("JSON.GET", house.key()) == before
    part.number = "8"
    house.save()
    assert part.number == 8
    assert House.get(house.pk) == house


def test_documents_inside_stay_the_same_objects() -> None:
    house = House(name="a", others=[Address(number=1)])
    address, other = house.address, house.others[0]
    address.number = "2"  # type: ignore[assignment]  # that is what the test is about
    house.save()
    assert house.address is address
    assert house.others[0] is other
    assert address.number == 2


def test_an_update_validates_what_is_inside_the_values_it_is_given(client: redis.Redis) -> None:
    house = House(name="a").save()
    before = client.execute_command("JSON.GET", house.key())
    address = Address(number=1)
    address.number = "none"  # type: ignore[assignment]  # that is what the test is about
    with pytest.raises(pydantic.ValidationError, match="number"):
        house.update(address=address)
    assert client.execute_command("JSON.GET", house.key()) == before


def test_a_missing_key_is_not_made_up() -> None:
    visit = Visit(name="a")
    visit.pk = None
    with pytest.raises(Exception, match="has no primary key"):
        visit.save()


class Texts(pydantic.RootModel[list[str]]):
    """A list in a class of its own."""


class Counts(pydantic.RootModel[dict[str, int]]):
    """A map in a class of its own."""


class Moment(pydantic.RootModel[datetime]):
    """A datetime in a class of its own."""


class Addresses(pydantic.RootModel[list[Address]]):
    """Documents inside, in a class of its own."""


class WithRoots(pydantic.BaseModel):
    moment: Moment


ROOTS: list[tuple[Any, Any, Any]] = [
    (Texts, ["a"], ["a"]),
    (Counts, {"a": 1}, {"a": 1}),
    (Moment, datetime(2024, 1, 1, tzinfo=UTC), 1704067200.0),
    (Addresses, [{"number": 1}], [{"number": 1, "city": "Oslo"}]),
    (Texts | None, ["a"], ["a"]),
    (list[Texts], [["a"]], [["a"]]),
    (dict[str, Counts], {"x": {"a": 1}}, {"x": {"a": 1}}),
    (WithRoots, {"moment": "2024-01-01T00:00:00Z"}, {"moment": 1704067200.0}),
    (list[WithRoots], [{"moment": 1704067200}], [{"moment": 1704067200.0}]),
]


@pytest.mark.parametrize(("annotation", "value", "stored"), ROOTS, ids=lambda one: str(one)[:40])
def test_root_models_anywhere_are_stored_as_what_they_hold(
    client: redis.Redis, annotation: Any, value: Any, stored: Any
) -> None:
    model = pydantic.create_model("Rooted", __base__=JsonModel, __module__=__name__, held=(annotation, ...))
    document: Any = model(held=value).save()
    assert client.json().get(document.key())["held"] == stored
    assert model.get(document.pk) == document
    document.held = model(held=value).held
    document.update(held=value)
    assert model.get(document.pk) == document


def test_what_is_assigned_inside_a_root_model_is_validated(client: redis.Redis) -> None:
    class Rooted(JsonModel):
        moment: Moment
        homes: Addresses

    document = Rooted(moment=Moment(datetime(2024, 1, 1, tzinfo=UTC)), homes=Addresses([Address(number=1)]))
    document.moment.root = "2024-01-01T00:00:00Z"
    document.homes.root[0].number = "7"
    document.save()
    assert (document.moment.root, document.homes.root[0].number) == (datetime(2024, 1, 1, tzinfo=UTC), 7)
    document.moment.root = "no date"
    with pytest.raises(pydantic.ValidationError):
        document.save()
