"""A document that stays unchanged, because its quarantine target is occupied, is no changed document."""

import pytest
import redis

from redstart.demo.models import Ringer
from redstart.demo.sample import RINGER_PREFIX
from redstart.migrations.data.edit_builder import FailureMode
from tests.migrations.data.runs import migrate
from tests.support.migration import TEXT, station_plan
from tests.support.replies import send


@pytest.mark.parametrize("limit", [1, 3])
def test_occupied_targets_do_not_count_for_a_limit(client: redis.Redis, url: str, limit: int) -> None:
    blocked, convertible = 5, 4
    send(
        client,
        [
            ("HSET", f"{RINGER_PREFIX}{n}", "born_on", "never", "born_on__invalid", "mine")
            for n in range(blocked)
        ]
        + [("HSET", f"{RINGER_PREFIX}c{n}", "licensed_at", TEXT) for n in range(convertible)],
    )
    for run in range(1, convertible + 2):
        result = migrate(url, FailureMode.QUARANTINE, plan=station_plan(Ringer), limit_documents=limit)
        changed = sum(
            b"T" not in client.hget(f"{RINGER_PREFIX}c{n}", "licensed_at") for n in range(convertible)
        )
        assert changed == min(run * limit, convertible)
        if result.stopped is None:
            break
    assert result.stopped is None
