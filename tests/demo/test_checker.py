"""The checker passes a perfect migration, and sees each single thing that is not perfect."""

from collections import Counter
from collections.abc import Callable

import pytest
import redis

from redstart.demo.checker import Finding, Outcome, Stored, Tally, check_document, check_foreign, value_spans
from redstart.demo.load import FOREIGN_KEYS, load_batches
from redstart.demo.sample import SampleDocument, generate
from redstart.demo.slots import Expected, Location
from redstart.values.types import Storage
from tests.support.replies import replies, send
from tests.support.snapshot import snapshot


def migrated(document: SampleDocument) -> dict[bytes, bytes] | bytes:
    """The document as it should be, made from the answers."""
    # Divided by the float 1e6, far instants would be rounded twice.
    numbers = {
        at: repr(wanted / 1_000_000) for at, wanted in document.expected.items() if isinstance(wanted, int)
    }
    if isinstance(document.content, dict):
        return document.content | {str(at[0]).encode(): number.encode() for at, number in numbers.items()}
    text = document.content.decode()
    spans = value_spans(text)
    for at in sorted(numbers, key=lambda at: spans[at], reverse=True):
        start, end = spans[at]
        text = text[:start] + numbers[at] + text[end:]
    return text.encode()


def outcomes(document: SampleDocument, stored: Stored) -> Counter[Outcome]:
    return Counter(finding.outcome for finding in check_document(document, stored))


@pytest.fixture(scope="module")
def documents() -> list[SampleDocument]:
    return list(generate(1_500, dirty_share=0.2))


def test_a_perfect_migration_is_clean(documents: list[SampleDocument]) -> None:
    tally = Tally()
    for document in documents:
        for finding in check_document(document, migrated(document)):
            tally.add(finding)
    assert tally.clean
    assert tally.examples == {}
    answers = [wanted for document in documents for wanted in document.expected.values()]
    assert tally.counts[Outcome.EXACT] == sum(isinstance(wanted, int) for wanted in answers)
    assert tally.counts[Outcome.KEPT] == sum(not isinstance(wanted, int) for wanted in answers)


def test_legacy_data_is_unconverted_and_nothing_worse(documents: list[SampleDocument]) -> None:
    found = Counter[Outcome]()
    for document in documents:
        found += outcomes(document, document.content)
    assert set(found) == {Outcome.EXACT, Outcome.UNCONVERTED, Outcome.KEPT}
    assert found[Outcome.UNCONVERTED] > 10 * found[Outcome.EXACT] > 0


def test_an_empty_tally_is_not_clean() -> None:
    assert not Tally().clean


HASH = SampleDocument(
    key=b"h",
    storage=Storage.HASH,
    content={b"at": b"2023-01-01T12:00:00.000001", b"on": b"N/A", b"name": b"\xff", b"note": b"2023-01-01"},
    expires_at_milliseconds=None,
    field_expiries={},
    expected={("at",): 1_672_574_400_000_001, ("on",): "unconvertible"},
    dirty={},
)
HASH_DONE = {b"at": b"1672574400.000001", b"on": b"N/A", b"name": b"\xff", b"note": b"2023-01-01"}
GOOD = {Outcome.EXACT: 1, Outcome.KEPT: 1}

