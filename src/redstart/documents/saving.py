"""Saves of single documents, immediate or on a pipeline."""

from redstart.documents.fetch import raise_understood
from redstart.documents.field_lookup import require_field
from redstart.documents.storage_adapters import form_of
from redstart.documents.write_requests import ALWAYS, Pipeline, Saving, Write, perform, queue
from redstart.effects import Op
from redstart.errors import CommandError
from redstart.mapping.models import RedisModel
from redstart.values.timezones import NaiveTimezone


def save_document(document: RedisModel, zone: NaiveTimezone, saving: Saving = ALWAYS) -> Op[bool]:
    """Store a document as it is now, and return whether the condition of `saving` was met.

    In a hash, fields that are None are removed, and fields that the model does not know are kept.

    Args:
        zone: what a datetime without an offset means.

    Raises:
        ValidationError (pydantic): a field was assigned a value that it does not accept. Nothing was sent.
        DocumentEncodeError: a value cannot be stored. Nothing was sent.
        WrongKeyTypeError: its key holds a value of another type.

    Effects: one script (hash) or JSON.SET; atomic. One round trip, and one more when a server is given the script for
        the first time. The key and its fields keep their times to live.
        Safe to repeat; with NX it is not repeated, and a lost reply raises ServerConnectionError.
    """
    write = write_of(document, zone, saving)
    try:
        return (yield from perform(write))
    except CommandError as error:
        raise_understood(error, document.key(), form_of(type(document)))
        raise


def queue_document(
    document: RedisModel, zone: NaiveTimezone, pipeline: Pipeline, saving: Saving = ALWAYS
) -> None:
    """Queue the command that saves a document on a pipeline; nothing is sent. Raises what `save_document` raises."""
    queue(pipeline, write_of(document, zone, saving).whole())


def write_of(document: RedisModel, zone: NaiveTimezone, saving: Saving) -> Write:
    """Return the write that saves a document.

    Raises:
        ValidationError (pydantic), DocumentEncodeError, QuerySyntaxError, RedisModelError: see `save_document`.
    """
    for name in saving.expirations:
        require_field(type(document), name)
    document.check()
    return form_of(type(document)).write(document, zone, saving)
