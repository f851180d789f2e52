# ruff: noqa: RUF012 - models in the spellings that applications really use
"""What pydantic leaves out of its output, or names otherwise there, is stored and read all the same."""

import dataclasses
import enum
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import pydantic
import pytest
import redis
from pydantic import AliasChoices, AliasPath, BaseModel, ConfigDict
from pydantic import Field as PydanticField
from pydantic.alias_generators import to_camel
from typing_extensions import TypedDict

from redstart import EmbeddedJsonModel, Field, HashModel, JsonModel
from redstart.errors import RedisModelError
from redstart.mapping.pydantic_internals import PYDANTIC_VERSION, REUSES_SERIALIZERS
from tests.support.models import create_indexes

pytestmark = pytest.mark.usefixtures("models_url", "models_of_before")


class Colour(enum.Enum):
    RED = "red"
    TWO = 2


class Part(EmbeddedJsonModel):
    shown: int = 1
    hidden: int = Field(default=2, exclude=True)
    deeper: list["Part"] = []


class Plain(BaseModel):
    shown: int = 1
    hidden: int = PydanticField(default=2, exclude=True)


class Conditional(BaseModel):
    hidden: int = PydanticField(default=2, exclude_if=lambda value: value > 2)


@pydantic.dataclasses.dataclass
class Data:
    shown: int = 1
    hidden: int = PydanticField(default=2, exclude=True)


@dataclasses.dataclass
class Std:
    hidden: Annotated[int, PydanticField(exclude=True)] = 2


class Typed(TypedDict):
    shown: int
    hidden: Annotated[int, PydanticField(exclude=True)]


class Aliased(BaseModel):
    name: str = PydanticField(default="n", alias="theName")


class SerializedUnderAnother(BaseModel):
    name: str = PydanticField(default="n", serialization_alias="theName")


class ByAlias(BaseModel):
    model_config = ConfigDict(serialize_by_alias=True, alias_generator=to_camel)

    first_name: str = "n"


class Generic(BaseModel):
    inside: dict[str, Plain | None] = {}


CONFIGS: dict[str, dict[str, Any]] = {
    "none": {},
    "serialize_by_alias": {"serialize_by_alias": True},
    "alias_generator": {"alias_generator": to_camel},
    "both": {"alias_generator": to_camel, "serialize_by_alias": True},
    "use_enum_values": {"use_enum_values": True},
    "timedelta": {"ser_json_timedelta": "float"},
    "bytes": {"ser_json_bytes": "base64", "val_json_bytes": "base64"},
    "hex": {"ser_json_bytes": "hex", "val_json_bytes": "hex"},
    "nan": {"ser_json_inf_nan": "strings"},
    "temporal": {"ser_json_temporal": "milliseconds"},
    "populate_by_name": {"populate_by_name": False},
    "validate_by_name": {"validate_by_alias": True, "validate_by_name": False},
    "strict": {"strict": True},
    "extra": {"extra": "allow"},
    "frozen": {"frozen": True},
    "assignment": {"validate_assignment": True},
}
FLAT: dict[str, tuple[Any, Any, Any]] = {
    "excluded": (int, Field(default=1, exclude=True), 5),
    "excluded_optional": (int | None, Field(default=None, exclude=True), 7),
    "excluded_secret": (str, Field(default="", exclude=True, repr=False), "s"),
    "excluded_index": (int, Field(default=1, exclude=True, index=True), 5),
    "excluded_if": (int, Field(default=1, exclude_if=lambda value: value > 2), 5),
    "excluded_annotated": (Annotated[int, Field(exclude=True)], 1, 5),
    "excluded_date": (datetime | None, Field(default=None, exclude=True), datetime(2020, 1, 1, tzinfo=UTC)),
    "serialization_alias": (int, Field(default=1, serialization_alias="other5"), 5),
    "aliased_alone": (int, Field(default=1, alias="other1"), 5),
    "validation_alias": (int, Field(default=1, validation_alias="other2"), 5),
    "alias_path": (int, Field(default=1, validation_alias=AliasPath("other3", 0)), 5),
    "choices": (int, Field(default=1, validation_alias=AliasChoices("other4", "another")), 5),
    "enum": (Colour, Colour.RED, Colour.TWO),
    "span": (timedelta, timedelta(0), timedelta(days=1, seconds=2.5)),
    "data": (bytes, b"", b"\xff\x00"),
    "at": (datetime | None, None, datetime(2020, 1, 1, 0, 0, 0, 5, tzinfo=UTC)),
}
NESTED: dict[str, tuple[Any, Any, Any]] = {
    "part": (Part | None, None, Part(hidden=9, deeper=[Part(hidden=8)])),
    "parts": (list[Part], [], [Part(hidden=9), Part(deeper=[Part(hidden=8)])]),
    "excluded_part": (Part | None, Field(default=None, exclude=True), Part(hidden=9)),
    "plain": (Plain | None, None, Plain(hidden=9)),
    "mapped": (dict[str, Plain], {}, {"a": Plain(hidden=9)}),
    "union": (Plain | int | None, None, Plain(hidden=9)),
    "generic": (Generic | None, None, Generic(inside={"a": Plain(hidden=9), "b": None})),
    "condition": (Conditional | None, None, Conditional(hidden=9)),
    "dataclass": (Data | None, None, Data(hidden=9)),
    "standard_dataclass": (Std | None, None, Std(hidden=9)),
    "typed": (Typed | None, None, {"shown": 1, "hidden": 9}),
    "aliased": (Aliased | None, None, Aliased(theName="q")),
    "serialized_alias": (SerializedUnderAnother | None, None, SerializedUnderAnother(name="q")),
    "by_alias": (ByAlias | None, None, ByAlias(firstName="q")),  # type: ignore[call-arg]  # as generated
}


