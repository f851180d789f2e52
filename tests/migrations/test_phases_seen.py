"""The activity of a run is visible in every phase: indexes, initial scan, data, and rollback."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import redis

from redstart.cli.migrate_data.reports import progress_report
from redstart.effects import Op
from redstart.errors import LeaseHeldError
from redstart.migrations import lease as lease_module
from redstart.migrations.context import Monitor
from redstart.migrations.data.results import RunOptions
from redstart.migrations.data.run import run
from redstart.migrations.data.status import DataStatus, status
from redstart.migrations.indexes.state import LEASE
from redstart.migrations.lease import acquire
from redstart.migrations.lease_state import Activity, is_gone, this_process
from redstart.migrations.maintenance import force_unlock
from redstart.migrations.phase import with_index_lease
from redstart.migrations.run_progress import RunProgress
from redstart.server.clients import open_sync
from redstart.server.sync_driver import SyncDriver
from tests.migrations.indexes.conftest import legacy
from tests.migrations.test_forward_and_back import back, forward
from tests.support.crash_driver import CrashDriver
from tests.support.migration import KEYS, new_context, station_plan

__all__ = ["legacy"]  # a fixture

LEASES = (KEYS.lease.lease, LEASE.lease)
ELSEWHERE = replace(this_process(), host="night-shift", pid=4711, command="om migrate run", boot_id="another")


def seen_by(driver: SyncDriver) -> DataStatus:
    """What `om migrate-data progress` reads."""
    return driver.run(with_index_lease(driver.run(status(KEYS, station_plan())), is_gone))


@pytest.mark.parametrize(
    ("operations", "stages"),
    [
        (
            [forward],
            {"building ", "checking ", "initial scan", "converting"},
        ),
        ([forward, back], {"building ", "replaying the undo log", "rewriting newer values"}),
    ],
    ids=["run", "rollback"],
)
def test_every_phase_is_seen(
    legacy: redis.Redis, url: str, operations: list[Callable[[], Op[Any]]], stages: set[str]
) -> None:
    seen: list[tuple[DataStatus, str]] = []
    with open_sync(url) as other:

        def look(name: str) -> None:
            # Between two leases nothing is done. Of the many alike a few are enough.
            if sum(name == one for _, one in seen) < 8 and legacy.exists(*LEASES):
                seen.append((seen_by(other), name))

        for operation in operations:
            seen.clear()
            with CrashDriver(url, before=look) as driver:
                driver.run(operation())
    for found, name in seen:
        progress = RunProgress(found)
        assert progress.is_running, name
        done, total = progress.done, progress.total
        assert not total or done <= total, name
        report = progress_report(found)
        assert (report["done"], report["total"]) == (done, total)
    told = {found.lease.activity.stage for found, _ in seen if found.lease and found.lease.activity}
    for stage in stages:
        assert any(one.startswith(stage) for one in told), told


def test_documents_created_meanwhile_do_not_exceed_the_total(legacy: redis.Redis, url: str) -> None:
    """An application creates as many again while the first pass converts."""
    key = next(
        key for key in legacy.scan_iter(count=1_000, _type="hash") if key.startswith(b"station:visit:")
    )
    fields = legacy.hgetall(key)
    created = 0

    def create(name: str) -> None:
        nonlocal created
        if "apply" in name and not created:
            with legacy.pipeline(transaction=False) as pipeline:
                for created in range(1_000):
                    pipeline.hset(key + b"-new-%d" % created, mapping=fields)
                pipeline.execute()

    reports: list[dict[str, Any]] = []
    with open_sync(url) as other, CrashDriver(url, before=create) as driver:

        def look(_: Any) -> None:
            reports.append(progress_report(seen_by(other)))

        monitor = Monitor(progress=look)
        driver.run(run(new_context(monitor=monitor), station_plan(), RunOptions(batch_documents=100)))
    converting = [one for one in reports if one["stage"] == "convert"]
    assert max(one["done"] for one in converting) > converting[0]["total"], "nothing was tested"
    assert all(one["done"] <= one["total"] for one in converting)


class TestALeaseOfIndexes:
    """Another process builds an index: `om migrate run`, an application that starts, or a run before it converts."""

    @pytest.fixture
    def driver(self, client: redis.Redis, url: str) -> Any:
        with open_sync(url) as driver:
            clock = iter(range(0, 10**6, 10)).__next__
            held = driver.run(acquire(LEASE, "builder", ELSEWHERE, is_gone=lambda _: False, clock=clock))
            driver.run(held.keep(Activity("building shop", 37, 100)))
            self.held = held
            yield driver

    def test_progress_and_the_refusal_of_a_second_one_agree(self, driver: SyncDriver, url: str) -> None:
        found = seen_by(driver)
        report = progress_report(found)
        assert (report["state"], report["stage"]) == ("running", "indexes")
        assert (report["activity"], report["done"], report["total"]) == ("building shop", 37, 100)
        with open_sync(url) as other, pytest.raises(LeaseHeldError) as caught:
            acquiring = acquire(LEASE, "second", this_process(), is_gone=is_gone, clock=lambda: 0.0)
            request = next(acquiring)
            while True:  # the builder renews its lease between any two requests of the other
                driver.run(self.held.commit(()))
                request = acquiring.send(other.run(_asked(request)))
        assert str(found.lease).partition(", for")[0] in caught.value.message
        assert "building shop, 37 of 100" in caught.value.message

    def test_unlock_breaks_it(self, driver: SyncDriver, client: redis.Redis) -> None:
        assert [one.token for one in driver.run(force_unlock(new_context()))] == ["builder"]
        assert not client.exists(*LEASES)


class TestALeaseThatDoesNotEnd:
    @pytest.mark.parametrize("milliseconds", [None, 3_600_000])
    def test_it_is_named_and_not_waited_for_without_end(
        self, client: redis.Redis, url: str, monkeypatch: pytest.MonkeyPatch, milliseconds: int | None
    ) -> None:
        monkeypatch.setattr(lease_module, "LEASE_MS", 60)
        monkeypatch.setattr(lease_module, "_POLL_SECONDS", 0.02)
        monkeypatch.setattr(lease_module, "_SILENT_SECONDS", 0.04)
        told: list[str] = []
        with open_sync(url) as driver:
            driver.run(acquire(LEASE, "old", ELSEWHERE, is_gone=lambda _: False, clock=lambda: 0.0))
            if milliseconds is None:
                client.persist(LEASE.lease)
            else:
                client.pexpire(LEASE.lease, milliseconds)
            with pytest.raises(LeaseHeldError) as caught:
                driver.run(
                    acquire(
                        LEASE,
                        "new",
                        this_process(),
                        is_gone=lambda _: False,
                        clock=lambda: 0.0,
                        waiting=told.append,
                    )
                )
        for text in (*told, caught.value.message):
            assert "process 4711 on night-shift (om migrate run)" in text
        assert len(told) == 1
        assert "om migrate-data force-unlock" in str(caught.value)


def _asked(request: Any) -> Op[Any]:
    return (yield request)
