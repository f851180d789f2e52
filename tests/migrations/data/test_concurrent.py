"""Beside others: writers between read and apply, new values between run and rollback, several runs."""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import redis

from redstart.demo.models import Ringer, Sighting, Visit
from redstart.demo.sample import RINGER_PREFIX, SIGHTING_PREFIX, VISIT_PREFIX
from redstart.errors import CommandFailed
from redstart.migrations.data.converting.runner import RunResult, run
from redstart.migrations.data.judging.transform import FailureMode
from redstart.migrations.data.planned.plan import Plan
from redstart.migrations.data.undoing.rollback import RollbackResult, rollback
from tests.support.crash_driver import CrashDriver, CrashKind
from tests.support.migration import (
    EXPIRY,
    SAME_INSTANT,
    TEXT,
    documents_of,
    load_hostile,
    new_context,
    options,
    own_keys,
    station_plan,
)
from tests.support.replies import Command, replies, send
from tests.support.snapshot import difference

NUMBER = b"1620097321.123456"
"""What TEXT becomes."""
NEWER_TEXT, NEWER_NUMBER = "2022-02-02T02:02:02", b"1643767322.0"

RINGER, VISIT, SIGHTING = RINGER_PREFIX + "1", VISIT_PREFIX + "1", SIGHTING_PREFIX + "1"

APPLY = ("EVAL apply journaled", "EVALSHA apply journaled")
UNDO = ("EVAL apply undo", "EVALSHA apply undo")


def migrate(
    url: str,
    mode: FailureMode = FailureMode.LOG_AND_SKIP,
    *,
    plan: Plan | None = None,
    before: Callable[[str], None] | None = None,
    **more: Any,
) -> RunResult:
    with CrashDriver(url, before=before) as driver:
        return driver.run(run(new_context(), plan or station_plan(), options(mode, **more)))


def undo(url: str, *, before: Callable[[str], None] | None = None) -> RollbackResult:
    with CrashDriver(url, before=before) as driver:
        result = driver.run(rollback(new_context(), batch_documents=40))
    assert result.stopped is None
    return result


def once_before(names: tuple[str, ...], client: redis.Redis, *commands: Command) -> Callable[[str], None]:
    """Another client's commands, sent before the first request of one of these names."""
    waiting = [list(commands)]

    def hook(name: str) -> None:
        if name in names and waiting:
            send(client, waiting.pop())

    return hook


def json_of(client: redis.Redis, key: str = SIGHTING) -> Any:
    return json.loads(replies(client, [("JSON.GET", key)])[0])


def set_json(key: str, content: dict[str, Any]) -> Command:
    return ("JSON.SET", key, "$", json.dumps(content))


# Between read and apply


def test_a_writer_keeps_its_write_and_the_document_is_converted_afterwards(
    client: redis.Redis, url: str
) -> None:
    send(client, [("HSET", VISIT, "arrived_at", TEXT, "left_at", TEXT, "weather", "clear")])
    send(client, [set_json(SIGHTING, {"ringed_at": TEXT, "resighted_at": [TEXT], "species": "wryneck"})])
    writer = once_before(
        APPLY,
        client,
        ("HSET", VISIT, "left_at", NEWER_TEXT, "weather", "fog"),
        ("JSON.ARRINSERT", SIGHTING, "$.resighted_at", 0, f'"{NEWER_TEXT}"'),
        ("JSON.SET", SIGHTING, "$.species", '"whinchat"'),
    )
    result = migrate(url, before=writer)
    assert (result.stopped, result.conflicts_retried, result.converted) == (None, 2, 5)
    assert client.hgetall(VISIT) == {b"arrived_at": NUMBER, b"left_at": NEWER_NUMBER, b"weather": b"fog"}
    wanted = [float(NEWER_NUMBER), float(NUMBER)]
    assert json_of(client) == {"ringed_at": float(NUMBER), "resighted_at": wanted, "species": "whinchat"}
    undo(url)
    assert client.hgetall(VISIT) == {
        b"arrived_at": TEXT.encode(),
        b"left_at": NEWER_TEXT.encode(),
        b"weather": b"fog",
    }
    assert json_of(client) == {"ringed_at": TEXT, "resighted_at": [NEWER_TEXT, TEXT], "species": "whinchat"}


