"""Types that have no stored form are refused when the model is declared, by name."""

import dataclasses
import enum
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Annotated, Any, Literal, NamedTuple, Optional
from zoneinfo import ZoneInfo

import pytest
from pydantic import (
    Base64Bytes,
    Base64Str,
    BeforeValidator,
    ConfigDict,
    Json,
    NameEmail,
    PlainSerializer,
    PositiveInt,
    Secret,
    SecretBytes,
    SecretStr,
    create_model,
    field_serializer,
    field_validator,
)
from typing_extensions import TypedDict

from redstart import Field, HashModel, JsonModel
from redstart.errors import RedisModelError
from redstart.mapping.base_model import registered_models
from redstart.mapping.model_info import declare


class Socket:
    pass


class Described:
    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        return handler(str)


@dataclasses.dataclass
class Data:
    x: "Later"  # type: ignore[name-defined]  # noqa: F821 - the point of a test


class Keyed(TypedDict):
    x: int


class Named(NamedTuple):
    x: int


class Colour(enum.Enum):
    RED = Socket()


UNSTORABLE = [
    (Socket, "Socket"),
    (Socket | None, "Socket"),
    (Optional[int | Socket], "Socket"),  # noqa: UP045 - as in older programs
    (Annotated[Socket, "x"], "Socket"),
    (type, "type"),
    (type[int], r"type\[int\]"),
    (Callable[[], int], "Callable"),
    (Callable, "Callable"),
]


@pytest.mark.parametrize("base", [HashModel, JsonModel])
@pytest.mark.parametrize(("annotation", "name"), UNSTORABLE)
def test_they_are_refused(base: type[HashModel], annotation: Any, name: str) -> None:
    before = registered_models()
    with pytest.raises(RedisModelError, match=rf"Model\.f cannot be stored: [^\n]*{name}[^\n]*\.\nUse str"):
        create_model("Model", __base__=base, f=(annotation, ...))
    assert registered_models() == before


@pytest.mark.parametrize(
    "annotation",
    [list[Socket], dict[str, Socket], tuple[int, Socket], list[dict[str, Socket | None]] | None, set[Socket]],
)
def test_they_are_refused_inside_others(annotation: Any) -> None:
    with pytest.raises(RedisModelError, match=r"Model\.f cannot be stored: .* Socket"):
        create_model("Model", __base__=JsonModel, f=(annotation, None))


@pytest.mark.parametrize(
    "annotation",
    [
        Described,
        Any,
        object,
        PositiveInt,
        Literal["a", 1],
        Colour,
        Annotated[Socket, BeforeValidator(lambda _: Socket()), PlainSerializer(str)],
        list[Any],
        tuple[int, ...],
        Data,
        Keyed,
        Named,
    ],
)
def test_others_are_left_to_pydantic(annotation: Any) -> None:
    create_model("Model", __base__=JsonModel, f=(annotation, None))


@pytest.mark.parametrize("base", [HashModel, JsonModel])
@pytest.mark.parametrize(
    ("annotation", "reason"),
    [
        (SecretStr, "SecretStr hides its value"),
        (SecretStr | None, "SecretStr hides its value"),
        (SecretBytes, "SecretBytes hides its value"),
        (Secret[int], "Secret hides its value"),
        (NameEmail, "the type NameEmail is not supported"),
        (ZoneInfo, "the type ZoneInfo is not supported"),
        (Json, "a Json field accepts JSON text, but its value is not text"),
        (Json[Any], "each save would decode its value again"),
        (Base64Str, "each save would decode its value again"),
        (Base64Bytes, "each save would decode its value again"),
    ],
)
def test_types_that_pydantic_does_not_read_as_it_writes_them(base: Any, annotation: Any, reason: str) -> None:
    with pytest.raises(RedisModelError, match=rf"Model\.f cannot be stored: {reason}"):
        create_model("Model", __base__=base, f=(annotation, None))


@pytest.mark.parametrize("annotation", [Iterable[int], Iterator[int], Generator[int, None, None]])
@pytest.mark.parametrize("within", ["{}", "list[{}]", "{} | None"])
def test_what_is_empty_after_it_is_stored(annotation: Any, within: str) -> None:
    """A second save, or one after get(), would store an empty list."""
    held = eval(within.format("annotation"))
    with pytest.raises(RedisModelError, match=r"Model\.f cannot be stored: a .* is exhausted by storing it"):
        create_model("Model", __base__=JsonModel, f=(held, None))


def test_a_serializer_says_how_a_secret_is_stored() -> None:
    class Account(JsonModel):
        token: SecretStr
        other: Annotated[SecretStr, PlainSerializer(SecretStr.get_secret_value)]

        @field_serializer("token")
        def _shown(self, value: SecretStr) -> str:
            return value.get_secret_value()

    assert Account(token="a", other="b").model_dump(exclude={"pk"}) == {"token": "a", "other": "b"}  # type: ignore[arg-type]


def test_a_field_that_says_itself_how_or_is_not_stored() -> None:
    class WithSerializer(HashModel):
        a: Socket
        b: Socket | None = Field(default=None, exclude=True)

        @field_serializer("a")
        def as_text(self, _: Socket) -> str:
            return "socket"

    class WithValidator(HashModel):
        a: Socket

        @field_validator("a", mode="before")
        @classmethod
        def from_text(cls, _: Any) -> Socket:
            return Socket()

    assert WithSerializer(a=Socket()).save and WithValidator(a="x")  # type: ignore[arg-type]  # it takes anything


def test_a_name_that_is_known_later() -> None:
    class Early(JsonModel):
        f: "Late"

        model_config = ConfigDict(defer_build=False)

    class Late:
        pass

    Early.model_rebuild(_types_namespace={"Late": Late})
    with pytest.raises(RedisModelError, match=r"the type \S*Late is not supported"):
        declare(Early)
