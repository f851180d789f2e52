# ruff: noqa: UP006, UP007, UP035, UP045, RUF012 - models in the spellings that applications really use
import collections.abc
import dataclasses
import enum
from datetime import date, datetime, time, timedelta
from typing import (
    Annotated,
    Any,
    ClassVar,
    Dict,
    FrozenSet,
    Generic,
    List,
    Literal,
    Mapping,
    NamedTuple,
    NewType,
    Optional,
    Sequence,
    Tuple,
    TypeVar,
    Union,
)

import pydantic
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import create_model
from typing_extensions import NotRequired, TypeAliasType, TypedDict

from redstart.mapping.fields import Field
from redstart.mapping.models import EmbeddedJsonModel, HashModel, JsonModel
from redstart.mapping.paths import Each
from redstart.mapping.shapes import ShapeReader
from redstart.mapping.temporal import temporal_paths
from redstart.values.kinds import TemporalKind

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


def survey(annotation: Any) -> tuple[list[str], list[str]]:
    """Planned paths of a field `f` as `path kind`, a `?` behind optional ones; and the unplanned paths."""
    paths = temporal_paths(create_model("Surveyed", __base__=JsonModel, f=(annotation, ...)))
    planned = [f"{path} {path.kind}{'?' if path.optional else ''}" for path in paths.planned]
    return planned, [path.path for path in paths.unplanned]


@pytest.mark.parametrize(
    ("annotation", "expected"),
    [
        (datetime, ["f datetime"]),
        (date, ["f date"]),
        (Optional[datetime], ["f datetime?"]),
        (date | None, ["f date?"]),
        (Union[None, datetime], ["f datetime?"]),
        (pydantic.AwareDatetime, ["f datetime"]),
        (pydantic.NaiveDatetime, ["f datetime"]),
        (pydantic.PastDatetime, ["f datetime"]),
        (pydantic.FutureDatetime, ["f datetime"]),
        (Optional[pydantic.PastDate], ["f date?"]),
        (pydantic.FutureDate, ["f date"]),
        (pydantic.AwareDatetime | datetime, ["f datetime"]),
        (Annotated[datetime, "note"], ["f datetime"]),
        (Optional[Annotated[datetime, "note"]], ["f datetime?"]),
        (Annotated[Optional[datetime], Field(index=True)], ["f datetime?"]),
        (List[datetime], ["f[] datetime"]),
        (list[Optional[date]], ["f[] date?"]),
        (Optional[List[datetime]], ["f[] datetime"]),
        (Sequence[datetime], ["f[] datetime"]),
        (collections.abc.Iterable[datetime], ["f[] datetime"]),
        (set[date], ["f[] date"]),
        (FrozenSet[datetime], ["f[] datetime"]),
        (collections.deque[date], ["f[] date"]),
        (Tuple[datetime, ...], ["f[] datetime"]),
        (tuple[datetime, str, date], ["f[0] datetime", "f[2] date"]),
        (Tuple[str, Optional[datetime]], ["f[1] datetime?"]),
        (Dict[str, datetime], ["f{} datetime"]),
        (Mapping[str, Optional[date]], ["f{} date?"]),
        (dict[date, int], []),
        (Dict[str, List[Tuple[int, datetime]]], ["f{}[][1] datetime"]),
        (List[List[date]], ["f[][] date"]),
        (Stamp, ["f.at datetime"]),
        (Optional[Stamp], ["f.at datetime"]),
        (List[StampOrNothing], ["f[].at datetime?"]),
        (Dict[str, Stamp], ["f{}.at datetime"]),
        (Plain, ["f.at datetime", "f.days[] date"]),
        (Data, ["f.at datetime", "f.inner.at datetime"]),
        (PydanticData, ["f.at datetime"]),
        (Generic1[date], ["f.value date", "f.values[] date", "f.more[]{} date"]),
        (
            Generic1[Optional[Stamp]],
            ["f.value.at datetime", "f.values[].at datetime", "f.more[]{}.at datetime"],
        ),
        (Keyed, ["f.at datetime", "f.maybe date?"]),
        (Named, ["f[1] datetime"]),
        (Root, ["f[] datetime"]),
        (GenericModel[datetime], ["f.value datetime"]),
        (GenericModel[GenericModel[List[date]]], ["f.value.value[] date"]),
        (Moment, ["f datetime"]),
        (Optional[Moment], ["f datetime?"]),
        (Alias, ["f datetime?"]),
        (ListOf[date], ["f[] date"]),
        (ListOf[ListOf[Stamp]], ["f[][].at datetime"]),
        (Pair[date, Pair[str, datetime]], ["f[0] date", "f[1][1] datetime"]),
        (Nested, []),
        (Quoted, ["f[].at datetime"]),
        (Union[Stamp, Other], ["f.at datetime"]),
        (Union[Other, Stamp, None], ["f.at datetime"]),
        (Union[Stamp, StampOrNothing], ["f.at datetime?"]),
        (Union[Stamp, str], ["f.at datetime"]),
        (Union[Stamp, List[Stamp]], ["f.at datetime", "f[].at datetime"]),
        (List[Union[Stamp, Other]], ["f[].at datetime"]),
        (Union[List[datetime], Tuple[datetime, ...]], ["f[] datetime"]),
        (Bound, ["f datetime"]),
        (Literal["2023-01-01"], []),
        (Colour, []),
        (str, []),
        (int, []),
        (float, []),
        (bool, []),
        (time, []),
        (timedelta, []),
        (Any, []),
        (object, []),
        (list, []),
        (dict, []),
        (tuple, []),
        (tuple[()], []),
        (Union[str, int], []),
        (Union[Dict[str, str], Other], []),
        (bytes, []),
    ],
    ids=str,
)
def test_planned_paths(annotation, expected):
    assert survey(annotation) == (expected, [])


