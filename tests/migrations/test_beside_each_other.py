"""Two at once on the same indexes: whichever comes when, no query misses a document."""

from contextlib import suppress
from itertools import count

import pytest
import redis

from redstart.effects import Op
from redstart.errors import MigrationError
from redstart.mapping.model_info import declare
from redstart.migrations.coordinator import migrate_back, migrate_forward, rollback_indexes
from redstart.migrations.data.results import RunOptions
from redstart.migrations.indexes.expand import ExpansionOptions
from redstart.migrations.indexes.state import LEASE, RECORDS
from redstart.migrations.maintenance import drop_undo_log_of_data
from redstart.migrations.options import RollbackOptions
from redstart.migrations.startup import bring_up_to_date
from tests.migrations.indexes.conftest import MODELS, legacy, migration, perform, planned, total
from tests.support.crash_driver import CrashDriver
from tests.support.migration import UTC_DATES, new_context, station_plan
from tests.support.snapshot import difference, snapshot
from tests.support.soak import SOAK
from tests.support.stepping import Stepped

__all__ = ["legacy"]  # a fixture

MAX_REQUESTS = 1_000
EVERY = 1 if SOAK else 5
"""At which moments another application starts: each, every second one ..."""
NAMES = [model._meta.index_name for model in MODELS]


def application_start() -> Op[None]:
    """What `Migrator().run()` does."""
    return bring_up_to_date([declare(model) for model in MODELS], UTC_DATES, migration)


def found(client: redis.Redis) -> dict[str, int]:
    return {name: total(client, name) for name in NAMES}


def convert(url: str) -> None:
    operation = migrate_forward(
        new_context(), station_plan(), RunOptions(), planned(), migration(), ExpansionOptions()
    )
    assert not perform(url, operation).refused


@pytest.mark.soak
def test_applications_that_start_at_every_moment_of_a_rollback(legacy: redis.Redis, url: str) -> None:
    """Each moment in the soak, otherwise some."""
    start, expected, started, moments = snapshot(legacy), found(legacy), 0, count()
    convert(url)

    def look(request: str) -> None:
        nonlocal started
        assert found(legacy) == expected, f"before {request}"
        if next(moments) % EVERY == 0 and not legacy.exists(
            LEASE.lease
        ):  # else it would wait until the rollback gives it back
            perform(url, application_start())
            started += 1
            assert found(legacy) == expected, f"after an application started before {request}"

    with CrashDriver(url, before=look) as driver:
        result = driver.run(migrate_back(new_context(), migration(), RollbackOptions(batch_size=50)))
    assert result.refused == []
    assert started > 20 // EVERY
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
                slow.step(MAX_REQUESTS)
                raise AssertionError("it did not end")
        assert found(legacy) == expected, f"before {request}"

    with CrashDriver(url, before=go_on) as driver:
        driver.run(migrate_back(new_context(), migration(), RollbackOptions(batch_size=50)))
    assert went_on


@pytest.mark.sample(0)
def test_indexes_that_are_rolled_back_at_every_moment_of_a_run(legacy: redis.Redis, url: str) -> None:
    expected, swapped = found(legacy), 0

    def look(request: str) -> None:
        nonlocal swapped
        assert found(legacy) == expected, f"before {request}"
        if not legacy.exists(LEASE.lease):
            perform(url, rollback_indexes(new_context(), migration()))
            swapped += 1
            assert found(legacy) == expected, f"after indexes were rolled back before {request}"

    operation = migrate_forward(
        new_context(),
        station_plan(),
        RunOptions(batch_documents=50),
        planned(),
        migration(),
        ExpansionOptions(),
    )
    with CrashDriver(url, before=look) as driver:
        assert driver.run(operation).data.stopped is None
    assert swapped > 20
    convert(url)
    assert found(legacy) == expected


def test_a_rollback_that_died_before_its_indexes_were_back_ends_also_after_an_application_started(
    legacy: redis.Redis, url: str
) -> None:
    start = snapshot(legacy)
    convert(url)
    steps = Stepped(url, migrate_back(new_context(), migration(), RollbackOptions(batch_size=50)))
    while legacy.exists("redstart:001_datetime_fields_to_timestamps:record"):
        steps.step(1)
    perform(url, application_start())  # the rollback is dead; its data is undone, its indexes are not
    assert perform(url, migrate_back(new_context(), migration(), RollbackOptions())).refused == []
    assert difference(start, snapshot(legacy)) == []


def test_after_forget_a_rollback_leaves_rolled_back_indexes_as_they_are(
    legacy: redis.Redis, url: str
) -> None:
    expected = found(legacy)
    convert(url)
    perform(url, rollback_indexes(new_context(), migration()))
    perform(url, drop_undo_log_of_data(new_context()))
    with pytest.raises(MigrationError, match="its undo log was dropped"):
        perform(url, migrate_back(new_context(), migration(), RollbackOptions()))
    assert legacy.hlen(RECORDS) == len(MODELS), "the data is converted, so the indexes are not done with"
    assert found(legacy) == expected
    perform(url, application_start())
    assert found(legacy) == expected