HASH_FAULTS: dict[str, tuple[dict[bytes, bytes], dict[Outcome, int]]] = {
    "nothing": ({}, GOOD),
    "more digits": ({b"at": b"1672574400.0000010"}, GOOD),
    "a microsecond off": ({b"at": b"1672574400.000002"}, {Outcome.WRONG: 1, Outcome.KEPT: 1}),
    "an hour off": ({b"at": b"1672578000.000001"}, {Outcome.WRONG: 1, Outcome.KEPT: 1}),
    "white space": ({b"at": b" 1672574400.000001"}, {Outcome.WRONG: 1, Outcome.KEPT: 1}),
    "not UTF-8": ({b"at": b"1672574400.000001\xff"}, {Outcome.WRONG: 1, Outcome.KEPT: 1}),
    "another text of the instant": (
        {b"at": b"2023-01-01 12:00:00.000001"},
        {Outcome.WRONG: 1, Outcome.KEPT: 1},
    ),
    "unconverted": ({b"at": b"2023-01-01T12:00:00.000001"}, {Outcome.UNCONVERTED: 1, Outcome.KEPT: 1}),
    "default for a bad value": ({b"on": b"0.0"}, {Outcome.EXACT: 1, Outcome.LOST: 1}),
    "one byte of another field": ({b"name": b"\xfe"}, GOOD | {Outcome.COLLATERAL: 1}),
    "a text like a date converted": ({b"note": b"1672531200.0"}, GOOD | {Outcome.COLLATERAL: 1}),
    "a field more": ({b"on__invalid": b"N/A"}, GOOD | {Outcome.COLLATERAL: 1}),
}


@pytest.mark.parametrize("fault", HASH_FAULTS)
def test_one_fault_in_a_hash(fault: str) -> None:
    changes, expected = HASH_FAULTS[fault]
    assert outcomes(HASH, HASH_DONE | changes) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (b"at", {Outcome.WRONG: 1, Outcome.KEPT: 1}),
        (b"on", {Outcome.EXACT: 1, Outcome.LOST: 1}),
        (b"name", GOOD | {Outcome.COLLATERAL: 1}),
    ],
)
def test_a_field_less_in_a_hash(name: bytes, expected: dict[Outcome, int]) -> None:
    assert outcomes(HASH, {field: value for field, value in HASH_DONE.items() if field != name}) == expected


JSON = SampleDocument(
    key=b"j",
    storage=Storage.JSON,
    content='{"at":"2023-01-01","gone":null,"map":{"a\'\\"b":"2023-01-01"},"n":1.0,"é":"2023-01-01"}'.encode(),
    expires_at_milliseconds=None,
    field_expiries={},
    expected={("at",): 1_672_531_200_000_000, ("gone",): "null", ("map", "a'\"b"): 1_672_531_200_000_000},
    dirty={},
)
DONE = '{"at":1672531200.0,"gone":null,"map":{"a\'\\"b":1672531200.0},"n":1.0,"é":"2023-01-01"}'
ALL_GOOD = {Outcome.EXACT: 2, Outcome.KEPT: 1}
ONE_WRONG = {Outcome.EXACT: 1, Outcome.WRONG: 1, Outcome.KEPT: 1}

JSON_FAULTS: dict[str, tuple[str, str, dict[Outcome, int]]] = {
    "nothing": ("", "", ALL_GOOD),
    "an integer": ('"at":1672531200.0', '"at":1672531200', ALL_GOOD),
    "a text, not a number": ('"at":1672531200.0', '"at":"1672531200.0"', ONE_WRONG),
    "a boolean": ('"at":1672531200.0', '"at":true', ONE_WRONG),
    "one second off": ('"at":1672531200.0', '"at":1672531201.0', ONE_WRONG),
    "unconverted": (
        '"at":1672531200.0',
        '"at":"2023-01-01"',
        {Outcome.EXACT: 1, Outcome.UNCONVERTED: 1, Outcome.KEPT: 1},
    ),
    "null lost": ("null", "0.0", {Outcome.EXACT: 2, Outcome.LOST: 1}),
    "a number's text": ('"n":1.0', '"n":1', ALL_GOOD | {Outcome.COLLATERAL: 1}),
    "a text like a date converted": (
        '"é":"2023-01-01"',
        '"é":1672531200.0',
        ALL_GOOD | {Outcome.COLLATERAL: 1},
    ),
    "the order of members": (
        '"n":1.0,"é":"2023-01-01"',
        '"é":"2023-01-01","n":1.0',
        ALL_GOOD | {Outcome.COLLATERAL: 1},
    ),
    "a junk key in a map": ('"map":{', '"map":{"a":1672531200.0,', ALL_GOOD | {Outcome.COLLATERAL: 1}),
    "a member less": ('"gone":null,', "", {Outcome.EXACT: 2, Outcome.LOST: 1, Outcome.COLLATERAL: 1}),
    "another map key": ("a'\\\"b", "ab", ONE_WRONG | {Outcome.COLLATERAL: 1}),
}