needs_own_serializers = pytest.mark.skipif(
    REUSES_SERIALIZERS, reason="pydantic 2.11 and 2.12 cannot store excluded fields of embedded models"
)

Kinds = dict[str, tuple[Any, Any, Any]]


def declared(base: Any, config: dict[str, Any], kinds: Kinds) -> Any:
    """A model with a field of each kind."""
    body: dict[str, Any] = {
        "__module__": __name__,
        "__annotations__": {name: annotation for name, (annotation, _, _) in kinds.items()},
        **{name: default for name, (_, default, _) in kinds.items()},
    }
    if config:
        body["model_config"] = ConfigDict(**config)  # type: ignore[typeddict-item]
    return type(base)("Model", (base,), body, index=True)


@pytest.mark.sample(15)
@pytest.mark.skipif(
    PYDANTIC_VERSION < (2, 11), reason="before pydantic 2.11, fields with aliases are refused"
)
@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("base", [HashModel, pytest.param(JsonModel, marks=needs_own_serializers)])
def test_what_is_saved_is_read(base: Any, config: str, client: redis.Redis) -> None:
    """Each kind of field: in whole documents, alone, changed, and changed by a query."""
    kinds = FLAT if base is HashModel else FLAT | NESTED
    given = {name: value for name, (_, _, value) in kinds.items()}
    if config == "use_enum_values":
        given["enum"] = Colour.TWO.value
    model = declared(base, CONFIGS[config], kinds)
    create_indexes(client, model)
    document = model.model_construct(pk="a", **given)
    assert document.save() is document
    assert (dict(model.get("a")), model.get("a")) == ({"pk": "a"} | given, document)
    part = model.find().only(*given).first()
    assert {name: getattr(part, name) for name in given} == given
    flat = {name: value for name, value in given.items() if name in FLAT}
    assert model.find().values(*flat).all() == [flat]
    if config != "frozen":
        changed = model.get("a")
        changed.update(**{name: getattr(model.model_construct(), name) for name in given})
        assert model.get("a") == changed != document
        changed.update(**given)
        assert model.get("a") == changed == document
        other = model(pk="b")
        other.save()
        model.find().update(**given)
        assert [dict(one) for one in model.get_many(["a", "b"])] == [{"pk": pk} | given for pk in "ab"]


@pytest.mark.skipif(not REUSES_SERIALIZERS, reason="this version of pydantic stores them")
def test_an_excluded_field_of_an_embedded_model_is_refused(client: redis.Redis) -> None:
    class Holder(JsonModel):
        part: Part

    with pytest.raises(RedisModelError, match=r"Part.hidden has exclude=True, and pydantic 2.11 and 2.12"):
        Holder(part=Part()).save()
    assert client.dbsize() == 0


@needs_own_serializers
def test_output_of_the_application_is_as_before(client: redis.Redis) -> None:
    class User(JsonModel):
        name: str
        password: str = Field(exclude=True)
        part: Part

    user = User(pk="u", name="Ann", password="s", part=Part(hidden=9)).save()
    for one in (user, User.get("u")):
        assert one.model_dump() == {"pk": "u", "name": "Ann", "part": {"shown": 1, "deeper": []}}
        assert "password" not in one.model_dump_json()
    assert client.json().get(user.key()) == {
        "pk": "u",
        "name": "Ann",
        "password": "s",
        "part": {"shown": 1, "hidden": 9, "deeper": []},
    }


def test_a_primary_key_that_is_excluded_is_stored(client: redis.Redis) -> None:
    class Coded(HashModel):
        code: str = Field(primary_key=True, exclude=True)

    document = Coded(code="a").save()
    assert client.hgetall(document.key()) == {b"code": b"a"}
    assert Coded.get("a") == document


def test_what_has_no_stored_form_stays_out(client: redis.Redis) -> None:
    """A connection, say, that a document holds while the program runs."""

    class Connection:
        pass

    class Holding(HashModel):
        name: str
        connection: Connection | None = Field(default=None, exclude=True)

    document = Holding(name="a", connection=Connection()).save()
    assert client.hgetall(document.key()) == {b"pk": document.pk.encode(), b"name": b"a"}  # type: ignore[union-attr]
    assert Holding.get(document.pk).connection is None


@pytest.mark.parametrize("base", [HashModel, JsonModel])
def test_a_model_dump_of_ones_own_that_leaves_fields_out_is_refused(base: Any, client: redis.Redis) -> None:
    class Own(base):
        name: str = ""
        hidden: str = Field(default="", exclude=True)

        def model_dump(self, **options: Any) -> dict[str, Any]:
            return super().model_dump(**options)

    with pytest.raises(RedisModelError, match=r"Own overrides model_dump\(\) and excludes Own.hidden"):
        Own().save()
    assert client.dbsize() == 0
