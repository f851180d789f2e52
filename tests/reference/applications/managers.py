"""Managers in the style of Django: `Model.objects.filter(age__gt=3)`."""

import operator
from functools import reduce
from typing import ClassVar

from redis_om import Field, HashModel, Migrator, NotFoundError

OPERATORS = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "ne": operator.ne,
    "in": operator.lshift,
    "like": operator.mod,
    "startswith": lambda field, value: field.startswith(value),
}


class Manager:
    def __get__(self, instance, owner):
        self.model = owner
        return self

    def filter(self, **lookups):
        conditions = []
        for lookup, value in lookups.items():
            name, _, kind = lookup.partition("__")
            conditions.append(OPERATORS.get(kind, operator.eq)(getattr(self.model, name), value))
        return self.model.find(reduce(operator.and_, conditions)) if conditions else self.model.find()

    def get_or_create(self, pk, **defaults):
        try:
            return self.model.get(pk), False
        except NotFoundError:
            return self.model(pk=pk, **defaults).save(), True

    def exists(self, **lookups):
        return self.filter(**lookups).count() > 0


class User(HashModel, index=True):
    name: str = Field(index=True, full_text_search=True)
    age: int = Field(index=True, sortable=True)
    objects: ClassVar[Manager] = Manager()


def main():
    Migrator().run()
    for pk, name, age in [("1", "Ann Lee", 30), ("2", "Bob Ray", 40), ("3", "Cid Lee", 50)]:
        print(User.objects.get_or_create(pk, name=name, age=age))
    print(User.objects.get_or_create("1", name="other", age=0))

    def names(**lookups):
        return [one.name for one in User.objects.filter(**lookups).sort_by("age").all()]

    print(names(), names(age=40), names(age__gt=30), names(age__gte=40, age__lt=50), names(age__ne=40))
    print(names(age__in=[30, 50]), names(name__like="lee"), names(name__startswith="Bo"), names(name="Ann Lee"))
    print(User.objects.exists(age__lte=10), User.objects.exists(age=50), User(pk="9", name="x", age=1).objects.model is User)
