"""What is said of a second index before it is built, and what it takes then."""

import redis

from redstart.demo.models import Visit
from redstart.mapping.declaration import declare
from redstart.migrations.indexes.forecast import forecast
from redstart.migrations.indexes.plan import planned_indexes
from redstart.search.index import create_arguments
from tests.migrations.indexes.conftest import drop_all, perform, wait_until_built

DOCUMENTS = 5_000


def test_the_memory_of_a_second_index_is_not_forecast_too_small(client: redis.Redis, url: str) -> None:
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
    (expected,) = perform(url, forecast([planned]))

    before = client.info("memory")["used_memory"]
    client.execute_command("FT.CREATE", *create_arguments(planned.old, name="second"))
    wait_until_built(client, ["second"])
    grown = client.info("memory")["used_memory"] - before
    drop_all(client)

    assert 0.9 * grown < expected.megabytes * 1e6 < 2 * grown
