# ruff: noqa: RUF012 - models in the spellings that applications really use
"""Fields changed one by one: what is written, what stays, and what is refused before anything changes."""

import json
from datetime import UTC, datetime
from typing import Any

import pydantic
import pytest
import redis
from pydantic import ConfigDict, ValidationError, computed_field, field_serializer

from redstart import EmbeddedJsonModel, Field, HashModel, JsonModel, NotFoundError
from redstart.documents.update import update_document
from redstart.errors import DocumentEncodeError, QuerySyntaxError, WrongKeyTypeError
from redstart.values.timezones import NaiveTimezone
from tests.support.stepping import Stepped

UTC_ZONE = NaiveTimezone.parse("UTC")


class Customer(HashModel):
    email: str = Field(primary_key=True)
    age: int = 0
    name: str | None = None
    seen_at: datetime | None = None

    class Meta:
        model_key_prefix = "customer"


class Street(EmbeddedJsonModel):
    name: str
    number: int = 1


class Address(EmbeddedJsonModel):
    city: str
    street: Street | None = None
    tags: list[str] = []


class Abroad(Address):
    country: str


class Order(JsonModel):
    number: int = Field(primary_key=True)
    address: Address
    other: Address | None = None
    lines: list[Address] = []
    at: datetime | None = None
    shown: Address | None = None

    @field_serializer("shown")
    def as_text(self, value: Address | None) -> str | None:
        return value and value.city

    class Meta:
        model_key_prefix = "order"


pytestmark = pytest.mark.usefixtures("models_url")


def stored(client: redis.Redis, document: Order) -> Any:
    return json.loads(client.execute_command("JSON.GET", document.key()))


def test_only_what_is_named_is_written(client: redis.Redis) -> None:
    customer = Customer(email="a", age=1, name="Ann").save()
    client.hset(customer.key(), mapping={"age": 7, "foreign": "kept"})
    client.execute_command("HEXPIRE", customer.key(), 100, "FIELDS", 1, "name")
    assert customer.update(name="Bea") is None  # type: ignore[func-returns-value]  # as redis-om's
    assert customer.name == "Bea"
    assert client.hgetall(customer.key()) == {
        b"email": b"a",
        b"age": b"7",
        b"name": b"Bea",
        b"foreign": b"kept",
    }
    assert 99 <= client.execute_command("HTTL", customer.key(), "FIELDS", 1, "name")[0] <= 100
    customer.update(name=None, seen_at="2023-01-01T00:00:00Z")
    assert client.hmget(customer.key(), "name", "seen_at", "age") == [None, b"1672531200.0", b"7"]
    assert customer.seen_at == datetime(2023, 1, 1, tzinfo=UTC)


def test_members_of_json_at_any_depth(client: redis.Redis) -> None:
    order = Order(number=1, address=Address(city="Oslo", street=Street(name="a"))).save()
    client.execute_command("JSON.SET", order.key(), "$.address.street.number", "9")
    client.execute_command("JSON.SET", order.key(), "$.foreign", "1")
    order.update(address__street__name="b", at=datetime(2023, 1, 1), address__tags=["x"])
    found = stored(client, order)
    assert found["address"] == {"city": "Oslo", "street": {"name": "b", "number": 9}, "tags": ["x"]}
    assert (found["at"], found["foreign"]) == (1672531200, 1)
    assert (order.address.street, order.address.tags) == (Street(name="b"), ["x"])
    order.update(lines=[Address(city="Rome")], other=None)
    assert stored(client, order)["lines"] == [{"city": "Rome", "street": None, "tags": []}]


def test_a_document_inside_that_is_not_there_yet(client: redis.Redis) -> None:
    order = Order(number=1, address=Address(city="Oslo")).save()
    order.update(other__city="Rome", address__street__name="a")
    assert order.other == Address(city="Rome")
    assert Order.get(1) == order
    # Here it is there; on the server somebody has taken it away.
    client.execute_command("JSON.SET", order.key(), "$.other", "null")
    order.update(other__city="Riga")
    assert Order.get(1).other == Address(city="Riga")
    with pytest.raises(pydantic.ValidationError, match="city"):
        Order(number=2, address=Address(city="x")).update(other__tags=[])


def test_the_class_of_a_document_inside_stays(client: redis.Redis) -> None:
    order = Order(number=1, address=Abroad(city="Oslo", country="NO")).save()
    order.update(address__city="Bergen")
    assert order.address == Abroad(city="Bergen", country="NO")


def test_a_member_that_a_serializer_has_moved(client: redis.Redis) -> None:
    order = Order(number=1, address=Address(city="Oslo"), shown=Address(city="a")).save()
    order.update(shown__city="b")
    assert stored(client, order)["shown"] == "b"


@pytest.mark.parametrize(
    ("document", "fields", "says"),
    [
        (
            Customer(email="a"),
            {"nope": 1},
            r"Customer has no field 'nope'\.\nUse one of the fields of Customer: email, ",
        ),
        (
            Customer(email="a"),
            {"name__x": 1},
            r"no field 'name__x': tests\S+Customer\.name is not an embedded document",
        ),
        (Customer(email="a"), {"": 1}, "no field ''"),
        (Order(number=1, address=Address(city="a")), {"adress__city": 1}, "has no 'adress'"),
        (
            Order(number=1, address=Address(city="a")),
            {"address__nope": 1},
            r"'address__nope': tests\S+Address has no 'nope'",
        ),
        (
            Order(number=1, address=Address(city="a")),
            {"lines__city": 1},
            r"lines is a list; fields inside lists cannot be updated\.\nChange the list and call save\(\)",
        ),
        (
            Order(number=1, address=Address(city="a")),
            {"address__street__name__x": 1},
            r"Street\.name is not an embedded document",
        ),
    ],
)
def test_an_unknown_field(
    client: redis.Redis, document: Customer | Order, fields: dict[str, Any], says: str
) -> None:
    document.save()
    with pytest.raises(QuerySyntaxError, match=says):
        document.update(**fields)


