"""Documents of every type, saved and read with redis-om or with Redstart, whichever is named.

Run as `python shared_documents.py redis_om write URL`, `... read URL` or `... find URL`. Reading prints a JSON object:
each document's key part, and its fields as text. Nothing here may import Redstart: it runs where only redis-om is.
"""

import datetime
import decimal
import enum
import importlib
import json
import os
import pathlib
import sys
import time
import uuid
from typing import Any, Literal


class Mood(enum.Enum):
    GOOD = "good"
    BAD = "so-so, really"


UTC = datetime.timezone.utc  # noqa: UP017 - as in programs for older Pythons
IST = datetime.timezone(datetime.timedelta(hours=5, minutes=30))

COMMON: "dict[str, dict[str, Any]]" = {
    "usual": {
        "text": "plain",
        "number": 5,
        "ratio": 0.25,
        "truth": True,
        "price": decimal.Decimal("1.10"),
        "token": uuid.UUID(int=7),
        "mood": Mood.GOOD,
        "size": "large",
        "file": pathlib.Path("/a/b c"),
        "blob": b"\xff\x00abc",
        "at": datetime.datetime(2023, 1, 1, 12, 0, 0, 123456, tzinfo=UTC),
        "day": datetime.date(2023, 1, 1),
        "clock": datetime.time(9, 30, 1),
    },
    "odd": {
        "text": "é | {x} \n\"'\\",
        "number": -(2**53),
        "ratio": -1e-7,
        "truth": False,
        "price": decimal.Decimal("-1200"),
        "token": uuid.UUID(int=2**128 - 1),
        "mood": Mood.BAD,
        "size": "small",
        "file": pathlib.Path("ü"),
        "blob": b"abcd",
        "at": datetime.datetime(1969, 7, 20, 20, 17, 40, tzinfo=IST),
        "day": datetime.date(1900, 2, 28),
        "clock": datetime.time(0, 0),
        "maybe_text": "there",
        "maybe_at": datetime.datetime(2100, 6, 1),
        "maybe_number": 0,
    },
}


def models(library: str) -> "tuple[Any, Any, Any]":
    """A hash model, a JSON model and a model inside it, declared with a library."""
    om = importlib.import_module(library)

    class Fields:
        class Meta:
            global_key_prefix = "interop"

    class Flat(om.HashModel, index=True):
        text: str = om.Field(index=True)
        number: int = om.Field(index=True, sortable=True)
        ratio: float
        truth: bool = om.Field(index=True)
        price: decimal.Decimal
        token: uuid.UUID
        mood: Mood
        size: Literal["large", "small"]
        file: pathlib.Path
        blob: bytes
        at: datetime.datetime = om.Field(index=True)
        day: datetime.date = om.Field(index=True)
        clock: datetime.time
        place: om.Coordinates
        maybe_text: str | None = None
        maybe_at: datetime.datetime | None = None
        maybe_number: int | None = None

        class Meta(Fields.Meta):
            model_key_prefix = "flat"

    class Part(om.EmbeddedJsonModel):
        name: str = om.Field(index=True)
        at: datetime.datetime | None = None

    class Deep(om.JsonModel, index=True):
        text: str = om.Field(index=True)
        number: int = om.Field(index=True, sortable=True)
        ratio: float
        truth: bool = om.Field(index=True)
        price: decimal.Decimal
        token: uuid.UUID
        mood: Mood
        size: Literal["large", "small"]
        file: pathlib.Path
        blob: bytes
        at: datetime.datetime = om.Field(index=True)
        day: datetime.date = om.Field(index=True)
        clock: datetime.time
        span: datetime.timedelta
        place: om.Coordinates
        part: Part
        parts: list[Part] = []  # noqa: RUF012 - a pydantic field
        words: list[str] = []  # noqa: RUF012 - a pydantic field
        moments: dict[str, datetime.datetime] = {}  # noqa: RUF012 - a pydantic field
        maybe_text: str | None = None
        maybe_at: datetime.datetime | None = None
        maybe_number: int | None = None

        class Meta(Fields.Meta):
            model_key_prefix = "deep"

    return Flat, Deep, (Part, om.Coordinates)


def write(library: str) -> None:
    """Save all documents."""
    flat, deep, (part, coordinates) = models(library)
    for name, values in COMMON.items():
        shared = {**values, "place": coordinates(latitude=52.5, longitude=13.25)}
        flat(pk=name, **shared).save()
        moment = values["at"]
        deep(
            pk=name,
            span=datetime.timedelta(days=1, seconds=2.5),
            part=part(name=name, at=moment),
            parts=[part(name="x"), part(name="y", at=moment)],
            words=["a", "é|"],
            moments={"k": moment},
            **shared,
        ).save()


def read(library: str) -> "dict[str, Any]":
    """All documents, each field as text."""
    flat, deep, _ = models(library)
    return {
        f"{model.__name__} {name}": {field: shown(value) for field, value in model.get(name)}
        for model in (flat, deep)
        for name in COMMON
    }


def shown(value: Any) -> str:
    """A value as text that is the same for equal values of either library."""
    if hasattr(value, "latitude"):
        return f"{value.latitude} {value.longitude}"
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, list):
        return f"[{', '.join(map(shown, value))}]"
    if isinstance(value, dict):
        return repr({name: shown(member) for name, member in value.items()})
    if hasattr(value, "model_dump"):
        return repr({name: shown(member) for name, member in value if name != "pk"})
    return repr(value.normalize()) if isinstance(value, decimal.Decimal) else repr(value)


def find(library: str) -> "dict[str, list[str]]":
    """The keys that some queries find, after the library's own Migrator has run."""
    om = importlib.import_module(library)
    flat, deep, _ = models(library)
    om.Migrator().run()
    for model in (flat, deep):  # the server fills a new index while it answers
        while int(om.get_redis_connection().ft(model._meta.index_name).info()["indexing"]):
            time.sleep(0.01)
    moment = COMMON["usual"]["at"]
    return {
        f"{model.__name__} {name}": sorted(one.pk for one in model.find(condition).all())
        for model in (flat, deep)
        for name, condition in {
            "text": model.text == "plain",
            "number": model.number > 0,
            "not number": model.number != 5,
            "truth": model.truth == True,  # noqa: E712 - a condition
            "from": model.at >= moment,
            "before": model.at < moment,
            "naive": model.at >= moment.replace(tzinfo=None),
            "day": model.day == datetime.date(2023, 1, 1),
            "either": (model.number == 5) | (model.truth == False),  # noqa: E712 - a condition
        }.items()
    }


if __name__ == "__main__":
    library, action, os.environ["REDIS_OM_URL"] = sys.argv[1:]
    print(json.dumps({"write": write, "read": read, "find": find}[action](library)))