@pytest.mark.parametrize(
    ("annotation", "planned", "unplanned"),
    [
        (datetime | date, [], ["f"]),
        (date | datetime, [], ["f"]),
        (Optional[Union[datetime, str]], [], ["f"]),
        (datetime | int, [], ["f"]),
        (float | datetime, [], ["f"]),
        (datetime | bool, [], ["f"]),
        (Union[datetime, Any], [], ["f"]),
        (Union[datetime, Literal["never"]], [], ["f"]),
        (Union[datetime, List[datetime]], [], ["f"]),
        (Union[datetime, Stamp], [], ["f"]),
        (datetime | time, [], ["f"]),
        (List[Union[datetime, str]], [], ["f[]"]),
        (Union[List[datetime], List[str]], [], ["f[]"]),
        (Dict[str, Union[date, str]], [], ["f{}"]),
        (Union[Stamp, Day], [], ["f.at"]),
        (Union[Stamp, Text], [], ["f.at"]),
        (Union[Text, Plain], ["f.days[] date"], ["f.at"]),
        (Union[Stamp, Dict[str, str]], [], ["f"]),
        (Union[Stamp, dict], [], ["f"]),
        (Union[Stamp, Any], [], ["f"]),
        (Union[Tuple[datetime, str], List[str]], [], ["f"]),
        (List[Union[Stamp, Dict[str, datetime]]], [], ["f[]"]),
        (Union[Tuple[datetime, str], Tuple[str, datetime]], [], ["f[0]", "f[1]"]),
        (Constrained, [], ["f"]),
        (NestedDates, ["f[] date"], ["f{}"]),
        (Pair[datetime | str, date], ["f[1] date"], ["f[0]"]),
    ],
    ids=str,
)
def test_what_could_be_two_things_is_not_planned(annotation, planned, unplanned):
    assert survey(annotation) == (planned, unplanned)


def test_the_reason_is_said():
    class Model(JsonModel):
        when: Union[datetime, date, str]
        who: Union[Stamp, Dict[str, str]]

    assert [(path.path, path.reason) for path in temporal_paths(Model).unplanned] == [
        ("when", "declared as datetime or date or str: a stored value does not say which it is"),
        (
            "who",
            "declared as two structures: the same place may hold a date in one and not in the other",
        ),
    ]


class Node(EmbeddedJsonModel):
    at: datetime
    children: List["Node"] = []


class Thread(JsonModel):
    top: Node
    seen: date


class Person(JsonModel):
    born: date
    employer: "Optional[Company]" = None


class Company(EmbeddedJsonModel):
    founded: date
    boss: Optional[Person] = None


class Folder(JsonModel):
    name: str
    folders: List["Folder"] = []


Person.model_rebuild()
Company.model_rebuild()


def test_recursive_models_are_planned_to_the_first_depth():
    paths = temporal_paths(Thread)
    assert [str(path) for path in paths.planned] == ["top.at", "seen"]
    assert [path.path for path in paths.unplanned] == ["top.children[]"]
    assert "Node contains itself" in paths.unplanned[0].reason


def test_mutually_recursive_models():
    paths = temporal_paths(Person)
    assert [str(path) for path in paths.planned] == ["born", "employer.founded"]
    assert [path.path for path in paths.unplanned] == ["employer.boss"]


def test_recursion_without_dates_is_no_matter():
    paths = temporal_paths(Folder)
    assert (paths.planned, paths.unplanned) == ((), ())


def test_the_same_model_twice_side_by_side_is_no_recursion():
    class Twice(JsonModel):
        first: Stamp
        second: Stamp

    assert [str(path) for path in temporal_paths(Twice).planned] == ["first.at", "second.at"]


def test_class_variables_and_private_attributes_are_skipped():
    class Model(JsonModel):
        limit: ClassVar[datetime] = datetime(2020, 1, 1)
        _touched: Optional[datetime] = None
        at: datetime

    assert [str(path) for path in temporal_paths(Model).planned] == ["at"]


