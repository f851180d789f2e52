"""Queries made with redis-om or with Redstart, whichever is named: the words that each sends. Prints a JSON object.

Run as `python asked_queries.py redis_om URL`. Nothing here may import Redstart: it runs where only redis-om is.
"""

import datetime
import importlib
import json
import os
import struct
import sys
import warnings
from typing import Any

WORDS: "dict[str, list[Any]]" = {
    "text": ["plain", "two words", ",.<>{}[]\"':;!@#$%^&*()-+=~/", "é中", "a|b", "back\\slash"],
    "number": [5, -3, 0, 2**53],
    "ratio": [0.5, -0.25, 10.0],
}
UTC = datetime.timezone.utc  # noqa: UP017 - as in programs for older Pythons


def models(om: Any) -> "tuple[Any, Any]":
    """A JSON model with a model inside, and a hash model."""
    vectors = om.VectorFieldOptions
    flat = vectors.flat(type=vectors.TYPE.FLOAT32, dimension=2, distance_metric=vectors.DISTANCE_METRIC.L2)

    class Place(om.EmbeddedJsonModel, index=True):
        city: str = om.Field(index=True)
        floor: int = om.Field(index=True)

    class Deep(om.JsonModel, index=True):
        text: str = om.Field(index=True, sortable=True)
        words: str = om.Field(index=True, full_text_search=True)
        number: int = om.Field(index=True, sortable=True)
        ratio: float = om.Field(index=True)
        truth: bool = om.Field(index=True)
        at: datetime.datetime = om.Field(index=True, sortable=True)
        day: datetime.date = om.Field(index=True)
        spot: om.Coordinates = om.Field(index=True)
        place: Place
        tags: list[str] = om.Field(index=True)
        vector: list[float] = om.Field(vector_options=flat)
        score: float | None = None

        class Meta:
            model_key_prefix = "deep"

    class Flat(om.HashModel, index=True):
        text: str = om.Field(index=True, sortable=True)
        number: int = om.Field(index=True, sortable=True)
        ratio: float = om.Field(index=True)
        truth: bool = om.Field(index=True)
        at: datetime.datetime = om.Field(index=True)
        day: datetime.date = om.Field(index=True)
        note: str = ""

        class Meta:
            model_key_prefix = "flat"

    return Deep, Flat


def comparisons(model: Any) -> "dict[str, Any]":
    """Conditions on fields that both models have."""
    found: dict[str, Any] = {}
    for name, values in WORDS.items():
        field = getattr(model, name)
        for value in values:
            found[f"{name} == {value}"] = field == value
            found[f"{name} != {value}"] = field != value
            if name != "text":
                for operator in ("__lt__", "__le__", "__gt__", "__ge__"):
                    found[f"{name} {operator} {value}"] = getattr(field, operator)(value)
        plain = [value for value in values if value not in ("a|b", "back\\slash")]
        found[f"{name} <<"] = field << plain
        found[f"{name} >>"] = field >> plain
    for part in ("begin", "two words", "a-b"):
        found[f"startswith {part}"] = model.text.startswith(part)
        found[f"endswith {part}"] = model.text.endswith(part)
        found[f"contains {part}"] = model.text.contains(part)
    for truth in (True, False):
        found[f"truth {truth}"] = model.truth == truth
    noon, day = datetime.datetime(2023, 1, 1, 12, 0, 0, 123456, tzinfo=UTC), datetime.date(2023, 1, 2)
    for name, value in (("at", noon), ("day", day)):
        field = getattr(model, name)
        found |= {f"{name} ==": field == value, f"{name} <": field < value, f"{name} >=": field >= value}
        found[f"{name} !="] = field != value
    return found | combinations(model)


def combinations(model: Any) -> "dict[str, Any]":
    """Conditions made of others."""
    one, two, three = model.text == "a", model.number > 5, model.ratio <= 0.5
    return {
        "and": one & two,
        "or": one | two,
        "not": ~one,
        "and and": one & two & three,
        "and or": (one & two) | three,
        "or and": (one | two) & three,
        "and not": one & ~two,
        "or not": one | ~two,
        "not and": ~one & two,
        "not or inside": ~(one | two),
    }


def deep_comparisons(om: Any, model: Any) -> "dict[str, Any]":
    """Conditions on what only JSON has."""
    return {
        "words": model.words % "hello",
        "prefix of words": model.words % "hel*",
        "fuzzy": model.words % "%helo%",
        "tag of words": model.words == "a b",
        "place": model.place.city == "Oslo",
        "floor": model.place.floor > 2,
        "tag": model.tags << ["a", "b"],
        "one tag": model.tags == "a b",
        "near": model.spot == om.GeoFilter(longitude=13.5, latitude=52.25, radius=10, unit="km"),
    }


def asked(om: Any) -> "dict[str, Any]":
    """Every query by what it is called."""
    deep, flat = models(om)
    found = {
        "all": deep.find(),
        "all flat": flat.find(),
        "several": deep.find(deep.text == "a", deep.number == 1),
    }
    for model in (deep, flat):
        for name, condition in comparisons(model).items():
            found[f"{model.__name__} {name}"] = model.find(condition)
    for name, condition in deep_comparisons(om, deep).items():
        found[name] = deep.find(condition)
    query = deep.find(deep.number > 1)
    found |= {
        "sorted": query.sort_by("number"),
        "sorted down": query.sort_by("-at"),
        "sorted by several": query.sort_by("-number", "text"),
        "keys": query.copy(nocontent=True),
        "page": query.copy(offset=20, limit=10),
        "some fields": query.only("text", "number"),
        "some values": query.values("text"),
        "all values": query.values(),
        "deep fields": query.only("text", "place__city"),
        "fields with parts": query.only("tags"),
        "sorted fields": query.sort_by("number").only("text"),
        "flat fields": flat.find().only("text", "note"),
        "flat values": flat.find().sort_by("-number").values("note"),
    }
    for settings in (
        {"page_size": 1},
        {"page_size": 10, "offset": 3},
        {"limit": 5, "page_size": 2},
        {"limit": 5, "offset": 2},
        {"nocontent": True},
        {"sort_fields": ["number"], "page_size": 7},
        {"projected_fields": ["text"], "return_as_dict": True, "limit": 3},
    ):
        found[f"flat {settings}"] = om.FindQuery([], flat, **settings)
    return found


def neighbours(om: Any) -> "dict[str, Any]":
    """What queries for nearest neighbours are made of; what redis-om sends for them, it does not say."""
    deep, _ = models(om)
    knn = om.KNNExpression(
        k=3, vector_field=deep.vector, score_field=deep.score, reference_vector=struct.pack("<2f", 1, 2)
    )
    found = {}
    for name, query in {
        "all": deep.find(knn=knn),
        "one filter": deep.find(deep.text == "a", knn=knn),
        "two filters": deep.find((deep.text == "a") | (deep.number > 5), knn=knn),
    }.items():
        found[name] = [query.query, *map(str, query.query_params)]
    return found


def main() -> None:
    """Print them."""
    os.environ["REDIS_OM_URL"] = sys.argv[2]  # redis-om asks the server what it can do
    om = importlib.import_module(sys.argv[1])
    queries = {
        name: [index, list(map(str, words))]
        for name, query in asked(om).items()
        for index, words in [query.get_query()]
    }
    print(json.dumps({"queries": queries, "neighbours": neighbours(om)}))


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
