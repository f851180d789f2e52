"""Originals that only the undo log has: each stands again after a rollback, or is reported and kept."""

import datetime
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import redis

from redstart import JsonModel
from redstart.demo.sample import RINGER_PREFIX, SIGHTING_PREFIX, VISIT_PREFIX
from redstart.errors import RollbackInProgressError
from redstart.migrations.data.edit_builder import FailureMode
from redstart.migrations.data.results import DataRollbackResult
from redstart.migrations.data.rollback import rollback
from redstart.migrations.data.rollback_preview import preview_rollback
from redstart.migrations.data.unrestored import all_unrestored
from redstart.migrations.data.verify import verify
from redstart.migrations.failure import Failure
from redstart.migrations.maintenance import clear_progress, drop_undo_log_of_data
from redstart.server.clients import open_like
from tests.migrations.data.runs import json_of, migrate, migrate_all, set_json, undo
from tests.support.crash_driver import Crash, CrashDriver, CrashKind
from tests.support.migration import KEYS, documents_of, new_context, own_keys, station_plan
from tests.support.registry import models_of_before
from tests.support.replies import Command, send
from tests.support.snapshot import difference

__all__ = ["models_of_before"]  # a fixture

HASH, JSON = VISIT_PREFIX + "1", SIGHTING_PREFIX + "1"
SITUATIONS: dict[str, tuple[list[Command], list[str]]] = {
    # what an application does between the run and the rollback, and the originals that cannot stand again
    "nothing": ([], []),
    "saved without the quarantined value": (
        [("HDEL", HASH, "left_at__invalid"), ("JSON.DEL", JSON, "$.ringed_at__invalid")],
        [],
    ),
    "the quarantine field is another client's": (
        [("HSET", HASH, "left_at__invalid", "x"), ("JSON.SET", JSON, "$.ringed_at__invalid", '"x"')],
        [],
    ),
    "overwritten": (
        [("HSET", HASH, "left_at", "1600000000.5"), ("JSON.SET", JSON, "$.ringed_at", "1600000000.5")],
        ["soon", '"N/A"'],
    ),
    "corrected by hand": (
        [("HSET", HASH, "left_at", "soon"), ("JSON.SET", JSON, "$.ringed_at", '"N/A"')],
        [],
    ),
    "deleted": ([("DEL", HASH, JSON)], ["soon", '"N/A"', '"?"']),
    "expired": ([("PEXPIRE", HASH, 0), ("PEXPIRE", JSON, 0)], ["soon", '"N/A"', '"?"']),
    "of another type": (
        [("DEL", HASH, JSON), ("SET", HASH, "x"), ("HSET", JSON, "ringed_at", "0.0")],
        ["soon", '"N/A"', '"?"'],
    ),
    "renamed": (
        [("RENAME", HASH, VISIT_PREFIX + "2"), ("RENAME", JSON, SIGHTING_PREFIX + "2")],
        ["soon", '"N/A"', '"?"'],
    ),
    "the other's field deleted": ([("HDEL", HASH, "arrived_at"), ("JSON.DEL", JSON, "$.hatched_on")], []),
    "parent deleted": ([("JSON.DEL", JSON, "$.capture")], ['"?"']),
}


def load(client: redis.Redis) -> None:
    client.flushall()
    send(client, [("HSET", HASH, "arrived_at", "2023-01-01T00:00:00", "left_at", "soon", "site", "Neusiedl")])
    content = {"ringed_at": "N/A", "hatched_on": "2020-02-02", "capture": {"released_at": "?", "net": "3"}}
    send(client, [set_json(JSON, content)])


def kept(client: redis.Redis) -> list[Failure]:
    with open_like(client) as driver:
        return [failure for one in driver.run(all_unrestored(KEYS)) for failure in one.failures()]


def previewed(client: redis.Redis) -> DataRollbackResult:
    with open_like(client) as driver:
        return driver.run(preview_rollback(new_context()))


def counts(result: DataRollbackResult) -> tuple[int, ...]:
    return (result.restored_exactly, result.reformatted, result.kept, result.unrestored)


def standing(client: redis.Redis) -> str:
    """All that stands in documents, as text to look for texts in."""
    return str([line for state in documents_of(client).values() for line in [state]])


