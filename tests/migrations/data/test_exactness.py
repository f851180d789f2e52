"""To the byte: what a run leaves alone, and what a rollback brings back."""

import json
import random
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redstart.demo import names
from redstart.demo.json_spans import text_without, value_spans
from redstart.demo.sample import RINGER_PREFIX, SIGHTING_PREFIX, VISIT_PREFIX
from redstart.migrations.data.converting.runner import RunResult, run
from redstart.migrations.data.judging.transform import FailureMode
from redstart.migrations.data.undoing.rollback import RollbackResult, rollback
from redstart.server.connections import open_sync
from tests.support.crash_driver import CrashDriver
from tests.support.migration import (
    EXPIRY,
    SAME_INSTANT,
    TEXT,
    documents_of,
    new_context,
    options,
    own_keys,
    station_plan,
)
from tests.support.replies import replies, send
from tests.support.snapshot import difference

NUMBER = b"1620097321.123456"
"""What TEXT becomes."""

MODES = [mode for mode in FailureMode if mode is not FailureMode.FAIL]
RINGER, VISIT, SIGHTING = RINGER_PREFIX + "1", VISIT_PREFIX + "1", SIGHTING_PREFIX + "1"


def migrate(url: str, mode: FailureMode = FailureMode.LOG_AND_SKIP) -> RunResult:
    with open_sync(url) as driver:
        result = driver.run(run(new_context(), station_plan(), options(mode)))
    assert result.stopped is None
    return result


def undo(url: str) -> RollbackResult:
    with open_sync(url) as driver:
        result = driver.run(rollback(new_context()))
    assert (result.stopped, result.kept) == (None, 0)
    return result


def failures(client: redis.Redis) -> dict[tuple[str, str], str]:
    """Recorded failures: (key, path) to reason."""
    fields = client.hgetall("redstart:001_datetime_fields_to_timestamps:failures")
    return {tuple(json.loads(name)): json.loads(data)[1] for name, data in fields.items()}


def json_text(client: redis.Redis, key: str = SIGHTING) -> str:
    return str(replies(client, [("JSON.GET", key)])[0].decode())


def test_a_key_that_begins_with_a_space_is_told_of_and_never_taken_for_another(
    client: redis.Redis, url: str
) -> None:
    spaced = {"ringed_at": TEXT, "last_seen_by_place": {" pier": TEXT, "pier": "1999-01-01", "  ": "?"}}
    same = {"last_seen_by_place": {" pier": TEXT, "pier": TEXT}, "resighted_at": []}
    number = {"last_seen_by_place": {" pier": TEXT, "pier": 1.5}}
    for name, content in {"1": spaced, "2": same, "3": number}.items():
        send(client, [("JSON.SET", SIGHTING_PREFIX + name, "$", json.dumps(content))])
    before = documents_of(client)
    for mode in MODES:
        result = migrate(url, mode)
        assert (result.errors, result.conflicts_retried) == (4, 0)
        assert "begins with a space" in failures(client)[SIGHTING, "last_seen_by_place[' pier']"]
        places = json.loads(json_text(client))["last_seen_by_place"]
        assert places == {" pier": TEXT, "pier": 915148800.0, "  ": "?"}
        places = json.loads(json_text(client, SIGHTING_PREFIX + "2"))["last_seen_by_place"]
        assert places == {" pier": TEXT, "pier": float(NUMBER)}
        assert json.loads(json_text(client, SIGHTING_PREFIX + "3")) == number
        undo(url)
        assert difference(before, documents_of(client)) == []


# Hashes


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
    migrate(url, mode)
    content = client.hgetall(RINGER)
    assert (content[b"licensed_at"], content[b"\xff"], content[b"remark"]) == (NUMBER, b"\xfe", b"2020-01-01")
    expected = {FailureMode.DEFAULT: (b"0.0", None), FailureMode.QUARANTINE: (None, bad)}.get(
        mode, (bad, None)
    )
    assert (content.get(b"born_on"), content.get(b"born_on__invalid")) == expected
    undo(url)
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
    migrate(url, mode)
    after = documents_of(client)
    expiries = {b"arrived_at": EXPIRY, b"left_at": EXPIRY + 1, b"weather": EXPIRY + 2}
    if mode is FailureMode.QUARANTINE:
        expiries[b"left_at__invalid"] = expiries.pop(b"left_at")
    assert after[VISIT.encode()].field_expiries == expiries
    assert after[VISIT.encode()].expires_at_milliseconds == EXPIRY + 7
    assert after[SIGHTING.encode()].expires_at_milliseconds == EXPIRY + 9
    undo(url)
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
    result = migrate(url, FailureMode.QUARANTINE)
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
    undo(url)
    assert difference(before, documents_of(client)) == []


