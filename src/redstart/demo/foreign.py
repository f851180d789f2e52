"""Unrelated keys, under and next to the key prefixes of the models: a migration must not change them.

Each is declared by the command that writes it, the command that reads it, and the expected reply.
"""

from dataclasses import dataclass

from redstart.demo.sample import RINGER_PREFIX, SIGHTING_PREFIX, VISIT_PREFIX


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """One key.

    Args:
        write: the command that creates it.
        read: the command that reads it.
        reply: the expected reply to `read`, undecoded.
    """

    write: tuple[str, ...]
    read: tuple[str, ...]
    reply: bytes | int | list[bytes]

    @property
    def key(self) -> bytes:
        """Return the name of the key."""
        return self.write[1].encode()


def _string(key: str, value: str) -> ForeignKey:
    return ForeignKey(("SET", key, value), ("GET", key), value.encode())


def _list(key: str, *values: str) -> ForeignKey:
    return ForeignKey(
        ("RPUSH", key, *values), ("LRANGE", key, "0", "-1"), [value.encode() for value in values]
    )


def _json(key: str, text: str) -> ForeignKey:
    return ForeignKey(("JSON.SET", key, "$", text), ("JSON.GET", key), text.encode())


def _hash(key: str, field: str, value: str) -> ForeignKey:
    return ForeignKey(("HSET", key, field, value), ("HGET", key, field), value.encode())


FOREIGN_KEYS = (
    # redis-om stores the digest of each index's definition here.
    _string(RINGER_PREFIX + "index:hash", "5f0b2f4f7c1f0e5e2b9a3c1d8e7f6a5b4c3d2e1f"),
    _string(VISIT_PREFIX + "index:hash", "9a1c0d4be2f3a4b5c6d7e8f90a1b2c3d4e5f6071"),
    _string(SIGHTING_PREFIX + "index:hash", "c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5e6f7"),
    # Of the wrong type for the model with their prefix.
    _list(VISIT_PREFIX + "queue", "2023-01-01T00:00:00", "V-0000001"),
    _json(VISIT_PREFIX + "draft", '{"arrived_at":"2023-01-01T00:00:00"}'),
    _hash(SIGHTING_PREFIX + "lock", "ringed_at", "2023-01-01T00:00:00"),
    _string(RINGER_PREFIX + "latest", "2023-01-01"),
    # Next to a prefix, not under it.
    _string("station:visits_archive:1", "2020-01-01T00:00:00"),
    _hash("station:visit", "arrived_at", "2020-01-01T00:00:00"),
    _string("station:sightings", "12"),
    _json("station:sighting_draft:1", '{"ringed_at":"2020-01-01T00:00:00"}'),
)
