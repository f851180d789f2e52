"""The estimate of an index before it is built, compared with its memory afterwards."""

import re

import pytest
import redis

from redstart.demo.models import Visit
from redstart.mapping.model_info import declare
from redstart.migrations.indexes.plan import planned_indexes
from redstart.migrations.indexes.preflight import estimate_builds
from redstart.search.schema import create_arguments
from tests.migrations.indexes.conftest import drop_all, perform, wait_until_built
from tests.support.cli import run_om

DOCUMENTS = 5_000
MANY_DOCUMENTS = 40_000


def test_the_memory_of_a_second_index_is_not_underestimated(client: redis.Redis, url: str) -> None:
    drop_all(client)
    (planned,) = planned_indexes([declare(Visit)])
    pipeline = client.pipeline(transaction=False)
    for number in range(DOCUMENTS):
        at = f"2021-05-04T03:02:01.{number:06d}"
        values = {"visit_code": f"V-{number}", "site": f"site {number % 7}", "arrived_at": at, "nets": number}
        pipeline.hset(f"{planned.key_prefix}{number}", mapping=values)
    pipeline.execute()
    client.execute_command("FT.CREATE", *create_arguments(planned.old))
    wait_until_built(client, [planned.name])
    (expected,) = perform(url, estimate_builds([planned]))

    before = client.info("memory")["used_memory"]
    client.execute_command("FT.CREATE", *create_arguments(planned.old, name="second"))
    wait_until_built(client, ["second"])
    grown = client.info("memory")["used_memory"] - before
    drop_all(client)

    assert 0.9 * grown < expected.megabytes * 1e6 < 2 * grown


def test_an_index_that_the_server_is_still_filling_is_reported(
    client: redis.Redis, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The number of its documents is reported as incomplete, and the estimate is for all documents."""
    monkeypatch.setenv("REDIS_OM_URL", url)
    monkeypatch.setenv("REDSTART_MODELS", "redstart.demo.models")
    drop_all(client)
    (planned,) = planned_indexes([declare(Visit)])
    pipeline = client.pipeline(transaction=False)
    for number in range(MANY_DOCUMENTS):
        values = {"visit_code": f"V-{number}", "site": "s", "arrived_at": "2021-05-04T03:02:01"}
        pipeline.hset(f"{planned.key_prefix}{number}", mapping=values)
    pipeline.execute()
    client.execute_command("FT.CREATE", *create_arguments(planned.old))
    (filling,) = perform(url, estimate_builds([planned]))
    shown = run_om("migrate", "run", "--dry-run")
    status = run_om("migrate", "status")
    wait_until_built(client, [planned.name])
    (filled,) = perform(url, estimate_builds([planned]))
    drop_all(client)
    assert filling.filled_percent is not None
    assert filling.documents < filled.documents == MANY_DOCUMENTS
    assert filled.filled_percent is None
    for found in (shown, status):
        assert re.search(r"so far \(the server is still indexing: \d+%\)", found.stdout), found.text