@pytest.mark.sample(14)
@pytest.mark.parametrize("mode", [FailureMode.DEFAULT, FailureMode.QUARANTINE])
@pytest.mark.parametrize("situation", SITUATIONS)
def test_every_original_stands_again_or_is_kept_and_reported(
    client: redis.Redis, url: str, mode: FailureMode, situation: str
) -> None:
    load(client)
    before = documents_of(client)
    migrate_all(url, mode)
    commands, lost = SITUATIONS[situation]
    send(client, commands)
    preview = previewed(client)
    result = undo(url)
    assert [one.value for one in kept(client)] == [one.value for one in result.unrestored_examples]
    assert sorted(one.value for one in kept(client)) == sorted(lost)
    assert counts(preview) == counts(result)
    assert result.unrestored == len(lost)
    assert "1970" not in standing(client)
    if not lost:
        assert own_keys(client) == []
    if situation in ("nothing", "saved without the quarantined value", "corrected by hand"):
        beside = [line for line in difference(before, documents_of(client)) if "__invalid" not in line]
        assert beside == [] or situation == "corrected by hand"


def test_what_is_kept_is_tried_again_and_dropped_only_on_request(client: redis.Redis, url: str) -> None:
    load(client)
    migrate_all(url, FailureMode.DEFAULT)
    commands, _ = SITUATIONS["overwritten"]
    send(client, commands)
    assert undo(url).unrestored == 2
    assert (undo(url).unrestored, undo(url).nothing_to_do) == (2, False)
    # Where the run's value stands again, there is room for the original.
    send(client, [("HSET", HASH, "left_at", "0.0")])
    preview = previewed(client)
    result = undo(url)
    assert counts(preview) == counts(result) == (1, 0, 0, 1)
    assert client.hget(HASH, "left_at") == b"soon"
    with open_like(client) as driver:
        assert driver.run(drop_undo_log_of_data(new_context()))
    assert undo(url).nothing_to_do
    assert own_keys(client) == []


def test_what_is_kept_outlives_later_runs(client: redis.Redis, url: str) -> None:
    load(client)
    migrate_all(url, FailureMode.QUARANTINE)
    send(client, [("HSET", HASH, "left_at", "1600000000.5", "left_at__invalid", "x")])
    assert undo(url).unrestored == 1
    migrate_all(url, FailureMode.QUARANTINE)
    assert [one.value for one in kept(client)] == ["soon"]
    result = undo(url)
    assert (result.unrestored, result.restored_exactly) == (1, 5)
    assert client.hget(HASH, "left_at") == b"2020-09-13T12:26:40.500000"


def test_two_originals_of_one_place_in_the_order_of_their_runs(client: redis.Redis, url: str) -> None:
    load(client)
    migrate_all(url, FailureMode.QUARANTINE)
    send(client, [("JSON.SET", JSON, "$.ringed_at", '"bad"'), ("JSON.DEL", JSON, "$.ringed_at__invalid")])
    migrate_all(url, FailureMode.QUARANTINE)
    send(client, [("JSON.DEL", JSON, "$.ringed_at__invalid")])
    preview = previewed(client)
    result = undo(url)
    assert json_of(client, JSON)["ringed_at"] == "bad"
    assert [one.value for one in result.unrestored_examples] == ['"N/A"']
    assert counts(preview) == counts(result)


# In lists and maps

Change = Callable[[redis.Redis, str, str], Any]
LIST_CHANGES: dict[str, list[tuple[Any, ...]]] = {
    "appended": [("JSON.ARRAPPEND", "1700000000.5")],
    "prepended": [("JSON.ARRINSERT", 0, "1700000000.5")],
    "removed a good one": [("JSON.ARRPOP", 0)],
}


@pytest.mark.parametrize("large_bytes", [1_000, 1_000_000])
@pytest.mark.parametrize("change", LIST_CHANGES)
def test_a_failed_item_of_a_changed_list_stands_again(
    client: redis.Redis, url: str, monkeypatch: pytest.MonkeyPatch, change: str, large_bytes: int
) -> None:
    monkeypatch.setattr("redstart.migrations.data.reader.LARGE_BYTES", large_bytes)
    texts = ["2023-01-01T00:00:00+02:00", "N/A", "2023-05-01T00:00:00Z"]
    send(client, [set_json(JSON, {"field_book": "x" * 5_000, "resighted_at": texts})])
    migrate_all(url, FailureMode.DEFAULT)
    send(client, [(name, JSON, "$.resighted_at", *words) for name, *words in LIST_CHANGES[change]])
    preview = previewed(client)
    result = undo(url)
    newer = "2023-11-14T22:13:20.500000Z"
    wanted = {"appended": [*texts, newer], "prepended": [newer, *texts], "removed a good one": texts[1:]}
    assert json_of(client, JSON)["resighted_at"] == wanted[change]
    assert counts(preview) == counts(result)
    assert result.unrestored == 0
    assert own_keys(client) == []


