"""Reading a stream backwards."""

from collections.abc import Callable
from typing import Any

import redis

from redstart.commands.keyspace import StreamEntry, xlen, xrevrange
from redstart.effects import Call

Ask = Callable[[Call[Any]], Any]

BINARY = bytes(range(256))


def test_a_stream_that_is_not_there(ask: Ask) -> None:
    assert ask(xlen("s")) == 0
    assert ask(xrevrange("s", before=None, count=10)) == []


def test_pages_from_the_newest_to_the_oldest(ask: Ask, client: redis.Redis) -> None:
    entries = [
        StreamEntry(f"{1 + n // 3}-{1 + n % 3}", {b"n": b"%d" % n, b"blob": BINARY}) for n in range(25)
    ]
    for entry in entries:
        client.xadd("s", entry.fields, id=entry.id)

    found: list[StreamEntry] = []
    before = None
    while page := ask(xrevrange("s", before=before, count=7)):
        assert len(page) <= 7
        found += page
        before = page[-1].id

    assert found == entries[::-1]
    assert ask(xlen("s")) == 25
