"""To the byte, in JSON: what a run leaves alone, and what a rollback brings back."""

import json
from typing import Any

import pytest
import redis

from redstart.demo import sample as sample_names
from redstart.demo.checker import text_without, value_spans
from redstart.demo.sample import SIGHTING_PREFIX
from redstart.migrations.data.edit_builder import FailureMode
from tests.migrations.data.runs import MODES, NUMBER, SIGHTING, failures, json_text, migrate_all, undo_all
from tests.support.migration import TEXT, documents_of
from tests.support.replies import send
from tests.support.snapshot import difference

UNRELATED = (
    '"a":1.0,"z":[1e21,0.1,1e-7,100000000000000000000,-0.0,1E5],"deep":{"b":{},"a":[],"é":"\\u0007\\"\\\\"}'
)


def test_a_key_that_begins_with_a_space_is_reported_and_never_taken_for_another(
    client: redis.Redis, url: str
) -> None:
    spaced = {"ringed_at": TEXT, "last_seen_by_place": {" pier": TEXT, "pier": "1999-01-01", "  ": "?"}}
    same = {"last_seen_by_place": {" pier": TEXT, "pier": TEXT}, "resighted_at": []}
    number = {"last_seen_by_place": {" pier": TEXT, "pier": 1.5}}
    for name, content in {"1": spaced, "2": same, "3": number}.items():
        send(client, [("JSON.SET", SIGHTING_PREFIX + name, "$", json.dumps(content))])
    before = documents_of(client)
    for mode in MODES:
        result = migrate_all(url, mode)
        assert (result.errors, result.conflicts_retried) == (4, 0)
        assert "begins with a space" in failures(client)[SIGHTING, "last_seen_by_place[' pier']"]
        places = json.loads(json_text(client))["last_seen_by_place"]
        assert places == {" pier": TEXT, "pier": 915148800.0, "  ": "?"}
        places = json.loads(json_text(client, SIGHTING_PREFIX + "2"))["last_seen_by_place"]
        assert places == {" pier": TEXT, "pier": float(NUMBER)}
        assert json.loads(json_text(client, SIGHTING_PREFIX + "3")) == number
        undo_all(url)
        assert difference(before, documents_of(client)) == []


@pytest.mark.parametrize("mode", MODES)
def test_json_text_outside_the_changed_values_stays(client: redis.Redis, url: str, mode: FailureMode) -> None:
    place = '"capture":{"z":2.0,"released_at":"?","a":1.50}'
    text = f'{{"n":3.0,"ringed_at":"{TEXT}",{UNRELATED},"hatched_on":"2020-01-02",{place},"last":0.30}}'
    send(client, [("JSON.SET", SIGHTING, "$", text)])
    before = json_text(client)
    # An increment leaves numbers that RedisJSON could not be sent again without altering some of them.
    send(
        client, [("JSON.NUMINCRBY", SIGHTING, "$.last", "0.1"), ("JSON.NUMINCRBY", SIGHTING, "$.n", "1e-15")]
    )
    before = json_text(client)
    migrate_all(url, mode)
    changed = [("ringed_at",), ("hatched_on",), ("capture", "released_at")]
    after = json_text(client)
    if mode is FailureMode.QUARANTINE:
        assert ',"released_at__invalid":"?"}' in after
        after = after.replace(',"released_at__invalid":"?"}', "}")
    assert text_without(after, value_spans(after), changed) == text_without(
        before, value_spans(before), changed
    )
    undo_all(url)
    assert json_text(client) == before


@pytest.mark.sample(18)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "bad",
    [
        {"a": None, "b": {"c": None}, "d": [None, {"e": None}]},
        {},
        [],
        [None, {"a": None}],
        {"ringed_at": TEXT, 'a "b"': 1.0, "\\": 2.5},
        True,
        "null",
        "",
        '\u0000"\\é\U0001f426',
    ],
)
def test_a_bad_json_value_comes_back_to_the_byte(
    client: redis.Redis, url: str, mode: FailureMode, bad: Any
) -> None:
    """More than one change in a document is one JSON.MERGE, which would take a null inside for "remove"."""
    content = {
        "hatched_on": bad,
        "ringed_at": TEXT,
        "capture": {"released_at": bad},
        "resighted_at": [bad, TEXT, bad],
        "last_seen_by_place": dict.fromkeys(sample_names.ODD_PLACES, bad),
        "measurements": [{"repeat_on": bad}],
    }
    send(client, [("JSON.SET", SIGHTING, "$", json.dumps(content))])
    before = json_text(client)
    result = migrate_all(url, mode)
    assert result.converted == 2
    undo_all(url)
    assert json_text(client) == before


@pytest.mark.parametrize("mode", [FailureMode.DEFAULT, FailureMode.QUARANTINE])
def test_what_the_server_could_not_give_back_is_not_overwritten(
    client: redis.Redis, url: str, mode: FailureMode
) -> None:
    far = '"hatched_on":[12345678901234567.5],"capture":{"released_at":-9.87654321e250}'
    text = f'{{"ringed_at":1.2345678901234567e300,{far}}}'
    send(client, [("JSON.SET", SIGHTING, "$", text)])
    before = json_text(client)
    assert migrate_all(url, mode).errors == 3
    assert json_text(client) == before
    undo_all(url)
    assert json_text(client) == before


def test_odd_map_keys_are_converted_or_reported_and_never_added_to(client: redis.Redis, url: str) -> None:
    send(
        client,
        [
            (
                "JSON.SET",
                SIGHTING,
                "$",
                json.dumps({"last_seen_by_place": dict.fromkeys(sample_names.ODD_PLACES, TEXT)}),
            )
        ],
    )
    before = json_text(client)
    assert migrate_all(url).errors == 0
    converted = json.loads(json_text(client))
    assert converted == {"last_seen_by_place": dict.fromkeys(sample_names.ODD_PLACES, float(NUMBER))}
    assert list(converted["last_seen_by_place"]) == list(sample_names.ODD_PLACES)
    undo_all(url)
    assert json_text(client) == before
