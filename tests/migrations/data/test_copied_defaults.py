"""A 0 that may be a copy of what a run wrote in place of a failed value: no date is made of it, and it is named."""

import json
from typing import Any

import pytest
import redis

from redstart.demo.sample import RINGER_PREFIX, SIGHTING_PREFIX, VISIT_PREFIX
from redstart.effects import Op
from redstart.migrations.data.edit_builder import FailureMode
from redstart.migrations.data.results import DataRollbackResult
from redstart.migrations.data.rollback import rollback
from redstart.migrations.data.rollback_preview import preview_rollback
from redstart.server.clients import open_like
from tests.migrations.data.runs import migrate_all, set_json, undo
from tests.support.crash_driver import Crash, CrashDriver, CrashKind
from tests.support.migration import documents_of, new_context, own_keys, small_pieces
from tests.support.replies import Command, send
from tests.support.snapshot import difference

HASH, JSON = VISIT_PREFIX + "1", SIGHTING_PREFIX + "1"
HASH_COPY, JSON_COPY = VISIT_PREFIX + "copy", SIGHTING_PREFIX + "copy"
REASON = "ambiguous: a date, or a 0 that replaced a failed value"

CONTENT: dict[str, Any] = {
    "ringed_at": "N/A",
    "hatched_on": "2020-02-02",
    "resighted_at": ["2023-01-01T00:00:00Z", "?"],
    "capture": {"released_at": "soon"},
    "measurements": [{"taken_at": "late"}],
    "last_seen_by_place": {"pier": "never"},
}
JSON_ZEROS = [
    "capture.released_at",
    "last_seen_by_place.pier",
    "measurements[0].taken_at",
    "resighted_at[1]",
    "ringed_at",
]

COPIES: dict[str, tuple[list[Command], list[tuple[str, str]]]] = {
    # what an application does after the run, and the places of the zeros that are named
    "nothing": ([], []),
    "hash": ([("COPY", HASH, HASH_COPY)], [(HASH_COPY, "left_at")]),
    "JSON": ([("COPY", JSON, JSON_COPY)], [(JSON_COPY, path) for path in JSON_ZEROS]),
    "original deleted": (
        [("COPY", HASH, HASH_COPY), ("DEL", HASH)],
        [(HASH_COPY, "left_at")],
    ),
    "renamed": ([("RENAME", HASH, HASH_COPY)], [(HASH_COPY, "left_at")]),
    "written by an application": (
        [("HSET", HASH_COPY, "left_at", "0"), set_json(JSON_COPY, {"ringed_at": -0.0})],
        [(HASH_COPY, "left_at"), (JSON_COPY, "ringed_at")],
    ),
    "where no run replaced a text": (
        [("HSET", HASH_COPY, "arrived_at", "0.0"), set_json(JSON_COPY, {"hatched_on": 0.0})],
        [],
    ),
    "of another model": ([("HSET", RINGER_PREFIX + "1", "born_on", "0.0")], []),
}


def load(client: redis.Redis) -> None:
    client.flushall()
    send(
        client,
        [("HSET", HASH, "arrived_at", "1970-01-01T00:00:00", "left_at", "soon"), set_json(JSON, CONTENT)],
    )


def named(result: DataRollbackResult) -> list[tuple[str, str]]:
    assert {failure.reason for failure in result.examples} <= {REASON}
    assert result.kept == len(result.examples)
    return sorted((failure.key, failure.path) for failure in result.examples)


@pytest.mark.parametrize("case", COPIES)
def test_each_zero_that_may_stand_for_a_text_is_named_and_stays(
    client: redis.Redis, url: str, case: str
) -> None:
    load(client)
    before = documents_of(client)
    migrate_all(url, FailureMode.DEFAULT)
    commands, places = COPIES[case]
    send(client, commands)
    copies = documents_of(client)
    with open_like(client) as driver:
        preview = driver.run(preview_rollback(new_context()))
    result = undo(url)
    assert named(result) == named(preview) == sorted(places)
    assert (preview.restored_exactly, preview.reformatted) == (result.restored_exactly, result.reformatted)
    after = documents_of(client)
    originals = [key for key in (HASH.encode(), JSON.encode()) if key in after]
    assert [key for key in originals if after[key] != before[key]] == []
    if case in ("JSON", "written by an application"):
        kept, now = _places(copies[JSON_COPY.encode()]), _places(after[JSON_COPY.encode()])
        assert all(now[path] == kept[path] for key, path in places if key == JSON_COPY)
    if places:
        assert b"1970-01-01" not in (client.hget(HASH_COPY, "left_at") or b"")