# JSON

UNRELATED = (
    '"a":1.0,"z":[1e21,0.1,1e-7,100000000000000000000,-0.0,1E5],"deep":{"b":{},"a":[],"é":"\\u0007\\"\\\\"}'
)


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
    migrate(url, mode)
    changed = [("ringed_at",), ("hatched_on",), ("capture", "released_at")]
    after = json_text(client)
    if mode is FailureMode.QUARANTINE:
        assert ',"released_at__invalid":"?"}' in after
        after = after.replace(',"released_at__invalid":"?"}', "}")
    assert text_without(after, value_spans(after), changed) == text_without(
        before, value_spans(before), changed
    )
    undo(url)
    assert json_text(client) == before


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
        "last_seen_by_place": dict.fromkeys(names.ODD_PLACES, bad),
        "measurements": [{"repeat_on": bad}],
    }
    send(client, [("JSON.SET", SIGHTING, "$", json.dumps(content))])
    before = json_text(client)
    result = migrate(url, mode)
    assert result.converted == 2
    undo(url)
    assert json_text(client) == before


@pytest.mark.parametrize("mode", [FailureMode.DEFAULT, FailureMode.QUARANTINE])
def test_what_the_server_could_not_give_back_is_not_overwritten(
    client: redis.Redis, url: str, mode: FailureMode
) -> None:
    far = '"hatched_on":[12345678901234567.5],"capture":{"released_at":-9.87654321e250}'
    text = f'{{"ringed_at":1.2345678901234567e300,{far}}}'
    send(client, [("JSON.SET", SIGHTING, "$", text)])
    before = json_text(client)
    assert migrate(url, mode).errors == 3
    assert json_text(client) == before
    undo(url)
    assert json_text(client) == before


def test_odd_map_keys_are_converted_or_reported_and_never_added_to(client: redis.Redis, url: str) -> None:
    send(
        client,
        [
            (
                "JSON.SET",
                SIGHTING,
                "$",
                json.dumps({"last_seen_by_place": dict.fromkeys(names.ODD_PLACES, TEXT)}),
            )
        ],
    )
    before = json_text(client)
    assert migrate(url).errors == 0
    converted = json.loads(json_text(client))
    assert converted == {"last_seen_by_place": dict.fromkeys(names.ODD_PLACES, float(NUMBER))}
    assert list(converted["last_seen_by_place"]) == list(names.ODD_PLACES)
    undo(url)
    assert json_text(client) == before


# Years, sizes, types


def test_the_first_and_the_last_year(client: redis.Redis, url: str) -> None:
    send(
        client,
        [
            ("HSET", RINGER, "born_on", "0001-01-01", "licensed_at", "9999-12-31T23:59:59"),
            ("JSON.SET", SIGHTING, "$", '{"hatched_on":"9999-12-31","ringed_at":"0001-01-01T00:00:00Z"}'),
        ],
    )
    before = documents_of(client)
    migrate(url)
    assert client.hgetall(RINGER) == {b"born_on": b"-62135596800.0", b"licensed_at": b"253402300799.0"}
    assert json.loads(json_text(client)) == {"hatched_on": 253402214400, "ringed_at": -62135596800}
    undo(url)
    assert difference(before, documents_of(client)) == []


def test_a_document_of_50_megabytes(client: redis.Redis, url: str) -> None:
    """Its text is never read: no reply of the run and of the rollback together is as long as it is."""
    text = '{"field_book":"' + "x" * 50_000_000 + f'","ringed_at":"{TEXT}","resighted_at":["{TEXT}","?"]}}'
    send(client, [("JSON.SET", SIGHTING, "$", text)])
    before = _sent_bytes(client)
    assert migrate(url).converted == 2
    assert client.execute_command("JSON.GET", SIGHTING, "$.ringed_at", "$.resighted_at")
    (ends,) = replies(client, [("JSON.GET", SIGHTING, "$.resighted_at")])
    assert ends == b'[[%b,"?"]]' % NUMBER
    undo(url)
    assert _sent_bytes(client) - before < 1_000_000
    assert json_text(client) == text


def _sent_bytes(client: redis.Redis) -> int:
    return int(client.info("stats")["total_net_output_bytes"])


def test_a_list_of_more_than_a_megabyte(client: redis.Redis, url: str) -> None:
    chance = random.Random(7)
    texts = [chance.choice([*SAME_INSTANT, TEXT, "?"]) for _ in range(3_000)]
    items = [{"method": "x" * 400, "taken_at": text} for text in texts]
    send(client, [("JSON.SET", SIGHTING, "$", json.dumps({"measurements": items, "ringed_at": TEXT}))])
    (size,) = replies(client, [("JSON.DEBUG", "MEMORY", SIGHTING)])
    assert size > 1_000_000
    before = json_text(client)
    result = migrate(url)
    assert result.converted == 3_001 - texts.count("?")
    after = json.loads(json_text(client))["measurements"]
    assert [item["taken_at"] == "?" for item in after] == [text == "?" for text in texts]
    undo(url)
    assert json_text(client) == before