@pytest.mark.parametrize(
    ("mode", "more", "reason"),
    [
        (FailureMode.FAIL, {}, "failure mode is fail"),
        (FailureMode.LOG_AND_SKIP, {"max_errors": 1}, "max-errors reached"),
    ],
)
def test_a_bad_value_written_under_the_run_stops_it_like_any_other(
    client: redis.Redis, url: str, mode: FailureMode, more: dict[str, int], reason: str
) -> None:
    send(client, [("HSET", VISIT, "arrived_at", TEXT)])
    result = migrate(url, mode, before=once_before(APPLY, client, ("HSET", VISIT, "arrived_at", "?")), **more)
    assert result.stopped is not None
    assert reason in result.stopped
    assert client.hgetall(VISIT) == {b"arrived_at": b"?"}
    send(client, [("HSET", VISIT, "arrived_at", TEXT)])
    assert migrate(url, mode).stopped is None
    assert client.hgetall(VISIT) == {b"arrived_at": NUMBER}


def test_a_bad_value_corrected_under_the_run_is_not_said_to_be_replaced(
    client: redis.Redis, url: str
) -> None:
    other = VISIT + "2"
    send(client, [("HSET", key, "arrived_at", "?", "left_at", "?") for key in (VISIT, other)])
    writer = once_before(APPLY, client, ("HSET", VISIT, "arrived_at", TEXT))
    result = migrate(url, FailureMode.DEFAULT, before=writer)
    assert (result.stopped, result.conflicts_retried, result.errors) == (None, 1, 3)
    assert client.hgetall(VISIT) == {b"arrived_at": NUMBER, b"left_at": b"0.0"}
    recorded = client.hkeys("redstart:001_datetime_fields_to_timestamps:failures")
    assert json.dumps([VISIT, "arrived_at"], separators=(",", ":")).encode() not in recorded


def test_a_bad_value_in_the_page_ahead_stops_a_run_after_both_pages(client: redis.Redis, url: str) -> None:
    """Two pages are under way when it is found: the next one is finished, and none is begun after it."""
    send(client, [("HSET", f"{VISIT}{number}", "arrived_at", TEXT) for number in range(400)])
    bad = [0]

    def writer(name: str) -> None:
        if name in APPLY and not bad[0]:
            bad[0] = 1
            send(client, [("HSET", f"{VISIT}{number}", "arrived_at", "?") for number in range(400)])

    result = migrate(url, FailureMode.FAIL, before=writer)
    assert result.stopped is not None
    assert {client.hget(f"{VISIT}{number}", "arrived_at") for number in range(400)} == {b"?"}
    send(client, [("HSET", f"{VISIT}{number}", "arrived_at", TEXT) for number in range(400)])
    assert migrate(url, FailureMode.FAIL).stopped is None
    assert {client.hget(f"{VISIT}{number}", "arrived_at") for number in range(400)} == {NUMBER}


def test_a_pass_whose_answers_were_lost_is_not_taken_for_one_that_found_nothing(
    client: redis.Redis, url: str
) -> None:
    """Sent again, its chunks change nothing more; what came in behind the pass still has to be found."""
    send(client, [("HSET", VISIT, "arrived_at", TEXT)])

    def straggler(name: str) -> None:
        if name in APPLY:
            send(client, [("HSET", VISIT + "late", "arrived_at", TEXT)])

    at = 0
    with CrashDriver(url) as driver:
        driver.run(run(new_context(), station_plan(), options()))
        at = driver.names.index("EVALSHA apply journaled")
    client.flushall()
    send(client, [("HSET", VISIT, "arrived_at", TEXT)])
    with CrashDriver(url, at=at, kind=CrashKind.LOST_REPLY, before=straggler) as driver:
        result = driver.run(run(new_context(), station_plan(), options()))
    assert driver.crashed is not None and driver.crashed in APPLY
    assert (result.stopped, result.converted) == (None, 2)
    assert client.hgetall(VISIT + "late") == {b"arrived_at": NUMBER}


