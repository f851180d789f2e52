"""The sample, unrelated keys and old indexes as Redis commands."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TypeAlias

from redstart.commands.search import ft_create
from redstart.demo.models import Ringer, Sighting, Visit
from redstart.demo.sample import RINGER_PREFIX, SIGHTING_PREFIX, VISIT_PREFIX, SampleDocument
from redstart.effects import Op, call, pause
from redstart.mapping.model_info import declare
from redstart.migrations.indexes.build import find_index
from redstart.migrations.indexes.plan import PlannedIndex, planned_indexes
from redstart.search.schema import create_arguments


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


ServerCommand: TypeAlias = tuple[bytes | str | int, ...]


def document_commands(document: SampleDocument, *, field_expiries: bool) -> Iterator[ServerCommand]:
    """Yield the commands that store one document: its content, then its expiries.

    Args:
        document: the document to store.
        field_expiries: whether the server supports expiry of hash fields (HPEXPIREAT: Redis 7.4, Valkey 9).
    """
    if isinstance(document.content, dict):
        yield ("HSET", document.key, *(part for pair in document.content.items() for part in pair))
    else:
        yield ("JSON.SET", document.key, "$", document.content)
    if document.expires_at_milliseconds is not None:
        yield ("PEXPIREAT", document.key, document.expires_at_milliseconds)
    if field_expiries:
        for name, at_milliseconds in document.field_expiries.items():
            yield ("HPEXPIREAT", document.key, at_milliseconds, "FIELDS", 1, name)


def load_batches(
    documents: Iterable[SampleDocument], *, field_expiries: bool, batch_documents: int = 500
) -> Iterator[list[ServerCommand]]:
    """Yield the commands that store the sample in an empty database: its documents, then the foreign keys.

    Args:
        documents: an iterable of `generate`, read one batch at a time.
        field_expiries: as for `document_commands`.
        batch_documents: documents per list of commands, to be sent in one round trip.
    """
    source = iter(documents)
    while batch := list(islice(source, batch_documents)):
        yield [
            command
            for document in batch
            for command in document_commands(document, field_expiries=field_expiries)
        ]
    yield [foreign.write for foreign in FOREIGN_KEYS]


POLL_SECONDS = 0.02


def station_indexes() -> list[PlannedIndex]:
    """Return the index definitions of the station's models, both the present ones and those of redis-om 0.x."""
    return planned_indexes(declare(model) for model in (Ringer, Visit, Sighting))


def make_old_indexes() -> Op[None]:
    """Create the indexes of redis-om 0.x, and wait until they are built. Their hashes are among the foreign keys.

    Raises:
        CommandError: the server has no search module, or an index already exists.
    """
    for planned in station_indexes():
        yield from call(ft_create(create_arguments(planned.old)))
    for planned in station_indexes():
        while (found := (yield from find_index(planned.name))) is None or found.indexing:
            yield from pause(POLL_SECONDS)
