"""The service with a migration that has nothing to do with dates: each of its operations, alone and beside the dates.

The documents are those of the demo under the indexes of redis-om 0.3.5: one migration converts their dates, the other
one writes names in upper case.
"""

import json
from collections.abc import Callable
from itertools import permutations
from typing import Any

import pytest
import redis

from redstart.effects import Op
from redstart.errors import DataMigrationError, LeaseLostError, MigrationError, RollbackInProgressError
from redstart.mapping.model_info import declare
from redstart.migrations.data.edit_builder import FailureMode
from redstart.migrations.data_migration import DataMigration
from redstart.migrations.indexes.migrator import IndexMigration
from redstart.migrations.options import MigrationOptions, RollbackOptions
from redstart.migrations.outcomes import Outcome
from redstart.migrations.phase import MigrationPhase
from redstart.migrations.run_progress import RunState
from redstart.migrations.state_keys import APPLIED_MIGRATIONS, StateKeys
from redstart.migrations.transformation import Classification, Transformation
from redstart.server.clients import open_like
from redstart.values.timezones import NaiveTimezone
from tests.migrations.data.upper_case import UpperCase
from tests.migrations.indexes.conftest import MODELS, legacy, serving, total, wait_until_built
from tests.support.migration import KEYS as DATES_KEYS
from tests.support.migration import UTC_DATES, documents_of, new_context, own_keys
from tests.support.replies import send
from tests.support.snapshot import difference

__all__ = ["legacy"]  # a fixture

UPPER = UpperCase()
KEYS = StateKeys(UPPER.migration_id)
SMALL = {"batch_size": 50}
VISIT, SIGHTING = b"station:visit:", b"station:sighting:"
NAMES = [model._meta.index_name for model in MODELS]


def service(transformation: Transformation = UPPER, **changes: Any) -> DataMigration:
    return DataMigration.for_models(
        map(declare, MODELS),
        context=new_context(transformation=transformation, **changes),
        naive_timezone=NaiveTimezone.parse("UTC"),
    )


def do(client: redis.Redis, operation: Op[Any]) -> Any:
    with open_like(client) as driver:
        return driver.run(operation)


def run(client: redis.Redis, transformation: Transformation = UPPER, **options: Any) -> Any:
    return do(client, service(transformation).run(MigrationOptions(**SMALL | options)))


def rollback(client: redis.Redis, transformation: Transformation = UPPER) -> Any:
    return do(client, service(transformation).rollback(RollbackOptions(**SMALL)))


def indexes(client: redis.Redis) -> dict[str, tuple[str, int]]:
    """The index behind each name, and its documents."""
    return {name: (serving(client, name), total(client, name)) for name in NAMES}


def sites(client: redis.Redis) -> set[bytes]:
    keys = client.scan_iter(VISIT + b"*", count=1_000, _type="hash")
    return {site for key in keys if (site := client.hget(key, "site")) is not None}


def species(client: redis.Redis) -> set[str]:
    keys = list(client.scan_iter(SIGHTING + b"*", count=1_000, _type="ReJSON-RL"))
    return {json.loads(client.execute_command("JSON.GET", key))["species"] for key in keys}


def is_upper(names: set[Any]) -> bool:
    assert names
    return all(name == name.upper() for name in names)


