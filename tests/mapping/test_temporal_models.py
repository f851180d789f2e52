# ruff: noqa: UP006, UP035, UP045, RUF012 - models in the spellings that applications really use
"""Where whole models keep dates: recursive, inherited and unreadable ones, and those of a shop."""

import dataclasses
from datetime import date, datetime
from typing import Any, ClassVar, Dict, List, Optional, Tuple

import pydantic
from pydantic import create_model
from typing_extensions import TypeAliasType

from redstart.mapping.fields import Field
from redstart.mapping.models import EmbeddedJsonModel, HashModel, JsonModel
from redstart.mapping.temporal_paths import temporal_paths
from redstart.mapping.type_tree import ShapeReader
from redstart.mapping.value_paths import Each
from redstart.values.types import TemporalKind
from tests.mapping.dated_types import Stamp


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
    assert "Node is recursive" in paths.unplanned[0].reason


def test_mutually_recursive_models():
    paths = temporal_paths(Person)
    assert [str(path) for path in paths.planned] == ["born", "employer.founded"]
    assert [path.path for path in paths.unplanned] == ["employer.boss"]


def test_recursion_without_dates_is_accepted():
    paths = temporal_paths(Folder)
    assert (paths.planned, paths.unplanned) == ((), ())


def test_the_same_model_twice_side_by_side_is_not_recursion():
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
