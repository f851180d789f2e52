"""A rollback, and an application that starts beside it: whichever comes when, no query misses a document."""

from contextlib import suppress

import redis

from redstart.effects import Op
from redstart.mapping.declaration import declare
from redstart.migrations.at_start import bring_up_to_date
from redstart.migrations.back import migrate_back
from redstart.migrations.data.runner import RunOptions
from redstart.migrations.forward import migrate_forward
from redstart.migrations.indexes.expand import ExpansionOptions
from redstart.migrations.indexes.keys import LEASE
from tests.migrations.indexes.conftest import MODELS, legacy, migration, perform, planned, total
from tests.support.crash_driver import CrashDriver
from tests.support.migration import new_context, station_plan
from tests.support.snapshot import difference, snapshot
from tests.support.stepping import Stepped

__all__ = ["legacy"]  # a fixture

MOST_REQUESTS = 1_000
NAMES = [model._meta.index_name for model in MODELS]


def application_start() -> Op[None]:
    """What `Migrator().run()` does."""
    return bring_up_to_date([declare(model) for model in MODELS], migration)


def found(client: redis.Redis) -> dict[str, int]:
    return {name: total(client, name) for name in NAMES}


def convert(url: str) -> None:
    operation = migrate_forward(
        new_context(), station_plan(), RunOptions(), planned(), migration(), ExpansionOptions()
    )
    assert not perform(url, operation).refused


def test_applications_that_start_at_every_moment_of_a_rollback(legacy: redis.Redis, url: str) -> None:
    start, expected, started = snapshot(legacy), found(legacy), 0
    convert(url)

    def look(request: str) -> None:
        nonlocal started
        assert found(legacy) == expected, f"before {request}"
        if not legacy.exists(LEASE.lease):  # else it would wait until the rollback gives it back
            perform(url, application_start())
            started += 1
            assert found(legacy) == expected, f"after an application started before {request}"

    with CrashDriver(url, before=look) as driver:
        result = driver.run(migrate_back(new_context(), migration(), batch_documents=50))
    assert result.refused == []
    assert started > 20
    assert difference(start, snapshot(legacy)) == []


def test_what_an_application_read_before_the_rollback_began_does_not_count(
    legacy: redis.Redis, url: str
) -> None:
    expected = found(legacy)
    convert(url)
    legacy.execute_command("FT.ALIASDEL", NAMES[0])  # so that there is something to do
    with CrashDriver(url) as driver:
        driver.run(application_start())
        before_the_lease = driver.names.index("EVALSHA acquire")
    legacy.execute_command("FT.ALIASDEL", NAMES[0])
    slow = Stepped(url, application_start())
    slow.step(before_the_lease)
    perform(url, application_start())
    went_on = False

    def go_on(request: str) -> None:
        nonlocal went_on
        if request == "EVALSHA apply undo" and not went_on:
            went_on = True
            with suppress(StopIteration):
                slow.step(MOST_REQUESTS)
                raise AssertionError("it did not end")
        assert found(legacy) == expected, f"before {request}"

    with CrashDriver(url, before=go_on) as driver:
        driver.run(migrate_back(new_context(), migration(), batch_documents=50))
    assert went_on