def test_a_value_that_looks_like_the_servers_answer_hides_no_other_write(
    client: redis.Redis, url: str
) -> None:
    """Several paths are answered as one object; this value has the other path for a key of its own."""
    bad = {"$.ringed_at": ["x1"]}
    send(client, [set_json(SIGHTING, {"hatched_on": bad, "ringed_at": "x1"})])
    writer = once_before(APPLY, client, ("JSON.SET", SIGHTING, "$.ringed_at", '"y2"'))
    assert migrate(url, FailureMode.DEFAULT, before=writer).conflicts_retried == 1
    undo(url)
    assert json_of(client) == {"hatched_on": bad, "ringed_at": "y2"}


GONE: list[tuple[Command, ...]] = [
    (("DEL", VISIT, SIGHTING),),
    (("PEXPIREAT", VISIT, 1), ("PEXPIREAT", SIGHTING, 1)),
    (("RENAME", VISIT, "elsewhere:1"), ("RENAME", SIGHTING, "elsewhere:2")),
]
REPLACED: tuple[Command, ...] = (
    ("DEL", VISIT, SIGHTING),
    ("SET", VISIT, "1"),
    ("HSET", SIGHTING, "ringed_at", TEXT),
)


@pytest.mark.parametrize("names", [APPLY, UNDO])
@pytest.mark.parametrize("mode", [FailureMode.DEFAULT, FailureMode.QUARANTINE])
@pytest.mark.parametrize("commands", [*GONE, REPLACED])
def test_what_is_deleted_is_not_made_again(
    client: redis.Redis, url: str, names: tuple[str, ...], mode: FailureMode, commands: tuple[Command, ...]
) -> None:
    send(client, [("HSET", VISIT, "arrived_at", TEXT, "left_at", "?")])
    send(client, [set_json(SIGHTING, {"ringed_at": TEXT, "hatched_on": "?", "resighted_at": ["?", TEXT]})])
    writer = once_before(names, client, *commands)
    assert migrate(url, mode, before=writer).stopped is None
    undo(url, before=writer)
    expected = {VISIT: b"none", SIGHTING: b"none"}
    if commands is REPLACED:
        expected = {VISIT: b"string", SIGHTING: b"hash"}
        assert (client.get(VISIT), client.hgetall(SIGHTING)) == (b"1", {b"ringed_at": TEXT.encode()})
    assert {key: replies(client, [("TYPE", key)])[0] for key in expected} == expected


@pytest.mark.parametrize("names", [APPLY, UNDO])
def test_a_field_that_is_deleted_or_expires_is_not_made_again(
    client: redis.Redis, url: str, names: tuple[str, ...]
) -> None:
    send(client, [("HSET", VISIT, "arrived_at", TEXT, "left_at", TEXT, "permit_until", "2020-01-01")])
    send(client, [set_json(SIGHTING, {"ringed_at": TEXT, "hatched_on": "2020-01-01"})])
    writer = once_before(
        names,
        client,
        ("HPEXPIREAT", VISIT, 1, "FIELDS", 1, "arrived_at"),
        ("HDEL", VISIT, "left_at"),
        ("JSON.DEL", SIGHTING, "$.hatched_on"),
    )
    assert migrate(url, before=writer).stopped is None
    undo(url, before=writer)
    assert client.hgetall(VISIT) == {b"permit_until": b"2020-01-01"}
    assert json_of(client) == {"ringed_at": TEXT}


