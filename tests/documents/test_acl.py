"""docs/acl.md: an application with exactly those rights can do all that models and queries do, and needs each."""

import re
import shlex
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from redstart import EmbeddedJsonModel, Field, HashModel, JsonModel, NotFoundError, col
from redstart.devserver.process import EmbeddedServer
from tests.support.models import create_indexes

PAGE = (Path(__file__).parents[2] / "docs" / "acl.md").read_text(encoding="utf-8")
LINE = re.search(r"^ACL SETUSER application .*$", PAGE, re.MULTILINE)
BEFORE_HSETEX = re.search(r"use `([^`]+)` instead of `\+hsetex`", PAGE)

BY_CONNECTIONS = {"auth", "hello", "client|setinfo", "select"}
"""What redis-py sends of itself, and does without."""


class Address(EmbeddedJsonModel):
    city: str = Field(index=True)


class Customer(JsonModel, index=True):
    name: str = Field(index=True, sortable=True)
    age: int = Field(index=True, sortable=True)
    address: Address | None = None

    class Meta:
        global_key_prefix = "shop"
        model_key_prefix = "customer"


class Ticket(HashModel, index=True):
    code: str = Field(primary_key=True)
    seat: int = Field(index=True, sortable=True, default=0)
    note: str | None = Field(default=None, expire=1_000)

    class Meta:
        global_key_prefix = "shop"
        model_key_prefix = "ticket"


def words_of_the_page() -> list[str]:
    assert LINE is not None
    return shlex.split(LINE[0].replace(">", "'>'"))


def rights() -> set[str]:
    return {word[1:] for word in words_of_the_page() if word.startswith("+")}


@pytest.fixture
def admin(own_server: Callable[..., EmbeddedServer], monkeypatch: pytest.MonkeyPatch) -> redis.Redis:
    client = redis.Redis.from_url(own_server().url)
    create_indexes(client, Customer, Ticket)
    client.execute_command(*words_of_the_page())
    path = client.connection_pool.connection_kwargs["path"]
    monkeypatch.setenv("REDIS_OM_URL", f"unix://application:a-long-password@{path}")
    return client


def do_everything_with_hashes() -> None:
    Ticket(code="a", seat=1, note="n").save()
    Ticket(code="a").save(nx=True)
    Ticket(code="a", note="n").save(field_expirations={"note": 60})
    ticket = Ticket.add([Ticket(code=str(number), seat=number) for number in range(5)])[3]
    Ticket.add([Ticket(code="3", note=None), Ticket(code="new")])
    ticket.update(seat=8)
    ticket.expire(100)
    assert ticket.expire_field("seat", 100) == 1
    assert ticket.field_ttl("seat") > 90
    assert ticket.persist_field("seat") == 1
    assert Ticket.get("3").seat == 8
    assert len(Ticket.get_many(["1", "2", "nobody"])) == 2
    assert len(list(Ticket.all_pks())) == 7
    found = Ticket.find(Ticket.seat > 3)
    assert found.count() == len(found.all()) == len(list(found)) == 2
    assert found.values("seat").sort_by("-seat").first() == {"seat": 8}
    assert Ticket.find().sort_by("seat", "code").page(0, 1)
    assert Ticket.find(col(Ticket.code).startswith("ne")).count() == 1
    assert Ticket.find(col(Ticket.code).startswith("no such")).count() == 0
    Ticket.find(Ticket.seat == 4).update(note="x")
    assert Ticket.find(Ticket.seat == 4).delete() == 1
    assert Ticket.delete("1") == 1
    assert Ticket.delete_many([ticket]) == 1


def do_everything_with_json() -> None:
    ann = Customer(name="Ann", age=30, address=Address(city="Oslo")).save()
    ann.save(nx=True)
    Customer.add([Customer(name=name, age=20) for name in "abc"])
    ann.update(age=31, address__city="Bergen")
    ann.expire(100)
    assert Customer.get(ann.pk) == ann
    assert Customer.find(Customer.age > 30).only("name").all()[0].name == "Ann"
    assert Customer.find().sort_by("age", "name").all()[-1] == ann
    Customer.find(Customer.age == 20).update(name="d", use_transaction=False)
    assert Customer.find(Customer.name == "d").delete() == 3
    with pytest.raises(NotFoundError):
        Customer.find(Customer.name == "d").first()


def test_an_application_with_only_this_can_do_everything(admin: redis.Redis) -> None:
    admin.config_resetstat()
    do_everything_with_hashes()
    do_everything_with_json()
    statistics = admin.info("commandstats")
    used = {name.removeprefix("cmdstat_").lower() for name, numbers in statistics.items() if numbers["calls"]}
    used -= BY_CONNECTIONS | {"config|resetstat"}
    assert used - rights() == set(), "not listed"
    assert rights() - used == set(), "listed, but not needed"


def test_a_server_without_hsetex_uses_the_script(admin: redis.Redis) -> None:
    assert BEFORE_HSETEX is not None
    admin.execute_command("ACL", "SETUSER", "application", "-hsetex", *BEFORE_HSETEX[1].split())
    do_everything_with_hashes()
