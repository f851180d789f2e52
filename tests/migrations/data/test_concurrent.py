"""Writers between read and apply: their writes stay, and what they delete is not made again."""

import random
from datetime import UTC, datetime, timedelta

import pytest
import redis

from redstart.demo.sample import SIGHTING_PREFIX, VISIT_PREFIX
from redstart.migrations.data.edit_builder import FailureMode
from redstart.migrations.data.run import run
from tests.migrations.data.runs import (
    APPLY,
    NEWER_NUMBER,
    NEWER_TEXT,
    NUMBER,
    SIGHTING,
    UNDO,
    VISIT,
    failures,
    json_of,
    migrate,
    once_before,
    set_json,
    undo,
)
from tests.support.crash_driver import CrashDriver, CrashKind
from tests.support.migration import TEXT, new_context, options, station_plan
from tests.support.replies import Command, replies, send


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
        (FailureMode.FAIL, {}, "--failure-mode fail"),
        (FailureMode.LOG_AND_SKIP, {"max_errors": 1}, "--max-errors 1 reached"),
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
    assert (VISIT, "arrived_at") not in failures(client)


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
    # A model that loses all of its documents stops the run.
    send(
        client,
        [("HSET", f"{VISIT}-stays", "arrived_at", TEXT), set_json(f"{SIGHTING}-stays", {"ringed_at": TEXT})],
    )
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
    rng = random.Random(seed)
    moment = datetime(2021, 1, 1)
    hashes = {f"{VISIT_PREFIX}{n}": moment for n in range(60)}
    lists: dict[str, list[datetime]] = {f"{SIGHTING_PREFIX}{n}": [moment] * 3 for n in range(40)}
    send(client, [("HSET", key, "arrived_at", moment.isoformat()) for key in hashes])
    send(client, [_list_command(key, moments) for key, moments in lists.items()])

    def write(name: str) -> None:
        later = moment + timedelta(seconds=rng.randrange(10**8))
        if name == "(never)":
            return
        if rng.random() < 0.5:
            key = rng.choice(list(hashes))
            hashes[key] = later
            send(client, [("HSET", key, "arrived_at", later.isoformat())])
            return
        key = rng.choice(list(lists))
        if lists[key] and rng.random() < 0.4:
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
