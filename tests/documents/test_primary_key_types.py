"""Primary keys of many types: one key for the same document, however its primary key is given."""

import datetime
import decimal
import enum
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

import redstart.aio
from redstart import Field, HashModel, JsonModel, NotFoundError
from tests.documents.flavours import done
from tests.support.models import create_indexes, registry_of_its_own

pytestmark = pytest.mark.usefixtures("models_url")

BASES = [HashModel, JsonModel, redstart.aio.HashModel, redstart.aio.JsonModel]


class Texts(enum.StrEnum):
    ONE = "one"


class MixedIn(str, enum.Enum):  # noqa: UP042 - it shows its name
    ONE = "one"


class Shown(str, enum.Enum):  # noqa: UP042
    ONE = "one"

    def __str__(self) -> str:
        return "shown"


class Numbers(enum.IntEnum):
    ONE = 1


class Plain(enum.Enum):
    ONE = "one"


class Loud(str):
    """Shows another text than it is."""

    __slots__ = ()

    def __str__(self) -> str:
        return "LOUD"

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(cls, core_schema.str_schema())


MOMENT = datetime.datetime(2024, 5, 6, 7, 8, 9, tzinfo=datetime.UTC)
EAST = datetime.timezone(datetime.timedelta(hours=2))
NAIVE = datetime.datetime(2024, 5, 6, 7, 8, 9, 10)
# Type, value, what redis-om 1.2.0 makes of it in the key, and other spellings of the same.
KEYS: list[tuple[Any, Any, str, tuple[Any, ...]]] = [
    (str, "x", "x", ()),
    (int, 5, "5", ("5",)),
    (uuid.UUID, uuid.UUID(int=3), str(uuid.UUID(int=3)), (str(uuid.UUID(int=3)),)),
    (decimal.Decimal, decimal.Decimal("1.50"), "1.50", ("1.50",)),
    (datetime.datetime, MOMENT, "2024-05-06 07:08:09+00:00", ()),
    (datetime.datetime, NAIVE, "2024-05-06 07:08:09.000010", ()),
    (datetime.datetime, MOMENT.astimezone(EAST), "2024-05-06 09:08:09+02:00", ()),
    (datetime.time, datetime.time(7, 8), "07:08:00", ("07:08:00",)),
    (datetime.timedelta, datetime.timedelta(seconds=5), "0:00:05", ()),
    (datetime.date, MOMENT.date(), "2024-05-06", ("2024-05-06",)),
    (float, 1.5, "1.5", ("1.5",)),
    (Texts, Texts.ONE, "one", ("one",)),
    (MixedIn, MixedIn.ONE, "MixedIn.ONE", ("one", "MixedIn.ONE")),
    (MixedIn | None, MixedIn.ONE, "MixedIn.ONE", ("one",)),
    (Shown, Shown.ONE, "shown", ("one", "shown")),
    (Numbers, Numbers.ONE, "1", (1, "1")),
    (Plain, Plain.ONE, "Plain.ONE", ("one", "Plain.ONE")),
    (Loud, Loud("x"), "LOUD", ()),
]
ENUMS = [row for row in KEYS if isinstance(row[1], enum.Enum)]


@pytest.fixture(autouse=True)
def only_these_models() -> Iterator[None]:
    with registry_of_its_own():
        yield


def model_of(base: Any, kind: Any, **config: Any) -> Any:
    class Meta:
        global_key_prefix = "pks"
        model_key_prefix = "doc"
        index_name = "pks:doc"

    body = {
        "__annotations__": {"key_of_it": kind, "rank": int},
        "key_of_it": Field(primary_key=True),
        "rank": Field(default=1, index=True),
        "Meta": Meta,
        "model_config": config,
        "__module__": __name__,
        "__qualname__": "Doc",
    }
    return type(base)("Doc", (base,), body, index=True)


def every_way(client: redis.Redis, model: Any, value: Any, text: str, spellings: tuple[Any, ...]) -> None:
    """Write one document, and do everything with it that takes a primary key."""
    create_indexes(client, model)
    key = f"pks:doc:{text}"
    document = model(key_of_it=value)
    assert document.key() == key
    done(document.save())
    assert list(client.scan_iter("pks:doc:*")) == [key.encode()]
    assert pks_of(model) == [text]
    for given in (value, *spellings, *pks_of(model)):
        found = done(model.get(given))
        assert found.key_of_it == document.key_of_it
        assert found.key() == key
        assert [one.key() for one in done(model.get_many([given]))] == [key]
    (found,) = done(model.find(model.key_of_it == value).all()) if model_has_tag(value) else [found]
    assert found.key() == key
    done(found.update(rank=2))
    assert done(model.get(value)).rank == 2
    done(found.save())
    done(found.expire(1000))
    assert client.ttl(key) > 0
    assert list(client.scan_iter("pks:doc:*")) == [key.encode()]
    for given in (value, *spellings):
        assert done(model.delete(given)) == 1
        done(document.save())
    assert done(model.delete_many([found])) == 1
    assert not list(client.scan_iter("pks:doc:*"))
    with pytest.raises(NotFoundError):
        done(model.get(value))


def pks_of(model: Any) -> list[str]:
    return list(done(done(model.all_pks())))


def model_has_tag(value: Any) -> bool:
    """Whether a query for equality finds it: numbers, dates and Enums of JSON are no tags."""
    return isinstance(value, str)


@pytest.mark.sample(30)
@pytest.mark.parametrize("base", BASES, ids=lambda base: f"{base.__module__}.{base.__name__}")
@pytest.mark.parametrize("row", KEYS, ids=lambda row: f"{row[0]}")
def test_one_document_has_one_key(client: redis.Redis, base: Any, row: Any) -> None:
    kind, value, text, spellings = row
    every_way(client, model_of(base, kind), value, text, spellings)


@pytest.mark.parametrize("base", BASES, ids=lambda base: f"{base.__module__}.{base.__name__}")
@pytest.mark.parametrize("row", ENUMS, ids=lambda row: f"{row[0]}")
def test_documents_that_hold_the_values_of_an_enum(client: redis.Redis, base: Any, row: Any) -> None:
    kind, value, _, _ = row
    model = model_of(base, kind, use_enum_values=True)
    every_way(client, model, value, str(value.value), (value.value,))


@pytest.mark.parametrize("base", BASES, ids=lambda base: f"{base.__module__}.{base.__name__}")
def test_text_that_may_be_no_member_is_left_alone(base: Any) -> None:
    model = model_of(base, MixedIn | str)
    assert model.make_primary_key("one") == model(key_of_it="one").key()


@pytest.mark.parametrize("base", BASES, ids=lambda base: f"{base.__module__}.{base.__name__}")
def test_a_text_is_stored_as_it_is_and_not_as_it_shows(base: Any) -> None:
    model = model_of(base, Loud)
    done(model(key_of_it=Loud("x")).save())
    found = done(model.get(Loud("x")))
    assert str.__str__(found.key_of_it) == "x"
