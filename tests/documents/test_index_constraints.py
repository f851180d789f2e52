"""What a save takes, queries find: a value that the index would drop with its whole document is refused."""

import math
import re
from decimal import Decimal
from typing import Any

import pytest
import redis

from redstart import Coordinates, Field, HashModel, JsonModel, VectorFieldOptions
from redstart.documents import hash_encoder
from redstart.errors import DocumentEncodeError
from tests.support.models import create_indexes

VECTOR = VectorFieldOptions.flat(VectorFieldOptions.TYPE.FLOAT32, 2, VectorFieldOptions.DISTANCE_METRIC.L2)


class Point(HashModel, index=True):
    tag: str = Field(default="here", index=True)
    number: float | None = Field(default=None, index=True)
    count: int = Field(default=0, index=True)
    amount: Decimal = Field(default=Decimal(0), index=True, sortable=True)
    number_or_text: int | str = Field(default=0, index=True)
    place: Coordinates | None = Field(default=None, index=True)
    unindexed: float = 0.0


class Shape(JsonModel, index=True):
    tag: str = Field(default="here", index=True)
    place: Coordinates | None = Field(default=None, index=True)
    number_or_text: int | str = Field(default=0, index=True)
    text_or_number: str | int = Field(default="", index=True)
    tags: list[str | None] = Field(default_factory=list, index=True, sortable=True)
    kinds: set[str] | None = Field(default=None, index=True, sortable=True)
    any_kinds: set[str] = Field(default_factory=set, index=True)
    vector: list[float] | None = Field(default=None, vector_options=VECTOR)


VALUES: list[tuple[type[Point] | type[Shape], str, list[Any]]] = [
    (Point, "number", [math.nan, math.inf, -math.inf, 1e308, 5e-324, -0.0, 0.0, 1.5, None]),
    (Point, "count", [0, 10**400, -(10**400)]),
    (Point, "amount", [Decimal(text) for text in ("0.00", "1E+400", "1E-400", "-1E-400", "0E-9", "1E+300")]),
    (Point, "number_or_text", [1, "1", "x", ""]),
    (Point, "place", [Coordinates(latitude, 180) for latitude in (0, 85.05112878, 85.052, -90)]),
    (Point, "unindexed", [math.nan, math.inf]),
    (Shape, "place", [Coordinates(latitude, -180) for latitude in (0, -85.05112878, -85.052, 90)]),
    (Shape, "number_or_text", [1, "1"]),
    (Shape, "text_or_number", ["1", 1]),
    (Shape, "tags", [[], ["a", None], [None]]),
    (Shape, "kinds", [set(), {"a"}, None]),
    (Shape, "any_kinds", [set(), {"a"}]),
    (Shape, "vector", [None, [1.0, 2.0], [1.0], [], [1.0] * 3]),
]
CASES = [(model, name, value) for model, name, values in VALUES for value in values]


@pytest.fixture
def models(client: redis.Redis, models_url: str) -> None:
    create_indexes(client, Point, Shape)


@pytest.mark.usefixtures("models")
@pytest.mark.parametrize(("model", "name", "value"), CASES)
def test_a_document_is_refused_where_no_query_would_find_it_and_only_there(
    client: redis.Redis, model: Any, name: str, value: Any
) -> None:
    document = model(**{name: value})
    try:
        document.save()
    except DocumentEncodeError as error:
        assert error.field == name
        assert re.search("NUMERIC|GEO|VECTOR|the index requires|sortable", str(error))
        _write_all_the_same(client, model, document)
        assert model.find(model.tag == "here").count() == 0
    else:
        assert model.find(model.tag == "here").count() == 1


def _write_all_the_same(client: redis.Redis, model: Any, document: Any) -> None:
    """As redis-om would write it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("redstart.documents.hash_encoder.limits_of", lambda _: ())
        patch.setattr("redstart.documents.json_codec.reason_against_json", lambda *_: None)
        hash_encoder._hash_writer.cache_clear()
        document.save()
    hash_encoder._hash_writer.cache_clear()
    assert client.exists(document.key())
