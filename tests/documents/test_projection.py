"""`values()` and `only()`: the same as in whole documents, however documents are stored and whatever they hold."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ConfigDict, create_model, field_serializer, field_validator, model_validator

from redstart import EmbeddedJsonModel, Field, HashModel, JsonModel, QueryNotSupportedError, QuerySyntaxError
from redstart.documents.projection import PartialModel, stands_alone
from redstart.errors import DocumentDecodeError
from tests.documents.every_type import DEEP, FLAT, Deep, Flat
from tests.documents.people import ON_SERVER
from tests.support.models import create_indexes

pytestmark = pytest.mark.usefixtures("models_url")


class Address(EmbeddedJsonModel):
    city: str = Field(index=True)
    street: str | None = None
    seen_at: datetime | None = None


class Person(JsonModel, index=True):
    name: str = Field(index=True)
    age: int = Field(default=7, index=True, sortable=True)
    born: datetime | None = None
    span: timedelta = timedelta(0)
    address: Address | None = None
    before: list[Address] = Field(default=[])
    notes: dict[str, Address | None] = Field(default={})


class Visit(HashModel, index=True):
    token: str = Field(primary_key=True)
    age: int = Field(default=7, index=True, sortable=True)
    at: datetime | None = None
    note: str | None = None


def shown(query: Any) -> list[Any]:
    """All documents of a query in one order; the same page by page."""
    found = query.sort_by("age").all()
    assert found == query.sort_by("age").page(0, 100) == list(query.sort_by("age"))
    return found


MOMENT = datetime(2023, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5)
ADDRESSES = st.builds(Address, city=TEXTS, street=st.none() | TEXTS, seen_at=st.none() | st.just(MOMENT))
PEOPLE = st.builds(
    Person,
    name=TEXTS,
    born=st.none() | st.just(MOMENT),
    span=st.just(timedelta(days=1, seconds=0.5)),
    address=st.none() | ADDRESSES,
    before=st.lists(ADDRESSES, max_size=2),
    notes=st.dictionaries(st.sampled_from(["a", "é ", "'\"]"]), st.none() | ADDRESSES, max_size=2),
)
PATHS = ["pk", "name", "age", "born", "span", "address", "before", "notes"]
DEEP_PATHS = ["address__city", "address__street", "address__seen_at", "notes__a", "notes__a__city"]


def followed(value: Any, path: str) -> Any:
    """What a path leads to, None where it ends early."""
    for name in path.split("__"):
        value = value.get(name) if isinstance(value, dict) else getattr(value, name, None)
    return value


@ON_SERVER
@given(people=st.lists(PEOPLE, max_size=3), names=st.lists(st.sampled_from(PATHS + DEEP_PATHS), min_size=1))
def test_parts_are_those_of_whole_documents(
    client: redis.Redis, people: list[Person], names: list[str]
) -> None:
    client.flushall()
    create_indexes(client, Person)
    for number, person in enumerate(people):
        person.age = number
        person.save()
    whole = Person.find().sort_by("age").all()
    assert shown(Person.find().values(*names)) == [
        {name: followed(one.model_dump(), name) for name in names} for one in whole
    ]
    for one, part in zip(whole, shown(Person.find().only(*names)), strict=True):
        for name in names:
            assert getattr(part, name) == followed(one, name)
            if "__" not in name:
                assert type(getattr(part, name)) is type(getattr(one, name))


@ON_SERVER
@given(document=FLAT | DEEP, data=st.data())
def test_fields_of_every_type(client: redis.Redis, document: Flat | Deep, data: st.DataObject) -> None:
    model = type(document)
    names = data.draw(st.lists(st.sampled_from(list(model.model_fields)), min_size=1))
    client.flushall()
    create_indexes(client, model)
    document.save()
    (whole,) = model.find().all()
    assert model.find().values(*names).all() == [{name: whole.model_dump()[name] for name in names}]
    part = model.find().only(*names).first()
    assert {name: getattr(part, name) for name in names} == {name: getattr(whole, name) for name in names}


def test_all_values(client: redis.Redis) -> None:
    create_indexes(client, Person)
    person = Person(name="ann", address=Address(city="Oslo")).save()
    assert Person.find().values().all() == [person.model_dump()]
    assert Person.find().values("name").first() == {"name": "ann"}
    assert Person.find().sort_by("age", "name").values("name").all() == [{"name": "ann"}]


def test_fields_that_were_not_requested_are_missing(client: redis.Redis) -> None:
    create_indexes(client, Person)
    Person(name="ann", address=Address(city="Oslo")).save()
    (part,) = Person.find().only("name", "address__city").all()
    assert (part.name, part.address.city, part.address__city) == ("ann", "Oslo", "Oslo")
    assert part == Person.find().only("name", "address__city").first()
    assert part != Person.find().only("name").first()
    assert repr(part) == "PartialPerson(name='ann', address=PartialAddress(city='Oslo'))"
    for name in ("save", "update"):
        with pytest.raises(
            AttributeError, match=rf"cannot be {name}d\. Use Person\.get\(pk\), or find\(\)\.update\(\)"
        ):
            getattr(part, name)
    for name in ("delete", "expire", "key", "model_dump"):
        with pytest.raises(AttributeError, match=rf"has no method {name}\(\)\. Use Person\.get\(pk\)"):
            getattr(part, name)
    for name in ("age", "address__street", "no_such_field"):
        with pytest.raises(AttributeError, match="was not loaded"):
            getattr(part, name)
    with pytest.raises(AttributeError, match=r"Address\.street was not loaded, only city"):
        part.address.street
    assert not hasattr(part, "_private")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("nmae", "no field 'nmae'.\nDid you mean 'name'\\? Use one of the fields: pk, name, age"),
        ("address__", "no field ''.\nUse one of the fields: pk, city, street, seen_at"),
        ("address__zip", "no field 'zip'.\nUse one of the fields: pk, city, street, seen_at"),
        ("before__city", "before is a list; fields inside lists cannot be selected.\nSelect before."),
        ("name__first", "'name' is not an embedded document or a map"),
        ("notes__a__zip", "no field 'zip'"),
        ("$", r"no field '\$'"),
        ("name AS age", "no field 'name AS age'"),
        ("", "no field ''"),
    ],
)
def test_names_that_are_none(name: str, reason: str) -> None:
    for ask in (Person.find().values, Person.find().only):
        with pytest.raises(QueryNotSupportedError, match=reason):
            ask("name", name)


@given(name=st.text())
def test_no_name_but_a_field_is_ever_sent(name: str) -> None:
    try:
        words = Person.find().values(name).get_query()[1]
    except QueryNotSupportedError:
        return
    top = name.split("__", maxsplit=1)[0]
    assert top in PATHS
    assert words[6:] in ([], ["RETURN", "1", name], ["RETURN", "3", f"$.{name}", "AS", name])


def test_only_nothing() -> None:
    with pytest.raises(QuerySyntaxError, match="at least one field"):
        Person.find().only()


def test_documents_that_lack_a_field(client: redis.Redis) -> None:
    create_indexes(client, Visit)
    client.hset(":tests.documents.test_projection.Visit:a", mapping={"age": "1"})
    client.hset(":tests.documents.test_projection.Visit:b", mapping={"token": "b", "age": "2", "note": ""})
    assert shown(Visit.find().values("token", "note")) == [
        {"token": "a", "note": None},
        {"token": "b", "note": None},
    ]
    assert [part.note for part in shown(Visit.find().only("note"))] == [None, None]
    assert [part.at for part in shown(Visit.find().only("at"))] == [None, None]


def test_a_field_that_has_to_be_there(client: redis.Redis) -> None:
    create_indexes(client, Person)
    client.execute_command(
        "JSON.SET", ":tests.documents.test_projection.Person:x", "$", '{"age": 1, "born": "no"}'
    )
    assert Person.find().values("age", "pk").all() == [{"age": 1, "pk": "x"}]
    with pytest.raises(DocumentDecodeError, match=r"Person:x: name is missing: Field required .*\nGive the"):
        Person.find().values("name").all()
    with pytest.raises(DocumentDecodeError, match="Person:x: born has the invalid value 'no'"):
        Person.find().only("born").all()


def test_documents_that_are_gone_are_left_out(client: redis.Redis) -> None:
    create_indexes(client, Visit, Person)
    for number in range(3):
        Visit(token=str(number), age=number).save()
    seen = iter(Visit.find().sort_by("age").copy(page_size=1).values("token"))
    assert next(seen) == {"token": "0"}
    Visit.delete("1")
    assert list(seen) == [{"token": "2"}]


class Checked(HashModel, index=True):
    low: int = Field(index=True, sortable=True)
    high: int

    @model_validator(mode="after")
    def in_order(self) -> "Checked":
        if self.low > self.high:
            raise ValueError("not in order")
        return self


class Stamped(HashModel, index=True):
    text: str
    shout: str = ""
    age: int = Field(default=1, index=True, sortable=True)

    @field_validator("shout", mode="after")
    @classmethod
    def louder(cls, value: str, info: Any) -> str:
        return f"{info.data['text']} {value}"

    @field_serializer("text")
    def written(self, text: str) -> str:
        return text + "!"


class Frozen(HashModel, index=True):
    model_config = ConfigDict(frozen=True)
    text: str
    age: int = Field(default=1, index=True, sortable=True)


def test_models_with_checks_of_their_own_are_read_whole(client: redis.Redis) -> None:
    create_indexes(client, Checked, Stamped, Frozen)
    Checked(low=1, high=2).save()
    Stamped(text="a", shout="b").save()
    Frozen(text="a").save()
    assert Checked.find().values("high").all() == [{"high": 2}]
    assert Stamped.find().only("shout").first().shout == Stamped.find().first().shout
    assert Stamped.find().values("text").first()["text"] == Stamped.find().first().model_dump()["text"]
    assert Frozen.find().only("text").first().text == "a"
    assert [stands_alone(Stamped, name) for name in ("text", "shout", "pk")] == [True, False, True]
    client.hset(f"{Checked.find().first().key()}", "low", "9")
    with pytest.raises(DocumentDecodeError, match="not in order"):
        Checked.find().values("high").all()


def test_partial_objects_cannot_be_hashed() -> None:
    with pytest.raises(TypeError):
        hash(PartialModel("M", {}))


def test_names_of_hashes_are_in_the_models_encoding(client: redis.Redis) -> None:
    sized: Any = {"größe": (int, 0)}
    coded: Any = create_model("Coded", __base__=HashModel, name=(str, ""), **sized)
    coded._meta.encoding = "latin-1"
    create_indexes(client, coded)
    coded(größe=5, name="ü").save()
    assert coded.find().values("größe", "name").all() == [{"größe": 5, "name": "ü"}]
    assert coded.find().only("größe").first() == PartialModel("Coded", {"größe": 5})
