"""Types that users of models have in their fields: each is stored, read back equal, and found where it is indexed."""

import enum
import json
import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal, Optional

import pytest
import redis
from pydantic import (
    AfterValidator,
    AnyUrl,
    EmailStr,
    PositiveInt,
    StringConstraints,
    conint,
    create_model,
)

from redstart import EmbeddedJsonModel, Field, HashModel, JsonModel, VectorFieldOptions
from redstart.errors import DocumentDecodeError, RedisModelError
from tests.support.models import create_indexes

pytestmark = pytest.mark.usefixtures("models_url")

VECTOR = VectorFieldOptions.flat(
    VectorFieldOptions.TYPE.FLOAT32, dimension=2, distance_metric=VectorFieldOptions.DISTANCE_METRIC.L2
)


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 10


class Address(EmbeddedJsonModel):
    city: str = Field(index=True)


VALUES: list[tuple[str, Any, Any]] = [
    ("Optional[str]", Optional[str], "a b"),  # noqa: UP045 - as in older programs
    ("Optional[int]", int | None, 5),
    ("Literal of str", Literal["small", "large"], "large"),
    ("Literal of int", Literal[1, 2], 2),
    ("Enum", Colour, Colour.BLUE),
    ("Optional[Enum]", Colour | None, Colour.RED),
    ("IntEnum", Level, Level.HIGH),
    ("EmailStr", EmailStr, "ann@example.org"),
    ("Optional[EmailStr]", EmailStr | None, "ann@example.org"),
    ("PositiveInt", PositiveInt, 7),
    ("conint", conint(gt=3), 7),
    ("Annotated[str]", Annotated[str, StringConstraints(min_length=1)], "x"),
    ("Annotated validator", Annotated[int, AfterValidator(lambda number: number)], 3),
    ("Annotated Optional", Annotated[str | None, "said"], "x"),
    ("UUID", uuid.UUID, uuid.UUID(int=5)),
    ("URL", AnyUrl, AnyUrl("https://example.org/a?b=c")),
    ("Decimal", Decimal, Decimal("1.5")),
    ("timedelta", timedelta, timedelta(days=1, seconds=2.5)),
    ("bool", bool, True),
    ("date", date, date(2023, 1, 2)),
    ("datetime", datetime, datetime(2023, 1, 2, tzinfo=UTC)),
]
MAPS: list[tuple[str, Any, Any]] = [
    ("dict[str, int]", dict[str, int], {"a": 1, "b c": 2}),
    ("dict[str, Any]", dict[str, Any], {"a": [1, {"b": None}], "c": "x"}),
    ("bare dict", dict, {"a": {"b": [1, 2]}}),
    ("Optional[dict]", dict[str, str] | None, {"a": "b"}),
    ("dict of dates", dict[str, date], {"a": date(2023, 1, 2)}),
    ("dict of models", dict[str, Address], {"home": Address(city="Oslo")}),
    ("dict of lists", dict[str, list[int]], {"a": [1, 2]}),
    ("list[dict]", list[dict[str, int]], [{"a": 1}]),
]


def model_of(base: Any, annotation: Any, **options: Any) -> Any:
    return create_model(
        "Typed", __base__=base, __cls_kwargs__={"index": True}, f=(annotation, Field(**options))
    )


@pytest.mark.parametrize("base", [HashModel, JsonModel])
@pytest.mark.parametrize(("annotation", "value"), [pytest.param(*one[1:], id=one[0]) for one in VALUES])
def test_they_come_back_and_are_found(client: redis.Redis, base: Any, annotation: Any, value: Any) -> None:
    model = model_of(base, annotation, index=True)
    create_indexes(client, model)
    document = model(f=value).save()
    read = model.get(document.pk)
    assert (read.f, type(read.f)) == (value, type(value))
    assert model.find(model.f == value).all() == [document]
    assert model.find(model.f != value).all() == []
    document.update(f=value)
    assert model.find().all() == [document]


@pytest.mark.parametrize(
    ("annotation", "value"), [pytest.param(*one[1:], id=one[0]) for one in VALUES if "Optional" in one[0]]
)
@pytest.mark.parametrize("base", [HashModel, JsonModel])
def test_none_clears_and_comes_back(client: redis.Redis, base: Any, annotation: Any, value: Any) -> None:
    model = model_of(base, annotation, default=value)
    document = model(f=value).save()
    document.f = None
    document.save()
    if base is HashModel:
        assert not client.hexists(document.key(), "f")  # so that it is read back as the default of its field
    else:
        assert model.get(document.pk).f is None