def test_writers_at_every_request_lose_nothing(client: redis.Redis, url: str) -> None:
    """An old application that writes all the time, and stops before the last run."""
    seed = random.SystemRandom().randrange(10**9)
    print(f"seed {seed}")
    chance = random.Random(seed)
    moment = datetime(2021, 1, 1)
    hashes = {f"{VISIT_PREFIX}{n}": moment for n in range(60)}
    lists: dict[str, list[datetime]] = {f"{SIGHTING_PREFIX}{n}": [moment] * 3 for n in range(40)}
    send(client, [("HSET", key, "arrived_at", moment.isoformat()) for key in hashes])
    send(client, [_list_command(key, moments) for key, moments in lists.items()])

    def write(name: str) -> None:
        later = moment + timedelta(seconds=chance.randrange(10**8))
        if name == "(never)":
            return
        if chance.random() < 0.5:
            key = chance.choice(list(hashes))
            hashes[key] = later
            send(client, [("HSET", key, "arrived_at", later.isoformat())])
            return
        key = chance.choice(list(lists))
        if lists[key] and chance.random() < 0.4:
            lists[key].pop(0)
            send(client, [("JSON.ARRPOP", key, "$.resighted_at", 0)])
        else:
            lists[key].insert(0, later)
            send(client, [("JSON.ARRINSERT", key, "$.resighted_at", 0, f'"{later.isoformat()}"')])

    migrate(url, before=write)
    assert migrate(url).stopped is None
    assert {
        key: datetime.fromtimestamp(float(client.hget(key, "arrived_at") or 0), UTC) for key in hashes
    } == {key: moment.replace(tzinfo=UTC) for key, moment in hashes.items()}
    assert {key: json_of(client, key)["resighted_at"] for key in lists} == {
        key: [moment.replace(tzinfo=UTC).timestamp() for moment in moments] for key, moments in lists.items()
    }
    undo(url, before=write)
    assert {key: client.hget(key, "arrived_at") for key in hashes} == {
        key: moment.isoformat().encode() for key, moment in hashes.items()
    }
    assert {key: json_of(client, key)["resighted_at"] for key in lists} == {
        key: [moment.isoformat() for moment in moments] for key, moments in lists.items()
    }


def _list_command(key: str, moments: list[datetime]) -> Command:
    return set_json(key, {"resighted_at": [moment.isoformat() for moment in moments]})


# Between a run and its rollback


def test_items_that_moved_in_their_list_are_not_mixed_up(client: redis.Redis, url: str) -> None:
    """By position alone, an item would get the text of its neighbour: the same instant, spelt otherwise."""
    items = [*SAME_INSTANT, TEXT, "?", 1600000000.5]
    for name in ("same", "prepended", "removed"):
        send(
            client, [set_json(SIGHTING_PREFIX + name, {"resighted_at": items, "ringed_at": SAME_INSTANT[2]})]
        )
    before = documents_of(client)
    migrate(url)
    send(client, [("JSON.ARRINSERT", SIGHTING_PREFIX + "prepended", "$.resighted_at", 0, "1643767322.0")])
    send(client, [("JSON.ARRPOP", SIGHTING_PREFIX + "removed", "$.resighted_at", 0)])
    undo(url)
    lines = difference(before, documents_of(client))
    assert [line.split(":")[2] for line in lines] == ["prepended", "removed"]
    old_forms = ["2021-05-04T03:02:01Z"] * 3 + [TEXT + "Z", "?", 1600000000.5]
    assert json_of(client, SIGHTING_PREFIX + "prepended")["resighted_at"] == [NEWER_TEXT + "Z", *old_forms]
    assert json_of(client, SIGHTING_PREFIX + "removed")["resighted_at"] == old_forms[1:]
    # What is not in the list came back exactly.
    assert json_of(client, SIGHTING_PREFIX + "removed")["ringed_at"] == SAME_INSTANT[2]


