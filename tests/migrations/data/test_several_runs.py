"""Several runs at once, one after the other, and one that stalls."""

import threading
from dataclasses import replace
from typing import Any

import pytest
import redis

from redstart.demo.models import Ringer, Sighting, Visit
from redstart.demo.sample import RINGER_PREFIX, VISIT_PREFIX
from redstart.effects import Op
from redstart.errors import CommandError, LeaseHeldError, LeaseLostError
from redstart.migrations import lease
from redstart.migrations.context import Context
from redstart.migrations.data.edit_builder import FailureMode
from redstart.migrations.data.plan import Plan
from redstart.migrations.data.rollback import rollback
from redstart.migrations.data.run import run
from redstart.migrations.lease_state import this_process
from tests.migrations.data.runs import APPLY, NEWER_NUMBER, NEWER_TEXT, migrate, undo
from tests.support.crash_driver import CrashDriver
from tests.support.migration import documents_of, load_hostile, new_context, options, own_keys, station_plan
from tests.support.replies import send
from tests.support.snapshot import difference
from tests.support.stepping import Stepped, instead_of_waiting


def alive(**changes: Any) -> Context:
    """A program that believes every other to be alive."""
    return new_context(is_gone=lambda _: False, **changes)


@pytest.mark.parametrize("second", ["run", "rollback"])
def test_a_second_program_is_refused_while_the_first_works(
    client: redis.Redis, url: str, second: str
) -> None:
    load_hostile(client)
    holder = replace(this_process(), host="ringing-hut", pid=4711, command="om migrate-data run")
    first = Stepped(url, run(alive(holder=holder), station_plan(), options()))
    first.step_until("EVAL apply journaled")
    operation: Op[Any] = run(alive(), station_plan(), options()) if second == "run" else rollback(alive())
    before = documents_of(client)
    with pytest.raises(
        LeaseHeldError, match=r"process 4711 on ringing-hut \(om migrate-data run\), for \d+ s"
    ):
        CrashDriver(url).run(instead_of_waiting(operation, first.step))
    assert len(difference(before, documents_of(client))) < 50  # a page or so: only the first was in progress
    with pytest.raises(StopIteration) as end:
        first.step(10_000)
    assert end.value.value.stopped is None


def test_a_stalled_holder_is_waited_out_and_writes_nothing_when_it_wakes(
    client: redis.Redis, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "LEASE_MS", 300)
    load_hostile(client)
    start = documents_of(client)
    stalled = Stepped(url, run(alive(), station_plan(), options()))
    stalled.step_until("EVAL apply journaled")
    with CrashDriver(url) as driver:
        result = driver.run(run(alive(), station_plan(), options()))
    assert (result.stopped, result.resumed) == (None, True)
    undo(url)
    before = documents_of(client)
    assert difference(start, before) == []
    with pytest.raises(LeaseLostError, match="This run lost its lease"):
        stalled.step(10_000)
    assert difference(before, documents_of(client)) == []
    assert own_keys(client) == []


def test_a_stalled_rollback_writes_nothing_when_it_wakes(
    client: redis.Redis, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lease, "LEASE_MS", 300)
    load_hostile(client)
    migrate(url)
    stalled = Stepped(url, rollback(alive()))
    stalled.step_until("EVALSHA apply undo")
    with CrashDriver(url) as driver:
        driver.run(rollback(alive()))
    migrate(url)
    before = client.dbsize(), documents_of(client)
    with pytest.raises(LeaseLostError):
        stalled.step(10_000)
    assert difference(before[1], documents_of(client)) == []
    assert client.dbsize() == before[0]


def test_a_rollback_undoes_what_a_run_wrote_while_it_waited_for_the_lease(
    client: redis.Redis, url: str
) -> None:
    """What it knows must be read under the lease: the run may convert models that were not in the record."""
    load_hostile(client)
    start = documents_of(client)
    migrate(url, plan=station_plan(Ringer))
    first = Stepped(url, run(alive(), station_plan(), options()))
    first.step_until("EVALSHA acquire")

    def finish() -> None:
        with pytest.raises(StopIteration):
            first.step(10_000)
        send(client, [("HSET", VISIT_PREFIX + "born", "arrived_at", NEWER_NUMBER)])

    CrashDriver(url).run(instead_of_waiting(rollback(alive()), finish))
    assert str(client.hget(VISIT_PREFIX + "born", "arrived_at")).startswith(f"b'{NEWER_TEXT}")
    client.delete(VISIT_PREFIX + "born")
    assert difference(start, documents_of(client)) == []


