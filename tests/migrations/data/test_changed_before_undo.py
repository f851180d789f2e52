"""Between a run and its rollback: items that moved in their lists, and values that are newer than the run."""

import pytest
import redis

from redstart.demo.sample import SIGHTING_PREFIX
from redstart.migrations.data.edit_builder import FailureMode
from tests.migrations.data.runs import NEWER_TEXT, SIGHTING, VISIT, json_of, migrate, set_json, undo
from tests.support.migration import EXPIRY, SAME_INSTANT, TEXT, documents_of, own_keys
from tests.support.replies import replies, send
from tests.support.snapshot import difference


def test_items_that_moved_in_their_list_are_not_mixed_up(client: redis.Redis, url: str) -> None:
    """By position alone, an item would get the text of its neighbour: the same instant, spelt otherwise.

    By value it is certain which item one was whose number stands there once.
    """
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
    old_forms = ["2021-05-04T03:02:01Z"] * 3 + [TEXT, "?", 1600000000.5]
    assert json_of(client, SIGHTING_PREFIX + "prepended")["resighted_at"] == [NEWER_TEXT + "Z", *old_forms]
    assert json_of(client, SIGHTING_PREFIX + "removed")["resighted_at"] == old_forms[1:]
    # What is not in the list came back exactly.
    assert json_of(client, SIGHTING_PREFIX + "removed")["ringed_at"] == SAME_INSTANT[2]


@pytest.mark.parametrize("mode", [FailureMode.LOG_AND_SKIP, FailureMode.DEFAULT])
@pytest.mark.parametrize("large_bytes", [1_000, 1_000_000])
def test_items_of_a_large_document_are_not_mixed_up_either(
    client: redis.Redis, url: str, monkeypatch: pytest.MonkeyPatch, mode: FailureMode, large_bytes: int
) -> None:
    monkeypatch.setattr("redstart.migrations.data.reader.LARGE_BYTES", large_bytes)
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
    result = undo(url)
    # A zero may be a text that was replaced or the one written since, so no date is made of any.
    new = 0.0 if mode is FailureMode.DEFAULT else "1970-01-01T00:00:00Z"
    assert (result.unrestored, result.kept) == ((4, 6) if mode is FailureMode.DEFAULT else (0, 0))
    shifted = [new] * 3 if mode is FailureMode.DEFAULT else [new, "bad", "worse"]
    shifted += ["2021-05-04T03:02:01Z"] * 3
    after = json_of(client)
    assert after["resighted_at"] == shifted
    assert [item["taken_at"] for item in after["measurements"]] == shifted
    client.delete(SIGHTING)
    assert difference(before, documents_of(client)) == [f"{SIGHTING}: is missing"]


def test_newer_values_are_rewritten_as_text_and_preexisting_numbers_stay(
    client: redis.Redis, url: str
) -> None:
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