@pytest.mark.parametrize("mode", [FailureMode.LOG_AND_SKIP, FailureMode.DEFAULT])
@pytest.mark.parametrize("large_bytes", [1_000, 1_000_000])
def test_items_of_a_large_document_are_not_mixed_up_either(
    client: redis.Redis, url: str, monkeypatch: pytest.MonkeyPatch, mode: FailureMode, large_bytes: int
) -> None:
    monkeypatch.setattr("redstart.migrations.data.reading.read.LARGE_BYTES", large_bytes)
    texts = ["bad", "worse", *SAME_INSTANT]
    content = {
        "field_book": "x" * 5_000,
        "resighted_at": texts,
        "measurements": [{"taken_at": text, "n": 1} for text in texts],
    }
    send(client, [set_json(SIGHTING, content), set_json(SIGHTING + "alone", content)])
    before = documents_of(client)
    migrate(url, mode)
    newer = '{"taken_at":0.0}'
    send(client, [("JSON.ARRINSERT", SIGHTING, "$.resighted_at", 0, "0.0")])
    send(client, [("JSON.ARRINSERT", SIGHTING, "$.measurements", 0, newer)])
    undo(url)
    new = "1970-01-01T00:00:00Z"
    shifted = [new] * 3 if mode is FailureMode.DEFAULT else [new, "bad", "worse"]
    shifted += ["2021-05-04T03:02:01Z"] * 3
    after = json_of(client)
    assert after["resighted_at"] == shifted
    assert [item["taken_at"] for item in after["measurements"]] == shifted
    client.delete(SIGHTING)
    assert difference(before, documents_of(client)) == [f"{SIGHTING}: is missing"]


def test_newer_values_get_their_old_form_and_numbers_of_before_stay(client: redis.Redis, url: str) -> None:
    send(
        client, [("HSET", VISIT, "arrived_at", "1600000000.5", "left_at", TEXT, "permit_until", "2020-01-01")]
    )
    send(
        client,
        [
            ("HSET", VISIT + "x", "arrived_at", TEXT, "left_at", "1600000000"),
            ("PEXPIREAT", VISIT + "x", EXPIRY),
        ],
    )
    migrate(url)
    send(client, [("HSET", VISIT, "left_at", "1643767322.25", "permit_until", "1643760000.0")])
    send(client, [("HSET", VISIT + "born", "arrived_at", "1643767322", "permit_until", "0")])
    send(
        client,
        [
            set_json(
                SIGHTING + "born", {"hatched_on": 86400, "ringed_at": 1e300, "capture": {"released_at": 1.5}}
            )
        ],
    )
    result = undo(url)
    assert client.hgetall(VISIT) == {
        b"arrived_at": b"1600000000.5",
        b"left_at": b"2022-02-02T02:02:02.250000",
        b"permit_until": b"2022-02-02",
    }
    assert client.hgetall(VISIT + "x") == {b"arrived_at": TEXT.encode(), b"left_at": b"1600000000"}
    assert client.hgetall(VISIT + "born") == {
        b"arrived_at": NEWER_TEXT.encode(),
        b"permit_until": b"1970-01-01",
    }
    born = json_of(client, SIGHTING + "born")
    assert born == {
        "hatched_on": "1970-01-02",
        "ringed_at": 1e300,
        "capture": {"released_at": "1970-01-01T00:00:01.500000"},
    }
    assert (result.reformatted, result.restored_exactly) == (6, 1)
    assert replies(client, [("PEXPIRETIME", VISIT + "x")]) == [EXPIRY]
    assert own_keys(client) == []


# Several runs, one after the other


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
    assert migrate(url, FailureMode.QUARANTINE, limit_documents=limit).stopped == "limit-documents reached"
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
    renamed = Plan(tuple(replace(model, name=f"new.{model.name}") for model in plan.models), "UTC")
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
        with pytest.raises(CommandFailed) as refused:
            migrate(url, before=fill)
        assert (refused.value.code, "maxmemory BYTES" in str(refused.value)) == ("OOM", True)
        assert difference(start, documents_of(client)) == [], "nothing was written past the limit"
    finally:
        client.config_set("maxmemory", 0)
    assert migrate(url).stopped is None
    undo(url)
    assert difference(start, documents_of(client)) == []