@pytest.mark.parametrize(
    ("texts", "pushed"),
    [
        (["N/A", "?"], "1700000000.5"),
        (["N/A"], "0.0"),
        (["N/A", "1970-01-01T00:00:00Z"], "1700000000.5"),
        ([0.0, "N/A"], "1.5"),
    ],
)
def test_an_item_that_cannot_be_told_from_others_is_kept_and_no_date_is_made_of_it(
    client: redis.Redis, url: str, texts: list[Any], pushed: str
) -> None:
    send(client, [set_json(JSON, {"resighted_at": texts})])
    migrate_all(url, FailureMode.DEFAULT)
    send(client, [("JSON.ARRINSERT", JSON, "$.resighted_at", 0, pushed)])
    preview = previewed(client)
    result = undo(url)
    failed = {json.dumps(text) for text in texts if isinstance(text, str)}
    assert {one.value for one in result.unrestored_examples} == failed
    assert all("ambiguous" in one.reason for one in result.unrestored_examples)
    items = json_of(client, JSON)["resighted_at"]
    assert items.count(0.0) == len(texts) + (pushed == "0.0")
    assert (
        result.kept == len([text for text in texts if text != 0.0]) + (pushed == "0.0" and 1) or 0.0 in texts
    )
    assert counts(preview) == counts(result)


def test_a_pre_existing_number_is_not_taken_for_an_item_of_the_run(client: redis.Redis, url: str) -> None:
    send(client, [set_json(JSON, {"resighted_at": [0.0, "N/A"]})])
    send(client, [set_json(JSON + "x", {"resighted_at": [1672531200.0, "2023-01-01T02:00:00+02:00"]})])
    migrate_all(url, FailureMode.DEFAULT)
    send(client, [("JSON.ARRPOP", key, "$.resighted_at", 1) for key in (JSON, JSON + "x")])
    result = undo(url)
    assert json_of(client, JSON)["resighted_at"] == [0.0]
    assert json_of(client, JSON + "x")["resighted_at"] == [1672531200.0]
    assert [one.value for one in result.unrestored_examples] == ['"N/A"']


def test_a_renamed_entry_of_a_map(client: redis.Redis, url: str) -> None:
    send(client, [set_json(JSON, {"last_seen_by_place": {"pier": "N/A", "reeds": "2023-01-01T00:00:00Z"}})])
    migrate_all(url, FailureMode.DEFAULT)
    send(client, [set_json(JSON, {"last_seen_by_place": {"dam": 0.0, "reeds": 1672531200.0}})])
    preview = previewed(client)
    result = undo(url)
    assert json_of(client, JSON) == {"last_seen_by_place": {"dam": "N/A", "reeds": "2023-01-01T00:00:00Z"}}
    assert counts(preview) == counts(result) == (2, 0, 0, 0)


def test_a_zero_in_a_renamed_document_may_stand_for_a_text(client: redis.Redis, url: str) -> None:
    send(client, [("HSET", RINGER_PREFIX + "1", "born_on", "never", "last_seen_at", "1970-01-01T00:00:00")])
    migrate_all(url, FailureMode.DEFAULT)
    send(client, [("RENAME", RINGER_PREFIX + "1", RINGER_PREFIX + "2")])
    result = undo(url)
    assert client.hget(RINGER_PREFIX + "2", "born_on") == b"0.0"
    assert client.hget(RINGER_PREFIX + "2", "last_seen_at") == b"1970-01-01T00:00:00"
    assert [str(one) for one in result.unrestored_examples] == [
        f"{RINGER_PREFIX}1 born_on: not restored: the original is never; the document no longer exists"
    ]
    assert result.kept == 1


def test_a_list_that_several_runs_have_written_to(client: redis.Redis, url: str) -> None:
    """Only with all originals at hand is it certain which one an item was."""
    send(client, [set_json(JSON, {"resighted_at": ["N/A"]})])
    migrate_all(url, FailureMode.DEFAULT)
    send(client, [("JSON.ARRAPPEND", JSON, "$.resighted_at", '"bad"')])
    migrate_all(url, FailureMode.DEFAULT)
    send(
        client,
        [("JSON.ARRPOP", JSON, "$.resighted_at", 1), ("JSON.ARRAPPEND", JSON, "$.resighted_at", "1.5")],
    )
    preview = previewed(client)
    result = undo(url)
    assert json_of(client, JSON)["resighted_at"] == [0.0, "1970-01-01T00:00:01.500000"]
    assert sorted(one.value for one in result.unrestored_examples) == ['"N/A"', '"bad"']
    assert counts(preview) == counts(result)