@pytest.mark.parametrize(("annotation", "value"), [pytest.param(*one[1:], id=one[0]) for one in MAPS])
def test_maps_are_stored_in_json(client: redis.Redis, annotation: Any, value: Any) -> None:
    model = model_of(JsonModel, annotation)
    create_indexes(client, model)
    document = model(f=value).save()
    assert model.get(document.pk) == document
    assert model.find().all() == [document]
    document.update(f=value)
    assert model.get(document.pk).f == value


@pytest.mark.parametrize("annotation", [one[1] for one in MAPS])
def test_a_hash_has_no_room_for_maps(annotation: Any) -> None:
    with pytest.raises(
        RedisModelError, match=r"set, list, or mapping fields. Field: f\nMake \S+ a JsonModel"
    ):
        model_of(HashModel, annotation)


def test_a_map_in_a_hash_may_be_kept_as_text(client: redis.Redis) -> None:
    from pydantic import Json  # noqa: PLC0415 - for this test alone

    class Settings(HashModel):
        values: Annotated[str, AfterValidator(json.loads)] = "{}"
        other: Json[Any] | None = None

    document = Settings(values='{"a": 1}')
    assert document.values == {"a": 1}  # type: ignore[comparison-overlap]  # its validator made that of it


def test_values_that_a_constraint_refuses_are_named(client: redis.Redis) -> None:
    model = model_of(HashModel, PositiveInt)
    document = model(f=5).save()
    client.hset(document.key(), "f", "-5")
    with pytest.raises(
        DocumentDecodeError, match=rf"{document.key()}: f has the invalid value '-5'.*greater than 0"
    ):
        model.get(document.pk)


@pytest.mark.parametrize("base", [HashModel, JsonModel])
@pytest.mark.parametrize("number", ["1e20", "-1e15", "9" * 400])
def test_a_date_out_of_range_is_named(client: redis.Redis, base: Any, number: str) -> None:
    model = model_of(base, datetime)
    document = model(f=datetime(2023, 1, 1, tzinfo=UTC)).save()
    if base is HashModel:
        client.hset(document.key(), "f", number)
    else:
        client.execute_command("JSON.SET", document.key(), "$.f", f'"{number}"')
    with pytest.raises(
        DocumentDecodeError, match=rf"{document.key()}: f has the invalid value '{number[:50]}"
    ):
        model.get(document.pk)
    with pytest.raises(DocumentDecodeError):
        model.get_many([document.pk])


@pytest.mark.parametrize("annotation", [bytes, list[float]])
def test_vectors_of_hashes_are_read_as_written_and_indexed(client: redis.Redis, annotation: Any) -> None:
    model = model_of(HashModel, annotation, vector_options=VECTOR)
    create_indexes(client, model)
    value = [0.5, -2.0] if annotation is not bytes else b"\x00\x00\x00?\x00\x00\x00\xc0"
    document = model(f=value).save()
    assert model.get(document.pk).f == value
    assert client.hget(document.key(), "f") == b"\x00\x00\x00?\x00\x00\x00\xc0"
    assert model.find().count() == 1
    document.update(f=value)
    assert client.hget(document.key(), "f") == b"\x00\x00\x00?\x00\x00\x00\xc0"


def test_json_of_pydantic_stays_iso() -> None:
    class Visit(JsonModel):
        at: datetime
        day: date
        span: timedelta

    visit = Visit(pk="x", at=datetime(2023, 1, 2, tzinfo=UTC), day=date(2023, 1, 2), span=timedelta(hours=1))
    text = '{"pk":"x","at":"2023-01-02T00:00:00Z","day":"2023-01-02","span":"PT1H"}'
    assert visit.save().model_dump_json() == text
    assert Visit.get("x").model_dump_json() == text
    assert Visit.model_validate_json(text) == visit


@pytest.mark.parametrize("base", [HashModel, JsonModel])
def test_an_email_is_text_to_queries(client: redis.Redis, base: Any) -> None:
    model = model_of(base, EmailStr, index=True, sortable=True)
    create_indexes(client, model)
    documents = [model(f=f"{name}@example.org").save() for name in ("bob", "ann")]
    assert model.find(model.f.startswith("ann@")).all() == documents[1:]
    assert model.find(model.f << ["bob@example.org", "x@y.org"]).all() == documents[:1]
    assert model.find().sort_by("f").all() == documents[::-1]
