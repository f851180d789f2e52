"""Documents saved: one, many, or on a pipeline that is executed later."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from redstart.documents.access import pages, raise_understood
from redstart.documents.forms import form_of
from redstart.documents.names import require_field
from redstart.documents.writes import ALWAYS, Pipeline, Saving, Write, perform, queue
from redstart.effects import Batch, Later, Op, ahead, answer, call
from redstart.errors import CommandFailed
from redstart.mapping.models import RedisModel
from redstart.values.timezones import NaiveTimezone

PAGE_DOCUMENTS = 500
"""Documents saved in one request: above this, nothing is gained."""


def save_document(document: RedisModel, zone: NaiveTimezone, saving: Saving = ALWAYS) -> Op[bool]:
    """Store a document as it is now: whether its condition held.

    In a hash, fields that are None are taken away, and all fields that the model does not know stay.

    Args:
        zone: what a datetime without an offset means.

    Raises:
        ValidationError (pydantic): a value was assigned that its field does not take. Nothing was sent.
        UnwritableDocument: a value has no stored form. Nothing was sent.
        WrongKeyType: something else stands under its key.

    Effects: one script (hash) or JSON.SET; one round trip; atomic. Times to live of the key and of the fields stay.
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
    form = form_of(type(document))
    for name in saving.expirations:
        require_field(type(document), name)
    document.check()
    return form.write(document, zone, saving)


def add_documents(
    documents: Sequence[RedisModel], zone: NaiveTimezone, verify: Callable[..., Any] | None
) -> Op[None]:
    """Store many documents. All of them are checked before the first is sent.

    Args:
        zone: what a datetime without an offset means.
        verify: called with the list of all answers, and their number as `expected_responses`, in place of raising
            the first error among them.

    Raises:
        ValidationError, UnwritableDocument: of the first document that cannot be stored. Nothing was sent.
        WrongKeyType, CommandFailed: of the first document that was refused. All others were saved.

    Effects: one script (hash) or JSON.SET for each document, atomic for each; one round trip for 500 documents,
        and while the server works on them the next are sent. Safe to repeat.
    """
    writes = [write_of(document, zone, ALWAYS) for document in documents]
    replies: list[Any] = []
    waiting: deque[tuple[list[Write], Later[list[Any]]]] = deque()
    for page in pages(writes, PAGE_DOCUMENTS):
        waiting.append((page, (yield from ahead(request_of(page)))))
        if len(waiting) > 1:
            replies += yield from answers_of(*waiting.popleft())
    for page, later in waiting:
        replies += yield from answers_of(page, later)
    if verify is not None:
        verify(replies, expected_responses=len(writes))
        return
    for document, reply in zip(documents, replies, strict=True):
        if isinstance(reply, CommandFailed):
            raise_understood(reply, document.key(), form_of(type(document)))
            raise reply


def request_of(page: Sequence[Write]) -> Batch[list[Any]]:
    """A page as one request. The first write brings its script along, so the server knows it for the others."""
    calls = [page[0].whole(), *(write.short() for write in page[1:])]
    return Batch([one.args for one in calls], list)


def answers_of(page: Sequence[Write], later: Later[list[Any]]) -> Op[list[Any]]:
    """The answers to such a request, errors among them."""
    replies = yield from answer(later)
    for position, reply in enumerate(replies):
        # Somebody had the server forget all scripts meanwhile; or the documents are of several models.
        if isinstance(reply, CommandFailed) and reply.code == "NOSCRIPT":
            try:
                replies[position] = yield from call(page[position].whole())
            except CommandFailed as error:
                replies[position] = error
    return replies