def _places(entry: Any) -> dict[str, Any]:
    """The stored values that a run replaces, by path."""
    content = json.loads(entry.content)
    found = {"ringed_at": content.get("ringed_at")}
    if "capture" in content:
        found |= {
            "capture.released_at": content["capture"]["released_at"],
            "last_seen_by_place.pier": content["last_seen_by_place"]["pier"],
            "measurements[0].taken_at": content["measurements"][0]["taken_at"],
            "resighted_at[1]": content["resighted_at"][1],
        }
    return found


def test_an_original_in_the_census_stays_and_is_not_a_copy(client: redis.Redis, url: str) -> None:
    load(client)
    send(client, [("HSET", HASH_COPY, "left_at", "0.0")])
    before = documents_of(client)
    migrate_all(url, FailureMode.DEFAULT)
    result = undo(url)
    assert (result.kept, result.preexisting_numbers) == (0, 1)
    assert difference(before, documents_of(client)) == []


@pytest.mark.sample(1)
@pytest.mark.parametrize("kind", [CrashKind.BEFORE, CrashKind.AFTER])
def test_it_is_known_after_an_interruption_at_any_request(
    client: redis.Redis, url: str, monkeypatch: pytest.MonkeyPatch, kind: CrashKind
) -> None:
    small_pieces(monkeypatch)

    def work() -> Op[DataRollbackResult]:
        return rollback(new_context(), batch_documents=40)

    at, crashed = 0, True
    while crashed:
        load(client)
        migrate_all(url, FailureMode.DEFAULT)
        send(client, COPIES["hash"][0])
        try:
            with CrashDriver(url, at=at, kind=kind) as driver:
                driver.run(work())
            crashed = driver.crashed is not None
        except Crash:
            if own_keys(client):
                with CrashDriver(url) as driver:
                    result = driver.run(work())
                assert result.nothing_to_do or named(result) == [(HASH_COPY, "left_at")]
        assert client.hget(HASH_COPY, "left_at") == b"0.0"
        at += 3
    assert at > 20


@pytest.mark.parametrize("large_bytes", [1_000, 1_000_000])
def test_a_quarantined_value_of_a_copy_is_named_and_stays(
    client: redis.Redis, url: str, monkeypatch: pytest.MonkeyPatch, large_bytes: int
) -> None:
    monkeypatch.setattr("redstart.migrations.data.reader.LARGE_BYTES", large_bytes)
    client.flushall()
    send(
        client, [("HSET", HASH, "left_at", "soon", "site", "x"), set_json(JSON, CONTENT | {"n": "x" * 5_000})]
    )
    taken = [("HSET", HASH + "taken", "left_at", "never", "left_at__invalid", "mine")]
    send(client, [*taken, set_json(JSON + "free", {"ringed_at": None, "hatched_on": "2020-02-02"})])
    before = documents_of(client)
    migrate_all(url, FailureMode.QUARANTINE)
    send(client, [("COPY", HASH, HASH_COPY), ("COPY", JSON, JSON_COPY)])
    send(client, [("HSET", HASH + "corrected", "left_at", "1.5", "left_at__invalid", "mine")])
    with open_like(client) as driver:
        preview = driver.run(preview_rollback(new_context()))
    result = undo(url)
    places = [(JSON_COPY, "capture.released_at"), (JSON_COPY, "ringed_at"), (HASH_COPY, "left_at")]
    found = sorted((one.key, one.path, one.value) for one in result.examples)
    assert found == sorted(
        (*place, text) for place, text in zip(places, ('"soon"', '"N/A"', "soon"), strict=True)
    )
    assert found == sorted((one.key, one.path, one.value) for one in preview.examples)
    assert all("not restored from " in one.reason for one in result.examples)
    assert (preview.kept, preview.reformatted, preview.restored_exactly) == (
        result.kept,
        result.reformatted,
        result.restored_exactly,
    )
    assert client.hget(HASH_COPY, "left_at__invalid") == b"soon"
    now = documents_of(client)
    assert difference(before, {key: now[key] for key in before}) == []
