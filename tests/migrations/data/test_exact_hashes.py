"""To the byte, in hashes: what a run leaves alone, and what a rollback brings back."""

import json

import pytest
import redis

from redstart.migrations.data.edit_builder import FailureMode
from tests.migrations.data.runs import (
    MODES,
    NUMBER,
    RINGER,
    SIGHTING,
    VISIT,
    failures,
    json_text,
    migrate_all,
    undo_all,
)
from tests.support.migration import EXPIRY, TEXT, documents_of
from tests.support.replies import send
from tests.support.snapshot import difference


@pytest.mark.sample(18)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "bad", [b"\xff\xfe", b"null", b"", b"nan", b"-inf", b"\x00", b"9" * 5_000, b"12023-01-01"]
)
def test_a_bad_hash_value_comes_back_to_the_byte(
    client: redis.Redis, url: str, mode: FailureMode, bad: bytes
) -> None:
    send(
        client,
        [("HSET", RINGER, "born_on", bad, "licensed_at", TEXT, b"\xff", b"\xfe", "remark", "2020-01-01")],
    )
    before = documents_of(client)
    migrate_all(url, mode)
    content = client.hgetall(RINGER)
    assert (content[b"licensed_at"], content[b"\xff"], content[b"remark"]) == (NUMBER, b"\xfe", b"2020-01-01")
    expected = {FailureMode.DEFAULT: (b"0.0", None), FailureMode.QUARANTINE: (None, bad)}.get(
        mode, (bad, None)
    )
    assert (content.get(b"born_on"), content.get(b"born_on__invalid")) == expected
    undo_all(url)
    assert difference(before, documents_of(client)) == []


@pytest.mark.parametrize("mode", MODES)
def test_expiries_of_keys_and_fields_stay_to_the_millisecond(
    client: redis.Redis, url: str, mode: FailureMode
) -> None:
    fields = ("arrived_at", "left_at", "weather")
    send(
        client,
        [
            (
                "HSET",
                VISIT,
                "arrived_at",
                TEXT,
                "left_at",
                "soon",
                "permit_until",
                "2020-01-01",
                "weather",
                "?",
            )
        ],
    )
    send(client, [("HPEXPIREAT", VISIT, EXPIRY + n, "FIELDS", 1, name) for n, name in enumerate(fields)])
    send(
        client,
        [("PEXPIREAT", VISIT, EXPIRY + 7), ("JSON.SET", SIGHTING, "$", json.dumps({"ringed_at": TEXT}))],
    )
    send(client, [("PEXPIREAT", SIGHTING, EXPIRY + 9)])
    before = documents_of(client)
    migrate_all(url, mode)
    after = documents_of(client)
    expiries = {b"arrived_at": EXPIRY, b"left_at": EXPIRY + 1, b"weather": EXPIRY + 2}
    if mode is FailureMode.QUARANTINE:
        expiries[b"left_at__invalid"] = expiries.pop(b"left_at")
    assert after[VISIT.encode()].field_expiries == expiries
    assert after[VISIT.encode()].expires_at_milliseconds == EXPIRY + 7
    assert after[SIGHTING.encode()].expires_at_milliseconds == EXPIRY + 9
    undo_all(url)
    assert difference(before, documents_of(client)) == []


def test_a_taken_place_aside_stays_and_holds_up_nothing_else(client: redis.Redis, url: str) -> None:
    content = {"ringed_at": "?", "ringed_at__invalid": None, "hatched_on": "?", "resighted_at": [TEXT]}
    send(
        client,
        [
            (
                "HSET",
                RINGER,
                "born_on",
                "?",
                "born_on__invalid",
                "mine",
                "licensed_at",
                TEXT,
                "last_seen_at",
                "?",
            ),
            ("JSON.SET", SIGHTING, "$", json.dumps(content)),
        ],
    )
    before = documents_of(client)
    result = migrate_all(url, FailureMode.QUARANTINE)
    assert (result.passes, result.conflicts_retried, result.errors) == (2, 0, 4)
    hash_after = {
        b"born_on": b"?",
        b"born_on__invalid": b"mine",
        b"licensed_at": NUMBER,
        b"last_seen_at__invalid": b"?",
    }
    assert client.hgetall(RINGER) == hash_after
    assert json.loads(json_text(client)) == content | {
        "hatched_on": None,
        "hatched_on__invalid": "?",
        "resighted_at": [float(NUMBER)],
    }
    assert "born_on__invalid exists already" in failures(client)[RINGER, "born_on"]
    assert "exists already" not in failures(client)[RINGER, "last_seen_at"]
    undo_all(url)
    assert difference(before, documents_of(client)) == []
