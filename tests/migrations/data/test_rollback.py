"""What a rollback refuses, before it writes anything."""

import pytest
import redis

from redstart.errors import ConfigurationError
from redstart.migrations.data.rollback import rollback
from redstart.migrations.data.runner import run
from redstart.server.connections import open_like
from tests.support.migration import KEYS, documents_of, load_hostile, new_context, options, station_plan


def test_another_local_zone_is_refused_before_anything_is_undone(client: redis.Redis) -> None:
    load_hostile(client)
    with open_like(client) as driver:
        driver.run(run(new_context(), station_plan(naive_timezone="local:00000000"), options()))
        converted, journal = documents_of(client), client.xlen(KEYS.journal)
        with pytest.raises(ConfigurationError, match="another local time zone"):
            driver.run(rollback(new_context()))
    assert documents_of(client) == converted
    assert client.xlen(KEYS.journal) == journal
    assert not client.exists(KEYS.checkpoint, KEYS.lease.lease)
