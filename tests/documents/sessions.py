# ruff: noqa: UP006, UP035, UP045, RUF012 - models in the spellings that applications really use
"""A model of hashes and one of JSON with values of many types."""

import enum
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Dict, List, Optional, Tuple
from uuid import UUID

from redstart.mapping.fields import Field
from redstart.mapping.models import EmbeddedJsonModel, HashModel, JsonModel
from tests.support.read_documents import document_from_hash, document_from_json

NOON = datetime(2023, 1, 1, 12, 0, 0, 123456, tzinfo=UTC)


class Colour(enum.Enum):
    RED = "red"


class Session(HashModel):
    session_id: str = Field(primary_key=True)
    started_at: datetime = Field(index=True)
    ended_at: Optional[datetime] = None
    expires_on: Optional[date] = None
    note: str = "none"
    nickname: Optional[str] = "nick"
    count: int = 0
    ratio: float = 0
    price: Decimal = Decimal(0)
    open: bool = False
    colour: Colour = Colour.RED
    token: Optional[UUID] = None
    blob: bytes = b""

    class Meta:
        global_key_prefix = "shop"
        model_key_prefix = "session"


class Line(EmbeddedJsonModel):
    added_at: datetime
    until: Optional[date] = None


class Order(JsonModel):
    order_no: str = Field(primary_key=True)
    created_at: datetime
    due: Optional[date] = None
    lines: List[Line] = []
    stops: Dict[str, Line] = {}
    pair: Optional[Tuple[str, Optional[datetime]]] = None
    text: str = ""
    number: float = 0

    class Meta:
        global_key_prefix = "shop"
        model_key_prefix = "order"


def session(**fields: str) -> Session:
    stored = {"session_id": "s1", "started_at": "0", **fields}
    return document_from_hash(Session, "s1", {k.encode(): v.encode() for k, v in stored.items()})


def order(**members) -> Order:
    document = {"order_no": "o1", "created_at": 0, **members}
    return document_from_json(Order, "o1", json.dumps(document).encode())
