"""The number of passes of a run, and of a run that resumes it."""

import itertools

import pytest
import redis

from redstart.demo.sample import VISIT_PREFIX
from redstart.migrations.data.run import run
from redstart.migrations.data.scanner import MAX_PASSES
from tests.support.crash_driver import Crash, CrashDriver, CrashKind
from tests.support.migration import TEXT, new_context, options, station_plan
from tests.support.replies import send

DOCUMENT = VISIT_PREFIX + "1"


def test_a_run_stopped_by_an_old_version_resumes_when_that_has_stopped(client: redis.Redis, url: str) -> None:
    seconds = itertools.count(10)
    send(client, [("HSET", DOCUMENT, "arrived_at", TEXT)])

    def old_application(name: str) -> None:
        if name == "SCAN":
            send(client, [("HSET", DOCUMENT, "arrived_at", f"2021-05-04T03:{next(seconds)}:00")])

    with CrashDriver(url, before=old_application) as driver:
        result = driver.run(run(new_context(), station_plan(), options()))
    assert result.stopped is not None and "old version of the application still writes" in result.stopped
    assert result.passes == MAX_PASSES
    with CrashDriver(url) as driver:
        result = driver.run(run(new_context(), station_plan(), options()))
    assert (result.stopped, result.resumed, result.documents) == (None, True, 1)


@pytest.mark.parametrize("kind", [CrashKind.BEFORE, CrashKind.AFTER])
def test_documents_are_counted_once_when_a_run_stops_between_two_passes(
    client: redis.Redis, url: str, kind: CrashKind
) -> None:
    send(client, [("HSET", f"{DOCUMENT}{number}", "arrived_at", TEXT) for number in range(3)])
    with CrashDriver(url) as driver:
        driver.run(run(new_context(), station_plan(), options()))
        names = driver.names
    first_pass_saved = names.index("EVALSHA commit SET")
    for at in (first_pass_saved, first_pass_saved + 1):
        client.flushall()
        send(client, [("HSET", f"{DOCUMENT}{number}", "arrived_at", TEXT) for number in range(3)])
        with CrashDriver(url, at=at, kind=kind) as driver, pytest.raises(Crash):
            driver.run(run(new_context(), station_plan(), options()))
        with CrashDriver(url) as driver:
            result = driver.run(run(new_context(), station_plan(), options()))
        assert (result.stopped, result.documents, result.converted) == (None, 3, 3)
