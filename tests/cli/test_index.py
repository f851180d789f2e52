"""`om index create`, `rebuild` and `drop`."""

from collections.abc import Callable

import pytest
import redis

from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION as ID
from redstart.migrations.indexes.state import RECORDS
from tests.migrations.indexes.conftest import drop_all, legacy, serving, total, without_indexes
from tests.support.cli import om_on_terminal, refused, run_om
from tests.support.snapshot import STATE_PREFIXES, difference, every_byte, snapshot

__all__ = ["legacy", "without_indexes"]  # fixtures

SHOP = """
    from redstart import Field, HashModel, JsonModel

    class Order(HashModel, index=True):
        title: str = Field(index=True)

        class Meta:
            global_key_prefix = "shop"
            model_key_prefix = "order"

    class Customer(JsonModel, index=True):
        name: str = Field(index=True)

        class Meta:
            global_key_prefix = "shop"
            model_key_prefix = "customer"
"""
ORDERS, CUSTOMERS = "shop:order:index", "shop:customer:index"
VISITS = "station:visit:index"


@pytest.fixture
def shop(
    without_indexes: redis.Redis,
    url: str,
    write_module: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> redis.Redis:
    """A client of a server with 20 documents and no index; the environment names server and models."""
    monkeypatch.setenv("REDIS_OM_URL", url)
    monkeypatch.setenv("REDSTART_MODELS", write_module(SHOP))
    for number in range(10):
        without_indexes.hset(f"shop:order:{number}", mapping={"pk": str(number), "title": f"t{number}"})
        without_indexes.json().set(
            f"shop:customer:{number}", "$", {"pk": str(number), "name": f"n{number}", "extra": [1.50]}
        )
    return without_indexes


def bytes_of(client: redis.Redis) -> object:
    return snapshot(client, exclude_prefixes=STATE_PREFIXES)


def documents(client: redis.Redis) -> dict[bytes, object]:
    return {
        key: client.dump(key) for key in every_byte(client) if b":index" not in key and b"redstart" not in key
    }


def test_create_creates_what_is_absent_and_nothing_else(shop: redis.Redis) -> None:
    made = run_om("index", "create")
    assert (made.code, made.stdout.splitlines()[0]) == (0, "2 indexes created."), made.text
    assert (total(shop, ORDERS), total(shop, CUSTOMERS)) == (10, 10)
    again = run_om("index", "create")
    assert (again.code, again.stdout) == (0, "No changes: every index matches its model.\n")
    found = run_om("index", "create", "--json").json
    assert [one["state"] for one in found["indexes"]] == ["up to date"] * 2
    assert found["not_changed"] == []


@pytest.mark.parametrize("name", ["Order", ORDERS])
def test_only_the_named_model(shop: redis.Redis, name: str) -> None:
    assert run_om("index", "create", name).code == 0
    assert shop.execute_command("FT._LIST") == [serving(shop, ORDERS).encode()]
    refused(run_om("index", "drop", "Ordr", "--yes"), 2, "There is no model 'Ordr' in --models.", "'Order'")
    assert run_om("index", "drop", name, "--yes").stdout.startswith(f"Dropped: {ORDERS}\n")
    assert shop.execute_command("FT._LIST") == []


def test_an_index_that_differs_is_reported_and_changed_with_force_only(shop: redis.Redis) -> None:
    shop.execute_command("FT.CREATE", ORDERS, "ON", "HASH", "PREFIX", 1, "shop:order:", "SCHEMA", "pk", "TAG")
    found = run_om("index", "create")
    assert found.code == 3
    assert f"{ORDERS}: outdated, not changed" in found.stdout
    assert "Change these indexes with: om index create --force" in found.stdout
    assert run_om("index", "create", "--json").json["not_changed"] == [ORDERS]
    assert serving(shop, ORDERS) == ORDERS
    assert total(shop, CUSTOMERS) == 10, "the absent one is created"

    forced = run_om("index", "create", "--force")
    assert (forced.code, f"{ORDERS}: cut over" in forced.stdout) == (0, True), forced.text
    assert total(shop, ORDERS, "@title:{t3}") == 1
    assert run_om("migrate", "status", "--check").code == 0


def test_rebuild_builds_a_new_index_and_leaves_the_documents(shop: redis.Redis) -> None:
    run_om("index", "create")
    before, stored = serving(shop, ORDERS), documents(shop)
    done = run_om("index", "rebuild", "Order")
    assert (done.code, done.stdout.splitlines()[0]) == (0, "1 index rebuilt."), done.text
    assert serving(shop, ORDERS) != before
    assert total(shop, ORDERS) == 10
    assert [one["state"] for one in run_om("index", "rebuild", "--json").json["indexes"]] == ["rebuilt"] * 2
    assert len(shop.execute_command("FT._LIST")) == 2
    assert documents(shop) == stored
    # An index of redis-om, under its own name, and one that does not exist.
    drop_all(shop)
    shop.delete(RECORDS)
    words = ["ON", "HASH", "PREFIX", 1, "shop:order:", "SCHEMA", "pk", "TAG", "SEPARATOR", "|"]
    shop.execute_command("FT.CREATE", ORDERS, *words, "title", "TAG", "SEPARATOR", "|")
    states = {one["index"]: one["state"] for one in run_om("index", "rebuild", "--json").json["indexes"]}
    assert states == {ORDERS: "rebuilt", CUSTOMERS: "created"}


def test_drop_needs_yes_and_leaves_the_documents(shop: redis.Redis) -> None:
    run_om("index", "create")
    stored = documents(shop)
    refused(run_om("index", "drop"), 2, "queries raise IndexNotFoundError", "add --yes")
    assert total(shop, ORDERS) == 10
    no = om_on_terminal("index", "drop", answer="n")
    assert (no.code, total(shop, ORDERS)) == (1, 10)

    yes = om_on_terminal("index", "drop", answer="y", columns=200)
    assert yes.code == 0
    assert "2 indexes on " in yes.shown
    assert "Create the indexes again with: om index create" in yes.shown
    assert shop.execute_command("FT._LIST") == []
    assert documents(shop) == stored
    again = run_om("index", "drop", "--yes", "--json").json
    assert again == {"dropped": [], "absent": [ORDERS, CUSTOMERS]}
    assert run_om("index", "create").code == 0
    assert (total(shop, ORDERS), total(shop, CUSTOMERS)) == (10, 10)


def test_an_unrelated_index_of_the_same_name_is_not_dropped(shop: redis.Redis) -> None:
    shop.execute_command("FT.CREATE", ORDERS, "ON", "HASH", "PREFIX", 1, "their:", "SCHEMA", "a", "TAG")
    for words in (("drop",), ("rebuild",), ("create", "--force")):
        refused(run_om("index", *words), 1, "belongs to an unrelated index")
    assert shop.execute_command("FT._LIST") == [ORDERS.encode()]


def test_an_index_of_text_dates_is_only_prepared(legacy: redis.Redis, configured: str) -> None:
    """`create --force` and `rebuild` do not convert data: the dual-format index serves, and the next step is named."""
    before = total(legacy, VISITS)
    for words in (("create", "--force"), ("rebuild",)):
        found = run_om("index", *words)
        assert found.code == 0, found.text
        assert "Convert the data and cut over with: om migrate-data run" in found.stdout
        assert total(legacy, VISITS) == before


def test_a_rollback_restores_an_index_that_was_dropped(legacy: redis.Redis, configured: str) -> None:
    """Dropped after the conversion of dates: the record of the previous definition is kept."""
    start, before = bytes_of(legacy), total(legacy, VISITS)
    assert run_om("migrate-data", "run").code == 0
    assert run_om("index", "drop", "--yes").code == 0
    assert legacy.execute_command("FT._LIST") == []
    assert run_om("index", "create").code == 0
    assert total(legacy, VISITS) == before
    assert run_om("index", "drop", "--yes").code == 0
    assert run_om("migrate-data", "rollback", ID).code == 0
    assert total(legacy, VISITS) == before
    assert difference(start, bytes_of(legacy)) == []
