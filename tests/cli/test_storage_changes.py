"""A model changes from hashes to JSON, with the commands: created, planned, applied, cleaned up, and rolled back."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.support.cli import run_om
from tests.support.models import registry_of_its_own

MODULE = "stored_shop"
SOURCE = """
from datetime import datetime
from typing import Optional

from redstart import Field, {base}


class Order({base}, index=True):
    name: str = Field(index=True)
    price: int = Field(index=True, sortable=True)
    sold: bool = False
    ordered_at: Optional[datetime] = None

    class Meta:
        global_key_prefix = "shop"
        model_key_prefix = "order"
"""


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, station: redis.Redis) -> Iterator[redis.Redis]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDSTART_MODELS", MODULE)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield station
    _ = sys.modules.pop(MODULE, None)


def om(*words: str, code: int = 0) -> str:
    _ = sys.modules.pop(MODULE, None)
    with registry_of_its_own():
        found = run_om(*words)
    assert found.code == code, found.text
    return found.stdout


def declare(base: str) -> None:
    Path(f"{MODULE}.py").write_text(SOURCE.format(base=base))


def test_a_model_changes_from_hashes_to_json_and_back(shop: redis.Redis) -> None:
    declare("HashModel")
    om("migrate", "create", "initial")
    om("upgrade", "--yes")
    for number in range(20):
        values = {"pk": number, "name": f"n{number}", "price": number, "sold": number % 2}
        shop.hset(f"shop:order:{number}", mapping=values)
    shop.hset("shop:order:bad", mapping={"price": "many"})
    before = shop.dump("shop:order:7")
    declare("JsonModel")
    created = om("migrate", "create", "json")
    assert "Store the documents of Order as JSON instead of hashes." in created
    refusal = "A run would be refused. 1 of 21 documents cannot be stored as JSON."
    for words in (("migrate", "plan"), ("upgrade", "--dry-run")):
        assert om(*words).startswith(refusal)
        assert json.loads(om(*words, "--json"))["refusal"].startswith(refusal.partition(". ")[2])
    plan = om("migrate", "plan")
    assert "Storage: 21 documents of Order with the keys shop:order:* as JSON" in plan
    assert "1 document cannot be stored as JSON" in plan
    assert (
        "1. Stop the old version: it can neither read nor write documents of Order in the new storage."
        in " ".join(plan.split())
    )
    estimate = json.loads(om("migrate", "plan", "--json"))["migrations"][0]["estimate"]
    assert estimate["storage"] == [
        {"model": f"{MODULE}.Order", "before": "hash", "after": "json", "documents": 21, "failed": 1}
    ]
    refused = om("upgrade", "--yes", code=5)
    assert "1 of 21 documents cannot be stored as JSON; nothing was changed" in " ".join(refused.split())
    assert "shop:order:bad" in refused
    latest = max(path.stem for path in Path("migrations").glob("*.py"))
    assert "shop:order:bad price" in om("migrate", "show", latest)
    shop.delete("shop:order:bad")
    assert "storage of 20 documents changed" in om("upgrade", "--yes")
    assert json.loads(shop.execute_command("JSON.GET", "shop:order:7"))["sold"] is True
    shop.hset("shop:order:late", mapping={"name": "late", "price": "1"})
    cleaned = om("migrate", "cleanup", "--yes")
    assert "changed the storage of 1 document of stored_shop.Order, written since the run" in " ".join(
        cleaned.split()
    )
    om("migrate", "check")
    shop.execute_command("JSON.SET", "shop:order:new", "$", '{"name":"new","price":3}')
    shop.execute_command("JSON.SET", "shop:order:none", "$", '{"price":"many"}')
    back = om("migrate", "rollback", "--yes", code=6)
    assert "21 documents restored; 1 document written since and stored as before" in " ".join(back.split())
    assert "1 document written since cannot be stored as before and stays unchanged" in " ".join(back.split())
    assert shop.dump("shop:order:7") == before
    assert shop.hgetall("shop:order:new") == {b"name": b"new", b"price": b"3"}
