"""A small data migration for tests: its plan, its dependencies, and documents with hard cases.

The base is the demo's sample with half of its values dirty; `hard_documents` are those that random
data lacks: a map of all odd keys, lists with pre-existing numbers among the texts, numbers that RedisJSON alters.
"""

import json
import time
import uuid
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import redis

from redstart.demo import sample as sample_names
from redstart.demo.load import load_batches
from redstart.demo.models import Ringer, Sighting, Visit
from redstart.demo.sample import RINGER_PREFIX, SIGHTING_PREFIX, VISIT_PREFIX, SampleDocument, generate
from redstart.mapping.model_info import declare
from redstart.migrations.context import Context
from redstart.migrations.data import applier, reader, scanner
from redstart.migrations.data.datetime_conversion import DATETIME_MIGRATION, DatetimeConversion
from redstart.migrations.data.edit_builder import FailureMode
from redstart.migrations.data.plan import Plan, make_plan
from redstart.migrations.data.record import read_record
from redstart.migrations.data.results import RunOptions
from redstart.migrations.lease_state import this_process
from redstart.migrations.state_keys import StateKeys
from redstart.server import protocol
from redstart.server.sync_driver import SyncDriver
from tests.support.replies import Command, replies, send
from tests.support.snapshot import STATE_PREFIXES, Snapshot, snapshot

REPOSITORY = Path(__file__).parents[2]

KEYS = StateKeys(DATETIME_MIGRATION)
UTC_DATES = DatetimeConversion.of_zone("UTC")

EXPIRY = 4_102_444_800_000
"""2100-01-01 in milliseconds."""

TEXT = "2021-05-04T03:02:01.123456"
SAME_INSTANT = ("2021-05-04T03:02:01Z", "2021-05-04T03:02:01+00:00", "2021-05-04T08:32:01+05:30")


def station_plan(*models: Any, naive_timezone: str = "UTC") -> Plan:
    """The plan for the demo's models, all of them or those named."""
    chosen = models or (Ringer, Visit, Sighting)
    plan = make_plan([declare(model) for model in chosen], DatetimeConversion.of_zone("UTC"))
    return replace(plan, settings=(("naive_timezone", naive_timezone),))


def new_context(**changes: Any) -> Context:
    """The surroundings of a new program, to which every earlier one is gone."""
    settings: dict[str, Any] = {
        "transformation": DatetimeConversion.of_zone("UTC"),
        "holder": this_process(),
        "token": uuid.uuid4().hex,
        "clock": time.monotonic,
        "is_gone": lambda _: True,
    }
    return Context(**settings | changes)


def options(mode: FailureMode = FailureMode.LOG_AND_SKIP, **more: Any) -> RunOptions:
    """Small pages, so that a small data set has several."""
    return RunOptions(failure_mode=mode, batch_documents=40, **more)


def small_pieces(patch: pytest.MonkeyPatch) -> None:
    """Make pieces small and their number the same on every machine: chunks are cut by bytes, not by time, and each page
    is followed by a save.

    A document of some kilobytes counts as large, one with more than four edits is applied in parts, and a
    request whose answer was lost is sent again at once.
    """
    patch.setattr(applier, "MAX_CHUNK_BYTES", 2_000)
    patch.setattr(applier, "SCRIPT_TARGET_MICROSECONDS", 10**9)
    patch.setattr(applier, "MAX_MICROSECONDS", 10**9)
    patch.setattr(applier, "MOVED_FROM", 3)
    patch.setattr(applier, "MAX_EDITS", 4)
    patch.setattr(applier, "FIRST_EDITS", 4)
    patch.setattr(reader, "LARGE_BYTES", 8_000)
    patch.setattr(scanner, "SAVE_SECONDS", 0.0)
    patch.setattr(protocol, "REPEAT_PAUSES_SECONDS", (0.0, 0.0, 0.0))


@cache
def hostile_sample() -> tuple[SampleDocument, ...]:
    """The documents that chance makes: about three pages."""
    return tuple(generate(90, dirty_share=0.5))


def load_hostile(client: redis.Redis) -> None:
    """Empty the database and write the hostile documents, and the sample's foreign keys around them."""
    client.execute_command("FLUSHALL", "SYNC")
    client.execute_command("SCRIPT", "FLUSH", "SYNC")  # as on a server that was never asked to migrate
    for commands in load_batches(hostile_sample(), field_expiries=True):
        send(client, commands)
    send(client, hard_documents())


