"""Nearest neighbours: the same as Python finds, in hashes and in JSON, with an exact index and with a graph."""

import struct
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from redstart import (
    Field,
    HashModel,
    JsonModel,
    KNNExpression,
    NotFoundError,
    QueryNotSupportedError,
    QuerySyntaxError,
    VectorFieldOptions,
    col,
)
from redstart.errors import DocumentDecodeError
from tests.support.models import create_indexes

TYPE, METRIC = VectorFieldOptions.TYPE, VectorFieldOptions.DISTANCE_METRIC
FLAT = VectorFieldOptions.flat(TYPE.FLOAT32, 2, METRIC.L2)
GRAPH = VectorFieldOptions.hnsw(TYPE.FLOAT64, 2, METRIC.L2, m=8, ef_runtime=50)


class Page(JsonModel, index=True):
    kind: str = Field(index=True)
    rank: int = Field(default=0, index=True, sortable=True)
    flat: list[float] = Field(vector_options=FLAT)
    graph: list[float] = Field(vector_options=GRAPH)
    several: list[list[float]] = Field(default=[], vector_options=FLAT)
    score: float | None = None


class Card(HashModel, index=True):
    kind: str = Field(index=True)
    rank: int = Field(default=0, index=True, sortable=True)
    flat: list[float] = Field(vector_options=FLAT)
    graph: list[float] = Field(vector_options=GRAPH)
    packed: bytes = Field(default=b"\0" * 8, vector_options=FLAT)
    score: float | None = None


MODELS = [Page, Card]
NUMBERS = st.integers(-3, 3).map(float)
POINTS = st.tuples(NUMBERS, NUMBERS)


def near(model: Any, field: str, point: tuple[float, float], k: int) -> KNNExpression:
    """The nearest to a point."""
    layout = "<2d" if field == "graph" else "<2f"
    return KNNExpression(k, getattr(model, field), col(model.score), struct.pack(layout, *point))


@pytest.fixture
def indexes(client: redis.Redis, models_url: str) -> redis.Redis:
    """A server with the indexes of both models."""
    create_indexes(client, *MODELS)
    return client


def save(model: Any, points: list[tuple[float, float]]) -> list[Any]:
    """A document for each point; every other is of kind `a`."""
    return [
        model(kind="ab"[number % 2], rank=number, flat=point, graph=point).save()
        for number, point in enumerate(points)
    ]


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    points=st.lists(POINTS, min_size=1, max_size=6, unique=True),
    target=POINTS,
    k=st.integers(1, 7),
    field=st.sampled_from(["flat", "graph"]),
    kind=st.sampled_from(["a", None]),
)
@pytest.mark.parametrize("model", MODELS)
def test_the_same_as_in_python(
    indexes: redis.Redis, model: Any, points: Any, target: Any, k: int, field: str, kind: str | None
) -> None:
    for key in indexes.scan_iter(f"{model.make_key('')}*"):
        indexes.delete(key)
    documents = [one for one in save(model, points) if kind in (None, one.kind)]
    distances = sorted(sum((a - b) ** 2 for a, b in zip(one.flat, target, strict=True)) for one in documents)
    conditions = () if kind is None else (model.kind == kind,)
    query = model.find(*conditions, knn=near(model, field, target, k))
    found = query.all()
    assert [one.score for one in found] == pytest.approx(distances[:k])
    for one in found:
        whole = next(document for document in documents if document.pk == one.pk)
        assert one.model_copy(update={"score": None}) == whole
    assert query.count() == len(found)
    assert list(query) == found or len(set(distances)) < len(distances)
    assume(len(set(distances)) == len(distances))
    assert query.page(1, 2) == found[1:3]
    assert query.first() == found[0] == query.get_item(0)
    assert query.copy(limit=1, offset=1).all() == found[1:2]
    assert query.values("pk", "score").all() == [{"pk": one.pk, "score": one.score} for one in found]
    assert [part.score for part in query.only("score").all()] == [one.score for one in found]
    assert query.sort_by("-rank").all() == sorted(found, key=lambda one: -one.rank)
    assert [one.score for one in query.sort_by("-score").all()] == [one.score for one in found[::-1]]


def test_bytes_of_hashes_are_vectors_too(indexes: redis.Redis) -> None:
    for number in range(3):
        point = struct.pack("<2f", number, 0)
        Card(kind="a", rank=number, flat=[0, 0], graph=[0, 0], packed=point).save()
    found = Card.find(knn=near(Card, "packed", (1.1, 0), 2)).all()
    assert [one.rank for one in found] == [1, 2]
    assert found[0].packed == struct.pack("<2f", 1, 0)


def test_lists_of_vectors_are_found_by_the_nearest_of_them(indexes: redis.Redis) -> None:
    Page(kind="a", rank=0, flat=[0, 0], graph=[0, 0], several=[[0, 0], [9, 9]]).save()
    Page(kind="a", rank=1, flat=[0, 0], graph=[0, 0], several=[[5, 5]]).save()
    found = Page.find(knn=near(Page, "several", (9, 9), 2)).all()
    assert [(one.rank, one.score) for one in found] == [(0, 0), (1, 32)]


def test_nothing_is_near(indexes: redis.Redis) -> None:
    query = Page.find(Page.kind == "x", knn=near(Page, "flat", (0, 0), 3))
    assert (query.all(), query.count(), query.values().all()) == ([], 0, [])
    with pytest.raises(NotFoundError, match="KNN"):
        query.first()


