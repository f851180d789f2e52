"""Saves of one document and of many."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from redstart.commands.keyspace import exists
from redstart.display import shortened
from redstart.documents.fetch import raise_understood
from redstart.documents.field_lookup import require_field
from redstart.documents.storage_adapters import storage_adapter
from redstart.documents.write_requests import (
    ALWAYS,
    Pipeline,
    Saving,
    Write,
    answers_of,
    perform,
    queue,
    request_of,
    write_pages,
)
from redstart.effects import Batch, Call, Op, Pending, receive, send_ahead
from redstart.errors import (
    AuthenticationError,
    CommandError,
    DocumentEncodeError,
    PipelineError,
)
from redstart.mapping.models import RedisModel
from redstart.values.timezones import NaiveTimezone

PAGE_DOCUMENTS: Final = 500
"""Documents saved in one request. More are not faster."""


def add_documents(
    documents: Sequence[RedisModel], zone: NaiveTimezone, verify: Callable[..., Any] | None
) -> Op[None]:
    """Store many documents. All of them are checked before the first is sent.

    Args:
        zone: what a datetime without an offset means.
        verify: called with the list of all replies, errors included, and with the number of documents as
            `expected_responses`, before the first error is raised.

    Raises:
        ValidationError: the first document with a value that its field does not accept. Nothing was sent.
        DocumentEncodeError: a value cannot be stored. Previous pages were saved.
        WrongKeyTypeError, CommandError: the first document that the server rejected. All others were saved.

    Effects: EXISTS for a page of hashes, with HSETEX for each new one, otherwise a script; or JSON.SET. Atomic for each
    document. One round trip for 500 documents or 4 MB, a second one for hashes of a page that are not new; the next
    page is encoded while the server executes the current one. Safe to repeat.
    """
    if verify is not None and not callable(verify):
        raise TypeError(f"pipeline_verifier has to be a function, not {shortened(verify)}.")
    for document in documents:
        document.check()
    replies = yield from _replies(documents, zone)
    if verify is not None:
        verify(replies, expected_responses=len(documents))
    for document, reply in zip(documents, replies, strict=True):
        if isinstance(reply, CommandError):
            raise_understood(reply, document.key(), storage_adapter(type(document)))
            raise reply


def verify_pipeline_response(response: Sequence[object], expected_responses: int = 0) -> None:
    """Raise PipelineError if there is another number of replies than documents."""
    if len(response) != expected_responses:
        raise PipelineError(f"The pipeline returned {len(response)} replies; expected {expected_responses}.")


def _replies(documents: Sequence[RedisModel], zone: NaiveTimezone) -> Op[list[Any]]:
    replies: list[Any] = []
    waiting: _Sent | None = None
    are_new = True
    keys: set[str] = set()
    unwritable: DocumentEncodeError | None = None
    try:
        for page in write_pages(_writes(documents, zone), PAGE_DOCUMENTS):
            known = len(keys)
            keys.update([write.key for write in page])
            # The last of several writes of one key has to take effect, so no earlier write may be sent again after it.
            has_known = len(keys) < known + len(page)
            are_new = are_new and not has_known
            commands = _commands_if_new(page) if are_new else None
            if waiting is not None and (has_known or (commands is None and waiting.as_new)):
                replies += yield from _settled(waiting)
                waiting = None
            before, waiting = waiting, (yield from _send(page, commands))
            if before is not None:
                answers = yield from _settled(before)
                are_new = are_new and before.as_new and not before.was_sent_again
                replies += answers
    except DocumentEncodeError as error:
        unwritable = error  # raised after the replies to the previous page
    if waiting is not None:
        replies += yield from _settled(waiting)
    if unwritable is not None:
        raise unwritable
    return replies


def _writes(documents: Iterable[RedisModel], zone: NaiveTimezone) -> Iterable[Write]:
    return (storage_adapter(type(document)).write(document, zone, ALWAYS) for document in documents)


@dataclass(slots=True)
class _Sent:
    """A page whose replies are pending.

    Args:
        as_new: whether it was sent as commands for new documents, with a count of the existing keys.
        was_sent_again: whether some of its documents already existed.
    """

    writes: list[Write]
    later: Pending[list[Any]]
    as_new: bool
    was_sent_again: bool = False


def _commands_if_new(page: list[Write]) -> list[Call[Any]] | None:
    """Return a cheaper command for each document, if all have one."""
    commands = [command for write in page if (command := write.if_new()) is not None]
    return commands if len(commands) == len(page) else None


def _send(page: list[Write], commands: list[Call[Any]] | None) -> Op[_Sent]:
    if commands is None:
        return _Sent(page, (yield from send_ahead(request_of(page))), as_new=False)
    count = exists([write.key for write in page])
    request = Batch([count.args, *(command.args for command in commands)], list)
    return _Sent(page, (yield from send_ahead(request)), as_new=True)


def _settled(sent: _Sent) -> Op[list[Any]]:
    """Return the replies, including errors. Documents that were not written as new are sent again as scripts."""
    if not sent.as_new:
        return (yield from answers_of(sent.writes, sent.later))
    try:
        existing, *replies = yield from receive(sent.later)
    except AuthenticationError:  # the script needs fewer permissions than EXISTS and HSETEX
        existing, replies = 1, [None] * len(sent.writes)
    # A document that was written as new may have existed with only those fields that the save has to remove.
    rest = [
        position
        for position, reply in enumerate(replies)
        if reply != 1 or (existing != 0 and sent.writes[position].removes_fields)
    ]
    if rest:
        sent.was_sent_again = True
        again = yield from _send([sent.writes[position] for position in rest], None)
        for position, reply in zip(rest, (yield from _settled(again)), strict=True):
            replies[position] = reply
    return replies


def save_document(document: RedisModel, zone: NaiveTimezone, saving: Saving = ALWAYS) -> Op[bool]:
    """Store a document, and return whether the condition of `saving` was met.

    In a hash, fields that are None are removed, and undeclared fields are kept.

    Args:
        zone: the zone of naive datetimes.

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
        raise_understood(error, document.key(), storage_adapter(type(document)))
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
    return storage_adapter(type(document)).write(document, zone, saving)
