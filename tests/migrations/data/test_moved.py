"""However a script sets the values of a list, and however much time it has: same documents, same undo log."""

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from redstart.devserver.process import EmbeddedServer
from redstart.effects import Op
from redstart.migrations.data import applier as applier_module
from redstart.migrations.data.applier import Applied, Applier
from redstart.migrations.data.datetime_conversion import DatetimeConversion
from redstart.migrations.data.edit_builder import FailureMode, classify, edits_for
from redstart.migrations.data.edits import DocumentEdits
from redstart.migrations.data.plan import PlannedModel, router
from redstart.migrations.data.reader import read_documents
from redstart.migrations.data.undo_log import JournalEntry, entries_backwards
from redstart.migrations.data.undo_replay import Undoing, undo_entry
from redstart.migrations.lease import Lease
from tests.conftest import Server
from tests.support.crash_driver import CrashDriver
from tests.support.large_models import JSON_PREFIX, LargeStation
from tests.support.migration import KEYS, new_context, station_plan

UTC = DatetimeConversion.of_zone("UTC")
PLAN = station_plan(LargeStation)
ROUTE = router(PLAN)

DATES = st.datetimes().map(lambda moment: moment.isoformat())
NUMBERS = st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False))
VALUES = st.one_of(
    DATES, DATES, DATES, NUMBERS, st.none(), st.booleans(), st.sampled_from(["N/A", "", 'a"b', "[1:2]"])
)
ITEMS = st.one_of(
    st.fixed_dictionaries({"at": VALUES, "note": st.text(max_size=3)}),
    st.fixed_dictionaries({"note": NUMBERS}),
)
DOCUMENTS = st.lists(
    st.fixed_dictionaries({"opened_at": VALUES, "readings": st.lists(ITEMS, max_size=9), "body": NUMBERS}),
    min_size=1,
    max_size=5,
)
NEVER = 10**9

Done = tuple[list[bytes], list[bytes], list[Any], dict[str, list[Any]]]
"""Documents before and after, the undo log, and what the scripts said of each document."""


def routed(key: bytes) -> tuple[bytes, PlannedModel]:
    model = ROUTE(key)
    assert model is not None
    return key, model


def texts(client: redis.Redis, keys: list[bytes]) -> list[bytes]:
    return [client.execute_command("JSON.GET", key) for key in keys]


def flat(entries: list[JournalEntry]) -> list[Any]:
    found = [
        (one.key, [edit[:4] for edit in one.edits], one.guards)
        for entry in entries
        for one in entry.documents
    ]
    return sorted(found, key=lambda item: item[0])


def said(results: list[Applied]) -> dict[str, list[Any]]:
    return {
        "changed": sorted(one.key for result in results for one in result.changed),
        "conflicts": sorted(one.key for result in results for one in result.conflicts),
        "failed": sorted(one.key for result in results for one in result.failed),
        "altered": sorted(
            (one.key, edit.location, text) for result in results for one, edit, text in result.altered
        ),
    }


def converted_and_undone(
    url: str, documents: list[dict[str, Any]], *, moved_from: int, microseconds: int, mode: FailureMode
) -> Done:
    """Convert documents with one applier; then undo what its log has, and require that nothing has changed."""
    found: list[Any] = []

    def work(lease: Lease) -> Op[None]:
        applier = Applier(lease, KEYS, fields_expire=False)
        read = yield from read_documents([routed(key) for key in keys])
        edits: list[DocumentEdits] = [edits_for(one, classify(one, UTC), mode, UTC) for one in read]
        results = []
        for chunk in applier.chunks([one for one in edits if one.count]):
            results.append((yield from applier.apply(chunk, label="1.1")))
        after = texts(client, keys)
        entries = yield from entries_backwards(KEYS, None, 100)
        found.extend((before, after, flat(entries), said(results)))
        for entry in entries:
            assert (yield from undo_entry(applier, entry, Undoing(KEYS, PLAN, UTC))) == []

    with pytest.MonkeyPatch.context() as patch, redis.Redis.from_url(url) as client:
        patch.setattr(applier_module, "MOVED_FROM", moved_from)
        patch.setattr(applier_module, "MAX_MICROSECONDS", microseconds)
        client.execute_command("FLUSHALL", "SYNC")
        schema = ("$.readings[*].at", "AS", "at", "NUMERIC", "$.opened_at", "AS", "opened_at", "NUMERIC")
        client.execute_command(
            "FT.CREATE", "lists", "ON", "JSON", "PREFIX", 1, JSON_PREFIX, "SCHEMA", *schema
        )
        keys = [f"{JSON_PREFIX}{number}".encode() for number in range(len(documents))]
        for key, document in zip(keys, documents, strict=True):
            client.execute_command("JSON.SET", key, "$", json.dumps(document))
        before = texts(client, keys)
        with CrashDriver(url) as driver:
            driver.run(new_context().under_lease(work))
        assert texts(client, keys) == before
        assert not client.exists(KEYS.moved)
    return found[0], found[1], found[2], found[3]


