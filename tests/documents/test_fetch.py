"""Documents by their keys on a server: what a save changes, what it leaves, and what is said when it cannot be."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import urlsplit

import pydantic
import pytest
import redis
from hypothesis import HealthCheck, given, settings

from redstart import Field, HashModel, JsonModel, NotFoundError
from redstart.devserver.process import EmbeddedServer
from redstart.documents.fetch import documents_at, get_document
from redstart.documents.save import save_document
from redstart.errors import (
    CommandError,
    DocumentDecodeError,
    DocumentEncodeError,
    DocumentError,
    RedisModelError,
    UnsupportedServerError,
    WrongKeyTypeError,
)
from redstart.mapping.models import RedisModel
from redstart.server.clients import open_sync
from redstart.values.timezones import NaiveTimezone
from tests.documents.every_type import DEEP, FLAT, Deep, Flat
from tests.support.counting_proxy import CountingProxy

UTC_ZONE = NaiveTimezone.parse("UTC")
FAR = 4_102_444_800_000
"""2100-01-01 in milliseconds."""

ON_SERVER = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


class Customer(HashModel, index=True):
    email: str = Field(primary_key=True)
    name: str | None = None
    seen_at: datetime | None = None

    class Meta:
        global_key_prefix = "shop"
        model_key_prefix = "customer"


class Order(JsonModel, index=True):
    number: int = Field(primary_key=True)
    note: str | None = None

    class Meta:
        model_key_prefix = "order"
        primary_key_pattern = "no-{pk}-x"


pytestmark = pytest.mark.usefixtures("models_url")


@ON_SERVER
@given(document=FLAT)
def test_a_hash_comes_back_as_it_was(document: Flat) -> None:
    assert document.save() is document
    assert Flat.get(document.pk) == document


@ON_SERVER
@given(document=DEEP)
def test_a_json_document_comes_back_as_it_was(document: Deep) -> None:
    document.save()
    assert Deep.get(document.pk) == document


def test_keys_are_those_of_the_reference(client: redis.Redis) -> None:
    Customer(email="a@b").save()
    Order(number=7).save()
    assert set(client.scan_iter()) == {b"shop:customer:a@b", b":order:no-7-x"}
    assert json.loads(client.execute_command("JSON.GET", ":order:no-7-x")) == {"number": 7, "note": None}
    assert (Customer.get("a@b").email, Order.get(7).number) == ("a@b", 7)


def test_a_field_that_became_none_is_cleared_and_unknown_fields_stay(client: redis.Redis) -> None:
    customer = Customer(email="a", name="Ann", seen_at=datetime(2023, 1, 1, tzinfo=UTC)).save()
    client.hset("shop:customer:a", "of_another_program", "kept")
    customer.name = None
    customer.save()
    assert client.hgetall("shop:customer:a") == {
        b"email": b"a",
        b"seen_at": b"1672531200.0",
        b"of_another_program": b"kept",
    }
    assert Customer.get("a").name is None


def test_times_to_live_stay_to_the_millisecond(client: redis.Redis) -> None:
    customer = Customer(email="a", name="Ann", seen_at=datetime(2023, 1, 1, tzinfo=UTC)).save()
    order = Order(number=1).save()
    client.execute_command("HPEXPIREAT", customer.key(), FAR + 1, "FIELDS", 2, "name", "seen_at")
    for document in (customer, order):
        client.pexpireat(document.key(), FAR + 2)
    customer.name, customer.seen_at = "Bob", None
    customer.save()
    order.save()
    expiries = client.execute_command("HPEXPIRETIME", customer.key(), "FIELDS", 3, "email", "name", "seen_at")
    assert expiries == [-1, FAR + 1, -2]
    assert [client.pexpiretime(document.key()) for document in (customer, order)] == [FAR + 2, FAR + 2]


class Visit(HashModel):
    visitor: str = Field(primary_key=True)
    code: str | None = Field(default=None, expire=1000)
    other: str = Field(default="", expire=2000)


def test_fields_with_a_lifetime_of_their_own_expire(client: redis.Redis) -> None:
    visit = Visit(visitor="a", code="x").save()

    def seconds_left() -> list[int]:
        left = client.execute_command("HTTL", visit.key(), "FIELDS", 4, "pk", "visitor", "code", "other")
        return [int(seconds) for seconds in left]

    assert seconds_left() in ([-2, -1, 1000, 2000], [-2, -1, 999, 1999])
    # It counts from the first time: saving again gives no more of it.
    client.execute_command("HEXPIRE", visit.key(), 500, "FIELDS", 1, "code")
    visit.save()
    assert seconds_left()[2] in (500, 499)
    visit.code = None
    visit.save()
    assert seconds_left()[2] == -2
    visit.code = "y"
    visit.save()
    assert seconds_left()[2] in (1000, 999)


def test_a_save_is_one_step_even_when_the_script_is_unknown(client: redis.Redis) -> None:
    client.script_flush()
    Customer(email="a").save()
    client.script_flush()
    Customer(email="b").save()
    assert client.exists("shop:customer:a", "shop:customer:b") == 2


def test_nothing_is_sent_for_a_value_that_its_field_does_not_take(client: redis.Redis) -> None:
    customer = Customer(email="a")
    customer.name = 5  # type: ignore[assignment]  # the point of the test
    with pytest.raises(pydantic.ValidationError):
        customer.save()
    customer.name = "half a character: \ud800"
    with pytest.raises(DocumentEncodeError, match=r"Customer shop:customer:a: name cannot be stored"):
        customer.save()
    assert client.dbsize() == 0


def test_deleting() -> None:
    Customer(email="a").save()
    Order(number=1).save()
    assert (Customer.delete("a"), Customer.delete("a"), Order.delete(1), Order.delete(2)) == (1, 0, 1, 0)


@pytest.mark.parametrize(("model", "key"), [(Customer, "shop:customer:x"), (Order, ":order:no-x-x")])
def test_a_missing_document(model: type[Customer] | type[Order], key: str) -> None:
    with pytest.raises(NotFoundError, match=rf"no document has the primary key 'x' \(key {key}\)"):
        model.get("x")


def test_a_key_of_another_type(client: redis.Redis) -> None:
    client.execute_command("JSON.SET", "shop:customer:x", "$", "{}")
    client.hset(":order:no-1-x", "a", "b")
    for act in (lambda: Customer.get("x"), lambda: Customer(email="x").save()):
        with pytest.raises(WrongKeyTypeError, match="The key shop:customer:x is not of type hash"):
            act()
    for act in (lambda: Order.get(1), lambda: Order(number=1).save()):
        with pytest.raises(WrongKeyTypeError, match="The key :order:no-1-x is not of type JSON"):
            act()
    assert client.hgetall(":order:no-1-x") == {b"a": b"b"}


def test_an_unreadable_document_is_named(client: redis.Redis) -> None:
    client.hset("shop:customer:x", mapping={"seen_at": "yesterday"})
    with pytest.raises(
        DocumentDecodeError, match=r"shop:customer:x: seen_at has the invalid value 'yesterday'"
    ):
        Customer.get("x")


def test_many_at_once_leave_out_what_is_gone(client: redis.Redis, models_url: str) -> None:
    for name in "abc":
        Customer(email=name, name=name).save()
    client.set("shop:customer:other", "a string")
    keys = [f"shop:customer:{name}".encode() for name in ("c", "gone", "other", "a")]
    with open_sync(models_url) as driver:
        found = driver.run(documents_at(Customer, keys, UTC_ZONE))
    assert [customer.email for customer in found] == ["c", "a"]


def test_a_missing_primary_key_is_taken_from_the_key(client: redis.Redis) -> None:
    client.hset("shop:customer:x", "name", "Ann")
    assert Customer.get("x").email == "x"


def test_embedded_and_abstract_models_have_no_documents() -> None:
    with pytest.raises(RedisModelError, match="has no documents of its own"):
        HashModel.get("x")


def test_a_server_without_json_raises_an_error() -> None:
    operation = get_document(Order, 1, UTC_ZONE)
    next(operation)
    with pytest.raises(UnsupportedServerError, match="does not support a required command"):
        operation.send([CommandError("ERR unknown command 'JSON.GET', with args beginning with: ''")])
    saving = save_document(Order(number=1), UTC_ZONE)
    next(saving)
    with pytest.raises(CommandError, match="READONLY"):
        saving.throw(CommandError("READONLY You can't write"))


HALF = "a\ud800b"
"""Half of a character that UTF-16 writes with two: no key on a server can hold it."""


@pytest.mark.parametrize("model", [Customer, Order])
@pytest.mark.parametrize(
    "ask",
    [
        lambda model: model.get(HALF),
        lambda model: model.get_many(["a", HALF]),
        lambda model: model.delete(HALF),
        lambda model: model.delete(HALF, pipeline=model.db().pipeline()),
        lambda model: model.delete_many([model.model_construct(email=HALF, number=HALF)]),
    ],
)
def test_a_lone_surrogate_in_a_primary_key_raises_an_error(
    model: type[HashModel], ask: Callable[..., object]
) -> None:
    with pytest.raises(DocumentError) as refused:
        ask(model)
    key = "shop:customer:a" if model is Customer else ":order:no-a"
    assert f"{model.__name__}: the key '{key}\\ud800b" in refused.value.message
    assert str(refused.value).encode(), "it can be printed"


@pytest.mark.parametrize("storage", [HashModel, JsonModel])
def test_many_large_documents_are_not_asked_for_at_once(
    own_server: Callable[..., EmbeddedServer], storage: type[RedisModel]
) -> None:
    class Book(storage):  # type: ignore[misc, valid-type]  # one of two
        text: str

    server = own_server()
    with redis.Redis.from_url(server.url) as client:
        Book._meta.database = client
        books = [Book(pk=str(number), text=f"{number}" * 250_000) for number in range(1_000, 1_020)]
        for book in books:
            book.save()
    for _ in range(2):
        with (
            CountingProxy(urlsplit(server.url).path) as proxy,
            redis.Redis.from_url(proxy.url) as client,
        ):
            Book._meta.database = client
            assert Book.get_many([book.pk for book in books]) == books
            assert proxy.most_at_once < 9_000_000
