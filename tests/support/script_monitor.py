"""What scripts do on a server, as MONITOR shows it: counts, which are the same on every machine."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import redis

_SHOWN = re.compile(rb'[0-9.]+ \[\d+ (lua|[^\]]*)\] "([^"]*)"')
_WRITES = {b"JSON.SET", b"JSON.MERGE", b"JSON.DEL", b"HSET", b"HDEL", b"DEL"}
_SCRIPTS = {b"EVAL", b"EVALSHA"}
_END = b"script-monitor-end"


@dataclass(slots=True)
class Scripts:
    """What scripts did.

    Attributes:
        writes: of each script that wrote something, how many commands of it wrote.
    """

    writes: list[int] = field(default_factory=list)


@contextmanager
def monitored_scripts(client: redis.Redis) -> Iterator[Scripts]:
    """Count what scripts of other clients write meanwhile; filled when the block ends."""
    found = Scripts()
    with client.monitor() as monitor:
        yield found
        client.echo(_END)
        writes = 0
        while _END not in (line := bytes(monitor.connection.read_response())):
            shown = _SHOWN.match(line)
            assert shown is not None, line[:200]
            source, name = shown[1], shown[2].upper()
            if source == b"lua":
                writes += name in _WRITES
            elif name in _SCRIPTS:
                if writes:
                    found.writes.append(writes)
                writes = 0
        if writes:
            found.writes.append(writes)
