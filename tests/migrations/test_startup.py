"""What an application finds that starts where another program died."""

from contextlib import suppress

import pytest
import redis

from redstart.mapping.model_info import declare
from redstart.migrations.indexes import migrator
from redstart.migrations.indexes.expand import ExpansionOptions
from redstart.migrations.indexes.migrator import none_converted
from redstart.migrations.indexes.plan import planned_indexes
from redstart.migrations.indexes.state import hash_key
from redstart.migrations.indexes.status import ActiveIndex, index_statuses
from redstart.migrations.startup import bring_up_to_date
from tests.migrations.indexes.conftest import MODELS, drop_all, migration, perform
from tests.support.crash_driver import Crash, CrashDriver
from tests.support.migration import UTC_DATES

DECLARATIONS = [declare(model) for model in MODELS]
PLANNED = planned_indexes(DECLARATIONS)


def end_before_keys(request: str) -> None:
    if request == "EVALSHA commit HSET+SET+SET":
        raise Crash


def test_an_index_that_serves_is_not_up_to_date_before_redis_oms_keys_say_so(
    client: redis.Redis, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrator, "is_gone", lambda _: True)
    with suppress(Crash), CrashDriver(url, before=end_before_keys) as driver:
        driver.run(migration().run(PLANNED, none_converted, ExpansionOptions()))
        raise AssertionError("it did not crash")
    first = PLANNED[0]
    status = perform(url, index_statuses([first]))[0]
    assert (status.active_name is not None, client.get(hash_key(first.name))) == (True, None)
    assert status.active is not ActiveIndex.UP_TO_DATE
    perform(url, bring_up_to_date(DECLARATIONS[:1], UTC_DATES, migration))
    assert client.get(hash_key(first.name)) == first.schema_hash.encode()
    assert perform(url, index_statuses([first]))[0].active is ActiveIndex.UP_TO_DATE
    drop_all(client)
