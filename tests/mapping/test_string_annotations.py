# ruff: noqa: UP006, UP035, UP045, RUF012 - models in the spellings that applications really use
"""Every annotation of this file is text when the classes are made."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, ClassVar, Generic, List, Optional, TypeVar

import pytest

from redstart.errors import RedisModelError
from redstart.mapping.fields import Field, field_options
from redstart.mapping.model_info import declare
from redstart.mapping.models import EmbeddedJsonModel, HashModel, JsonModel
from redstart.mapping.temporal_paths import temporal_paths

T = TypeVar("T")
Code = Annotated[str, Field(primary_key=True)]


class Line(EmbeddedJsonModel):
    added_at: datetime
    until: Optional[date] = None


class Order(JsonModel):
    limit: ClassVar[datetime] = datetime(2020, 1, 1)
    code: Code
    created_at: datetime = Field(index=True)
    lines: List[Line] = []


class Box(JsonModel, Generic[T]):
    value: T


def planned(model) -> list[str]:
    return [str(path) for path in temporal_paths(model).planned]


def test_fields_options_and_paths_are_found():
    assert Order(code="c", created_at="2023-01-01").key() == f":{__name__}.Order:c"
    assert field_options(Order.model_fields["created_at"]).index is True
    assert planned(Order) == ["created_at", "lines[].added_at", "lines[].until"]


def test_names_of_the_declaring_function_are_found():
    class Local(EmbeddedJsonModel):
        at: datetime

    class Holder(JsonModel):
        one: Local
        many: List[Local]

    assert planned(Holder) == ["one.at", "many[].at"]


def test_names_that_come_later_are_found_when_they_are_needed():
    class Early(JsonModel):
        key_name: Annotated[str, Field(primary_key=True)]
        late: Optional[Late] = None

    class Late(EmbeddedJsonModel):
        at: datetime

    Early.model_rebuild()
    assert planned(Early) == ["late.at"]


def test_generics():
    assert planned(Box[datetime]) == ["value"]
    assert planned(Box[List[Line]]) == ["value[].added_at", "value[].until"]


def test_a_name_that_is_never_defined_raises_an_error():
    class Lost(JsonModel):
        what: Nowhere  # noqa: F821 - the point of the test

    with pytest.raises(RedisModelError, match=r"Lost: cannot resolve an annotation: .*Nowhere"):
        temporal_paths(Lost)


def test_a_hash_is_checked_when_its_names_are_known_at_last():
    class Flat(HashModel):
        part: Optional[Part] = None

    class Part(EmbeddedJsonModel):
        at: datetime

    Flat.model_rebuild()
    with pytest.raises(RedisModelError, match=r"HashModels cannot index embedded model fields\. Field: part"):
        declare(Flat)
