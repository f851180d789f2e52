"""The sample is repeatable, right, whole, and comes back from a server as it was written."""

import json
import re
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
import redis

from redstart.demo import sample as sample_names
from redstart.demo.dirty_values import DIRTY_CLASSES
from redstart.demo.load import FOREIGN_KEYS, load_batches
from redstart.demo.sample import (
    RINGER_PREFIX,
    SIGHTING_PREFIX,
    VISIT_PREFIX,
    SampleDocument,
    generate,
)
from redstart.demo.slots import Location
from redstart.values.types import Storage
from tests.support.replies import replies, send
from tests.support.snapshot import NO_EXPIRY, snapshot

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
PREFIXES = tuple(prefix.encode() for prefix in (RINGER_PREFIX, VISIT_PREFIX, SIGHTING_PREFIX))
ISO_FORM = re.compile(r"[-\d]{10}T[:\d]{8}(?P<fraction>\.\d{6})?(?P<zone>|Z|[+-]\d\d:\d\d)")
DATES = {"born_on", "permit_until", "hatched_on", "repeat_on"}


@pytest.fixture(scope="module")
def documents() -> list[SampleDocument]:
    return list(generate(6_000))


def value_at(document: SampleDocument, location: Location) -> Any:
    if isinstance(document.content, dict):
        return document.content[str(location[0]).encode()]
    value = json.loads(document.content)
    for step in location:
        value = value[step]
    return value


def test_the_same_seed_gives_the_same_bytes(documents: list[SampleDocument]) -> None:
    assert list(generate(300)) == documents[:300]
    assert list(generate(300, seed=1)) != documents[:300]


def test_keys_are_unique_and_models_take_turns(documents: list[SampleDocument]) -> None:
    assert len({document.key for document in documents}) == len(documents)
    count = Counter(prefix for d in documents for prefix in PREFIXES if d.key.startswith(prefix))
    assert count == dict.fromkeys(PREFIXES, 2_000)


def test_three_values_in_a_hundred_are_dirty_and_every_class_occurs(documents: list[SampleDocument]) -> None:
    values = sum(len(document.expected) for document in documents)
    dirty = Counter(name for document in documents for name in document.dirty.values())
    assert 0.025 < dirty.total() / values < 0.035
    assert set(dirty) == {one.name for one in DIRTY_CLASSES}


def test_the_share_can_be_chosen() -> None:
    assert not any(document.dirty for document in generate(200, dirty_share=0))
    assert all(document.dirty.keys() == document.expected.keys() for document in generate(200, dirty_share=1))


def test_clean_values_mean_what_is_expected(documents: list[SampleDocument]) -> None:
    """Python reads the text as the generator meant it. (The generator itself never reads.)"""
    checked = 0
    for document in documents:
        for location in document.expected.keys() - document.dirty.keys():
            raw, expected = value_at(document, location), document.expected[location]
            if raw is None:
                assert expected == "null"
                continue
            text = raw.decode() if isinstance(raw, bytes) else raw
            if location[-1] in DATES:
                day = date.fromisoformat(text)
                moment = datetime(day.year, day.month, day.day, tzinfo=UTC)
            else:
                moment = datetime.fromisoformat(text)
                moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            assert (moment - EPOCH) // timedelta(microseconds=1) == expected
            checked += 1
    assert checked > 20_000


def test_the_formats_of_redis_om_occur_in_each_storage(documents: list[SampleDocument]) -> None:
    forms: dict[Storage, set[tuple[bool, str]]] = {storage: set() for storage in Storage}
    for document in documents:
        for location in document.expected.keys() - document.dirty.keys():
            raw = value_at(document, location)
            if raw is not None and location[-1] not in DATES:
                form = ISO_FORM.fullmatch(raw.decode() if isinstance(raw, bytes) else raw)
                assert form is not None
                forms[document.storage].add((form["fraction"] is not None, form["zone"]))
    for storage, utc in ((Storage.HASH, "+00:00"), (Storage.JSON, "Z")):
        zones = {"", utc, "+05:30", "+01:00", "+02:00", "-05:00", "-03:30", "+05:45", "+14:00", "-12:00"}
        assert forms[storage] == {(fraction, zone) for fraction in (True, False) for zone in zones}


def test_the_hard_places_occur(documents: list[SampleDocument]) -> None:
    steps = {step for document in documents for location in document.expected for step in location}
    assert set(sample_names.ODD_PLACES) <= steps
    assert {"measurements", "resighted_at", "last_seen_by_place", "capture", 2} <= steps
    extra = [document for document in documents if b"imported_at" in document.content]
    assert {document.storage for document in extra} == set(Storage)
    assert all(("imported_at",) not in document.expected for document in extra)
    assert any(document.expires_at_milliseconds for document in documents)
    assert any(document.field_expiries for document in documents)


def test_a_server_gives_back_what_was_generated(client: redis.Redis, documents: list[SampleDocument]) -> None:
    some = documents[:3_000]
    for batch in load_batches(some, field_expiries=True):
        send(client, batch)
    entries = snapshot(client)
    assert len(entries) == len(some) + len(FOREIGN_KEYS)
    for document in some:
        entry = entries[document.key]
        assert entry.content == document.content
        assert entry.expires_at_milliseconds == (document.expires_at_milliseconds or NO_EXPIRY)
        assert entry.field_expiries == document.field_expiries
    assert replies(client, [foreign.read for foreign in FOREIGN_KEYS]) == [f.reply for f in FOREIGN_KEYS]


def test_foreign_keys_are_under_and_next_to_every_prefix() -> None:
    keys = [foreign.key for foreign in FOREIGN_KEYS]
    assert len(set(keys)) == len(keys)
    assert all(any(key.startswith(prefix) for key in keys) for prefix in PREFIXES)
    assert any(not key.startswith(PREFIXES) for key in keys)
