"""Whatever an application does to a list between runs and a rollback, no original is lost and no date invented."""

import json
import os
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from redstart.demo.sample import SIGHTING_PREFIX
from redstart.migrations.data.edit_builder import FailureMode
from redstart.migrations.data.rollback_preview import preview_rollback
from redstart.server.clients import open_like
from tests.migrations.data.runs import json_of, migrate_all, undo
from tests.support.migration import new_context

KEY = SIGHTING_PREFIX + "1"
EXAMPLES = 1_000 if os.environ.get("REDSTART_SOAK") == "1" else 25

TEXTS = {
    "2023-01-01T00:00:00Z": 1672531200.0,
    "2023-01-01T02:00:00+02:00": 1672531200.0,
    "2023-06-01T00:00:00": 1685577600.0,
    "1970-01-01T00:00:00Z": 0.0,
}
FAILED = ("N/A", "?")
NUMBERS = (0.0, 1672531200.0, 1700000000.5)


@dataclass
class Item:
    """One item of the list, wherever it moves: what it was before the runs, and what stands there."""

    original: Any
    now: Any


values = st.one_of(st.sampled_from([*TEXTS, *FAILED]), st.sampled_from(NUMBERS))
changes = st.lists(
    st.tuples(
        st.sampled_from(["insert", "remove", "swap", "overwrite"]),
        st.integers(0, 9),
        st.integers(0, 9),
        values,
    ),
    max_size=4,
)


def change(items: list[Item], gone: list[Item], kind: str, at: int, other: int, value: Any) -> None:
    if kind == "insert":
        items.insert(min(at, len(items)), Item(value, value))
        return
    if not items:
        return
    at, other = at % len(items), other % len(items)
    if kind == "swap":
        items[at], items[other] = items[other], items[at]
        return
    gone.append(items[at])
    if kind == "remove":
        del items[at]
    else:
        items[at] = Item(value, value)


def wrapped(kind: str, found: list[Any]) -> Any:
    if kind == "resighted_at":
        return found
    return [{"taken_at": value, "n": number} for number, value in enumerate(found)]


def write(client: redis.Redis, kind: str, items: list[Item]) -> None:
    text = json.dumps({kind: wrapped(kind, [item.now for item in items])})
    client.execute_command("JSON.SET", KEY, "$", text)


def stored(client: redis.Redis, kind: str) -> list[Any]:
    found = json_of(client, KEY)[kind]
    return found if kind == "resighted_at" else [item["taken_at"] for item in found]


def instant(value: Any) -> float | None:
    """The seconds that a date's text stands for."""
    try:
        moment = datetime.fromisoformat(value)
    except (ValueError, TypeError):
        return None
    return (moment if moment.tzinfo else datetime.fromisoformat(value + "+00:00")).timestamp()


@pytest.mark.sample(1)
@pytest.mark.parametrize("kind", ["resighted_at", "measurements"])
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=st.lists(values, max_size=5), between=changes, after=changes, runs=st.integers(1, 2))
def test_every_original_stands_again_or_is_reported(
    client: redis.Redis, url: str, kind: str, first: list[Any], between: Any, after: Any, runs: int
) -> None:
    client.flushall()
    items = [Item(value, value) for value in first]
    gone: list[Item] = []
    write(client, kind, items)
    for run in range(runs):
        migrate_all(url, FailureMode.DEFAULT)
        for item, now in zip(items, stored(client, kind), strict=True):
            item.now = now
        for one in between if run == 0 and runs == 2 else after:
            change(items, gone, *one)
        write(client, kind, items)
    written = [item.now for item in items]
    with open_like(client) as driver:
        preview = driver.run(preview_rollback(new_context()))
    result = undo(url)
    end = stored(client, kind)
    reported = [json.loads(one.value) for one in result.unrestored_examples]

    for item, before, value in zip(items, written, end, strict=True):
        if isinstance(before, str):  # text that was written after the last run
            assert value == before
        elif value != before:
            # What was a number is now a text of that instant, or a text that the run had replaced by it.
            assert instant(value) == before or (before == 0.0 and value in FAILED)
        if item.original in FAILED:
            # Where all bytes are as the run left them, two items with one number cannot be distinguished.
            alike = [one.original for one in (*items, *gone) if one.now == 0.0]
            assert value in alike or (value == 0.0 and item.original in reported) or value == item.original
    for text in FAILED:
        lost = sum(item.original == text for item in items if item.now == 0.0)
        assert end.count(text) + reported.count(text) >= lost
        if any(item.original == text for item in gone if item.now == 0.0):
            assert text in (*end, *reported)
    assert (preview.restored_exactly, preview.reformatted, preview.kept, preview.unrestored) == (
        result.restored_exactly,
        result.reformatted,
        result.kept,
        result.unrestored,
    )
