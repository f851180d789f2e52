# pyright: standard
"""A program as users write it, with the types that it has to have: checked by `make lint`, never run."""

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Any, assert_type

import redis
import redis.asyncio
from redis.client import Pipeline

import redstart.aio
from redstart import (
    DocumentDecodeError,
    EmbeddedJsonModel,
    Field,
    FindQuery,
    HashModel,
    JsonModel,
    KNNExpression,
    col,
)
from redstart.model.model import Expression, PartialModel


class Address(EmbeddedJsonModel):
    city: str = Field(index=True)


class Customer(JsonModel, index=True):
    name: str = Field(index=True)
    age: int = Field(index=True, sortable=True)
    seen_at: datetime | None = None
    address: Address
    vector: list[float] = Field(default=[])
    score: float | None = None


class Session(HashModel, index=True):
    token: str = Field(primary_key=True)


class Order(redstart.aio.JsonModel, index=True):
    number: int = Field(primary_key=True)


def synchronous() -> None:
    customer = Customer(name="Ann", age=40, address=Address(city="Oslo"))
    assert_type(customer.save(), Customer)
    assert_type(Customer.get("x"), Customer)
    assert_type(Customer.delete("x"), int)
    assert_type(customer.save(nx=True), Customer | None)
    assert_type(customer.save(Customer.db().pipeline()), Customer)
    assert_type(Session(token="x").save(field_expirations={"token": 5}), Session)
    assert_type(Session(token="x").save(xx=True), Session | None)
    assert_type(Customer.add([customer]), list[Customer])
    assert_type(Customer.add((customer,)), tuple[Customer])
    assert_type(Customer.add(one for one in [customer]), Sequence[Customer])
    assert_type(Customer.get_many(["a", "b"]), list[Customer])
    errors: list[DocumentDecodeError] = []
    assert_type(Customer.get_many(["a"], on_error=errors.append), list[Customer])
    assert_type(Customer.get_many(["a"], on_error="skip"), list[Customer])
    assert_type(list(Customer.all_pks()), list[str])
    assert_type(Customer.delete_many([customer]), int)
    assert_type(Customer.delete_many({1: customer}.values()), int)
    assert_type(Customer.delete("x", Customer.db().pipeline()), Pipeline)
    assert_type(Session(token="x").field_ttl("token"), int)
    query = Customer.find(
        (Customer.age > 18) & (Customer.name == "Ann"),
        ~(Customer.age <= 60),
        col(Customer.address.city) << ["Oslo", "Rome"],
        col(Customer.name).startswith("A"),
    )
    assert_type(query, FindQuery[Customer])
    assert_type(query.sort_by("-age").first(), Customer)
    assert_type(query.all(), list[Customer])
    assert_type(query.page(0, 10), list[Customer])
    assert_type(query.all(on_error=errors.append), list[Customer])
    assert_type(query.all(10, "skip"), list[Customer])
    assert_type(query.page(0, 10, on_error=logging.getLogger().warning), list[Customer])
    assert_type(query.first(on_error="raise"), Customer)
    assert_type(list(query.copy(on_error=errors.append)), list[Customer])
    assert_type([(error.key, error.field, error.reason) for error in errors], list[tuple[str, str, str]])
    query.all(on_error="collect")  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]
    assert_type(query.count(), int)
    assert_type([one.age for one in query], list[int])
    assert_type(query[0], Customer)
    assert_type(query.copy(limit=3).get_item(1), Customer)
    assert_type(query.values("age").all(), list[dict[str, Any]])
    assert_type(query.only("age").first(), PartialModel)
    assert_type(list(query.sort_by("age").values()), list[dict[str, Any]])
    assert_type(query.update(age=3), None)
    assert_type(query.delete(), int)
    assert_type(query.get_query(), tuple[str, list[Any]])
    assert_type(query.expression, Expression | None)
    assert_type(FindQuery([Customer.age > 18], Customer), FindQuery[Customer])
    knn = KNNExpression(3, col(Customer.vector), col(Customer.score), b"")
    assert_type(Customer.find(Customer.age > 18, knn=knn).first(), Customer)
    assert_type(Session.find().first().token, str)
    assert_type(Session.db(), redis.Redis)


async def asynchronous() -> None:
    assert_type(await Order(number=1).save(), Order)
    assert_type(await Order.get(1), Order)
    assert_type(await Order.find(Order.number > 1).first(), Order)
    assert_type(await Order.find().sort_by("number").all(), list[Order])
    assert_type([one.number async for one in Order.find()], list[int])
    assert_type(await Order.find().values("number").first(), dict[str, Any])
    assert_type(await Order.find().get_item(0), Order)
    assert_type(await Order.find().delete(), int)
    assert_type(Order.db(), redis.asyncio.Redis)
    assert_type(await Order(number=1).save(nx=True), Order | None)
    assert_type([pk async for pk in await Order.all_pks()], list[str])
    assert_type(await Order.get_many([1, 2]), list[Order])
    errors: list[redstart.aio.DocumentDecodeError] = []
    assert_type(await Order.get_many([1, 2], on_error=errors.append), list[Order])
    assert_type(await Order.find().all(on_error=errors.append), list[Order])
    assert_type(await Order.find().first(on_error="skip"), Order)
    await redstart.aio.Migrator().run()
