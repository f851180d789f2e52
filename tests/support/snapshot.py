"""The exact state of a database as a client of redis-py sees it; the demo reads and compares it."""

from collections.abc import Sequence

import redis

from redstart.server.clients import open_like
from redstart.testing.snapshot import NO_EXPIRY, STATE_PREFIXES, Entry, Snapshot, difference, read_snapshot

__all__ = ["NO_EXPIRY", "STATE_PREFIXES", "Entry", "Snapshot", "difference", "every_byte", "snapshot"]


def snapshot(client: redis.Redis, *, exclude_prefixes: Sequence[bytes] = ()) -> Snapshot:
    """Every key of the database, as it is now; see redstart.testing.snapshot.read_snapshot.

    Args:
        client: any; its decoding does not matter.
        exclude_prefixes: keys to leave out, as `STATE_PREFIXES`.
    """
    with open_like(client) as driver:
        return driver.run(read_snapshot(exclude_prefixes))


def every_byte(client: redis.Redis) -> dict[bytes, object]:
    """What is stored under every key, also the state of migrations, which a snapshot cannot read.

    Of hashes and sets the content: the order in DUMP changes by itself, while the server enlarges their tables.
    """
    keys = list(client.scan_iter(count=1_000))
    with client.pipeline(transaction=False) as pipeline:
        for key in keys:
            pipeline.type(key)
        for key, kind in zip(keys, pipeline.execute(), strict=True):
            read = {b"hash": pipeline.hgetall, b"set": pipeline.smembers}.get(kind, pipeline.dump)
            read(key)
        return dict(zip(keys, pipeline.execute(), strict=True))
