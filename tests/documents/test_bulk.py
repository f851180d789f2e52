"""`update()` and `delete()` on queries: what they change, and what they leave alone."""

from datetime import UTC, datetime
from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError, computed_field

from redstart import EmbeddedJsonModel, Field, HashModel, JsonModel, QuerySyntaxError
from redstart.documents.bulk import update_found
from redstart.documents.query import query_of
from redstart.effects import Call
from redstart.errors import CommandError, IndexNotFoundError
from redstart.server.clients import open_sync
from redstart.server.sync_driver import SyncDriver
from redstart.values.timezones import NaiveTimezone
from tests.documents.people import ON_SERVER
from tests.support.models import create_indexes

UTC_ZONE = NaiveTimezone.parse("UTC")
MOMENT = datetime(2023, 1, 1, tzinfo=UTC)


class Place(EmbeddedJsonModel):
    city: str = ""
    floor: int = 0


class Person(JsonModel, index=True):
    name: str = Field(index=True)
    age: int = Field(index=True, sortable=True)
    note: str | None = None
    at: datetime | None = None
    place: Place = Place()


class Member(HashModel, index=True):
    name: str = Field(index=True)
    age: int = Field(index=True, sortable=True)
    note: str | None = None
    at: datetime | None = None


MODELS = [Person, Member]


@pytest.fixture
def indexes(client: redis.Redis, models_url: str) -> redis.Redis:
    """A server with the indexes of both models."""
    create_indexes(client, *MODELS)
    return client


def three(model: Any) -> list[Any]:
    """Documents of ages 0 to 2, saved; those of 1 and 2 are called ann."""
    return [model(name="ann" if age else "bob", age=age).save() for age in range(3)]


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("model", MODELS)
def test_the_found_documents_are_changed_and_no_others(
    indexes: redis.Redis, model: Any, at_once: bool
) -> None:
    bob, *anns = three(model)
    query = model.find(model.name == "ann").copy(page_size=1)
    query.update(use_transaction=at_once, note="é", at=MOMENT)
    assert model.get(bob.pk) == bob
    assert [model.get(one.pk) for one in anns] == [
        one.model_copy(update={"note": "é", "at": MOMENT}) for one in anns
    ]
    query.update(use_transaction=at_once, note=None)
    assert [model.get(one.pk).note for one in anns] == [None, None]
    query.update(use_transaction=at_once)
    model.find(model.age > 5).update(use_transaction=at_once, note="nobody")
    assert model.find(model.name == "ann").count() == 2


def test_fields_of_documents_inside(indexes: redis.Redis) -> None:
    person, *_ = three(Person)
    Person.find().update(place__city="Oslo")
    assert Person.get(person.pk).place == Place(city="Oslo")
    Person.find(Person.age == 0).update(place=Place(floor=2), place__city="Rome")
    assert Person.get(person.pk).place == Place(city="Rome", floor=2)


@ON_SERVER
@given(text=st.text(st.characters(exclude_categories=["Cs"])), at_once=st.booleans())
@pytest.mark.parametrize("model", MODELS)
def test_any_text_is_a_value_and_nothing_else(
    indexes: redis.Redis, model: Any, text: str, at_once: bool
) -> None:
    for key in indexes.scan_iter(f"{model.make_key('')}*"):
        indexes.delete(key)
    document, *_ = three(model)
    model.find(model.age == 0).update(use_transaction=at_once, note=text)
    expected = document.model_copy(update={"note": text if text or model is Person else None})
    assert model.get(document.pk) == expected
    assert model.find().count() == 3


@given(name=st.text())
def test_only_fields_can_be_named(name: str) -> None:
    operation = update_found(query_of(Person), {name: 1}, UTC_ZONE, at_once=True)
    if name.split("__", maxsplit=1)[0] in {"name", "age", "note", "at", "place"}:
        return
    with pytest.raises(QuerySyntaxError, match=r"no field|primary key"):
        next(operation)


