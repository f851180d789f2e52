"""Documents that are not given a primary key never share one, whatever the class or a mixin gives as its default."""

import abc
import asyncio
import inspect
from collections.abc import Callable, Iterator
from typing import Annotated, Any
from uuid import UUID, uuid4

import pydantic
import pytest
import redis
from pydantic import Field as PydanticField
from pydantic import model_validator

import redstart.aio
from redstart import Field, HashModel, JsonModel, NotFoundError
from redstart.errors import QuerySyntaxError, RedisModelError
from tests.support.models import create_indexes

pytestmark = pytest.mark.usefixtures("models_url", "models_of_before")

STORED = [HashModel, JsonModel, redstart.aio.HashModel, redstart.aio.JsonModel]
EMPTY: list[Any] = ["", None]


def done(result: Any) -> Any:
    """What a method gives, of either flavour."""
    return asyncio.run(result) if inspect.iscoroutine(result) else result


def in_the_class(base: Any, empty: Any) -> Any:
    class Own(base):
        pk: str | None = empty
        n: int = 0

    return Own


def by_factory(base: Any, empty: Any) -> Any:
    class Made(base):
        pk: str | None = Field(default_factory=lambda: empty)

    return Made


def by_factory_of_other_fields(base: Any, empty: Any) -> Any:
    class Derived(base):
        n: int = 0
        pk: str | None = PydanticField(default_factory=lambda data: empty if not data else "other")

    return Derived


def annotated(base: Any, empty: Any) -> Any:
    class Noted(base):
        pk: Annotated[str | None, Field(default=empty)]

    return Noted


def in_a_mixin(base: Any, empty: Any) -> Any:
    class Mixin(pydantic.BaseModel):
        pk: str | None = empty

    class Mixed(Mixin, base):
        n: int = 0

    return Mixed


def in_an_abstract_base(base: Any, empty: Any) -> Any:
    class Abstract(base, abc.ABC):
        pk: str | None = empty

    class Concrete(Abstract):
        n: int = 0

    return Concrete


def in_a_base_with_documents(base: Any, empty: Any) -> Any:
    class Child(in_the_class(base, empty)):
        m: int = 0

    return Child


def of_any_type(base: Any, empty: Any) -> Any:
    class Untyped(base):
        pk: Any = empty

    return Untyped


def marked(base: Any, empty: Any) -> Any:
    class Marked(base):
        pk: str | None = Field(default=empty, primary_key=True)

    return Marked


DECLARED: list[Callable[[Any, Any], Any]] = [
    *(in_the_class, by_factory, by_factory_of_other_fields, annotated, in_a_mixin),
    *(in_an_abstract_base, in_a_base_with_documents, of_any_type, marked),
]


@pytest.mark.sample(60)
@pytest.mark.parametrize("base", STORED)
@pytest.mark.parametrize("declared", DECLARED)
@pytest.mark.parametrize("empty", EMPTY, ids=repr)
def test_each_document_gets_a_primary_key(base: Any, declared: Callable[[Any, Any], Any], empty: Any) -> None:
    """As in redis-om 0.3.5; redis-om 1.2.0 rejects such a class."""
    model = declared(base, empty)
    documents = [model(), model(), model(pk=""), model(pk=None), model(), model.model_validate({})]
    done(model.add(documents))
    assert len({one.pk for one in documents}) == 6
    assert all(len(one.pk) == 26 for one in documents)
    assert done(model.get_many([one.pk for one in documents])) == documents


def test_a_default_of_the_models_own_is_kept() -> None:
    class Fixed(HashModel):
        pk: str = "settings"

    class Random(HashModel):
        pk: str = Field(default_factory=lambda: str(uuid4()))

    class Identified(HashModel):
        pk: UUID = Field(default_factory=uuid4)

    assert Fixed().pk == "settings"
    assert len({Random().pk, Random().pk}) == 2
    assert UUID(Random().pk)
    document = Identified().save()
    assert Identified.get(document.pk) == document


@pytest.mark.parametrize("key_type", [int, UUID])
def test_nothing_is_generated_for_a_type_that_does_not_accept_it(key_type: type, client: redis.Redis) -> None:
    class Numbered(HashModel):
        pk: key_type | None = None  # type: ignore[valid-type]

    assert Numbered().pk is None
    with pytest.raises((RedisModelError, pydantic.ValidationError), match="pk"):
        Numbered().save()
    assert client.dbsize() == 0


def custom(base: Any, **options: Any) -> Any:
    class Customer(base, index=True):
        email: str | None = Field(primary_key=True, **options)
        age: int = Field(default=0, index=True)

    return Customer


def custom_in_a_mixin(base: Any, **options: Any) -> Any:
    class Mixin(pydantic.BaseModel):
        email: str | None = Field(primary_key=True, **options)

    class Customer(base, Mixin, index=True):
        age: int = 0

    return Customer


def saves(model: Any, document: Any) -> Iterator[Callable[[], Any]]:
    """Every way to write a document."""
    pipeline = model.db().pipeline()
    yield document.save
    yield lambda: document.save(pipeline=pipeline)
    yield lambda: document.save(xx=True)
    yield lambda: model.add([document])
    yield lambda: model.add([document], pipeline=pipeline)
    yield lambda: document.update(age=3)
    yield lambda: document.expire(5)
    yield lambda: model.delete_many([document])
    if hasattr(model, "persist_field"):
        yield lambda: document.expire_field("age", 5)