@given(DOCUMENTS, st.sampled_from([FailureMode.LOG_AND_SKIP, FailureMode.DEFAULT, FailureMode.QUARANTINE]))
def test_the_way_of_writing_changes_nothing(
    server: Server, documents: list[dict[str, Any]], mode: FailureMode
) -> None:
    in_place = converted_and_undone(server.url, documents, moved_from=NEVER, microseconds=NEVER, mode=mode)
    for moved_from, microseconds in ((1, NEVER), (NEVER, 0), (1, 0)):
        other = converted_and_undone(
            server.url, documents, moved_from=moved_from, microseconds=microseconds, mode=mode
        )
        assert other == in_place


def stations(count: int, dates: int) -> list[dict[str, Any]]:
    readings = [{"at": f"2021-05-04T03:02:01.{at:06}", "note": ""} for at in range(dates)]
    return [{"opened_at": "2021-05-04", "readings": readings, "body": ""} for _ in range(count)]


def calls(client: redis.Redis, command: str) -> int:
    statistics: dict[str, Any] = client.info("commandstats")
    return int(statistics.get(f"cmdstat_{command}", {}).get("calls", 0))


def test_a_script_without_time_takes_one_document(client: redis.Redis, url: str) -> None:
    client.config_resetstat()
    documents = stations(7, 2)
    _, _, log, _ = converted_and_undone(
        url, documents, moved_from=NEVER, microseconds=0, mode=FailureMode.FAIL
    )
    assert [key for key, _, _ in log] == [f"{JSON_PREFIX}{number}".encode() for number in range(7)]
    assert calls(client, "evalsha") >= 2 * len(documents)


@pytest.mark.parametrize("reason", ["no permission", "the name is taken"])
def test_a_document_that_cannot_be_moved_is_written_in_place(
    own_server: Callable[..., EmbeddedServer], reason: str
) -> None:
    server = own_server()
    with redis.Redis.from_url(server.url) as client:
        (document,) = stations(1, 20)
        key = f"{JSON_PREFIX}0".encode()
        client.execute_command("JSON.SET", key, "$", json.dumps(document))
        url = server.url
        if reason == "no permission":
            client.execute_command("ACL", "SETUSER", "user", "on", ">secret", "~*", "+@all", "-renamenx")
            url = f"unix://user:secret@{urlsplit(server.url).path}"
        else:
            client.set(KEYS.moved, "of another application")

        def work(lease: Lease) -> Op[Applied]:
            read = yield from read_documents([routed(key)])
            edits = [edits_for(one, classify(one, UTC), FailureMode.FAIL, UTC) for one in read]
            return (yield from Applier(lease, KEYS, fields_expire=False).apply(edits, label="1.1"))

        with pytest.MonkeyPatch.context() as patch, CrashDriver(url) as driver:
            patch.setattr(applier_module, "MOVED_FROM", 1)
            applied = driver.run(new_context().under_lease(work))
        assert [one.key for one in applied.changed] == [key]
        assert b"2021" not in client.execute_command("JSON.GET", key)
        assert client.get(KEYS.moved) == (None if reason == "no permission" else b"of another application")
        assert calls(client, "renamenx") == (0 if reason == "no permission" else 1)


@pytest.mark.parametrize("dates", [10, 60])
def test_a_document_with_many_dates_is_renamed_for_each_script(
    own_server: Callable[..., EmbeddedServer], dates: int
) -> None:
    """Then indexes read it once for each script, not once for each date."""
    server = own_server()
    with redis.Redis.from_url(server.url) as client:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(applier_module, "MAX_EDITS", 1_000)
            client.config_resetstat()
            converted_and_undone(
                server.url, stations(1, dates), moved_from=50, microseconds=NEVER, mode=FailureMode.FAIL
            )
        assert calls(client, "renamenx") == (4 if dates > 50 else 0)