def test_every_operation(legacy: redis.Redis) -> None:
    before, built = documents_of(legacy), indexes(legacy)
    client = legacy
    assert not is_upper(sites(client))

    stats = do(client, service().stats(exact=True))
    assert stats.data.documents == total(client, "station:visit:index") + total(client, NAMES[-1])
    assert stats.refusal is None
    assert not stats.is_interrupted
    to_convert = stats.data.total(Classification.CONVERTIBLE) + stats.data.total(Classification.LOSSY)
    assert do(client, service().estimate_run()).documents > 0
    status = do(client, service().status())
    assert (status.outcome, status.phase) == (Outcome.PENDING, MigrationPhase.PENDING)
    with pytest.raises(DataMigrationError, match="pending"):
        status.raise_for_outcome()

    preview = do(client, service().dry_run(MigrationOptions(**SMALL)))
    assert (preview.refusal, preview.unchecked, preview.preflight.indexes) == (None, [], [])
    assert preview.data.total(Classification.CONVERTIBLE) == stats.data.total(Classification.CONVERTIBLE)
    assert (difference(before, documents_of(client)), own_keys(client)) == ([], [])

    result = run(client)
    assert (result.outcome, result.indexes, result.absent) == (Outcome.DONE, [], [])
    assert result.data.converted == to_convert > 0
    assert is_upper(sites(client))
    assert is_upper(species(client))
    assert indexes(client) == built
    assert run(client).data.converted == 0

    verified = do(client, service().verify(check_data=True))
    assert verified.outcome is Outcome.DONE, verified.data.problems.first
    assert verified.undo_log.as_written > 0
    assert verified.undo_log.changed_since == 0
    status = do(client, service().status())
    assert (status.outcome, status.phase, status.is_cutover_pending) == (
        Outcome.DONE,
        MigrationPhase.CONVERTED,
        False,
    )
    assert client.smembers(APPLIED_MIGRATIONS) == {UPPER.migration_id.encode()}
    assert do(client, service().progress()).state is RunState.NONE
    checked = do(client, service().check_schema())
    assert (checked.outcome, checked.indexes) == (Outcome.DONE, [])
    checked.raise_for_outcome()

    plan = do(client, service().preflight_rollback())
    assert {path.kind for model in plan.models for path in model.paths} == {"name"}
    assert do(client, service().estimate_rollback(plan)).documents > 0
    expected = do(client, service().preview_rollback(RollbackOptions(**SMALL)))
    undone = rollback(client)
    assert (expected.outcome, undone.outcome) == (Outcome.DRY_RUN, Outcome.DONE)
    assert undone.data.restored_exactly == expected.data.restored_exactly == result.data.converted
    assert (difference(before, documents_of(client)), indexes(client)) == ([], built)
    assert own_keys(client) == []
    assert rollback(client).outcome is Outcome.NOTHING_TO_DO


def test_failed_values_are_those_of_the_migration(legacy: redis.Redis) -> None:
    """A digit fails; the messages and hints have the id and the terms of this migration."""
    legacy.hset(VISIT + b"bad", mapping={"visit_code": "bad", "site": "area 51", "arrived_at": "never"})
    failures = do(legacy, service().failures())
    assert failures.count == 0
    result = run(legacy)
    assert (result.outcome, result.failures.count) == (Outcome.DONE, result.data.errors)
    failures = do(legacy, service().failures())
    assert ("station:visit:bad", "site", "a digit in 7 characters") in {
        (one.key, one.path, one.reason) for one in failures.listed
    }
    assert "arrived_at" not in {one.path for one in failures.listed}
    assert do(legacy, service(UTC_DATES).failures()).count == 0
    legacy.hset(VISIT + b"bad", "site", "lowlands")
    found = do(legacy, service().verify())
    assert found.outcome is Outcome.PROBLEMS_FOUND
    assert "not in upper case" in {problem.reason for problem in found.data.problems.first}
    rewritten = do(legacy, service().status())
    assert [model.name.rpartition(".")[2] for model in rewritten.data.rewritten] == ["Visit"]


def test_an_interrupted_run_is_reported_cleared_and_rolled_back(legacy: redis.Redis) -> None:
    before = documents_of(legacy)
    stopped = run(legacy, limit_documents=60)
    assert stopped.outcome is Outcome.STOPPED
    progress = do(legacy, service().progress())
    assert (progress.state, do(legacy, service(UTC_DATES).progress()).state) == (
        RunState.INTERRUPTED,
        RunState.NONE,
    )
    assert do(legacy, service().status()).phase is MigrationPhase.MIGRATING
    with pytest.raises(MigrationError) as refused:
        do(legacy, service().drop_undo_log())
    assert UPPER.migration_id in str(refused.value.hint)

    assert do(legacy, service(UTC_DATES).clear_progress()) is False
    assert do(legacy, service().clear_progress()) is True
    assert do(legacy, service().clear_progress()) is False
    assert do(legacy, service().progress()).state is RunState.NONE
    assert rollback(legacy).outcome is Outcome.DONE
    assert difference(before, documents_of(legacy)) == []


