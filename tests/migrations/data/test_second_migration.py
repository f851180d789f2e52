"""A data migration without dates goes through every operation of the engine: nothing in it knows of dates."""

import json
import random
import uuid
from contextlib import suppress
from typing import Any

import pytest
import redis

from redstart.effects import Op
from redstart.errors import PlanChangedError
from redstart.migrations.context import Context
from redstart.migrations.data.edit_builder import FailureMode
from redstart.migrations.data.failures import FailureLog
from redstart.migrations.data.record import read_record
from redstart.migrations.data.results import DataRollbackResult, RunResult
from redstart.migrations.data.rollback import rollback
from redstart.migrations.data.rollback_preview import preview_rollback
from redstart.migrations.data.run import run
from redstart.migrations.data.statistics import statistics
from redstart.migrations.data.verify import Problems, verify, verify_journal
from redstart.migrations.phase import MigrationPhase, migration_status
from redstart.migrations.state_keys import StateKeys
from redstart.migrations.transformation import Classification
from redstart.server.clients import open_like
from tests.migrations.data.upper_case import HASH_PREFIX, JSON_PREFIX, UpperCase, upper_case_plan
from tests.support.crash_driver import Crash, CrashDriver, CrashKind
from tests.support.migration import documents_of, new_context, options, own_keys, small_pieces
from tests.support.replies import send
from tests.support.snapshot import Snapshot, difference
from tests.support.soak import SOAK

UPPER = UpperCase()
KEYS = StateKeys(UPPER.migration_id)
PLAN = upper_case_plan(UPPER)
MODES = [mode for mode in FailureMode if mode is not FailureMode.FAIL]

TOWNS: list[dict[str, str | bytes]] = [
    {"name": "oslo", "country": "Norway", "motto": "tigerstaden"},
    {"name": "bergen", "country": "Norway"},
    {"name": "route 66", "country": "Arizona"},
    {"name": "BERN", "country": "Switzerland", "name__invalid": "mine"},
    {"name": "zürich", "country": "eu 27", "motto": "nihil"},
    {"name": b"\xff\x00", "country": "Freetown Christiania"},
    {"name": "", "country": "McMurdo"},
    {"name": "UNKNOWN", "country": "France"},
]

REGIONS: list[dict[str, Any]] = [
    {"name": "tyrol", "towns": ["hall", "HULL", "imst"], "rivers": {"it's": "inn"}, "mayor": {"name": "ada"}},
    {"name": "area 51", "towns": ["x1", "rachel", "x1", None, ""], "rivers": {}, "mayor": {"name": 7}},
    {"name": 'say "hi"', "towns": ["a\\b", "ünden", "tab\there"], "mayor": {"name": None}},
    {"name": "kent", "towns": "dover", "rivers": ["medway"], "z": 1.0, "mayor": {"name": "B2"}},
    {"name": None, "towns": [["nested"], "deal", True, {"name": "no"}], "mayor": {"name": ""}},
    {"name": "IoM", "towns": ["ramsey"] * 9, "rivers": {"a": "neb", "b": "r2", "c": "AWIN"}},
]


def load(client: redis.Redis, copies: int = 8) -> Snapshot:
    """Empty the database, write the documents several times, and return them."""
    client.execute_command("FLUSHALL", "SYNC")
    commands: list[tuple[Any, ...]] = []
    for copy in range(copies):
        for number, town in enumerate(TOWNS):
            pairs = [part for pair in town.items() for part in pair]
            commands.append(("HSET", f"{HASH_PREFIX}{number}-{copy}", *pairs))
        for number, region in enumerate(REGIONS):
            commands.append(
                ("JSON.SET", f"{JSON_PREFIX}{number}-{copy}", "$", json.dumps(region, ensure_ascii=False))
            )
    commands.append(("PEXPIREAT", f"{HASH_PREFIX}0-0", 4_102_444_800_000))
    commands.append(("SET", f"{HASH_PREFIX}foreign", "stays"))
    send(client, commands)
    return documents_of(client)


def context(transformation: UpperCase = UPPER) -> Context:
    return new_context(transformation=transformation)


def migrate(mode: FailureMode = FailureMode.LOG_AND_SKIP) -> Op[RunResult]:
    return run(context(), PLAN, options(mode))


def undo(**more: Any) -> Op[DataRollbackResult]:
    return rollback(context(), batch_documents=40, **more)


def do(client: redis.Redis, operation: Op[Any]) -> Any:
    with open_like(client) as driver:
        return driver.run(operation)


