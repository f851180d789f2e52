"""Values of many types, by key and in queries."""

import datetime
import enum
import pathlib
import uuid
from decimal import Decimal
from typing import Dict, FrozenSet, List, Optional, Set, Tuple, Union

from redis_om import Field, HashModel, JsonModel, Migrator


class Level(enum.Enum):
    LOW = "low"
    HIGH = "high"


class Flat(HashModel, index=True):
    id: int = Field(primary_key=True, index=True)
    amount: Decimal = Field(index=True)
    level: Level = Field(index=True)
    token: uuid.UUID = Field(index=True)
    path: pathlib.Path
    at: datetime.time
    raw: bytes
    ok: bool = Field(index=True)
    ratio: float = Field(index=True)
    none: Optional[int] = None
    either: Union[int, str] = 0


class Deep(JsonModel, index=True):
    id: str = Field(primary_key=True)
    numbers: List[int]
    pair: Tuple[int, str]
    names: Set[str]
    frozen: FrozenSet[int]
    by_name: Dict[str, List[float]]
    days: List[datetime.date]
    level: Level = Field(index=True)
    raw: bytes
    maybe: Optional[Dict[str, int]] = None


def main():
    Migrator().run()
    flat = Flat(
        id=7,
        amount=Decimal("12.25"),
        level=Level.HIGH,
        token=uuid.UUID(int=9),
        path="/tmp/x",
        at="10:30",
        raw=b"\x00\xff",
        ok=True,
        ratio=0.1,
        either="a",
    ).save()
    print(Flat.get(7) == flat, Flat.get("7"), Flat.db().hget(flat.key(), "amount"))
    for condition in (Flat.amount == Decimal("12.25"), Flat.ok == True, Flat.ratio < 0.2):  # noqa: E712
        print([one.id for one in Flat.find(condition).all()])
    print(Flat.find(Flat.token == str(flat.token)).count(), Flat.find(Flat.level == "high").count())
    deep = Deep(
        id="d",
        numbers=[1, 2],
        pair=(1, "a"),
        names={"x"},
        frozen={3},
        by_name={"a": [0.5]},
        days=["2024-02-29"],
        level="low",
        raw=b"abc",
    ).save()
    print(Deep.get("d") == deep, Deep.get("d"), Deep.db().json().get(deep.key())["days"])
    deep.numbers.append(3)
    deep.maybe = {"k": 1}
    deep.save()
    print(Deep.get("d").numbers, Deep.get("d").maybe, Deep.find(Deep.level == "low").first().id)