def test_the_primary_key_cannot_be_updated() -> None:
    with pytest.raises(QuerySyntaxError, match=r"Person\.pk is the primary key"):
        Person.find().update(pk="x")


@pytest.mark.parametrize("model", MODELS)
def test_a_value_that_one_document_does_not_take(indexes: redis.Redis, model: Any) -> None:
    three(model)
    with pytest.raises(ValidationError):
        model.find().update(age="old")
    assert sorted(one.age for one in model.find()) == [0, 1, 2]


@pytest.mark.parametrize("at_once", [True, False])
@pytest.mark.parametrize("model", MODELS)
def test_a_document_that_is_deleted_meanwhile_stays_deleted(
    indexes: redis.Redis, url: str, model: Any, at_once: bool
) -> None:
    """So does one whose key is used for something else by then; and what others changed in a third one stays."""
    gone, other, kept = three(model)
    operation = update_found(query_of(model), {"note": "new"}, UTC_ZONE, at_once=at_once)
    with open_sync(url) as driver:
        write = stepped(driver, operation, stepped(driver, operation, next(operation)))
        indexes.delete(gone.key(), other.key())
        indexes.set(other.key(), "mine")
        kept.model_copy(update={"age": 77}).save()
        while write is not None:
            write = stepped(driver, operation, write)
    assert indexes.exists(gone.key()) == 0
    assert indexes.get(other.key()) == b"mine"
    assert (model.get(kept.pk).age, model.get(kept.pk).note) == (77, "new")


def stepped(driver: SyncDriver, operation: Any, request: Any) -> Any:
    """Perform one request of an operation: the next one, None after the last."""

    def only_this() -> Any:
        return (yield request)

    try:
        return operation.send(driver.run(only_this()))
    except StopIteration:
        return None


@pytest.mark.parametrize("at_once", [True, False])
def test_a_refused_write_is_raised(indexes: redis.Redis, url: str, at_once: bool) -> None:
    three(Member)
    password = "p"
    indexes.execute_command("ACL", "SETUSER", "reader", "on", f">{password}", "~*", "+@all", "-@write")
    operation = update_found(query_of(Member), {"note": "new"}, UTC_ZONE, at_once=at_once)
    with open_sync(url) as driver:
        driver.run(authenticated("reader", password))
        with pytest.raises(CommandError, match="no permissions"):
            driver.run(operation)
    indexes.execute_command("ACL", "DELUSER", "reader")
    assert [one.note for one in Member.find()] == [None, None, None]


def authenticated(user: str, password: str) -> Any:
    """Go on as this user."""
    yield Call(("AUTH", user, password), lambda _: None)


def test_what_is_computed_is_written_too_and_what_is_frozen_is_not(indexes: redis.Redis) -> None:
    class Square(HashModel):
        side: int = 1
        name: str = Field(default="", frozen=True)

        @computed_field
        def area(self) -> int:
            return self.side**2

    create_indexes(indexes, Square)
    square = Square().save()
    Square.find().update(side=3)
    assert indexes.hget(square.key(), "area") == b"9"
    with pytest.raises(ValidationError, match="frozen"):
        Square.find().update(name="x")


@pytest.mark.parametrize("model", MODELS)
def test_delete(indexes: redis.Redis, model: Any) -> None:
    bob, *_ = three(model)
    indexes.set("other", "1")
    assert model.find(model.name == "ann").sort_by("age").copy(limit=1).delete() == 1
    assert model.find(model.name == "ann").delete() == 1
    assert model.find(model.name == "ann").delete() == 0
    assert model.find().all() == [bob]
    assert indexes.get("other") == b"1"


def test_delete_many(indexes: redis.Redis) -> None:
    Member.add([Member(name="x", age=age) for age in range(2_500)])
    assert Member.find(Member.age >= 100).delete() == 2_400
    assert Member.find().count() == 100


def test_without_an_index(client: redis.Redis, models_url: str) -> None:
    for ask in (Person.find().delete, lambda: Person.find().update(note="x")):
        with pytest.raises(IndexNotFoundError, match="om migrate run"):
            ask()