def test_after_a_refusal_all_is_as_it_was(client: redis.Redis) -> None:
    customer = Customer(email="a", age=1, name="Ann").save()
    before = customer.model_copy()
    with pytest.raises(pydantic.ValidationError):
        customer.update(name="Bea", age="many")
    with pytest.raises(DocumentEncodeError):
        customer.update(age=2, name="\ud800")
    with pytest.raises(QuerySyntaxError):
        customer.update(age=2, nope=1)
    assert customer == before == Customer.get("a")
    client.delete(customer.key())
    client.set(customer.key(), "a string")
    with pytest.raises(WrongKeyTypeError):
        customer.update(age=2)
    order = Order(number=1, address=Address(city="a"))
    client.set(order.key(), "a string")
    with pytest.raises(WrongKeyTypeError):
        order.update(at=None)
    assert (customer.age, client.get(order.key())) == (1, b"a string")


def test_values_are_taken_as_the_fields_take_them(client: redis.Redis) -> None:
    customer = Customer(email="a").save()
    customer.update(age="7")
    assert customer.age == 7
    customer.update()
    assert Customer.get("a").age == 7


def test_a_document_that_is_not_there_is_saved_whole(client: redis.Redis) -> None:
    Customer(email="a", age=5).update(name="Ann")
    assert Customer.get("a") == Customer(email="a", age=5, name="Ann")
    Order(number=1, address=Address(city="a")).update(address__city="b")
    assert Order.get(1).address.city == "b"


def test_a_document_that_comes_and_goes_meanwhile(client: redis.Redis, models_url: str) -> None:
    """Missing when it was to be changed, there again when it was to be saved: then it is changed after all."""
    customer = Customer(email="a", age=5)
    Customer(email="x").save()  # the server knows the script
    steps = Stepped(models_url, update_document(customer, {"name": "Ann"}, UTC_ZONE))
    steps.step()
    client.hset(customer.key(), mapping={"email": "a", "age": 9})
    with pytest.raises(StopIteration):
        steps.step(10)
    assert Customer.get("a") == Customer(email="a", age=9, name="Ann")
    assert len(steps.driver.names) == 3


def test_an_update_does_not_bring_a_deleted_field_back(client: redis.Redis) -> None:
    customer = Customer(email="a", name="Ann").save()
    client.hdel(customer.key(), "name")
    customer.update(age=1)
    assert Customer.get("a").name is None
    Customer.delete("a")
    with pytest.raises(NotFoundError):
        Customer.get("a")


class Box(EmbeddedJsonModel):
    width: int = 1
    height: int = 1

    @computed_field
    @property
    def area(self) -> int:
        return self.width * self.height


class Parcel(JsonModel):
    box: Box | None = None
    boxes: list[Box] = []
    note: str = ""

    @computed_field
    @property
    def volume(self) -> int:
        return self.box.area if self.box else 0


class Package(HashModel):
    width: int = 1
    note: str = ""

    @computed_field
    @property
    def area(self) -> int:
        return self.width * self.width


def test_what_is_computed_of_a_field_is_written_with_it(client: redis.Redis) -> None:
    package = Package().save()
    package.note = "mine"
    client.hset(package.key(), "note", "theirs")
    package.update(width=3)
    assert client.hmget(package.key(), "area", "note") == [b"9", b"theirs"]
    parcel = Parcel(box=Box(), boxes=[Box()]).save()
    client.execute_command("JSON.SET", parcel.key(), "$.box.height", "7")
    parcel.update(box__width=5)
    assert stored(client, parcel)["box"] == {"width": 5, "height": 7, "area": 5}
    assert stored(client, parcel)["volume"] == 5
    empty = Parcel().save()
    empty.update(box__width=2)
    assert stored(client, empty)["box"] == {"width": 2, "height": 1, "area": 2}
    assert stored(client, empty)["volume"] == 2


class Sealed(JsonModel):
    model_config = ConfigDict(frozen=True)
    part: Box = Box()
    name: str = ""


class Label(EmbeddedJsonModel):
    text: str = Field(default="", frozen=True)
    size: int = 0


class Half(HashModel):
    born: int = Field(default=1, frozen=True)
    age: int = 0


class Labelled(JsonModel):
    label: Label = Label()


@pytest.mark.parametrize(
    ("document", "change"),
    [
        (Sealed(), {"name": "x"}),
        (Sealed(), {"part__width": 3}),
        (Half(), {"age": 1, "born": 2}),
        (Labelled(), {"label__text": "x"}),
    ],
)
def test_what_is_frozen_is_not_updated(client: redis.Redis, document: Any, change: dict[str, Any]) -> None:
    document.save()
    before = document.model_copy()
    with pytest.raises(ValidationError, match="frozen"):
        document.update(**change)
    assert type(document).get(document.pk) == document == before


def test_beside_what_is_frozen(client: redis.Redis) -> None:
    half, labelled = Half().save(), Labelled().save()
    half.update(age=3)
    labelled.update(label__size=3)
    assert (Half.get(half.pk).age, Labelled.get(labelled.pk).label.size) == (3, 3)