def hard_documents() -> list[Command]:
    """The commands that write what chance would not bring."""
    ringer, visit = RINGER_PREFIX + "hard-", VISIT_PREFIX + "hard-"
    commands: list[Command] = [
        # A text that JSON would take for null; bytes that are not text; a field of the name quarantine wants.
        ("HSET", ringer + "null", "born_on", "null", "licensed_at", b"\xff\x00", "last_seen_at", TEXT),
        ("HSET", ringer + "taken", "born_on", "never", "born_on__invalid", "mine", "licensed_at", TEXT),
        ("HSET", visit + "expiring", "arrived_at", TEXT, "left_at", "soon", "permit_until", "1600000000"),
        ("HPEXPIREAT", visit + "expiring", EXPIRY + 1, "FIELDS", 2, "arrived_at", "left_at"),
        ("PEXPIREAT", visit + "expiring", EXPIRY + 2),
        ("HSET", visit + "numbers", "arrived_at", "1600000000.5", "left_at", "1e9", "permit_until", "86400"),
    ]
    return commands + [
        ("JSON.SET", f"{SIGHTING_PREFIX}hard-{name}", "$", json.dumps(content, ensure_ascii=False))
        for name, content in _hard_sightings().items()
    ]


def _hard_sightings() -> dict[str, dict[str, Any]]:
    return {
        "odd-keys": {"ringed_at": TEXT, "last_seen_by_place": dict.fromkeys(sample_names.ODD_PLACES, TEXT)},
        "numbers": {
            "ringed_at": 1600000000.5,
            "hatched_on": 1600000000000,
            "last_seen_by_place": {"a": 1600000000, "b": TEXT},
            "resighted_at": [1600000000.25, TEXT, 1600000000000, *SAME_INSTANT],
        },
        # Out there a float has no microseconds, and RedisJSON alters the number it is sent.
        "far": {
            "ringed_at": "8521-03-04T05:06:07.123457",
            "resighted_at": [f"{year}-07-07T07:07:07.777777" for year in range(2500, 9500, 500)],
        },
        # No date, and once overwritten the server could not give it back.
        "unrestorable": {"ringed_at": 1.2345678901234567e300, "capture": {"released_at": 1e-300}},
        "taken": {"ringed_at": "never", "ringed_at__invalid": "mine", "hatched_on": "2020-01-02"},
        "two-bad": {
            "z": 1.0,
            "hatched_on": "?",
            "ringed_at": "?",
            "a": 1e21,
            "capture": {"released_at": "?"},
        },
        "list-of-bad": {"resighted_at": ["?", 0.0, None, True, "?", {"at": TEXT}], "ringed_at": "0000"},
        "misplaced": {"resighted_at": TEXT, "last_seen_by_place": [TEXT], "measurements": {"taken_at": TEXT}},
        "many": {
            "measurements": [{"taken_at": text, "repeat_on": "2021-05-04"} for text in SAME_INSTANT * 3],
            "ringed_at": TEXT,
        },
        "large": {
            "field_book": "x" * 10_000,
            "ringed_at": SAME_INSTANT[0],
            "measurements": [{"taken_at": text} for text in (*SAME_INSTANT, "?")],
            "resighted_at": list(SAME_INSTANT),
            "last_seen_by_place": {"Harbour": TEXT, "it's": TEXT, 'the "R"': TEXT},
        },
    }


@dataclass(frozen=True, slots=True)
class State:
    """All that a run leaves and that must not depend on how often it was interrupted."""

    documents: Snapshot
    failures: dict[bytes, bytes]
    replaced: dict[bytes, bytes]
    converted: int
    lossy: int


def state_of(client: redis.Redis) -> State:
    """The state as it is now."""
    failures, replaced = map(
        _pairs, replies(client, [("HGETALL", KEYS.failures), ("HGETALL", KEYS.replaced)])
    )
    with SyncDriver(client.connection_pool, "") as driver:
        record = driver.run(read_record(KEYS))
    return State(documents_of(client), failures, replaced, record.converted, record.lossy)


def documents_of(client: redis.Redis) -> Snapshot:
    """Every key that is not the migration's own."""
    return snapshot(client, exclude_prefixes=STATE_PREFIXES)


def own_keys(client: redis.Redis) -> list[bytes]:
    """The keys a migration keeps for itself."""
    return sorted(key for key in client.scan_iter(count=1_000) if key.startswith(STATE_PREFIXES))


def has_begun_to_write(client: redis.Redis) -> bool:
    """Return whether a run in progress has converted something. For tests that wait for it: one read."""
    saved = client.get(KEYS.checkpoint)
    if saved is None:
        return False
    progress = json.loads(saved)
    return progress["stage"] == "convert" and progress["done"] != 0


def _pairs(reply: Any) -> dict[bytes, bytes]:
    return reply if isinstance(reply, dict) else dict(zip(reply[::2], reply[1::2], strict=True))
