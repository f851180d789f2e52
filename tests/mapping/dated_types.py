# ruff: noqa: UP006, UP007, UP035, UP045 - models in the spellings that applications really use
"""Types that hold dates, or nearly: of every kind that an annotation can name."""

import dataclasses
import enum
from datetime import date, datetime
from typing import ClassVar, Dict, Generic, List, NamedTuple, NewType, Optional, Tuple, TypeVar, Union

import pydantic
from typing_extensions import NotRequired, TypeAliasType, TypedDict

from redstart.mapping.models import EmbeddedJsonModel, JsonModel

T = TypeVar("T")
U = TypeVar("U")
Bound = TypeVar("Bound", bound=datetime)
Constrained = TypeVar("Constrained", datetime, str)
Moment = NewType("Moment", datetime)
Alias = TypeAliasType("Alias", Optional[datetime])
ListOf = TypeAliasType("ListOf", List[T], type_params=(T,))
Pair = TypeAliasType("Pair", Tuple[T, U], type_params=(T, U))
Nested = TypeAliasType("Nested", "Union[Dict[str, Nested], str]")
Quoted = TypeAliasType("Quoted", List["Later"])
NestedDates = TypeAliasType("NestedDates", "Union[Dict[str, NestedDates], List[date]]")


class Stamp(EmbeddedJsonModel):
    at: datetime


class StampOrNothing(EmbeddedJsonModel):
    at: Optional[datetime]
    note: str


class Day(EmbeddedJsonModel):
    at: date


class Text(EmbeddedJsonModel):
    at: str


class Other(EmbeddedJsonModel):
    name: str


class Plain(pydantic.BaseModel):
    at: datetime
    days: List[date]


@dataclasses.dataclass
class Data:
    at: datetime
    inner: "Optional[Stamp]" = None
    limit: ClassVar[datetime] = datetime(2020, 1, 1)


@pydantic.dataclasses.dataclass
class PydanticData:
    at: datetime


@dataclasses.dataclass
class Generic1(Generic[T]):
    value: T
    values: List[T]
    more: "Optional[List[Dict[str, T]]]" = None


class Keyed(TypedDict):
    at: datetime
    maybe: NotRequired[Optional[date]]


class Named(NamedTuple):
    name: str
    at: datetime


class Root(pydantic.RootModel[List[datetime]]):
    pass


class GenericModel(JsonModel, Generic[T]):
    value: T


class Later(EmbeddedJsonModel):
    at: datetime


class Colour(enum.Enum):
    RED = "2023-01-01"