@pytest.mark.parametrize("fault", JSON_FAULTS)
def test_one_fault_in_json(fault: str) -> None:
    old, new, expected = JSON_FAULTS[fault]
    assert old in DONE
    assert outcomes(JSON, DONE.replace(old, new, 1).encode()) == expected


@pytest.mark.parametrize(
    ("document", "stored"), [(HASH, None), (JSON, None), (HASH, DONE.encode()), (JSON, HASH_DONE)]
)
def test_a_missing_key_or_one_of_another_type(document: SampleDocument, stored: Stored) -> None:
    assert outcomes(document, stored) == {Outcome.MISSING: 1}


def test_a_far_instant_must_be_the_nearest_float() -> None:
    far = 200_000_000_000_123_457
    expected: dict[Location, Expected] = {("at",): far}
    document = SampleDocument(b"f", Storage.HASH, {b"at": b"x"}, None, {}, expected, {})
    nearest = far / 1_000_000
    assert outcomes(document, {b"at": repr(nearest).encode()}) == {Outcome.EXACT: 1}
    assert outcomes(document, {b"at": repr(nearest + 0.0001).encode()}) == {Outcome.WRONG: 1}


def test_a_tally_keeps_some_examples_of_bad_outcomes() -> None:
    tally = Tally(examples_of_each=2)
    for number in range(5):
        tally.add(Finding(Outcome.LOST, b"%d" % number, (), b"a", b"b"))
        tally.add(Finding(Outcome.EXACT, b"%d" % number, (), b"a", b"b"))
    assert tally.counts == {Outcome.LOST: 5, Outcome.EXACT: 5}
    assert [finding.key for finding in tally.examples[Outcome.LOST]] == [b"0", b"1"]
    assert set(tally.examples) == {Outcome.LOST}
    assert not tally.clean


Harm = Callable[[redis.Redis], object]
HARMS: dict[str, Harm] = {
    "SET": lambda client: client.set("station:sightings", "13"),
    "DEL": lambda client: client.delete("station:visit:index:hash"),
    "LSET": lambda client: client.lset("station:visit:queue", 0, "1672531200.0"),
    "JSON.SET": lambda client: client.json().set("station:visit:draft", "$.arrived_at", 1.0),
    "HSET": lambda client: client.hset("station:sighting:lock", "ringed_at", "1672531200.0"),
}


@pytest.mark.parametrize("harm", HARMS)
def test_a_foreign_key_that_was_touched(client: redis.Redis, harm: str) -> None:
    send(client, [foreign.write for foreign in FOREIGN_KEYS])
    HARMS[harm](client)
    answers = zip(FOREIGN_KEYS, replies(client, [foreign.read for foreign in FOREIGN_KEYS]), strict=True)
    found = [finding for foreign, reply in answers for finding in check_foreign(foreign, reply)]
    assert [finding.outcome for finding in found] == [Outcome.COLLATERAL]


def test_the_contents_of_a_server_can_be_checked(
    client: redis.Redis, documents: list[SampleDocument]
) -> None:
    for batch in load_batches(documents, field_expiries=True):
        send(client, batch)
    writes: list[tuple[bytes | str | int, ...]] = []
    for document in documents:
        done = migrated(document)
        if isinstance(done, dict):
            writes.append(("HSET", document.key, *(part for pair in done.items() for part in pair)))
        else:
            writes.append(("JSON.SET", document.key, "$", done))
    send(client, writes)
    stored = snapshot(client)
    found = Counter[Outcome]()
    for document in documents:
        content = stored[document.key].content
        assert isinstance(content, dict | bytes)
        found += outcomes(document, content)
    assert set(found) == {Outcome.EXACT, Outcome.KEPT}
