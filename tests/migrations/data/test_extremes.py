"""The first year and the last, documents of megabytes, and keys of other types."""

import json
import random

import pytest
import redis

from redstart.demo.sample import RINGER_PREFIX, SIGHTING_PREFIX, VISIT_PREFIX
from redstart.migrations.data.run import run
from tests.migrations.data.runs import NUMBER, RINGER, SIGHTING, VISIT, json_text, migrate_all, undo_all
from tests.support.crash_driver import CrashDriver
from tests.support.migration import SAME_INSTANT, TEXT, documents_of, new_context, options, station_plan
from tests.support.replies import replies, send
from tests.support.snapshot import difference


def test_the_first_and_the_last_year(client: redis.Redis, url: str) -> None:
    send(
        client,
        [
            ("HSET", RINGER, "born_on", "0001-01-01", "licensed_at", "9999-12-31T23:59:59"),
            ("JSON.SET", SIGHTING, "$", '{"hatched_on":"9999-12-31","ringed_at":"0001-01-01T00:00:00Z"}'),
        ],
    )
    before = documents_of(client)
    migrate_all(url)
    assert client.hgetall(RINGER) == {b"born_on": b"-62135596800.0", b"licensed_at": b"253402300799.0"}
    assert json.loads(json_text(client)) == {"hatched_on": 253402214400, "ringed_at": -62135596800}
    undo_all(url)
    assert difference(before, documents_of(client)) == []


def test_a_document_of_50_megabytes(client: redis.Redis, url: str) -> None:
    """Its text is never read: no reply of the run and of the rollback together is as long as it is."""
    text = '{"field_book":"' + "x" * 50_000_000 + f'","ringed_at":"{TEXT}","resighted_at":["{TEXT}","?"]}}'
    send(client, [("JSON.SET", SIGHTING, "$", text)])
    before = _sent_bytes(client)
    assert migrate_all(url).converted == 2
    assert client.execute_command("JSON.GET", SIGHTING, "$.ringed_at", "$.resighted_at")
    (ends,) = replies(client, [("JSON.GET", SIGHTING, "$.resighted_at")])
    assert ends == b'[[%b,"?"]]' % NUMBER
    undo_all(url)
    assert _sent_bytes(client) - before < 1_000_000
    assert json_text(client) == text


def _sent_bytes(client: redis.Redis) -> int:
    return int(client.info("stats")["total_net_output_bytes"])


def test_a_list_of_more_than_a_megabyte(client: redis.Redis, url: str) -> None:
    rng = random.Random(7)
    texts = [rng.choice([*SAME_INSTANT, TEXT, "?"]) for _ in range(3_000)]
    items = [{"method": "x" * 400, "taken_at": text} for text in texts]
    send(client, [("JSON.SET", SIGHTING, "$", json.dumps({"measurements": items, "ringed_at": TEXT}))])
    (size,) = replies(client, [("JSON.DEBUG", "MEMORY", SIGHTING)])
    assert size > 1_000_000
    before = json_text(client)
    result = migrate_all(url)
    assert result.converted == 3_001 - texts.count("?")
    after = json.loads(json_text(client))["measurements"]
    assert [item["taken_at"] == "?" for item in after] == [text == "?" for text in texts]
    undo_all(url)
    assert json_text(client) == before


@pytest.mark.parametrize("gone_before", ["[JSON.ARRLEN]", "[JSON.OBJKEYS]", "[JSON.GET]"])
def test_a_large_document_that_is_deleted_while_it_is_read(
    client: redis.Redis, url: str, monkeypatch: pytest.MonkeyPatch, gone_before: str
) -> None:
    monkeypatch.setattr("redstart.migrations.data.reader.LARGE_BYTES", 1)
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
    assert migrate_all(url).converted == 1
    assert difference(before, documents_of(client)) == [
        f"{VISIT}: field arrived_at was {TEXT}, is {NUMBER.decode()}"
    ]
    undo_all(url)
    assert difference(before, documents_of(client)) == []
