# ruff: noqa: UP007, UP045 - the annotations are written as users of redis-om wrote them
"""Values of many types, each in a model of its own: saved and read with redis-om or with Redstart, whichever is named.

Run as `python shared_types.py redis_om write URL` or `... read URL`. Prints a JSON object: of each value the text of
what was read, or the error. Nothing here may import Redstart: it runs where only redis-om is.
"""

import dataclasses
import datetime
import decimal
import enum
import importlib
import ipaddress
import json
import os
import pathlib
import sys
import uuid
import warnings
from collections import deque
from typing import Annotated, Any, Literal, NamedTuple, NewType, Optional, Union

from pydantic import AwareDatetime, BaseModel, ByteSize, PositiveInt, StrictStr, StringConstraints


class Word(enum.StrEnum):
    ONE = "one"
    TWO = "two | words"


class Number(enum.IntEnum):
    ONE = 1
    TWO = 2


class Plain(BaseModel):
    x: int = 1
    at: Optional[datetime.datetime] = None


@dataclasses.dataclass
class Data:
    a: int
    day: datetime.date


class Pair(NamedTuple):
    a: int
    day: datetime.date


UTC = datetime.timezone.utc  # noqa: UP017 - as in programs for older Pythons
NOON = datetime.datetime(2023, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)
DAY = datetime.date(2023, 1, 1)
CustomerId = NewType("CustomerId", int)
TEXTS = [
    "x",
    " ",
    "None",
    "null",
    "nan",
    "True",
    "0",
    "1.0",
    "2020-01-01",
    "\x00",
    "a\x00b",
    "\u2028",
    "{}",
    "YWJj",
]

ANYWHERE: "dict[str, tuple[Any, list[Any]]]" = {
    "str": (str, ["", *TEXTS]),
    "Optional[str]": (Optional[str], TEXTS),
    "Literal": (Literal["a", "None"], ["a", "None"]),
    "Optional[Literal]": (Optional[Literal["a"]], ["a"]),
    "StrEnum": (Word, [Word.ONE, Word.TWO]),
    "IntEnum": (Number, [Number.TWO]),
    "Optional[Enum]": (Optional[Word], [Word.ONE]),
    "PositiveInt": (PositiveInt, [1]),
    "Annotated": (Annotated[str, StringConstraints(max_length=3)], ["abc"]),
    "NewType": (CustomerId, [5]),
    "int": (int, [0, -1, 2**53 + 1, 2**63 - 1, -(2**63)]),
    "float": (float, [0.0, -0.0, 1.5, 1e300, 5e-324, 1e22]),
    "bool": (bool, [True, False]),
    "Optional[int]": (Optional[int], [0]),
    "Optional[bool]": (Optional[bool], [True, False]),
    "Decimal": (decimal.Decimal, [decimal.Decimal(text) for text in ("1.10", "0", "-1000", "0.1")]),
    "bytes": (bytes, [b"", b"abc", b"\xff\x00", b"abcd", bytes(range(256))]),
    "Optional[bytes]": (Optional[bytes], [b"x"]),
    "time": (datetime.time, [datetime.time(1, 2, 3, 4), datetime.time(0), datetime.time(1, tzinfo=UTC)]),
    "datetime": (datetime.datetime, [NOON, NOON.replace(year=1969), NOON.replace(year=2240)]),
    "AwareDatetime": (AwareDatetime, [NOON]),
    "date": (datetime.date, [DAY, datetime.date(1, 1, 1), datetime.date(9999, 12, 31)]),
    "Path": (pathlib.Path, [pathlib.Path("/a/b"), pathlib.Path()]),
    "IPv4": (ipaddress.IPv4Address, [ipaddress.ip_address("1.2.3.4")]),
    "IPv6": (ipaddress.IPv6Address, [ipaddress.ip_address("::1")]),
    "network": (ipaddress.IPv4Network, [ipaddress.ip_network("1.2.3.0/24")]),
    "UUID": (uuid.UUID, [uuid.UUID(int=3)]),
    "ByteSize": (ByteSize, [ByteSize(1024)]),
    "int or str": (Union[int, str], ["x"]),
}
IN_JSON: "dict[str, tuple[Any, list[Any]]]" = {
    "StrictStr": (StrictStr, ["x"]),
    "timedelta": (datetime.timedelta, [datetime.timedelta(1, 2, 3), datetime.timedelta(-1)]),
    "None": (Optional[datetime.datetime], [None]),
    "dict": (dict, [{}, {"a": {"b": [None, True, 1.5]}}]),
    "by int": (dict[int, str], [{1: "a"}]),
    "by date": (dict[datetime.date, int], [{DAY: 1}]),
    "by UUID": (dict[uuid.UUID, int], [{uuid.UUID(int=1): 1}]),
    "by Enum": (dict[Word, int], [{Word.ONE: 1}]),
    "dates": (dict[str, datetime.datetime], [{"a": NOON}]),
    "Any": (Any, ["x", 1, 1.5, None, True, [1, "a"], {"a": 1}]),
    "model": (Plain, [Plain(), Plain(at=NOON)]),
    "NamedTuple": (Pair, [Pair(1, DAY)]),
    "dataclass": (Data, [Data(1, DAY)]),
    "list": (list, [[], [1, "a", None, [2]]]),
    "list[str]": (list[str], [[], ["a", "", "b|c"]]),
    "list[date]": (list[datetime.date], [[DAY]]),
    "tuple": (tuple[int, str], [(1, "a")]),
    "set": (set[int], [set(), {1, 2}]),
    "deque": (deque[int], [deque([1, 2])]),
    "nested": (list[list[dict[str, set[int]]]], [[[{"a": {1}}]]]),
    "Optional[list]": (Optional[list[int]], [None, [1]]),
}


def model_of(om: Any, base: Any, name: str, annotation: Any) -> Any:
    """A model with one field of a type."""
    settings = {"global_key_prefix": "types", "model_key_prefix": f"{base.__name__}-{name}"}
    body: dict[str, Any] = {
        "__module__": __name__,
        "__qualname__": "Model",
        "__annotations__": {"f": annotation},
        "Meta": type("Meta", (), {**settings, "__module__": __name__, "__qualname__": "Model.Meta"}),
    }
    return type(base)("Model", (base,), body, index=True)


def read_all(om: Any, *, write: bool) -> "dict[str, str]":
    """What is read of every value, after it was written if that is asked for."""
    found: dict[str, str] = {}
    for base, types in ((om.HashModel, ANYWHERE), (om.JsonModel, ANYWHERE | IN_JSON)):
        for name, (annotation, values) in types.items():
            model = model_of(om, base, name, annotation)
            for position, value in enumerate(values):
                try:
                    if write:
                        model(pk=str(position), f=value).save()
                    read = shown(model.get(str(position)).f)
                except Exception as error:  # noqa: BLE001 - which one it is, is the question
                    read = f"{type(error).__name__}: {error}"
                wrong = "" if read == shown(value) else f", is {shown(value)}"
                found[f"{base.__name__} {name} {position}"] = read + wrong
    return found


def shown(value: Any) -> str:
    """A value as text that is the same for equal values."""
    if isinstance(value, datetime.datetime | datetime.time):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return str(value.normalize())
    if isinstance(value, Plain):
        return f"{value.x} {shown(value.at)}"
    if isinstance(value, dict):
        return repr({shown(name): shown(member) for name, member in value.items()})
    return f"{type(value).__name__} {value!r}"


if __name__ == "__main__":
    library, action, os.environ["REDIS_OM_URL"] = sys.argv[1:]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        print(json.dumps(read_all(importlib.import_module(library), write=action == "write")))