def town(client: redis.Redis, name: str, field: str) -> bytes | None:
    return client.hget(HASH_PREFIX + name, field)


def region(client: redis.Redis, name: str) -> Any:
    return json.loads(client.execute_command("JSON.GET", JSON_PREFIX + name))


def test_statistics_count_the_values_of_each_kind(client: redis.Redis) -> None:
    load(client)
    found = do(client, statistics(context(), PLAN, rng=None))
    totals = {outcome: found.total(outcome) for outcome in Classification}
    assert all(totals.values()), totals
    assert found.exact
    assert [(model.model.key_prefix, model.documents) for model in found.models] == [
        (JSON_PREFIX, 8 * len(REGIONS)),
        (HASH_PREFIX, 8 * len(TOWNS)),
    ]
    samples = found.survey.samples[HASH_PREFIX, "name"]
    assert {(sample.before, sample.after) for sample in samples} <= {
        ("oslo", "OSLO"),
        ("bergen", "BERGEN"),
        ("zürich", "ZÜRICH"),
    }
    result = do(client, migrate())
    assert result.stopped is None
    assert (result.converted, result.lossy, result.already_converted, result.errors) == (
        totals[Classification.CONVERTIBLE] + totals[Classification.LOSSY],
        totals[Classification.LOSSY],
        totals[Classification.ALREADY],
        totals[Classification.UNCONVERTIBLE],
    )


@pytest.mark.parametrize("mode", MODES)
def test_a_run_is_verified_and_rolled_back_byte_for_byte(client: redis.Redis, mode: FailureMode) -> None:
    before = load(client)
    result = do(client, migrate(mode))
    assert result.stopped is None
    assert (town(client, "0-0", "name"), town(client, "0-0", "motto")) == (b"OSLO", b"tigerstaden")
    assert region(client, "0-0")["towns"] == ["HALL", "HULL", "IMST"]
    assert region(client, "2-0")["towns"] == ["A\\B", "ÜNDEN", "TAB\tHERE"]
    assert client.pexpiretime(f"{HASH_PREFIX}0-0") == 4_102_444_800_000
    failed = {
        FailureMode.DEFAULT: (b"UNKNOWN", None, "UNKNOWN", "UNKNOWN"),
        FailureMode.QUARANTINE: (b"", b"route 66", "", "x1"),
    }.get(mode, (b"route 66", None, "area 51", "x1"))
    second = region(client, "1-0")
    assert (
        town(client, "2-0", "name"),
        town(client, "2-0", "name__invalid"),
        second["name"],
        second["towns"][0],
    ) == failed
    found = do(client, migration_status(context().transformation, PLAN))
    assert (found.phase, found.data.failures) == (MigrationPhase.CONVERTED, result.errors)

    verified = do(client, verify(context(), PLAN))
    assert (verified.problems.first, verified.tally.total(Classification.CONVERTIBLE)) == ([], 0)
    problems = Problems()
    checked = do(client, verify_journal(context(), do(client, read_record(KEYS)).plan, problems))
    assert (problems.first, checked.changed_since) == ([], 0)
    assert checked.as_written > 100

    preview = do(client, preview_rollback(context()))
    undone = do(client, undo())
    assert undone.stopped is None
    assert difference(before, documents_of(client)) == []
    assert (undone.kept, undone.unrestored, undone.reformatted) == (0, 0, 0)
    assert undone.preexisting_numbers == 8 * (1 + 1 + 1 + 1)
    assert {example.reason for example in undone.number_examples} == {"was in upper case"}
    same = ("restored_exactly", "reformatted", "kept", "unrestored", "preexisting_numbers")
    assert [getattr(preview, name) for name in same] == [getattr(undone, name) for name in same]
    assert own_keys(client) == []


def test_mode_fail_stops_at_the_first_failed_value_and_resumes_after_its_correction(
    client: redis.Redis,
) -> None:
    client.execute_command("FLUSHALL", "SYNC")
    client.hset(HASH_PREFIX + "1", "name", "area 51")
    assert "a digit in 7 characters" in do(client, migrate(FailureMode.FAIL)).stopped
    client.hset(HASH_PREFIX + "1", "name", "area")
    result = do(client, migrate(FailureMode.FAIL))
    assert (result.stopped, result.resumed, town(client, "1", "name")) == (None, True, b"AREA")


