"""A script whose time is over leaves all its other documents to the next one."""

import json

import pytest
import redis

from redstart.demo.sample import RINGER_PREFIX, SIGHTING_PREFIX
from redstart.migrations.data import applier
from tests.migrations.data.runs import migrate_all, undo_all
from tests.support.migration import KEYS, TEXT, documents_of
from tests.support.replies import Command, send
from tests.support.snapshot import difference

DOCUMENTS = 64
CHECKED_EVERY = 8
"""A script asks for the time before so many short documents."""


@pytest.mark.parametrize("prefix", [RINGER_PREFIX, SIGHTING_PREFIX], ids=["hashes", "JSON"])
def test_a_script_that_is_late_begins_no_other_document(
    client: redis.Redis, url: str, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def written(number: int) -> Command:
        if prefix == RINGER_PREFIX:
            return "HSET", f"{prefix}{number}", "licensed_at", TEXT
        return "JSON.SET", f"{prefix}{number}", "$", json.dumps({"ringed_at": TEXT})

    monkeypatch.setattr(applier, "MAX_MICROSECONDS", 0)
    monkeypatch.setattr(applier, "FIRST_DOCUMENTS", DOCUMENTS)
    monkeypatch.setattr(applier, "SCRIPT_TARGET_MICROSECONDS", 10**9)
    send(client, [written(number) for number in range(DOCUMENTS)])
    before = documents_of(client)
    assert migrate_all(url).converted == DOCUMENTS
    applied = [fields.get(b"applied", b"") for _, fields in client.xrange(KEYS.journal)]
    assert any(b"l" in codes for codes in applied)
    assert [codes for codes in applied if b"la" in codes or codes.count(b"a") > CHECKED_EVERY] == []
    undo_all(url)
    assert difference(before, documents_of(client)) == []
