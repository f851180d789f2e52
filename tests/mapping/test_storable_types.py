"""Types that have no stored form are refused when the model is declared, by name."""

import dataclasses
import enum
from collections.abc import Callable
from typing import Annotated, Any, Literal, NamedTuple, Optional

import pytest
from pydantic import (
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    PositiveInt,
    SecretStr,
    create_model,
    field_serializer,
    field_validator,
)
from typing_extensions import TypedDict

from redstart import Field, HashModel, JsonModel
from redstart.errors import RedisModelError
from redstart.mapping.declaration import declare
from redstart.mapping.registry import registered_models


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
    with pytest.raises(
        RedisModelError, match=rf"Model\.f cannot be stored: .* a [^\n]*{name}[^\n]*\.\nStored are str"
    ):
        create_model("Model", __base__=base, f=(annotation, ...))
    assert registered_models() == before


@pytest.mark.parametrize(
    "annotation",
    [list[Socket], dict[str, Socket], tuple[int, Socket], list[dict[str, Socket | None]] | None, set[Socket]],
)
def test_they_are_refused_inside_others(annotation: Any) -> None:
    with pytest.raises(RedisModelError, match=r"Model\.f cannot be stored: .* a Socket"):
        create_model("Model", __base__=JsonModel, f=(annotation, None))


@pytest.mark.parametrize(
    "annotation",
    [
        Described,
        Any,
        object,
        SecretStr,
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
    with pytest.raises(RedisModelError, match=r"there is no stored form for a \S*Late"):
        declare(Early)
