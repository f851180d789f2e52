"""Edits with conflicts: retried up to a limit, never forced."""

import logging
from collections.abc import Callable, Sequence
from datetime import datetime

import pytest
import redis

from redstart.demo.models import Visit
from redstart.demo.sample import VISIT_PREFIX
from redstart.effects import Op
from redstart.migrations.data.applier import Applier
from redstart.migrations.data.conflicts import MAX_TRIES, ConflictRetrier, WriteOutcome
from redstart.migrations.data.datetime_conversion import DatetimeConversion
from redstart.migrations.data.edit_builder import FailureMode, classify, edits_for
from redstart.migrations.data.edits import DocumentEdits, StoredDocument
from redstart.migrations.data.plan import router
from redstart.migrations.data.reader import read_documents
from redstart.migrations.lease import Lease
from tests.support.crash_driver import CrashDriver
from tests.support.migration import KEYS, TEXT, new_context, station_plan
from tests.support.replies import Command, send

NUMBER = b"1620097321.123456"
"""What TEXT becomes."""
UTC = DatetimeConversion.of_zone("UTC")
ROUTE = router(station_plan(Visit))

Writer = Callable[[int], Sequence[Command]]
"""Commands of another client before the script of this number, from 0."""


def key(number: int) -> str:
    return f"{VISIT_PREFIX}{number}"


def settle(
    client: redis.Redis, url: str, numbers: Sequence[int], writer: Writer
) -> tuple[WriteOutcome, list[int]]:
    """Convert documents while a client writes; return the numbers of documents classified each time."""
    judged: list[int] = []
    scripts = 0

    def edits(documents: Sequence[StoredDocument]) -> Op[list[DocumentEdits]]:
        judged.append(len(documents))
        yield from ()
        return [edits_for(one, classify(one, UTC), FailureMode.LOG_AND_SKIP, UTC) for one in documents]

    def work(lease: Lease) -> Op[WriteOutcome]:
        found = [(key(n).encode(), model) for n in numbers if (model := ROUTE(key(n).encode())) is not None]
        retrier = ConflictRetrier(Applier(lease, KEYS, fields_expire=True), edits, label="1.1")
        yield from retrier.begin((yield from read_documents(found)))
        return (yield from retrier.finish())

    def before(name: str) -> None:
        nonlocal scripts
        if name.endswith("apply journaled"):
            send(client, list(writer(scripts)))
            scripts += 1

    with CrashDriver(url, before=before) as driver:
        return driver.run(new_context().under_lease(work)), judged


def load(client: redis.Redis, numbers: Sequence[int]) -> None:
    send(client, [("HSET", key(number), "arrived_at", TEXT) for number in numbers])


def test_no_conflict(client: redis.Redis, url: str) -> None:
    load(client, range(50))
    found, judged = settle(client, url, range(50), lambda _: ())
    assert (found.documents, found.values, found.retried, judged) == (50, 50, 0, [50])
    assert len(found.applied) > 1  # of several chunks
    assert {client.hget(key(number), "arrived_at") for number in range(50)} == {NUMBER}


def test_only_changed_documents_are_read_and_classified_again(client: redis.Redis, url: str) -> None:
    load(client, [1, 2, 3])

    def writer(script: int) -> list[Command]:
        return [("HSET", key(2), "arrived_at", "2020-01-01")] if script == 0 else []

    found, judged = settle(client, url, [1, 2, 3], writer)
    assert (found.documents, found.values, found.retried, judged) == (3, 3, 1, [3, 1])
    assert client.hget(key(2), "arrived_at") == b"1577836800.0"


def test_each_hash_of_a_script_is_compared_and_written_by_itself(client: redis.Redis, url: str) -> None:
    def texts(number: int) -> dict[str, str]:
        arrived, left = f"2021-05-04T01:00:{number:02}", f"2021-05-04T02:00:{number:02}"
        shapes = [{"arrived_at": arrived}, {"arrived_at": arrived, "left_at": left}, {"left_at": left}]
        return shapes[number // 6]  # next to each other, so that they are in one group

    for number in range(18):
        client.hset(key(number), mapping=texts(number))  # type: ignore[arg-type]  # str is a part of its union
    found, judged = settle(
        client, url, range(18), lambda script: [] if script else [("HSET", key(8), "left_at", TEXT)]
    )
    assert (found.documents, found.values, found.retried, judged) == (18, 24, 1, [18, 1])
    assert client.hget(KEYS.record, "converted") == b"24"
    for number in range(18):
        expected = {
            name.encode(): b"%d.0" % datetime.fromisoformat(f"{text}Z").timestamp()
            for name, text in texts(number).items()
        }
        if number == 8:
            expected[b"left_at"] = NUMBER
        assert client.hgetall(key(number)) == expected


def test_a_deleted_document_is_not_created_again(client: redis.Redis, url: str) -> None:
    load(client, [1, 2])
    found, _ = settle(client, url, [1, 2], lambda _: [("DEL", key(1))])
    assert (found.documents, found.retried) == (1, 1)
    assert not client.exists(key(1))


def test_a_document_converted_by_another_client_needs_no_edit(client: redis.Redis, url: str) -> None:
    load(client, [1])
    found, judged = settle(client, url, [1], lambda _: [("HSET", key(1), "arrived_at", "5.5")])
    assert (found.documents, found.retried, judged) == (0, 1, [1, 1])
    assert client.hget(key(1), "arrived_at") == b"5.5"


def test_a_client_that_never_stops_keeps_its_write(
    client: redis.Redis, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "redstart")
    load(client, [1, 2])

    def writer(script: int) -> list[Command]:
        return [("HSET", key(1), "arrived_at", f"2020-01-01T00:00:{script:02}")]

    found, judged = settle(client, url, [1, 2], writer)
    assert (found.documents, found.retried) == (1, MAX_TRIES + 1)
    assert judged == [2] + [1] * MAX_TRIES
    assert client.hget(key(1), "arrived_at") == b"2020-01-01T00:00:%02d" % MAX_TRIES
    assert f"Documents in conflict after {MAX_TRIES} tries, left to the next pass: 1" in caplog.messages
    assert client.hget(key(2), "arrived_at") == NUMBER


def test_without_documents_no_script_is_sent(client: redis.Redis, url: str) -> None:
    found, judged = settle(client, url, [], lambda _: [("SET", "a script", "was sent")])
    assert (found, judged) == (WriteOutcome(), [0])
    assert not client.exists("a script")
