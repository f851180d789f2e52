"""A document saved, at once or on a pipeline that is executed later."""

from redstart.documents.fetching import raise_understood
from redstart.documents.forms import form_of
from redstart.documents.names import require_field
from redstart.documents.writes import ALWAYS, Pipeline, Saving, Write, perform, queue
from redstart.effects import Op
from redstart.errors import CommandFailed
from redstart.mapping.models import RedisModel
from redstart.values.timezones import NaiveTimezone


def save_document(document: RedisModel, zone: NaiveTimezone, saving: Saving = ALWAYS) -> Op[bool]:
    """Store a document as it is now: whether its condition held.

    In a hash, fields that are None are taken away, and all fields that the model does not know stay.

    Args:
        zone: what a datetime without an offset means.

    Raises:
        ValidationError (pydantic): a value was assigned that its field does not take. Nothing was sent.
        UnwritableDocument: a value has no stored form. Nothing was sent.
        WrongKeyType: something else stands under its key.

    Effects: one script (hash) or JSON.SET; atomic. One round trip, and one more for each script that a server is given
        for the first time. Times to live of the key and of the fields stay.
        Safe to repeat; with NX it is not repeated, and a lost answer is a ConnectionFailed.
    """
    write = write_of(document, zone, saving)
    try:
        return (yield from perform(write))
    except CommandFailed as error:
        raise_understood(error, document.key(), form_of(type(document)))
        raise


def queue_document(
    document: RedisModel, zone: NaiveTimezone, pipeline: Pipeline, saving: Saving = ALWAYS
) -> None:
    """Put the command that saves a document on a pipeline. Raises as `save_document`; nothing is sent."""
    queue(pipeline, write_of(document, zone, saving).whole())


def write_of(document: RedisModel, zone: NaiveTimezone, saving: Saving) -> Write:
    """What saves a document. Raises ValidationError, UnwritableDocument, QuerySyntaxError, RedisModelError."""
    for name in saving.expirations:
        require_field(type(document), name)
    document.check()
    return form_of(type(document)).write(document, zone, saving)