def test_a_list_that_is_again_as_the_first_run_left_it(client: redis.Redis, url: str) -> None:
    send(client, [set_json(JSON, {"resighted_at": ["N/A"]})])
    migrate_all(url, FailureMode.DEFAULT)
    send(client, [("JSON.ARRAPPEND", JSON, "$.resighted_at", '"bad"')])
    migrate_all(url, FailureMode.DEFAULT)
    send(client, [("JSON.ARRPOP", JSON, "$.resighted_at", 1)])
    preview = previewed(client)
    result = undo(url)
    assert json_of(client, JSON)["resighted_at"] == ["N/A"]
    assert [one.value for one in result.unrestored_examples] == ['"bad"']
    assert counts(preview) == counts(result)


def test_an_original_whose_document_is_gone_is_never_written_into_a_later_one(
    client: redis.Redis, url: str
) -> None:
    load(client)
    migrate_all(url, FailureMode.QUARANTINE)
    send(client, [("DEL", HASH, JSON)])
    assert undo(url).unrestored == 3
    later: list[Command] = [("HSET", HASH, "site", "later"), set_json(JSON, {"ringed_at": None})]
    send(client, later)
    before = documents_of(client)
    preview, result = previewed(client), undo(url)
    assert counts(preview) == counts(result) == (0, 0, 0, 3)
    assert difference(before, documents_of(client)) == []
    migrate_all(url)
    assert undo(url).unrestored == 3
    assert difference(before, documents_of(client)) == []


def test_a_verification_names_what_a_rollback_could_not_restore(client: redis.Redis, url: str) -> None:
    load(client)
    migrate_all(url, FailureMode.DEFAULT)
    send(client, SITUATIONS["overwritten"][0])
    assert undo(url).unrestored == 2
    migrate_all(url)
    with open_like(client) as driver:
        problems = driver.run(verify(new_context(), station_plan())).problems
    assert {one.value for one in problems.first if "not restored" in one.reason} == {"soon", '"N/A"'}


def test_a_crash_does_not_decide_what_is_uncertain(client: redis.Redis, url: str) -> None:
    """A list that is restored already has no claim to the zeros of another one."""

    class Rounds(JsonModel):
        seen: dict[str, list[datetime.datetime]]

        class Meta:
            global_key_prefix = "station"
            model_key_prefix = "rounds"

    def migrated() -> None:
        client.flushall()
        send(client, [set_json("station:rounds:1", {"seen": {"x": ["N/A"], "y": ["N/A"]}})])
        assert migrate(url, FailureMode.DEFAULT, plan=station_plan(Rounds)).stopped is None
        send(client, [("JSON.ARRAPPEND", "station:rounds:1", "$.seen.x", "0")])  # a real 1970-01-01

    migrated()
    with CrashDriver(url) as driver:
        expected = driver.run(rollback(new_context()))
        names = list(driver.names)
    content = json_of(client, "station:rounds:1")
    assert (content, expected.unrestored) == ({"seen": {"x": [0.0, 0], "y": ["N/A"]}}, 1)
    for at in range(names.index("XREVRANGE"), len(names)):
        migrated()
        with CrashDriver(url, at=at, kind=CrashKind.AFTER) as driver, suppress(Crash):
            driver.run(rollback(new_context()))
        if at < len(names) - 2:  # else it was over
            assert undo(url).unrestored == 1
        assert json_of(client, "station:rounds:1") == content, names[at]


def test_the_undo_log_is_kept_while_a_rollback_is_half_way(client: redis.Redis, url: str) -> None:
    load(client)
    before = documents_of(client)
    migrate_all(url)
    with CrashDriver(url) as driver:
        driver.run(rollback(new_context()))
        at = driver.names.index("EVALSHA apply undo") + 1
    migrate_all(url)
    with CrashDriver(url, at=at) as driver, pytest.raises(Crash):
        driver.run(rollback(new_context()))
    with open_like(client) as driver:
        assert driver.run(clear_progress(new_context()))
        with pytest.raises(RollbackInProgressError):
            driver.run(drop_undo_log_of_data(new_context()))
    undo(url)
    assert difference(before, documents_of(client)) == []
    assert own_keys(client) == []