@pytest.mark.parametrize("gone_before", ["JSON.ARRLEN", "JSON.OBJKEYS", "[JSON.GET]"])
def test_a_large_document_that_is_deleted_while_it_is_read(
    client: redis.Redis, url: str, monkeypatch: pytest.MonkeyPatch, gone_before: str
) -> None:
    monkeypatch.setattr("redstart.migrations.data.reading.read.LARGE_BYTES", 1)
    content = {"resighted_at": [TEXT], "last_seen_by_place": {"a": TEXT}, "ringed_at": TEXT}
    send(client, [("JSON.SET", SIGHTING, "$", json.dumps(content))])

    def delete(name: str) -> None:
        if name == gone_before:
            client.delete(SIGHTING)

    with CrashDriver(url, before=delete) as driver:
        result = driver.run(run(new_context(), station_plan(), options()))
    assert (result.stopped, result.documents) == (None, 0)
    assert client.exists(SIGHTING) == 0


def test_keys_of_other_types_under_a_prefix_stay(client: redis.Redis, url: str) -> None:
    send(
        client,
        [
            ("SET", RINGER_PREFIX + "s", TEXT),
            ("RPUSH", VISIT_PREFIX + "l", TEXT),
            ("JSON.SET", VISIT_PREFIX + "j", "$", json.dumps({"arrived_at": TEXT})),
            ("HSET", SIGHTING_PREFIX + "h", "ringed_at", TEXT),
            ("ZADD", SIGHTING_PREFIX + "z", "1.5", TEXT),
            ("JSON.SET", SIGHTING_PREFIX + "root-list", "$", json.dumps([TEXT])),
            ("JSON.SET", SIGHTING_PREFIX + "root-text", "$", json.dumps(TEXT)),
            ("HSET", VISIT, "arrived_at", TEXT),
        ],
    )
    before = documents_of(client)
    assert migrate(url).converted == 1
    assert difference(before, documents_of(client)) == [
        f"{VISIT}: field arrived_at was {TEXT}, is {NUMBER.decode()}"
    ]
    undo(url)
    assert difference(before, documents_of(client)) == []


# Laws

JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.sampled_from([TEXT, *SAME_INSTANT, "2020-01-02", "null", "1600000000", 1600000000, 1600000000000]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=3)
    ),
    max_leaves=5,
)
HASH_VALUES = st.binary(max_size=40) | st.sampled_from(
    [TEXT.encode(), b"null", b"0.0", b"1600000000000", b"2020-01-02"]
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    mode=st.sampled_from(MODES),
    hashes=st.lists(
        st.fixed_dictionaries(
            {}, optional=dict.fromkeys((b"born_on", b"licensed_at", b"last_seen_at", b"x"), HASH_VALUES)
        ),
        max_size=3,
    ),
    documents=st.lists(
        st.fixed_dictionaries(
            {"wing": JSON_VALUES},
            optional={
                "ringed_at": JSON_VALUES,
                "hatched_on": JSON_VALUES,
                "capture": st.fixed_dictionaries({"released_at": JSON_VALUES}) | JSON_VALUES,
                "resighted_at": st.lists(JSON_VALUES, max_size=3) | JSON_VALUES,
                "last_seen_by_place": st.dictionaries(st.sampled_from(names.ODD_PLACES), JSON_VALUES)
                | JSON_VALUES,
                "measurements": st.lists(
                    st.fixed_dictionaries({"taken_at": JSON_VALUES, "n": JSON_VALUES}), max_size=2
                ),
            },
        ),
        max_size=3,
    ),
)
def test_the_journal_restores_anything(
    client: redis.Redis,
    url: str,
    mode: FailureMode,
    hashes: list[dict[bytes, bytes]],
    documents: list[dict[str, Any]],
) -> None:
    client.flushall()
    for number, fields in enumerate(hashes):
        if fields:
            send(
                client,
                [("HSET", f"{RINGER_PREFIX}{number}", *(part for pair in fields.items() for part in pair))],
            )
    send(client, [("JSON.SET", f"{SIGHTING_PREFIX}{n}", "$", json.dumps(d)) for n, d in enumerate(documents)])
    before = documents_of(client)
    migrate(url, mode)
    migrate(url, mode)
    undo(url)
    assert difference(before, documents_of(client)) == []
    assert own_keys(client) == []
