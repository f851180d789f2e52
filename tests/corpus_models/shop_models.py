"""The same models in redis-om 1.x syntax (model-level index=True); keys and index names are the same."""
import datetime
from typing import List, Optional

from redstart import EmbeddedJsonModel, Field, HashModel, JsonModel


class Customer(HashModel, index=True):
    name: str = Field(index=True)
    email: str = Field(index=True)
    age: int = Field(index=True, sortable=True)
    created_at: datetime.datetime = Field(index=True)
    updated_at: Optional[datetime.datetime] = Field(default=None, index=True)
    birth_date: datetime.date = Field(index=True)
    # free text that often looks like a date: must never be touched
    external_ref: str = Field(index=True)

    class Meta:
        global_key_prefix = "shop"
        # model_key_prefix left to its default (module.Class)


class OrderLine(EmbeddedJsonModel):
    sku: str = Field(index=True)
    quantity: int
    added_at: datetime.datetime
    gift_until: Optional[datetime.date] = None


class Shipment(EmbeddedJsonModel):
    carrier: str = Field(index=True)
    shipped_at: Optional[datetime.datetime] = None
    delivered_on: Optional[datetime.date] = None
    created_at: str = ""  # a *string* that shares its name with a datetime of Order


class Order(JsonModel, index=True):
    order_no: str = Field(primary_key=True)
    status: str = Field(index=True)
    total: float = Field(index=True, sortable=True)
    created_at: datetime.datetime = Field(index=True)
    paid_at: Optional[datetime.datetime] = Field(default=None, index=True)
    due_date: datetime.date = Field(index=True)
    shipment: Shipment
    lines: List[OrderLine] = []
    tags: List[str] = Field(default=[], index=True)

    class Meta:
        global_key_prefix = "shop"
        model_key_prefix = "order"


class LoginSession(HashModel, index=True):
    session_id: str = Field(primary_key=True)
    user_email: str = Field(index=True)
    started_at: datetime.datetime = Field(index=True)
    ended_at: Optional[datetime.datetime] = None
    expires_on: datetime.date = Field(index=True)
    user_agent: str = ""

    class Meta:
        global_key_prefix = "shop"
        model_key_prefix = "session"
