"""The operations behind a query: counting, one page, the first document, all keys.

Pages of an unsorted query skip documents while anybody writes, for a document that is written moves to the end of the
index. So all keys of a query come from one search, and the documents are read by their keys, page by page.
"""

from dataclasses import replace
from typing import Any, Final, TypeVar

from redstart.commands.search import SearchReply, most_results
from redstart.documents.access import documents_at, primary_key_in
from redstart.documents.forms import form_of
from redstart.documents.query import Query, keys_in_order, perform_search
from redstart.documents.ranges import keys_in_ranges
from redstart.effects import Op
from redstart.errors import CommandFailed, NotFoundError, QuerySyntaxError
from redstart.mapping.models import RedisModel
from redstart.mapping.registry import model_name
from redstart.values.timezones import NaiveTimezone

M = TypeVar("M", bound=RedisModel)

FIRST_KEYS: Final = 1_000
"""Keys asked for at first. A higher limit costs the server more, also where there is little to find."""

MORE_KEYS: Final = 16
"""How many times as many are asked for when they were not all."""


def count_documents(query: Query[Any], zone: NaiveTimezone) -> Op[int]:
    """How many documents a query finds. One FT.SEARCH. Raises IndexMissing, QueryError."""
    return (yield from perform_search(replace(query, sort=()).search(zone, limit=0))).total


def page_of(query: Query[M], zone: NaiveTimezone, offset: int, limit: int) -> Op[list[M]]:
    """Some of the documents of a query, read by the very search that finds them.

    Unsorted, and where others write meanwhile, one page after the other may skip documents: use `found_keys`.

    Raises:
        IndexMissing, QueryError: it cannot be answered.
        UnreadableDocument: a value does not fit its field.

    Effects: one FT.SEARCH; sorted by several fields, FT.AGGREGATE for the keys and one round trip for the documents.
    """
    if offset < 0 or limit < 0:
        raise QuerySyntaxError(
            f"A page begins at 0 or later and has 0 documents or more, not {offset} and {limit}."
        )
    return (yield from _page(query, zone, offset, limit))[1]


def first_document(query: Query[M], zone: NaiveTimezone) -> Op[M]:
    """The first document that a query finds.

    Raises:
        NotFoundError: it finds none.
        IndexMissing, QueryError, UnreadableDocument: see `page_of`.

    Effects: those of `page_of`, once more for each document that expired and is still in the index.
    """
    offset = 0
    while True:
        found, documents = yield from _page(query, zone, offset, 1)
        if documents:
            return documents[0]
        if not found:
            text = query.search(zone, limit=1).query.text
            raise NotFoundError(f"No {model_name(query.model)} is found by {text}")
        offset += 1


def found_keys(query: Query[Any], zone: NaiveTimezone) -> Op[list[bytes]]:
    """The keys of all documents that a query finds, from one search.

    Raises:
        IndexMissing: there is no such index.
        QueryNotSupportedError: they are more than the server answers.

    Effects: one FT.SEARCH; a second one for more than 1,000 keys. Sorted by several fields: FT.AGGREGATE instead.
    """
    if len(query.sort) > 1:
        return (yield from _keys_in_order(query, zone))
    limit, most = FIRST_KEYS, None
    while True:
        try:
            reply = yield from perform_search(query.search(zone, limit=limit))
        except CommandFailed as error:
            most = most_results(error)
            if most is None or most >= limit:
                raise
            limit = most
            continue
        if reply.total <= limit:
            return [found.key for found in reply.found]
        if limit == most:
            return (yield from keys_in_ranges(query, zone, most))
        # Some more than there were: others may write while this asks again.
        limit = reply.total + reply.total // 8 + FIRST_KEYS if most is None else most


def _keys_in_order(query: Query[Any], zone: NaiveTimezone) -> Op[list[bytes]]:
    limit = FIRST_KEYS
    while True:
        keys = yield from keys_in_order(query.search(zone, limit=limit))
        if len(keys) < limit:
            return keys
        limit *= MORE_KEYS


def _page(query: Query[M], zone: NaiveTimezone, offset: int, limit: int) -> Op[tuple[int, list[M]]]:
    """How many documents a page has, and those of them that are still there."""
    if len(query.sort) > 1:
        if not limit:
            return 0, []
        keys = yield from keys_in_order(query.search(zone, offset=offset, limit=limit))
        return len(keys), (yield from documents_at(query.model, keys, zone))
    reply = yield from perform_search(query.search(zone, offset=offset, limit=limit, keys=False))
    return len(reply.found), _documents(query, reply, zone)


def _documents(query: Query[M], reply: SearchReply, zone: NaiveTimezone) -> list[M]:
    form = form_of(query.model)
    stored = [(found.key, form.searched(found.fields)) for found in reply.found]
    return [
        form.document(query.model, primary_key_in(query.model, key), held, zone)
        for key, held in stored
        if held is not None
    ]