def test_what_is_not_converted_is_a_problem_in_the_words_of_the_migration(client: redis.Redis) -> None:
    load(client)
    do(client, migrate())
    client.hset(HASH_PREFIX + "new", mapping={"name": "bonn", "country": "e5"})
    found = do(client, verify(context(), PLAN)).problems
    assert {(problem.path, problem.reason) for problem in found.first} == {
        ("name", "not in upper case"),
        ("country", "a digit in 2 characters; not recorded by the run"),
    }
    client.hset(HASH_PREFIX + "0-0", "name", "changed")
    entries = client.xrange(KEYS.journal)
    assert entries
    problems = Problems()
    plan = do(client, read_record(KEYS)).plan
    assert do(client, verify_journal(context(), plan, problems)).changed_since == 1


def test_newer_values_get_the_style_of_their_field_and_copied_defaults_stay(client: redis.Redis) -> None:
    """`name` was mostly in lower case, `country` capitalized."""
    before = load(client)
    do(client, migrate(FailureMode.DEFAULT))
    client.hset(HASH_PREFIX + "new", mapping={"name": "BONN", "country": "GERMANY"})
    client.hset(HASH_PREFIX + "sharp", mapping={"name": "UNKNOWN"})
    send(client, [("JSON.SET", JSON_PREFIX + "new", "$", '{"name": "ELBA", "towns": ["CAPO"]}')])
    undone = do(client, undo())
    assert (town(client, "new", "name"), town(client, "new", "country")) == (b"bonn", b"Germany")
    assert region(client, "new") == {"name": "elba", "towns": ["capo"]}
    assert town(client, "sharp", "name") == b"UNKNOWN"
    reasons = {(one.key, one.path): one.reason for one in undone.examples}
    assert reasons[HASH_PREFIX + "sharp", "name"] == "a name, or UNKNOWN in place of a failed value"
    new = (b"upper:town:new", b"upper:town:sharp", b"upper:region:new")
    left = {key: entry for key, entry in documents_of(client).items() if key not in new}
    assert difference(before, left) == []


def test_other_settings_are_refused_with_the_migration_that_has_them(client: redis.Redis) -> None:
    load(client)
    do(client, migrate())
    other = UpperCase("ascii")
    with pytest.raises(PlanChangedError) as refused:
        do(client, run(context(other), upper_case_plan(other), options()))
    assert "alphabet = unicode, and are now alphabet = ascii" in refused.value.message
    assert refused.value.hint is not None
    assert refused.value.hint.endswith("om migrate rollback 002_upper_case")
    with pytest.raises(PlanChangedError):
        do(client, rollback(context(other)))


@pytest.mark.sample(1)
@pytest.mark.parametrize("mode", [FailureMode.LOG_AND_SKIP, FailureMode.DEFAULT, FailureMode.QUARANTINE])
def test_a_run_and_a_rollback_that_crash_are_resumed(
    client: redis.Redis, url: str, monkeypatch: pytest.MonkeyPatch, mode: FailureMode
) -> None:
    small_pieces(monkeypatch)
    before = load(client, copies=2)
    with CrashDriver(url) as driver:
        driver.run(migrate(mode))
        names, end = driver.names, (documents_of(client), failures(client))
    with CrashDriver(url) as driver:
        driver.run(undo())
        undo_names = driver.names
    for at, kind in crash_points(names):
        load(client, copies=2)
        crash(url, migrate(mode), at, kind)
        do(client, migrate(mode))
        assert (documents_of(client), failures(client)) == end, (names[at], kind)
    for at, kind in crash_points(undo_names):
        load(client, copies=2)
        do(client, migrate(mode))
        crash(url, undo(), at, kind)
        do(client, undo())
        assert difference(before, documents_of(client)) == [], (undo_names[at], kind)


def crash(url: str, operation: Op[Any], at: int, kind: CrashKind) -> None:
    with CrashDriver(url, at=at, kind=kind) as driver, suppress(Crash):
        driver.run(operation)


def crash_points(names: list[str]) -> list[tuple[int, CrashKind]]:
    """Some requests, the scripts that write among them, each in one way; all in every way in the soak."""
    if SOAK:
        return [(at, kind) for at in range(len(names)) for kind in CrashKind]
    seed = uuid.uuid4().int
    print(f"seed {seed}")
    rng = random.Random(seed)
    scripts = [at for at, name in enumerate(names) if "apply" in name]
    chosen = [rng.choice(scripts), scripts[-1], rng.randrange(len(names) - 1)]
    return [(at, rng.choice(list(CrashKind))) for at in chosen]


def failures(client: redis.Redis) -> list[Any]:
    return do(client, FailureLog(KEYS).all())