def test_without_its_undo_log_only_this_migration_stays_converted(legacy: redis.Redis) -> None:
    run(legacy)
    run(legacy, UTC_DATES)
    after_upper = sites(legacy)
    assert do(legacy, service().drop_undo_log()) is True
    assert do(legacy, service().drop_undo_log()) is False
    assert do(legacy, service().last_copies()) == 0
    assert not legacy.exists(KEYS.journal)
    assert legacy.exists(DATES_KEYS.journal)
    with pytest.raises(MigrationError, match=f"Cannot roll back {UPPER.migration_id}"):
        rollback(legacy)
    assert rollback(legacy, UTC_DATES).outcome is Outcome.DONE
    assert sites(legacy) == after_upper
    assert do(legacy, service().status()).outcome is Outcome.DONE


def test_a_lease_of_this_migration_is_removed_and_no_other(legacy: redis.Redis) -> None:
    lives = {"is_gone": lambda _: False}
    context = new_context(transformation=UPPER, **lives)
    lease = do(legacy, context.acquire())
    assert do(legacy, service(**lives).progress()).state is RunState.RUNNING
    assert do(legacy, service(UTC_DATES, **lives).progress()).state is RunState.NONE
    assert run(legacy, UTC_DATES).outcome is Outcome.DONE
    assert do(legacy, service(UTC_DATES).force_unlock()) == []
    (removed,) = do(legacy, service().force_unlock())
    assert removed.holder == context.holder
    with pytest.raises(LeaseLostError):
        do(legacy, lease.commit([["SET", KEYS.checkpoint, "late"]]))
    assert run(legacy).outcome is Outcome.DONE


ORDERS = sorted(set(permutations("UuDd")))
STEPS: dict[str, Callable[[redis.Redis], Any]] = {
    "U": run,
    "u": rollback,
    "D": lambda client: run(client, UTC_DATES),
    "d": lambda client: rollback(client, UTC_DATES),
}


@pytest.mark.sample(1)
@pytest.mark.parametrize(
    "order",
    ["".join(one) for one in ORDERS if one.index("U") < one.index("u") and one.index("D") < one.index("d")],
)
def test_beside_the_dates_in_every_order(legacy: redis.Redis, order: str) -> None:
    """U and D are the runs, u and d their rollbacks. Each undoes its own values only, and D and d move the indexes."""
    before, built = documents_of(legacy), indexes(legacy)
    documents = {name: count for name, (_, count) in built.items()}
    for at, step in enumerate(order):
        done = order[: at + 1]
        result = STEPS[step](legacy)
        assert result.outcome is Outcome.DONE, (done, result)
        is_upper_now, has_numbers = "U" in done and "u" not in done, "D" in done and "d" not in done
        assert is_upper(sites(legacy)) is is_upper_now, done
        assert {name: count for name, (_, count) in indexes(legacy).items()} == documents, done
        phases = [do(legacy, service(one).status()).phase for one in (UPPER, UTC_DATES)]
        assert phases == [
            MigrationPhase.CONVERTED if is_upper_now else MigrationPhase.PENDING,
            MigrationPhase.CUT_OVER if has_numbers else MigrationPhase.PENDING,
        ], done
        assert do(legacy, service(UTC_DATES).check_schema()).outcome is (
            Outcome.DONE if has_numbers else Outcome.PENDING
        )
        for one in (UPPER, UTC_DATES) if is_upper_now and has_numbers else ():
            found = do(legacy, service(one).verify(check_data=True))
            assert found.outcome is Outcome.DONE, (done, found.data.problems.first)
    assert difference(before, documents_of(legacy)) == []


