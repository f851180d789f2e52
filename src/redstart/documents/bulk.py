"""Bulk updates and deletions of the documents of a query."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from redstart.commands.server_errors import is_wrong_type
from redstart.documents.delete import delete_keys
from redstart.documents.fetch import documents_at, pages
from redstart.documents.field_lookup import path_named
from redstart.documents.find import found_keys
from redstart.documents.query import Query
from redstart.documents.storage_adapters import storage_adapter
from redstart.documents.update import (
    Changes,
    changed_alone,
    changed_document,
    primary_key_changed,
    written_paths,
)
from redstart.documents.write_requests import Write, answers_of, request_of, write_pages
from redstart.effects import Batch, Op, batch, send_ahead
from redstart.errors import CommandError, DocumentDecodeError, QueryNotSupportedError
from redstart.mapping.base_model import model_name
from redstart.mapping.key_overlaps import models_inside
from redstart.mapping.models import RedisModel
from redstart.search.expressions import copied
from redstart.values.timezones import NaiveTimezone


def delete_found(query: Query[Any], zone: NaiveTimezone) -> Op[int]:
    """Delete all documents that a query finds, and return how many there were.

    Raises:
        IndexNotFoundError, QueryError: the query cannot be answered, or it finds documents of another model. Nothing
            was deleted.

    Effects: those of `found_keys` and of `delete_keys`. Safe to repeat.
    """
    keys = yield from _own_keys(query, zone, "delete")
    return (yield from delete_keys(keys))


def update_found(
    query: Query[Any], fields: Mapping[str, Any], zone: NaiveTimezone, *, at_once: bool
) -> Op[None]:
    """Set some fields to new values in all documents that a query finds. Only these fields are written.

    A document that cannot be read is changed as well if its new values can be checked without its other fields;
    otherwise it is given to the query's `unreadable`. A document that is deleted during the update stays deleted. A
    document is updated even if another client changes it so that the query no longer matches it.

    Args:
        fields: new values by name; `address__city` for a field of an embedded document.
        at_once: write all documents in one transaction, after all of them are checked; if False, page by page.

    Raises:
        QuerySyntaxError: there is no such field, or it is the primary key. Nothing was sent.
        ValidationError (pydantic), DocumentEncodeError: a document does not accept a value, or it cannot be stored.
            With `at_once` nothing was written; without it, the pages before that document were. A note of the error
            has the key of the document.
        DocumentDecodeError: a document cannot be read, or changed without being read, and the query has no function for
            it. Writes as above.
        IndexNotFoundError, QueryError: the query cannot be answered, or it finds documents of another model. Nothing
            was written.

    Effects: those of `found_keys`; a read and a script for each document, sent together for a page or for all. Each
        document is changed atomically. Safe to repeat.
    """
    changes = _changes(query, fields)
    keys = yield from _own_keys(query, zone, "update")
    waiting: list[Write] = []
    for page in pages(keys, query.page_documents):
        unreadable: list[DocumentDecodeError] = []
        documents = yield from documents_at(query.model, page, zone, unreadable=unreadable.append)
        writes = [_write(one, changes, zone) for one in documents]
        writes += _writes_of_unreadable(query, unreadable, changes, zone)
        if at_once:
            waiting += writes
            continue
        for sent in write_pages(writes, len(writes)):
            later = yield from send_ahead(request_of(sent))
            _raise_failure((yield from answers_of(sent, later)))
    if waiting:
        yield from _in_transaction(waiting)


def documents_to_update(query: Query[Any], fields: Mapping[str, Any], zone: NaiveTimezone) -> Op[list[Any]]:
    """Return the documents that a query finds, after checking that each accepts these new values.

    Raises:
        QuerySyntaxError, ValidationError (pydantic), DocumentDecodeError: see `update_found`. Nothing was written.
    """
    changes = _changes(query, fields)
    keys = yield from _own_keys(query, zone, "update")
    documents = yield from documents_at(query.model, keys, zone, query.page_documents, query.unreadable)
    for document in documents:
        _ = changed_document(document, changes)
    return documents


def _own_keys(query: Query[Any], zone: NaiveTimezone, verb: str) -> Op[list[bytes]]:
    """Return the keys that a query finds.

    Raises QueryNotSupportedError if a key belongs to a model with a longer key prefix.
    """
    keys = yield from found_keys(query, zone)
    for prefix, name in models_inside(query.model).items():
        theirs = [key for key in keys if key.startswith(prefix.encode())]
        if theirs:
            raise QueryNotSupportedError(
                f"The query of {model_name(query.model)} also matches documents of {name} ({len(theirs)}, for example "
                f"{theirs[0].decode(errors='replace')}): their key prefixes overlap. Nothing was {verb}d.",
                f"Add a condition that excludes documents of {name}, {verb} by primary keys, "
                "or give one of the models another Meta.model_key_prefix.",
            )
    return keys


def _write(document: RedisModel, changes: Changes, zone: NaiveTimezone) -> Write:
    try:
        changed = changed_document(document, changes)
        return storage_adapter(type(document)).change(changed, zone, written_paths(changed, changes))
    except Exception as error:  # a validator of the application may raise anything
        error.add_note(f"Document: {document.key()}")
        raise


def _writes_of_unreadable(
    query: Query[Any], errors: Iterable[DocumentDecodeError], changes: Changes, zone: NaiveTimezone
) -> Iterator[Write]:
    """Yield the writes for documents that cannot be read, if no other field is needed; else handle their errors."""
    for error in errors:
        document = changed_alone(query.model, error.primary_key, changes)
        if document is not None:
            yield storage_adapter(query.model).change(document, zone, changes)
        elif query.unreadable is None:
            raise error
        else:
            query.unreadable(error)


def _changes(query: Query[Any], fields: Mapping[str, Any]) -> Changes:
    if query.model._primary_key_name in fields:
        raise primary_key_changed(query.model)
    # Every document is validated with the same values: an iterator would be empty after the first.
    return {path_named(query.model, name): copied(value) for name, value in fields.items()}


def _in_transaction(writes: Sequence[Write]) -> Op[None]:
    calls = [("MULTI",), *request_of(writes).calls, ("EXEC",)]
    *queued, done = yield from batch(Batch(calls, list))
    if isinstance(done, CommandError):
        _raise_failure([*queued, done])
        raise done
    # Errors inside the reply of EXEC are not replies to the driver.
    _raise_failure([CommandError(str(one)) if isinstance(one, Exception) else one for one in done])


def _raise_failure(replies: Sequence[Any]) -> None:
    """Raise the first error; errors of keys that now have a value of another type are ignored."""
    for reply in replies:
        if isinstance(reply, CommandError) and not is_wrong_type(reply):
            raise reply
