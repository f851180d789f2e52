"""The models of an application that uses redis-om 1.x: what `om --models` is given there."""

from datetime import date, datetime
from typing import Annotated, Optional

import aredis_om
import redis_om
from pydantic import PositiveInt
from redis_om import Coordinates, Field


class Address(redis_om.EmbeddedJsonModel):
    city: str = Field(index=True)
    since: Optional[date] = None  # noqa: UP045 - as users of redis-om write it


class Base(redis_om.JsonModel):
    class Meta:
        global_key_prefix = "their"
        model_key_prefix = "unused"


class Customer(Base, index=True):
    name: str = Field(index=True, sortable=True, full_text_search=True)
    joined: datetime = Field(index=True, sortable=True)
    address: Address
    before: list[Address] = Field(default=[])
    visits: dict[str, datetime] = Field(default={})
    age: Annotated[PositiveInt, Field(index=True)] = 1
    home: Optional[Coordinates] = Field(default=None, index=True)  # noqa: UP045 - as above

    class Meta:
        model_key_prefix = "customer"


class Session(aredis_om.HashModel, index=True):
    token: str = aredis_om.Field(primary_key=True)
    at: datetime = aredis_om.Field(index=True, sortable=True)
    note: str | None = None

    class Meta:
        global_key_prefix = "their"
        model_key_prefix = "session"
        primary_key_pattern = "s-{pk}"
