"""Load the sample into a database, and check it there."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from redstart.commands.server_info import command_known
from redstart.demo.checker import Stored, Tally, check_document, check_foreign
from redstart.demo.foreign import FOREIGN_KEYS
from redstart.demo.load import load_batches
from redstart.demo.sample import SampleDocument
from redstart.effects import Batch, Op, batch, call
from redstart.errors import CommandError
from redstart.values.types import Storage

BATCH_DOCUMENTS = 500


def load_sample(documents: Iterable[SampleDocument]) -> Op[None]:
    """Write the sample into an empty database.

    Raises:
        CommandError: the server rejected a command.

    Effects: a round trip for every 500 documents. Safe to repeat.
    """
    field_expiries = yield from call(command_known("HPEXPIREAT"))
    for commands in load_batches(documents, field_expiries=field_expiries, batch_documents=BATCH_DOCUMENTS):
        for reply in (yield from batch(Batch(commands, list))):
            if isinstance(reply, CommandError):
                raise reply


def check_sample(documents: Iterable[SampleDocument]) -> Op[Tally]:
    """Compare the database with the correct values, which came with the sample.

    Effects: reads only; a round trip for every 500 documents.
    """
    tally = Tally()
    for page in _pages(documents):
        replies = yield from batch(Batch([_read_command(document) for document in page], list))
        for document, reply in zip(page, replies, strict=True):
            for finding in check_document(document, _stored(reply)):
                tally.add(finding)
    replies = yield from batch(Batch([foreign.read for foreign in FOREIGN_KEYS], list))
    for foreign, reply in zip(FOREIGN_KEYS, replies, strict=True):
        for finding in check_foreign(foreign, reply):
            tally.add(finding)
    return tally


def _pages(documents: Iterable[SampleDocument]) -> Iterator[Sequence[SampleDocument]]:
    source = iter(documents)
    while page := list(islice(source, BATCH_DOCUMENTS)):
        yield page


def _read_command(document: SampleDocument) -> tuple[str, bytes]:
    return ("HGETALL" if document.storage is Storage.HASH else "JSON.GET", document.key)


def _stored(reply: Any) -> Stored:
    """Return a reply for the checker: a hash as a mapping, in both protocols; None for a key of another type."""
    if isinstance(reply, CommandError):
        return None
    if isinstance(reply, list):
        return dict(zip(reply[::2], reply[1::2], strict=True)) or None
    stored: Stored = reply
    return stored
