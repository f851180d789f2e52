"""The sample as Redis commands."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeAlias

from redstart.demo.foreign import FOREIGN_KEYS
from redstart.demo.sample import SampleDocument

Command: TypeAlias = tuple[bytes | str | int, ...]


def document_commands(document: SampleDocument, *, field_expiries: bool) -> Iterator[Command]:
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
) -> Iterator[list[Command]]:
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
