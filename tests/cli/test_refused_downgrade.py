"""A rollback of a migration file that the previous index would make lose documents."""

import textwrap
from pathlib import Path

import pytest
import redis

from tests.cli.test_upgrade import INDEX, INITIAL, add_orders, applied, lay, om

TEXT = "20260103_000000_text"
PRICES = '''
    """Prices were numbers, and become text."""

    from redstart.operations import *

    migration = Migration(
        dependencies=["{previous}"],
        operations=[
            ConvertField("shop.Order", Field("price", "{before}"), Field("price", "{after}")),
            AlterIndex("shop.Order", before={{}}, after={{}}),
        ],
    )
    '''
NUMBERS = "20260102_000000_numbers"
NUMERIC = INDEX.format("name").replace("),))", '), IndexField("price", "price", FieldKind.NUMERIC)))')
TAG = INDEX.format("name").replace("),))", '), IndexField("price", "price", FieldKind.TAG, separator="|")))')


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, client: redis.Redis) -> redis.Redis:
    """A client of a server with 20 orders. Their prices were numbers, and are text now."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("REDIS_OM_URL", url)
    monkeypatch.delenv("REDSTART_MODELS", raising=False)
    lay(INITIAL)
    for name, previous, before, after, indexes in (
        (NUMBERS, INITIAL, "str", "int", (INDEX.format("name"), NUMERIC)),
        (TEXT, NUMBERS, "int", "str", (NUMERIC, TAG)),
    ):
        text = PRICES.format(previous=previous, before=before, after=after).format(*indexes)
        Path("migrations", f"{name}.py").write_text(textwrap.dedent(text).lstrip(), encoding="utf-8")
    add_orders(client, 20)
    om("upgrade")
    return client


def test_the_next_steps_correct_the_documents_or_accept_the_loss(shop: redis.Redis, url: str) -> None:
    shop.hset("shop:order:3", "price", "free")
    refused = om("migrate", "rollback", code=3).stdout
    assert refused.startswith(
        f"Rollback of {TEXT} is not complete: documents would drop out of query results.\n"
    )
    assert "1 value written since has no equivalent in the previous format and stays unchanged:\n" in refused
    assert "    shop:order:3 price: not a number: free\n" in refused
    assert refused.endswith(
        "\nCorrect the documents listed above, then run again: om migrate rollback\n"
        "Or continue without them in query results: om migrate rollback --accept-unindexed\n"
    )
    assert "Resume" not in refused
    assert TEXT in applied(url)


@pytest.mark.parametrize(("price", "options"), [("7", ()), ("free", ("--accept-unindexed",))])
def test_either_next_step_completes_the_rollback(
    shop: redis.Redis, url: str, price: str, options: tuple[str, ...]
) -> None:
    shop.hset("shop:order:3", "price", "free")
    om("migrate", "rollback", code=3)
    shop.hset("shop:order:3", "price", price)
    om("migrate", "rollback", *options)
    assert applied(url) == [INITIAL, NUMBERS]
