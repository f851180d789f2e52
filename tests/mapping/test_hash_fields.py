# ruff: noqa: UP006, UP007, UP035, UP045 - models in the spellings that applications really use
import dataclasses
import enum
import ipaddress
import pathlib
import uuid
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Dict, List, Literal, NamedTuple, Optional, Set, Tuple, Union

import pydantic
import pytest
from pydantic import create_model
from typing_extensions import TypedDict

from redstart.errors import RedisModelError
from redstart.mapping.base_model import registered_models
from redstart.mapping.fields import Field
from redstart.mapping.models import EmbeddedJsonModel, HashModel, JsonModel
from redstart.mapping.vectors import VectorFieldOptions


class Inner(EmbeddedJsonModel):
    x: int


class InnerJson(JsonModel):
    x: int


class InnerPlain(pydantic.BaseModel):
    x: int


@dataclasses.dataclass
class Data:
    x: int


class Keyed(TypedDict):
    x: int


class Named(NamedTuple):
    x: int


class Colour(enum.Enum):
    RED = "r"


class Rights(enum.IntFlag):
    READ = 1
    WRITE = 2


COLLECTIONS = [
    list,
    List[str],
    list[int],
    Set[str],
    frozenset[str],
    Dict[str, str],
    dict,
    Mapping[str, int],
    Tuple[int, ...],
    tuple[int, str],
    Sequence[str],
    Iterable[str],
    deque[int],
    Keyed,
    Named,
    Optional[List[str]],
    Union[str, List[str]],
    Annotated[List[str], "note"],
    list[str] | None,
]


@pytest.mark.parametrize("annotation", COLLECTIONS, ids=str)
def test_collections_are_refused(annotation):
    with pytest.raises(RedisModelError) as error:
        create_model("Refused", __base__=HashModel, field=(annotation, ...))
    assert error.value.message == "HashModels cannot index set, list, or mapping fields. Field: field"
    assert not [model for model in registered_models() if model.__name__ == "Refused"]


@pytest.mark.parametrize("annotation", [Inner, InnerJson, InnerPlain, Optional[Inner]], ids=str)
def test_models_are_refused(annotation):
    with pytest.raises(RedisModelError) as error:
        create_model("Refused", __base__=HashModel, field=(annotation, ...))
    assert error.value.message == "HashModels cannot index embedded model fields. Field: field"


def test_dataclasses_are_refused():
    with pytest.raises(RedisModelError) as error:
        create_model("Refused", __base__=HashModel, field=(Optional[Data], ...))
    assert error.value.message == "HashModels cannot index dataclass fields. Field: field"


@pytest.mark.parametrize(
    "annotation",
    [
        str,
        bytes,
        int,
        bool,
        float,
        Decimal,
        datetime,
        date,
        time,
        timedelta,
        uuid.UUID,
        pathlib.Path,
        Colour,
        Rights,
        ipaddress.IPv4Network,
        Literal["a", "b"],
        Any,
        Optional[str],
        int | str,
        Annotated[str, "note"],
        pydantic.HttpUrl,
    ],
    ids=str,
)
def test_single_values_are_accepted(annotation):
    model = create_model("Accepted", __base__=HashModel, field=(annotation, ...))
    assert "field" in model.model_fields


def test_a_vector_may_be_a_list():
    options = VectorFieldOptions.flat(
        VectorFieldOptions.TYPE.FLOAT32, 3, VectorFieldOptions.DISTANCE_METRIC.L2
    )

    class Embedding(HashModel):
        vector: list[float] = Field(vector_options=options)

    assert Embedding(vector=[1, 2, 3]).vector == [1.0, 2.0, 3.0]


def test_a_child_is_checked_too():
    class Parent(HashModel):
        x: int

    with pytest.raises(RedisModelError, match="Field: many"):

        class Child(Parent):
            many: List[str]


def test_json_models_take_all_of_them():
    for annotation in {*COLLECTIONS, Inner, Data} - {Iterable[str]}:
        assert create_model("Json", __base__=JsonModel, field=(annotation, ...))
