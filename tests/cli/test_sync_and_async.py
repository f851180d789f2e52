"""A model that is declared for threads and for asyncio: one index, one conversion, and the same documents."""

import asyncio
import importlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import redis

from redstart.search.schema import create_arguments
from tests.support.cli import run_om
from tests.support.legacy_index import legacy_index_of

MODELS = """
    from datetime import datetime

    import redstart
    import redstart.aio
    from redstart import EmbeddedJsonModel, Field


    class Line(EmbeddedJsonModel):
        sku: str = Field(index=True)
        packed_at: datetime | None = None


    class Order(redstart.JsonModel, index=True):
        placed_at: datetime = Field(index=True, sortable=True)
        lines: list[Line] = []

        class Meta:
            global_key_prefix = "shop"
            model_key_prefix = "order"


    class AsyncOrder(redstart.aio.JsonModel, index=True):
        placed_at: datetime = Field(index=True, sortable=True)
        lines: list[Line] = []

        class Meta(Order.Meta):
            pass
"""
OTHER_INDEX = MODELS.replace(
    "        placed_at: datetime = Field(index=True, sortable=True)\n", "", 1
).replace(
    "lines: list[Line] = []", "placed_at: datetime = Field(index=True)\n        lines: list[Line] = []", 1
)
DOCUMENTS = 40
INDEX = "shop:order:index"


def test_from_legacy_data_to_queries_in_both_colours(
    configured: str,
    client: redis.Redis,
    write_module: Callable[[str], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    name = write_module(MODELS)
    monkeypatch.syspath_prepend(tmp_path)
    models = importlib.import_module(name)
    client.execute_command("FT.CREATE", *create_arguments(legacy_index_of(models.Order)))
    for number in range(DOCUMENTS):
        text = f"2023-01-01T{number % 24:02}:00:00"
        document = {"pk": str(number), "placed_at": text, "lines": [{"sku": "a", "packed_at": text}]}
        client.execute_command("JSON.SET", f"shop:order:{number}", "$", json.dumps(document))

    assert run_om("migrate", "run", "--yes", "--models", name).code == 0
    assert len([one for one in client.execute_command("FT._LIST") if one.startswith(b"shop:")]) <= 2
    ran = run_om("migrate-data", "run", "--yes", "--models", name, "--json")
    assert (ran.code, ran.json["documents"], ran.json["converted"]) == (0, DOCUMENTS, 2 * DOCUMENTS), ran.text
    verified = run_om("migrate-data", "verify", "--check-data", "--models", name, "--json")
    assert (verified.code, verified.json["documents"]) == (0, DOCUMENTS)
    assert run_om("migrate", "cleanup", "--yes", "--models", name).code == 0
    assert len(client.execute_command("FT._LIST")) == 1

    noon = datetime(2023, 1, 1, 12, tzinfo=UTC)
    later = models.Order.find(models.Order.placed_at >= noon).sort_by("placed_at", "pk").all()
    found = asyncio.run(
        models.AsyncOrder.find(models.AsyncOrder.placed_at >= noon).sort_by("placed_at", "pk").all()
    )
    assert 0 < len(later) < DOCUMENTS
    assert [dict(one) for one in found] == [dict(one) for one in later]


def test_a_new_server_gets_one_index(
    configured: str, client: redis.Redis, write_module: Callable[[str], str]
) -> None:
    name = write_module(MODELS)
    ran = run_om("migrate", "run", "--yes", "--models", name)
    assert (ran.code, ran.stdout.count(INDEX)) == (0, 1), ran.text
    assert len(client.execute_command("FT._LIST")) == 1
    again = run_om("migrate", "run", "--yes", "--models", name)
    assert again.code == 0
    assert len(client.execute_command("FT._LIST")) == 1


@pytest.mark.parametrize("command", ["migrate run --yes", "migrate-data run --yes"])
def test_two_that_differ_are_refused_before_anything_is_written(
    configured: str, client: redis.Redis, write_module: Callable[[str], str], command: str
) -> None:
    """The same name with another index: neither may win."""
    name = write_module(OTHER_INDEX)
    ran = run_om(*command.split(), "--models", name)
    assert ran.code == 2, ran.text
    assert f"{name}.Order" in ran.stderr
    assert f"{name}.AsyncOrder" in ran.stderr
    assert client.execute_command("FT._LIST") == list(client.scan_iter()) == []
