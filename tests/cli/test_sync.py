"""`om migrate sync`: indexes fit the models without files; changes of documents are refused."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from redstart.cli.migrate import sync
from redstart.server.pools import is_on_this_machine
from tests.migrations.indexes.conftest import legacy, total, without_indexes
from tests.support.cli import refused, run_om
from tests.support.snapshot import difference, snapshot

__all__ = ["legacy", "without_indexes"]  # fixtures

SHOP = """
    from redstart import Field, HashModel

    class Order(HashModel, index=True):
        title: str = Field(index=True)
        {more}

        class Meta:
            global_key_prefix = "shop"
            model_key_prefix = "order"
"""
ORDERS = "shop:order:index"
Shop = Callable[[str], None]


@pytest.fixture
def shop(
    without_indexes: redis.Redis,
    url: str,
    write_module: Callable[[str], str],
    monkeypatch: pytest.MonkeyPatch,
) -> Shop:
    """Writes the models with one more field; ten documents have been there before."""
    monkeypatch.setenv("REDIS_OM_URL", url)
    for number in range(10):
        without_indexes.hset(f"shop:order:{number}", mapping={"pk": str(number), "title": f"t{number}"})

    def write(more: str = "") -> None:
        monkeypatch.setenv("REDSTART_MODELS", write_module(SHOP.format(more=more)))

    write()
    return write


def test_each_change_of_an_index_is_made_without_a_file(shop: Shop, client: redis.Redis) -> None:
    assert "1 index would change" in run_om("migrate", "sync", "--dry-run").stdout
    assert client.execute_command("FT._LIST") == []
    assert run_om("migrate", "sync").stdout.startswith("1 index created.\n")
    shop("note: str | None = Field(index=True, default=None)")
    assert run_om("migrate", "sync", "--json").json["indexes"][0]["state"] == "cut over"
    assert total(client, ORDERS) == 10
    assert run_om("migrate", "sync").stdout == "No changes: every index matches its model.\n"
    assert not Path("migrations").exists()


def test_it_also_works_in_a_project_with_files(shop: Shop, client: redis.Redis) -> None:
    assert run_om("migrate", "create", "initial").code == 0
    assert run_om("upgrade").code == 0
    shop("note: str | None = Field(index=True, default=None)")
    assert run_om("migrate", "sync").code == 0
    assert total(client, ORDERS) == 10


def test_a_pending_file_that_changes_documents_is_named(shop: Shop, client: redis.Redis) -> None:
    assert run_om("migrate", "create", "initial").code == 0
    name = f"{os.environ['REDSTART_MODELS']}.Order"
    head = next(Path("migrations").glob("*_initial.py")).stem
    Path("migrations/20990101_000000_priority.py").write_text(
        "from redstart.operations import AddField, Field, Migration\n\n"
        f"migration = Migration(dependencies=[{head!r}],\n"
        f"    operations=[AddField({name!r}, Field('priority', 'int', default=0))])\n",
        encoding="utf-8",
    )
    before = snapshot(client)
    refused(
        run_om("migrate", "sync"),
        1,
        "20990101_000000_priority is pending, and changes documents",
        "om upgrade",
    )
    dry = run_om("migrate", "sync", "--dry-run", "--json").json
    assert "changes documents" in dry["refusal"]
    assert difference(before, snapshot(client)) == []
    assert run_om("upgrade").code == 0
    assert run_om("migrate", "sync").code == 0


def test_dates_that_are_text_are_refused_with_the_command_that_converts_them(
    legacy: redis.Redis, configured: str
) -> None:
    before = snapshot(legacy)
    refused(run_om("migrate", "sync"), 1, "needs dates in numeric format", "om migrate-data run")
    assert difference(before, snapshot(legacy)) == []
    assert run_om("migrate-data", "run").code == 0
    assert run_om("migrate", "sync").code == 0


def test_another_machine_needs_yes(shop: Shop, client: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync, "is_on_this_machine", lambda _: False)
    refused(run_om("migrate", "sync"), 2, "another machine", "add --yes")
    assert client.execute_command("FT._LIST") == []
    assert run_om("migrate", "sync", "--yes").code == 0


@pytest.mark.parametrize(
    ("url", "is_local"),
    [
        ("redis://localhost", True),
        ("redis://127.0.0.9:7000/0", True),
        ("redis://[::1]:6379", True),
        ("unix:///run/redis.sock", True),
        ("redis://10.0.0.1", False),
        ("redis://redis.internal", False),
        ("rediss://localhost.example.com", False),
    ],
)
def test_what_is_on_this_machine(url: str, is_local: bool) -> None:
    assert is_on_this_machine(redis.ConnectionPool.from_url(url)) is is_local
