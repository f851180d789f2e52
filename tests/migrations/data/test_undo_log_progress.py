"""The progress over the undo log ends at its total, also where the server altered what it was sent."""

from collections.abc import Callable

import pytest
import redis

from redstart.effects import Op
from redstart.migrations.context import Context, Monitor, Progress
from redstart.migrations.data.rollback import rollback
from redstart.migrations.data.rollback_preview import preview_rollback
from redstart.migrations.data.run import run
from redstart.migrations.data.verify import Problems, verify_journal
from redstart.server.clients import open_like
from tests.support.migration import load_hostile, new_context, options, station_plan


def _verify(context: Context) -> Op[object]:
    return (yield from verify_journal(context, station_plan(), Problems()))


@pytest.mark.parametrize(
    ("stage", "operation"),
    [
        ("replaying the undo log", rollback),
        ("checking the undo log", _verify),
        ("reading the undo log", preview_rollback),
    ],
)
def test_progress_over_the_undo_log_ends_at_its_total(
    client: redis.Redis, url: str, stage: str, operation: Callable[[Context], Op[object]]
) -> None:
    news: list[Progress] = []
    load_hostile(client)
    with open_like(client) as driver:
        driver.run(run(new_context(), station_plan(), options()))
        driver.run(operation(new_context(monitor=Monitor(progress=news.append))))
    over_the_log = [(item.done, item.total) for item in news if item.stage == stage]
    assert over_the_log[-1][0] == over_the_log[-1][1] > 0