def test_runs_of_many_threads_end_once(client: redis.Redis, url: str) -> None:
    load_hostile(client)
    start = documents_of(client)
    ends: list[str] = []

    def program() -> None:
        try:
            with CrashDriver(url) as driver:
                driver.run(run(alive(), station_plan(), options()))
            ends.append("done")
        except LeaseHeldError:
            ends.append("held")

    threads = [threading.Thread(target=program) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(ends) <= {"done", "held"} and "done" in ends and len(ends) == 4
    undo(url)
    assert difference(start, documents_of(client)) == []


# One after the other


@pytest.mark.sample(1)
@pytest.mark.parametrize("mode", [FailureMode.LOG_AND_SKIP, FailureMode.DEFAULT, FailureMode.QUARANTINE])
def test_run_rollback_run_rollback(client: redis.Redis, url: str, mode: FailureMode) -> None:
    load_hostile(client)
    start = documents_of(client)
    migrate(url, mode)
    converted = documents_of(client)
    undo(url)
    assert undo(url).nothing_to_do
    assert difference(start, documents_of(client)) == []
    migrate(url, mode)
    assert difference(converted, documents_of(client)) == []
    undo(url)
    assert difference(start, documents_of(client)) == []
    assert own_keys(client) == []


@pytest.mark.sample(1)
@pytest.mark.parametrize("mode", [FailureMode.DEFAULT, FailureMode.QUARANTINE])
def test_another_mode_after_log_and_skip_ends_as_if_it_had_been_first(
    client: redis.Redis, url: str, mode: FailureMode
) -> None:
    load_hostile(client)
    start = documents_of(client)
    migrate(url, mode)
    wanted = documents_of(client)
    undo(url)
    for _ in range(2):
        migrate(url, FailureMode.LOG_AND_SKIP)
        migrate(url, mode)
        assert difference(wanted, documents_of(client)) == []
        assert migrate(url, mode).converted == 0
        undo(url)
        assert difference(start, documents_of(client)) == []


@pytest.mark.parametrize("limit", [1, 7, 50])
def test_the_rollback_of_a_half_finished_run(client: redis.Redis, url: str, limit: int) -> None:
    load_hostile(client)
    start = documents_of(client)
    assert (
        migrate(url, FailureMode.QUARANTINE, limit_documents=limit).stopped
        == f"--limit-documents {limit} reached"
    )
    assert difference(start, documents_of(client)) != []
    undo(url)
    assert difference(start, documents_of(client)) == []


def test_a_plan_that_grew_between_two_runs_is_undone_whole(client: redis.Redis, url: str) -> None:
    load_hostile(client)
    start = documents_of(client)
    migrate(url, FailureMode.DEFAULT, plan=station_plan(Ringer))
    assert all(line.startswith(RINGER_PREFIX) for line in difference(start, documents_of(client)))
    migrate(url, FailureMode.QUARANTINE, plan=station_plan(Ringer, Visit, Sighting))
    migrate(url, FailureMode.QUARANTINE, plan=station_plan(Sighting))
    undo(url)
    assert difference(start, documents_of(client)) == []


def test_a_model_that_only_changed_its_name_goes_on(client: redis.Redis, url: str) -> None:
    load_hostile(client)
    start = documents_of(client)
    plan = station_plan()
    renamed = Plan(tuple(replace(model, name=f"new.{model.name}") for model in plan.models), plan.settings)
    assert migrate(url, limit_documents=20, plan=plan).stopped is not None
    result = migrate(url, plan=renamed)
    assert (result.stopped, result.resumed) == (None, True)
    undo(url)
    assert difference(start, documents_of(client)) == []


def test_a_server_at_its_maxmemory_stops_a_run_that_goes_on_later(client: redis.Redis, url: str) -> None:
    load_hostile(client)
    start = documents_of(client)

    def fill(name: str) -> None:
        if name in APPLY:
            client.config_set("maxmemory", int(client.info("memory")["used_memory"]) - 1_000)

    try:
        with pytest.raises(CommandError) as refused:
            migrate(url, before=fill)
        assert (refused.value.code, "maxmemory BYTES" in str(refused.value)) == ("OOM", True)
        assert difference(start, documents_of(client)) == [], "nothing was written past the limit"
    finally:
        client.config_set("maxmemory", 0)
    assert migrate(url).stopped is None
    undo(url)
    assert difference(start, documents_of(client)) == []