@pytest.mark.sample(27)
@pytest.mark.parametrize("base", STORED)
@pytest.mark.parametrize("declared", [custom, custom_in_a_mixin])
@pytest.mark.parametrize(
    "options",
    [{"default": ""}, {"default": None}, {"default_factory": str}, {"default_factory": lambda: None}],
)
def test_a_document_without_its_primary_key_is_not_written(
    base: Any, declared: Callable[..., Any], options: dict[str, Any], client: redis.Redis
) -> None:
    """Under another name than `pk` nothing is generated, as in redis-om: but there it is saved, over the one before."""
    model = declared(base, **options)
    for document in (model(), model(email=""), model(email=None)):
        assert not document.email
        for write in saves(model, document):

            async def written(write: Callable[[], Any] = write) -> Any:
                result = write()
                return await result if inspect.iscoroutine(result) else result

            with pytest.raises(RedisModelError, match=r"Customer has no primary key: email is (''|None)"):
                asyncio.run(written())
    assert client.dbsize() == 0
    late = model()
    late.email = "late"
    done(late.save())
    assert done(model.get("late")) == late


@pytest.mark.parametrize("base", STORED)
def test_an_assigned_empty_primary_key_is_not_written(base: Any, client: redis.Redis) -> None:
    class Note(base):
        text: str = ""

    for empty in EMPTY:
        note = Note()
        note.pk = empty
        with pytest.raises(RedisModelError, match="Note has no primary key"):
            done(note.save())
    assert client.dbsize() == 0


@pytest.mark.parametrize("base", STORED)
def test_none_is_not_the_primary_key_called_none(base: Any) -> None:
    class Note(base):
        text: str = ""

    done(Note(pk="None").save())
    with pytest.raises(NotFoundError, match="Note: no document has the primary key None"):
        done(Note.get(None))
    assert done(Note.get_many([None, "None", None])) == [Note(pk="None")]


@pytest.mark.parametrize("base", STORED)
def test_what_redis_om_stored_without_a_primary_key_is_not_saved_as_another(
    base: Any, client: redis.Redis
) -> None:
    class Note(base):
        text: str = ""

    key = Note.make_primary_key("")
    if hasattr(Note, "persist_field"):
        client.hset(key, mapping={"pk": "", "text": "a"})
    else:
        client.json().set(key, "$", {"pk": "", "text": "a"})
    note = done(Note.get(""))
    assert (note.pk, note.text) == ("", "a")
    for write in (note.save, lambda: note.update(text="b")):
        with pytest.raises(RedisModelError, match="Note has no primary key: pk is ''"):
            done(write())
    assert list(client.scan_iter()) == [key.encode()]
    assert done(Note.delete("")) == 1


class Person(HashModel, index=True):
    name: str = Field(default="", index=True)
    age: int = Field(default=0, index=True)


class JsonPerson(JsonModel, index=True):
    name: str = Field(default="", index=True)
    age: int = Field(default=0, index=True)


class AsyncPerson(redstart.aio.HashModel, index=True):
    name: str = Field(default="", index=True)
    age: int = Field(default=0, index=True)


class AsyncJsonPerson(redstart.aio.JsonModel, index=True):
    name: str = Field(default="", index=True)
    age: int = Field(default=0, index=True)


def derive(values: Any) -> Any:
    return {**values, "pk": values["name"].lower()}


PEOPLE: list[Any] = [Person, JsonPerson, AsyncPerson, AsyncJsonPerson]
GIVEN: list[dict[str, Any]] = [{"pk": "b"}, {"pk": ""}, {"pk": None}, {"pk": "b", "age": 3}]


@pytest.mark.parametrize("base", PEOPLE)
@pytest.mark.parametrize("change", [*GIVEN, {"name": "B"}])
def test_update_does_not_change_the_primary_key(
    base: Any, change: dict[str, Any], client: redis.Redis
) -> None:
    """It would write another document, over what is there, and leave the old one behind."""

    class Derived(base):
        """Its primary key follows from another field."""

        derived = model_validator(mode="before")(derive)

    model = base if "pk" in change else Derived
    create_indexes(client, model)
    person, other = model(pk="a", name="A"), model(pk="b", name="B", age=7)
    done(model.add([person, other]))
    before = dict(person)
    changed = rf"{model.__name__}\.pk is the primary key, which update\(\) cannot change"
    with pytest.raises(QuerySyntaxError, match=changed):
        done(person.update(**change))
    with pytest.raises(QuerySyntaxError, match=changed):
        done(model.find(model.name == "A").update(**change))
    assert dict(person) == before
    assert done(model.get_many(["a", "b"])) == [person, other]
    assert sorted(listed(model.all_pks())) == ["a", "b"]


def listed(keys: Any) -> list[str]:
    async def work() -> list[str]:
        return [key async for key in await keys]

    return asyncio.run(work()) if inspect.iscoroutine(keys) else list(keys)


@pytest.mark.parametrize("base", STORED)
def test_update_accepts_the_primary_key_that_is_there(base: Any) -> None:
    """As in `document.update(**changes.model_dump())`."""
    model = custom(base)
    customer = model(email="a")
    done(customer.save())
    done(customer.update(email="a", age=3))
    assert done(model.get("a")).age == 3
