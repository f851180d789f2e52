"""One abstract base with the settings of all models; others derive from it, some with settings of their own."""

import abc
from typing import Optional

from redis_om import Field, HashModel, JsonModel, Migrator, get_redis_connection


class BaseHash(HashModel, abc.ABC):
    owner: str = Field(default="root", index=True)

    class Meta:
        global_key_prefix = "company"
        database = get_redis_connection()


class BaseJson(JsonModel, abc.ABC):
    note: Optional[str] = None

    class Meta:
        global_key_prefix = "company"


class Employee(BaseHash, index=True):
    name: str = Field(index=True)


class Machine(BaseHash, index=True):
    name: str = Field(index=True)

    class Meta(BaseHash.Meta):
        model_key_prefix = "machine"
        index_name = "machines"


class Contract(BaseJson, index=True):
    number: int = Field(primary_key=True)
    kind: str = Field(default="usual", index=True)

    class Meta:
        model_key_prefix = "contract"


def main():
    Migrator().run()
    documents = [Employee(pk="1", name="a"), Machine(pk="2", name="b", owner="x"), Contract(number=7, note="n")]
    for document in documents:
        document.save()
        meta = document._meta
        print(document.key(), meta.global_key_prefix, meta.model_key_prefix, meta.index_name, meta.primary_key_pattern)
    print(Employee.find(Employee.owner == "root").all(), Machine.find(Machine.owner == "x").all())
    print(Contract.get(7), Contract.find(Contract.kind == "usual").count())
    print(Employee.Meta.database is BaseHash.Meta.database, Contract.make_key("z"), Employee.make_primary_key("q"))