def test_segments_and_flags():
    class Model(JsonModel):
        pairs: Dict[str, Tuple[int, Optional[pydantic.NaiveDatetime]]]
        lines: List[Stamp]

    pairs, lines = temporal_paths(Model).planned
    assert pairs.segments == ("pairs", Each.VALUE, 1)
    assert (pairs.kind, pairs.optional, pairs.naive) == (TemporalKind.DATETIME, True, True)
    assert lines.segments == ("lines", Each.ITEM, "at")
    assert (lines.kind, lines.optional, lines.naive) == (TemporalKind.DATETIME, False, False)


def test_naive_only_if_nothing_else_is_declared():
    assert [
        p.naive for p in temporal_paths(create_model("M", f=(pydantic.NaiveDatetime | datetime, ...))).planned
    ] == [False]


def test_inherited_and_overridden_fields():
    class Parent(JsonModel):
        at: datetime
        day: date

    class Child(Parent):
        at: str
        more: Optional[date] = None

    assert [str(path) for path in temporal_paths(Child).planned] == ["day", "more"]


def test_a_subclass_of_datetime_counts():
    class Special(datetime):
        pass

    model = create_model("M", __config__={"arbitrary_types_allowed": True}, f=(Special, ...))
    assert temporal_paths(model).planned[0].kind is TemporalKind.DATETIME


def test_an_unreadable_dataclass_is_reported():
    @dataclasses.dataclass
    class Lost:
        at: "NowhereToBeFound"  # noqa: F821 - the point of the test

    class Model(JsonModel):
        day: date
        lost: Any

    Model.model_fields["lost"].annotation = Lost
    paths = temporal_paths(Model)
    assert [str(path) for path in paths.planned] == ["day"]
    assert [path.path for path in paths.unplanned] == ["lost"]
    assert "Lost" in paths.unplanned[0].reason


def test_a_quoted_name_that_does_not_exist_is_reported():
    assert temporal_paths(create_model("M", f=(int, ...))).unplanned == ()
    shape = ShapeReader().read(TypeAliasType("Lost", List["NowhereToBeFound"]))  # noqa: F821 - the point of the test
    assert "NowhereToBeFound" in shape.steps[Each.ITEM].unresolved[0]


def test_the_models_of_the_shop():
    class Customer(HashModel):
        name: str = Field(index=True)
        created_at: datetime = Field(index=True)
        updated_at: Optional[datetime] = Field(default=None, index=True)
        birth_date: date = Field(index=True)
        external_ref: str = Field(index=True)

    class OrderLine(EmbeddedJsonModel):
        sku: str = Field(index=True)
        added_at: datetime
        gift_until: Optional[date] = None

    class Shipment(EmbeddedJsonModel):
        carrier: str = Field(index=True)
        shipped_at: Optional[datetime] = None
        delivered_on: Optional[date] = None
        created_at: str = ""

    class Order(JsonModel):
        order_no: str = Field(primary_key=True)
        created_at: datetime = Field(index=True)
        paid_at: Optional[datetime] = Field(default=None, index=True)
        due_date: date = Field(index=True)
        shipment: Shipment
        lines: List[OrderLine] = []
        tags: List[str] = Field(default=[], index=True)

    def listed(model):
        assert temporal_paths(model).unplanned == ()
        return [(str(path), path.kind.value, path.optional) for path in temporal_paths(model).planned]

    assert listed(Customer) == [
        ("created_at", "datetime", False),
        ("updated_at", "datetime", True),
        ("birth_date", "date", False),
    ]
    assert listed(Order) == [
        ("created_at", "datetime", False),
        ("paid_at", "datetime", True),
        ("due_date", "date", False),
        ("shipment.shipped_at", "datetime", True),
        ("shipment.delivered_on", "date", True),
        ("lines[].added_at", "datetime", False),
        ("lines[].gift_until", "date", True),
    ]


LEAVES = st.sampled_from([(datetime, "datetime"), (date, "date"), (str, None), (int, None)])
WRAPPERS = st.lists(
    st.sampled_from(
        [
            (lambda kind: List[kind], "[]"),
            (lambda kind: Dict[str, kind], "{}"),
            (lambda kind: Tuple[str, kind], "[1]"),
            (lambda kind: Optional[kind], ""),
            (lambda kind: Annotated[kind, "note"], ""),
            (lambda kind: create_model("Inner", inner=(kind, ...)), ".inner"),
        ]
    ),
    max_size=5,
)


@given(LEAVES, WRAPPERS)
def test_any_nesting_of_one_type_gives_its_one_path(leaf, wrappers):
    annotation, kind = leaf
    path = ""
    for wrap, step in wrappers:
        annotation = wrap(annotation)
        path = step + path
    model = create_model("Model", f=(annotation, ...))
    paths = temporal_paths(model)
    assert paths.unplanned == ()
    assert [(str(p), p.kind.value) for p in paths.planned] == ([("f" + path, kind)] if kind else [])
