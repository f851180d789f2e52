# ruff: noqa: RUF012 - models in the spellings that applications really use
"""Models with every type that can be stored, and strategies that make instances of them."""

import enum
import ipaddress
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

from hypothesis import strategies as st

from redstart import Coordinates, EmbeddedJsonModel, Field, HashModel, JsonModel, VectorFieldOptions

VECTOR = VectorFieldOptions.flat(
    VectorFieldOptions.TYPE.FLOAT32, dimension=3, distance_metric=VectorFieldOptions.DISTANCE_METRIC.L2
)


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue, and | others"


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 10


class Weight(enum.Enum):
    HALF = 0.5
    ONE = 1


class Flat(HashModel, index=True):
    """What fits into a hash."""

    text: str = Field(index=True)
    integer: int = Field(index=True, sortable=True)
    number: float
    truth: bool
    price: Decimal
    token: UUID
    colour: Colour
    level: Level
    weight: Weight
    size: Literal[1, 2, "x"]
    file: Path
    blob: bytes
    at: datetime = Field(index=True)
    day: date
    clock: time
    span: timedelta
    place: Coordinates
    address: ipaddress.IPv4Address
    vector: list[float] = Field(vector_options=VECTOR)
    anything: Any = None
    maybe_text: str | None = None
    maybe_integer: int | None = None
    maybe_at: datetime | None = None
    maybe_blob: bytes | None = None
    maybe_span: timedelta | None = None


class Part(EmbeddedJsonModel):
    """What stands inside others."""

    name: str
    at: datetime | None = None
    blob: bytes = b""
    span: timedelta = timedelta()


class Deep(JsonModel, index=True):
    """What fits into JSON."""

    text: str = Field(index=True)
    integer: int = Field(index=True, sortable=True)
    number: float
    truth: bool
    price: Decimal
    token: UUID
    colour: Colour
    level: Level
    weight: Weight
    size: Literal[1, 2, "x"]
    file: Path
    blob: bytes
    at: datetime = Field(index=True)
    day: date
    clock: time
    span: timedelta
    place: Coordinates
    address: ipaddress.IPv4Address
    maybe_at: datetime | None = None
    part: Part
    parts: list[Part] = []
    blobs: list[bytes] = []
    by_name: dict[str, Part] = {}
    moments: dict[str, list[datetime | None]] = {}
    days: set[date] = set()
    pair: tuple[int, timedelta] = (0, timedelta())
    by_number: dict[int, str] = {}
    by_day: dict[date, bool] = {}
    vector: list[float] = Field(default=[1, 2, 3], vector_options=VECTOR)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
ZONES = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30)), timezone(-timedelta(hours=8))])
MOMENTS = st.datetimes(datetime(1700, 1, 2), datetime(2240, 1, 1), timezones=ZONES)
SPANS = st.timedeltas(-timedelta(days=30_000), timedelta(days=30_000))
# RedisJSON alters other numbers, whoever sends them.
PLAIN_FLOATS = st.integers(-(10**12), 10**12).map(lambda number: number / 1000)
SINGLES = st.floats(-1e6, 1e6, width=32).map(lambda number: round(number * 8) / 8)
PLACES = st.builds(Coordinates, st.integers(-80, 80).map(float), st.integers(-170, 170).map(float))

COMMON: dict[str, Any] = {
    "text": TEXTS,
    "integer": st.integers(-(2**53), 2**53),
    "truth": st.booleans(),
    "token": st.uuids(),
    "colour": st.sampled_from(Colour),
    "level": st.sampled_from(Level),
    "weight": st.sampled_from(Weight),
    "size": st.sampled_from([1, 2, "x"]),
    "file": st.sampled_from([Path("a/b c"), Path("/ü")]),
    "blob": st.binary(max_size=8),
    "at": MOMENTS,
    "day": st.dates(),
    "clock": st.times(),
    "span": SPANS,
    "place": PLACES,
    "address": st.ip_addresses(v=4),
    "maybe_at": st.none() | MOMENTS,
}

FLAT = st.builds(
    Flat,
    number=st.floats(allow_nan=False),
    price=st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**40), max_value=10**40),
    vector=st.lists(SINGLES, min_size=3, max_size=3),
    anything=st.none() | TEXTS.filter(bool),
    maybe_text=st.none() | TEXTS.filter(bool),
    maybe_integer=st.none() | st.integers(),
    maybe_blob=st.none() | st.binary(min_size=1, max_size=8),
    maybe_span=st.none() | SPANS,
    **COMMON,
)

PARTS = st.builds(Part, name=TEXTS, at=st.none() | MOMENTS, blob=st.binary(max_size=5), span=SPANS)

DEEP = st.builds(
    Deep,
    number=PLAIN_FLOATS,
    price=st.decimals(-(10**9), 10**9, places=2),
    part=PARTS,
    parts=st.lists(PARTS, max_size=2),
    blobs=st.lists(st.binary(max_size=5), max_size=2),
    by_name=st.dictionaries(TEXTS, PARTS, max_size=2),
    moments=st.dictionaries(TEXTS, st.lists(st.none() | MOMENTS, max_size=2), max_size=2),
    days=st.sets(st.dates(), max_size=2),
    pair=st.tuples(st.integers(-9, 9), SPANS),
    by_number=st.dictionaries(st.integers(), TEXTS, max_size=2),
    by_day=st.dictionaries(st.dates(), st.booleans(), max_size=2),
    **COMMON,
)