def test_a_rollback_of_indexes_that_is_not_complete_concerns_the_dates_only(
    legacy: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rollback of the dates ends between their data and their indexes."""
    before, built = documents_of(legacy), indexes(legacy)
    run(legacy)
    run(legacy, UTC_DATES)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(IndexMigration, "after_undo", interrupted)
        rollback(legacy, UTC_DATES)
    dual = indexes(legacy)
    assert do(legacy, service().status()).phase is MigrationPhase.CONVERTED
    assert do(legacy, service(UTC_DATES).status()).phase is MigrationPhase.ROLLING_BACK
    assert rollback(legacy).indexes == {}
    assert rollback(legacy).outcome is Outcome.NOTHING_TO_DO
    assert indexes(legacy) == dual != built
    assert sorted(rollback(legacy, UTC_DATES).indexes) == sorted(NAMES)
    assert difference(before, documents_of(legacy)) == []


def interrupted(_: IndexMigration, __: Any) -> Op[Any]:
    yield from ()
    raise KeyboardInterrupt


def filter_by_hand(client: redis.Redis, kind: str) -> None:
    options = ("PREFIX", 1, VISIT, "FILTER", "@site!='x'")
    send(client, [("FT.CREATE", "by-hand", "ON", "HASH", *options, "SCHEMA", "site", kind)])
    wait_until_built(client, ["by-hand"])


@pytest.mark.parametrize("kind", ["TAG", "NUMERIC"])
def test_an_index_that_filters_by_a_converted_value_refuses_a_run(legacy: redis.Redis, kind: str) -> None:
    """Whatever the type of the attribute: nothing is known of values that keep their type."""
    filter_by_hand(legacy, kind)
    refusal = do(legacy, service().dry_run(MigrationOptions(**SMALL))).refusal
    assert "The FILTER of the index by-hand names site, which a run converts in" in refusal.message
    assert "a FILTER without values" in str(refusal.hint)
    assert do(legacy, service(UTC_DATES).dry_run(MigrationOptions(**SMALL))).refusal is None


@pytest.mark.parametrize("is_recorded", [True, False])
def test_an_index_that_filters_by_a_converted_value_refuses_a_rollback_unless_it_loses_nothing(
    legacy: redis.Redis, is_recorded: bool
) -> None:
    if is_recorded:
        filter_by_hand(legacy, "TAG")
    assert run(legacy, accept_unindexed=True).outcome is Outcome.DONE
    if is_recorded:
        contained = total(legacy, "by-hand")
        assert contained > 0
    else:
        filter_by_hand(legacy, "TAG")
        with pytest.raises(MigrationError, match="by-hand names site, which a rollback changes in"):
            rollback(legacy)
        legacy.execute_command("FT.DROPINDEX", "by-hand")
    assert rollback(legacy).outcome is Outcome.DONE
    assert not is_recorded or total(legacy, "by-hand") == contained


def test_an_index_of_another_tool_does_not_refuse_a_run_that_keeps_types(legacy: redis.Redis) -> None:
    """Text that stays text stays in its index."""
    send(
        legacy,
        [
            (
                "FT.CREATE",
                "by-hand",
                "ON",
                "JSON",
                "PREFIX",
                1,
                SIGHTING,
                "SCHEMA",
                "$.species",
                "AS",
                "s",
                "TAG",
            )
        ],
    )
    try:
        assert run(legacy).outcome is Outcome.DONE
        assert total(legacy, "by-hand") == total(legacy, NAMES[-1])
        assert rollback(legacy).outcome is Outcome.DONE
    finally:
        legacy.execute_command("FT.DROPINDEX", "by-hand")


def test_an_interrupted_rollback_keeps_its_undo_log(legacy: redis.Redis) -> None:
    before = documents_of(legacy)
    run(legacy)
    stopping = service()
    asked = iter([False, True])
    stopping.context.monitor.stop_requested = lambda: next(asked, True)
    stopped = do(legacy, stopping.rollback(RollbackOptions(batch_size=10)))
    assert stopped.outcome is Outcome.STOPPED
    with pytest.raises(DataMigrationError) as raised:
        stopped.raise_for_outcome()
    assert str(raised.value.hint).endswith(f"om migrate-data rollback {UPPER.migration_id}")
    with pytest.raises(RollbackInProgressError):
        do(legacy, service().drop_undo_log())
    assert do(legacy, service().status()).phase is MigrationPhase.ROLLING_BACK
    assert rollback(legacy).outcome is Outcome.DONE
    assert difference(before, documents_of(legacy)) == []


def test_a_failure_mode_that_stops(legacy: redis.Redis) -> None:
    legacy.hset(VISIT + b"bad", mapping={"visit_code": "bad", "site": "area 51"})
    result = run(legacy, failure_mode=FailureMode.FAIL)
    assert result.outcome is Outcome.STOPPED
    assert "a digit in" in result.data.stopped
