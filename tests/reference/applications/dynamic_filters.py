"""Queries that are put together from what a request asks for."""

from decimal import Decimal
from functools import reduce
from operator import and_, or_

from redis_om import Field, FindQuery, JsonModel, Migrator, QueryNotSupportedError, QuerySyntaxError


class Car(JsonModel, index=True):
    maker: str = Field(index=True)
    price: Decimal = Field(index=True, sortable=True)
    doors: int = Field(index=True)
    is_new: bool = Field(default=False, index=True)
    secret: str = "x"


REQUESTS = [
    {},
    {"maker": ["vw"]},
    {"maker": ["vw", "kia"], "max_price": 15000},
    {"min_price": 9000, "max_price": 20000, "not_doors": 2},
    {"new": True},
    {"new": False, "maker": ["kia"]},
    {"any": [("maker", "vw"), ("doors", 2)]},
]


def query_for(request):
    conditions = []
    if "maker" in request:
        makers = request["maker"]
        conditions.append(Car.maker << makers if len(makers) > 1 else Car.maker == makers[0])
    if "min_price" in request:
        conditions.append(Car.price >= request["min_price"])
    if "max_price" in request:
        conditions.append(Car.price <= request["max_price"])
    if "not_doors" in request:
        conditions.append(~(Car.doors == request["not_doors"]))
    if "new" in request:
        conditions.append(Car.is_new == request["new"])
    if "any" in request:
        conditions.append(reduce(or_, [getattr(Car, name) == value for name, value in request["any"]]))
    return Car.find(reduce(and_, conditions)) if conditions else Car.find()


def main():
    Migrator().run()
    for pk, maker, price, doors, is_new in [
        ("1", "vw", "19999.50", 4, True),
        ("2", "vw", "9000", 2, False),
        ("3", "kia", "12000", 4, False),
        ("4", "bmw", "30000", 2, True),
    ]:
        Car(pk=pk, maker=maker, price=Decimal(price), doors=doors, is_new=is_new).save()
    for request in REQUESTS:
        query = query_for(request).sort_by("price")
        print([one.pk for one in query.all()], query.count(), query.query)
    print([one.pk for one in FindQuery(expressions=[Car.doors == 2], model=Car, sort_fields=["-price"]).all()])
    print([one.pk for one in Car.find(Car.doors == 2, Car.maker == "vw").all()])
    print(Car.find().sort_by("price").copy(limit=2, offset=1).page(offset=1, limit=2)[0].pk)
    for wrong in (lambda: Car.find(Car.secret == "x").all(), lambda: Car.find().sort_by("secret").all()):
        try:
            wrong()
        except (QueryNotSupportedError, QuerySyntaxError) as error:
            print(type(error).__name__)
