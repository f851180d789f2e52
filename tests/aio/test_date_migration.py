"""`DateMigration`: each outcome has one exit code, one error and one JSON status, and its results are those of `om`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from typing import Any

import pytest
import redis

import redstart
from redstart.cli.exit_codes import EXIT_OF_OUTCOME
from redstart.cli.migrate_data.reports import (
    STATUS_OF_OUTCOME,
    dry_run_report,
    progress_report,
    rollback_report,
    run_report,
    stats_report,
    status_report,
    verify_report,
)
from redstart.cli.model_loading import load_declarations
from redstart.demo.models import Visit
from redstart.demo.sample import SIGHTING_PREFIX
from redstart.errors import ConfigurationError, DataMigrationError, MigrationError, UnsafeServerError
from redstart.migrations.context import Progress
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION as ID
from redstart.migrations.files.declarations import DATA
from redstart.migrations.files.loader import load_directory
from redstart.migrations.files.redis_om_history import files_status
from redstart.migrations.import_guard import no_migrations
from redstart.migrations.outcomes import Outcome
from redstart.migrations.run_progress import RunState
from redstart.migrations.state_keys import APPLIED_MIGRATIONS
from redstart.server.clients import open_like
from redstart.settings import get_root_migrations_dir
from tests.aio.conftest import VISIT, break_a_visit, result
from tests.cli.test_refused_rollback import parcels
from tests.migrations.indexes.conftest import DOCUMENTS, drop_all, make_legacy_indexes
from tests.support.cli import Ended, run_om
from tests.support.migration import new_context, own_keys
from tests.support.models import registry_of_its_own
from tests.support.sample import load_sample
from tests.support.snapshot import difference, every_byte, snapshot

__all__ = ["parcels"]  # a fixture

ROLLBACK = ("rollback", ID)
VARIES = {"seconds", "documents_per_second"}
"""Keys of reports that differ from one run to the next."""


@pytest.fixture(params=["redstart", "redstart.aio"])
def flavour(request: pytest.FixtureRequest) -> Any:
    return import_module(request.param)


def om(*words: str) -> Ended:
    return run_om("migrate-data", *words, "--json")


def nothing(_: redis.Redis) -> None:
    """Leave the documents as the old version wrote them."""


def converted(client: redis.Redis) -> None:
    assert om("run").code == 0


def converted_with_a_failure(client: redis.Redis) -> None:
    break_a_visit(client)
    assert om("run", "--failure-mode", "quarantine").code == 0


def with_a_new_value(client: redis.Redis) -> None:
    converted(client)
    client.hset(f"{VISIT}-9", mapping={"visit_code": "new", "arrived_at": "2023-01-01T12:00:00"})


def with_irreversible_values(client: redis.Redis) -> None:
    drop_all(client)
    converted(client)
    client.json().set(f"{SIGHTING_PREFIX}new", "$", {"last_seen_by_place": {" ": 1, "b": 2, "c": 3}})


def with_preexisting_numbers(client: redis.Redis) -> None:
    """A number that the new version wrote before the run: the old index of JSON does not take it."""
    redstart.Migrator().run()
    client.json().set(min(client.scan_iter(f"{SIGHTING_PREFIX}*")), "$.ringed_at", 1672531200.5)
    converted(client)


def applied_by_redis_om(client: redis.Redis) -> None:
    client.sadd(APPLIED_MIGRATIONS, ID)


@dataclass(frozen=True)
class Case:
    """One command and the equal call, on the same data.

    Attributes:
        words: of the command.
        call: of the method.
        report: makes of its result what `--json` prints; of a status, only what concerns data.
        error: the message of `raise_for_outcome()`; None if the outcome is a success.
    """

    prepare: Callable[[redis.Redis], None]
    words: tuple[str, ...]
    call: Callable[[Any], Any]
    report: Callable[[Any], dict[str, Any]]
    outcome: Outcome
    code: int
    status: str | None = None
    error: str | None = None


def of_run(found: Any) -> dict[str, Any]:
    return run_report(found, [], [])


def of_status(found: Any) -> dict[str, Any]:
    files = load_directory(DATA.directory(get_root_migrations_dir()), DATA)
    return status_report(found, files_status(files, set()))


CASES = {
    "run": Case(nothing, ("run",), lambda dates: dates.run(), of_run, Outcome.DONE, 0, "completed"),
    "run again": Case(converted, ("run",), lambda dates: dates.run(), of_run, Outcome.DONE, 0, "completed"),
    "stopped run": Case(
        nothing,
        ("run", "--limit-documents", "3"),
        lambda dates: dates.run(limit_documents=3),
        of_run,
        Outcome.STOPPED,
        5,
        "stopped",
        r"Conversion stopped: .*\n.*Resume with run\(\)",
    ),
    "run that stops at a failure": Case(
        break_a_visit,
        ("run", "--failure-mode", "fail"),
        lambda dates: dates.run(failure_mode="fail"),
        of_run,
        Outcome.STOPPED,
        5,
        "stopped",
        "Conversion stopped: failed value",
    ),
    "refused cutover": Case(
        break_a_visit,
        ("run",),
        lambda dates: dates.run(),
        of_run,
        Outcome.CUTOVER_REFUSED,
        3,
        "completed",
        f"(?s)cutover refused: station:visit:index.* such as {VISIT}-0.*Blocking: .*call run\\(\\)",
    ),
    "dry run": Case(
        break_a_visit,
        ("run", "--dry-run"),
        lambda dates: dates.dry_run(),
        lambda found: dry_run_report(found, []),
        Outcome.DRY_RUN,
        0,
        "dry_run",
    ),
    "verify": Case(
        converted_with_a_failure, ("verify",), lambda dates: dates.verify(), verify_report, Outcome.DONE, 0
    ),
    "verify with problems": Case(
        with_a_new_value,
        ("verify", "--check-data"),
        lambda dates: dates.verify(check_data=True),
        verify_report,
        Outcome.PROBLEMS_FOUND,
        6,
        None,
        f"Verification found [0-9]+ problems, such as {VISIT}-9",
    ),
    "status": Case(
        converted, ("status", "--check"), lambda dates: dates.status(), of_status, Outcome.DONE, 0
    ),
    "pending": Case(
        nothing,
        ("status", "--check"),
        lambda dates: dates.status(),
        of_status,
        Outcome.PENDING,
        3,
        None,
        r"The migration is pending \(phase: pending\): redstart\.demo\.models\.",
    ),
    "lost state": Case(
        applied_by_redis_om,
        ("status",),
        lambda dates: dates.status(),
        of_status,
        Outcome.RECORDED_ELSEWHERE,
        3,
        None,
        f"lists {ID} as applied, but there is no state of Redstart",
    ),
    "rollback": Case(
        converted_with_a_failure,
        ROLLBACK,
        lambda dates: dates.rollback(),
        rollback_report,
        Outcome.DONE,
        0,
        "completed",
    ),
    "rollback of nothing": Case(
        nothing,
        ROLLBACK,
        lambda dates: dates.rollback(),
        rollback_report,
        Outcome.NOTHING_TO_DO,
        0,
        "nothing_to_do",
    ),
    "preview": Case(
        with_a_new_value,
        (*ROLLBACK, "--dry-run"),
        lambda dates: dates.preview_rollback(),
        rollback_report,
        Outcome.DRY_RUN,
        0,
        "dry_run",
    ),
    "rollback with values left": Case(
        with_irreversible_values,
        ROLLBACK,
        lambda dates: dates.rollback(),
        rollback_report,
        Outcome.PROBLEMS_FOUND,
        6,
        "completed",
        r"except for some values\. Values that stay converted",
    ),
    "rollback with an index left": Case(
        with_preexisting_numbers,
        ROLLBACK,
        lambda dates: dates.rollback(),
        rollback_report,
        Outcome.CUTOVER_REFUSED,
        3,
        "completed",
        "Rollback complete, except for indexes: .* station:sighting:index",
    ),
}
"""Each outcome at least once; a run that is refused before its first write is in tests/migrations/test_outcomes.py."""


def make_station(client: redis.Redis) -> None:
    """Documents and indexes as the old version left them, in place of all there is."""
    drop_all(client)
    client.flushall()
    load_sample(client, DOCUMENTS, dirty_share=0, field_expiries=False)
    make_legacy_indexes(client)


@pytest.fixture
def station(client: redis.Redis, station_models: None) -> Iterator[redis.Redis]:
    make_station(client)
    yield client
    drop_all(client)


def compare(ended: Ended, found: Any, case: Case) -> None:
    """The exit code, the JSON and the error of one outcome; and every number is that of the command."""
    assert (ended.code, found.outcome) == (case.code, case.outcome), ended.text
    assert EXIT_OF_OUTCOME[found.outcome] == case.code
    report = case.report(found)
    varies = set(VARIES)
    if "fail" in case.words:  # how much comes before the failure depends on the order of a scan
        varies |= {name for name, value in report.items() if type(value) is int and name != "failed"}
    assert {name: ended.json[name] for name in report if name not in varies} == {
        name: value for name, value in report.items() if name not in varies
    }
    assert ended.json.get("status") == case.status
    if case.error is not None:
        with pytest.raises(DataMigrationError, match=case.error):
            found.raise_for_outcome()
    elif case.outcome is not Outcome.DRY_RUN or case.words[0] == "rollback":
        found.raise_for_outcome()


@pytest.mark.sample(2)
@pytest.mark.parametrize("name", CASES)
def test_each_outcome(name: str, flavour: Any, station: redis.Redis) -> None:
    case = CASES[name]
    case.prepare(station)
    ended = om(*case.words)
    if case.words[0] in ("run", "rollback") and "--dry-run" not in case.words:
        make_station(station)
        case.prepare(station)
    compare(ended, result(case.call(flavour.DateMigration())), case)


def test_a_rollback_that_is_refused(flavour: Any, parcels: redis.Redis, url: str) -> None:
    """It needs no models, and changes nothing."""
    case = Case(
        nothing,
        ROLLBACK,
        lambda dates: dates.rollback(),
        rollback_report,
        Outcome.NOT_STARTED,
        3,
        "not_run",
        r"Rollback refused: .* drop documents, such as t:parcel:7\.\nCorrect .* call rollback\(\) again",
    )
    compare(om(*case.words), result(flavour.DateMigration(url=url).rollback()), case)


def test_every_outcome_has_an_exit_code_and_a_case() -> None:
    assert set(EXIT_OF_OUTCOME) == set(Outcome)
    assert {case.outcome for case in CASES.values()} == set(Outcome) - {Outcome.NOT_STARTED, Outcome.SKIPPED}
    assert {case.error is None for case in CASES.values()} == {True, False}
    statuses = {case.status for case in CASES.values() if case.status} | {"not_run"}
    assert statuses == set(STATUS_OF_OUTCOME.values())


def test_numbers_before_a_run(flavour: Any, station: redis.Redis) -> None:
    dates = flavour.DateMigration()
    found = result(dates.stats(exact=True))
    expected = om("stats", "--exact").json
    report = stats_report(found.data, load_declarations(("redstart.demo.models",)))
    for name in ("documents", "exact", "values", "models", "foreign_keys", "unplanned"):
        assert report[name] == expected[name]
    assert (found.is_interrupted, found.refusal) == (False, None)
    station.config_set("maxmemory-policy", "allkeys-lru")
    try:
        assert isinstance(result(dates.stats()).refusal, UnsafeServerError)
        refused = result(dates.dry_run())
        assert isinstance(refused.refusal, UnsafeServerError)
        with pytest.raises(UnsafeServerError):
            result(dates.run())
    finally:
        station.config_set("maxmemory-policy", "noeviction")
    assert own_keys(station) == []


@pytest.mark.sample(1)
def test_progress_failures_and_rollback(flavour: Any, station: redis.Redis) -> None:
    break_a_visit(station, 3)
    start = snapshot(station)
    seen: list[Progress] = []
    dates = flavour.DateMigration(on_progress=seen.append)
    stopped = result(dates.run(limit_documents=20, failure_mode="quarantine"))
    assert stopped.outcome is Outcome.STOPPED
    assert result(dates.stats()).is_interrupted
    progress = result(dates.progress())
    assert progress.state is RunState.INTERRUPTED
    assert 0 < progress.done < progress.total == DOCUMENTS + 3
    assert progress_report(progress.status) == om("progress").json
    assert result(dates.run(failure_mode="quarantine")).outcome is Outcome.DONE
    assert {"initial scan", "converting"} <= {one.stage for one in seen}
    assert max(one.done for one in seen if one.stage == "converting") >= DOCUMENTS
    failures = result(dates.failures())
    assert failures.count == 3
    assert [one.as_dict() for one in failures.listed] == om("errors").json["errors"]
    assert result(dates.rollback()).outcome is Outcome.DONE
    assert difference(start, snapshot(station)) == []


@pytest.mark.sample(1)
def test_the_command_resumes_a_run_of_a_program(flavour: Any, station: redis.Redis) -> None:
    assert result(flavour.DateMigration().run(limit_documents=3)).outcome is Outcome.STOPPED
    resumed = om("run")
    assert (resumed.code, resumed.json["resumed"]) == (0, True)


def test_only_the_given_models_are_migrated(flavour: Any, station: redis.Redis, url: str) -> None:
    dates = flavour.DateMigration([Visit], url=url)
    assert result(dates.run()).outcome is Outcome.DONE
    (applied,) = result(dates.status()).data.applied
    assert applied.name.endswith("Visit")
    others = result(flavour.DateMigration().status())
    assert {model.name.rpartition(".")[2] for model in others.data.pending} == {"Ringer", "Sighting"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"failure_mode": "mend"}, "Unknown failure mode 'mend'"),
        ({"batch_size": 0}, "batch_size has to be from 1 to 100,000, not 0"),
        ({"batch_size": 100_001}, "batch_size"),
        ({"max_errors": 0}, "max_errors has to be 1 or more"),
        ({"limit_documents": -1}, "limit_documents"),
    ],
)
def test_options_out_of_range_are_refused_before_the_first_request(
    flavour: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        result(flavour.DateMigration(url="redis://localhost:1").run(**options))


def test_servers_that_cannot_be_chosen(flavour: Any, models_url: str) -> None:
    client = flavour.get_redis_connection(url="redis://localhost:1")
    with pytest.raises(ConfigurationError, match="A client and a URL"):
        flavour.DateMigration(client=client, url=models_url)
    with registry_of_its_own():
        with pytest.raises(ConfigurationError, match="No models are imported"):
            result(flavour.DateMigration().run())

        class Elsewhere(flavour.HashModel, index=True):  # type: ignore[name-defined, misc]
            at: datetime

            class Meta:
                database = client

        class Here(flavour.HashModel, index=True):  # type: ignore[name-defined, misc]
            at: datetime

        with pytest.raises(ConfigurationError, match=r"different servers: .*localhost:1"):
            result(flavour.DateMigration().status())
        assert result(flavour.DateMigration([Here]).status()).outcome is Outcome.PENDING


def test_a_given_alias_has_to_lead_to_an_index_of_the_models(flavour: Any, station: redis.Redis) -> None:
    before = every_byte(station)
    for call in ("dry_run", "run"):
        with pytest.raises(MigrationError, match="nowhere"):
            result(getattr(flavour.DateMigration(), call)(aliases=["nowhere"]))
    assert every_byte(station) == before


@pytest.mark.sample(1)
def test_the_schema_is_checked(flavour: Any, station: redis.Redis) -> None:
    dates = flavour.DateMigration()
    found, expected = result(dates.check_schema()), om("check-schema")
    assert (found.outcome, expected.code) == (Outcome.PENDING, 3)
    assert str(found.next_command) == expected.json["recommendation"] == "om migrate-data run"
    assert [str(field.path) for one in found.indexes for field in one.mismatches] == [
        one["field"] for one in expected.json["mismatches"]
    ]
    with pytest.raises(DataMigrationError, match=r"not converted: .*station:sighting:index"):
        found.raise_for_outcome()
    result(dates.run()).raise_for_outcome()
    found, expected = result(dates.check_schema()), om("check-schema")
    assert (found.outcome, found.next_command, expected.code) == (Outcome.DONE, None, 0)
    assert all(one.is_converted and not one.mismatches for one in found.indexes)
    found.raise_for_outcome()


@pytest.mark.sample(1)
def test_state_is_removed(flavour: Any, station: redis.Redis) -> None:
    """The progress of an interrupted run, then the undo log, then a lease that nobody releases."""
    dates = flavour.DateMigration()
    assert (result(dates.clear_progress()), result(dates.drop_undo_log())) == (False, False)
    assert result(dates.force_unlock()) == []
    result(dates.run(limit_documents=20))
    with pytest.raises(MigrationError, match="A run was interrupted"):
        result(dates.drop_undo_log())
    assert (result(dates.clear_progress()), result(dates.clear_progress())) == (True, False)
    assert om("progress").json["state"] == "none"
    result(dates.run()).raise_for_outcome()
    assert (result(dates.drop_undo_log()), result(dates.drop_undo_log())) == (True, False)
    assert om(*ROLLBACK).code == 1
    with open_like(station) as driver:
        context = new_context()
        _ = driver.run(context.acquire())
    (removed,) = result(dates.force_unlock())
    assert removed.holder == context.holder
    assert om("force-unlock", "--yes").json["status"] == "not_locked"


def test_a_module_that_is_imported_for_its_models_migrates_nothing(
    flavour: Any, station: redis.Redis
) -> None:
    calls: list[str] = []
    before = every_byte(station)
    with no_migrations(lambda _, call: calls.append(call)):
        ran, undone = result(flavour.DateMigration().run()), result(flavour.DateMigration().rollback())
        removed = [
            result(getattr(flavour.DateMigration(), name)())
            for name in ("clear_progress", "drop_undo_log", "force_unlock")
        ]
    assert removed == [False, False, []]
    assert (ran.outcome, undone.outcome) == (Outcome.SKIPPED, Outcome.SKIPPED)
    ran.raise_for_outcome()
    undone.raise_for_outcome()
    names = ("run", "rollback", "clear_progress", "drop_undo_log", "force_unlock")
    assert calls == [f"DateMigration().{name}()" for name in names]
    assert every_byte(station) == before