def test_the_words_are_those_of_redis_om() -> None:
    blob = struct.pack("<2f", 1, 2)
    query = Page.find(Page.kind == "a", knn=near(Page, "flat", (1, 2), 3))
    assert query.get_query()[1][2:] == [
        *("(@kind:{a})=>[KNN $K @flat $knn_ref_vector AS score]", "LIMIT", 0, 3, "SORTBY", "score", "asc"),
        *("PARAMS", "4", "K", "3", "knn_ref_vector", blob, "DIALECT", "2"),
    ]
    assert query.query_params == ["K", "3", "knn_ref_vector", blob]
    assert query.copy(offset=1).knn is query.knn
    assert query.dict()["knn"] is query.knn


def test_unsupported_queries() -> None:
    knn = near(Page, "flat", (0, 0), 3)
    with pytest.raises(QueryNotSupportedError, match="sorted by one field at most, not by rank, kind"):
        Page.find(knn=knn).sort_by("rank", "kind")
    indexed = KNNExpression(3, col(Page.flat), col(Page.rank), b"12345678")
    with pytest.raises(QueryNotSupportedError, match=r"Page\.rank cannot receive the distances"):
        Page.find(knn=indexed).all()
    with pytest.raises(QueryNotSupportedError, match=r"Page\.score: the field is not indexed"):
        Page.find().sort_by("score")  # only neighbours have a distance
    with pytest.raises(
        QuerySyntaxError, match=r"Page\.rank is not an indexed vector field.*\nDeclare it with Field\(vector"
    ):
        Page.find(knn=KNNExpression(3, col(Page.rank), col(Page.score), b"12345678")).all()


@pytest.mark.parametrize(
    ("part", "value"),
    [
        *[("k", k) for k in (0, -1, 2.5, "3", None)],
        *[("vector_field", field) for field in ("flat", None)],
        ("score_field", "score"),
        *[("reference_vector", vector) for vector in ([0.0, 0.0], "12345678", None)],
    ],
)
def test_parts_of_another_type_are_named(part: str, value: Any) -> None:
    parts: Any = {
        "k": 3,
        "vector_field": col(Page.flat),
        "score_field": col(Page.score),
        "reference_vector": b"12345678",
    }
    knn = KNNExpression(**parts | {part: value})
    with pytest.raises(QuerySyntaxError, match=rf"{part} of a KNNExpression has to be .*, not .*\nUse KNN"):
        Page.find(knn=knn)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    ("field", "form", "needed"), [("flat", "<2f", "8 (2 × FLOAT32)"), ("graph", "<2d", "16 (2 × FLOAT64)")]
)
@pytest.mark.parametrize("size", [0, 1, 7, 9, 15, 17, 24])
def test_a_vector_of_another_length(model: Any, field: str, form: str, needed: str, size: int) -> None:
    knn = KNNExpression(1, col(getattr(model, field)), col(model.score), b"x" * size)
    with pytest.raises(QuerySyntaxError) as caught:
        model.find(knn=knn)
    assert caught.value.message == (
        f"reference_vector has {size} byte{'' if size == 1 else 's'}, {model.__name__}.{field} needs {needed}."
    )
    assert caught.value.hint == f'Use struct.pack("{form}", *numbers).'


class Scores(JsonModel, index=True):
    flat: list[float] = Field(vector_options=FLAT)
    exact: float = 0.0
    optional: float | None = None
    decimal: Decimal | None = None
    anything: Any = None
    either: str | float = ""
    text: str = ""
    several: list[float] = Field(default=[])
    at: datetime | None = None
    truth: bool = False


class FlatScores(HashModel, index=True):
    flat: list[float] = Field(vector_options=FLAT)
    exact: float | None = None
    text: str | None = None


@pytest.mark.parametrize("name", ["exact", "optional", "decimal", "anything", "either"])
def test_a_field_that_can_receive_a_distance(client: redis.Redis, models_url: str, name: str) -> None:
    create_indexes(client, Scores)
    Scores(flat=[1, 1]).save()
    knn = KNNExpression(1, col(Scores.flat), col(getattr(Scores, name)), struct.pack("<2f", 0, 0))
    assert float(getattr(Scores.find(knn=knn).first(), name)) == 2


@pytest.mark.parametrize("name", ["text", "several", "at", "truth"])
def test_a_field_that_cannot_receive_a_distance(name: str) -> None:
    knn = KNNExpression(1, col(Scores.flat), col(getattr(Scores, name)), struct.pack("<2f", 0, 0))
    with pytest.raises(QuerySyntaxError, match=rf"score_field Scores\.{name} has to be a float"):
        Scores.find(knn=knn)


@pytest.mark.parametrize("name", ["exact", "text"])
def test_a_distance_in_a_hash_is_text(client: redis.Redis, models_url: str, name: str) -> None:
    create_indexes(client, FlatScores)
    FlatScores(flat=[1, 1]).save()
    knn = KNNExpression(1, col(FlatScores.flat), col(getattr(FlatScores, name)), struct.pack("<2f", 0, 0))
    assert float(getattr(FlatScores.find(knn=knn).first(), name)) == 2


@pytest.mark.parametrize("model", MODELS)
def test_changed_and_deleted(indexes: redis.Redis, model: Any) -> None:
    documents = save(model, [(0, 0), (1, 0), (2, 0)])
    query = model.find(knn=near(model, "flat", (2, 0), 2))
    query.update(kind="near")
    assert [model.get(one.pk).kind for one in documents] == ["a", "near", "near"]
    assert model.get(documents[2].pk).score is None
    assert query.delete() == 2
    assert model.find().all() == [documents[0]]


def test_an_unreadable_neighbour_is_named(indexes: redis.Redis) -> None:
    (document,) = save(Page, [(0, 0)])
    indexes.execute_command("JSON.SET", document.key(), "$.rank", "null")
    with pytest.raises(DocumentDecodeError, match="rank has the invalid value None"):
        Page.find(knn=near(Page, "flat", (0, 0), 3)).all()
