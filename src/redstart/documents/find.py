"""The operations behind a query: counting, one page, the first document, all keys.

Pages of an unsorted query skip documents while anybody writes, for a document that is written moves to the end of the
index. So all keys of a query come from one search, and the documents are read by their keys, page by page.
"""

from typing import Any, Final, TypeVar

from redstart.commands.search import SearchReply, most_results
from redstart.documents.access import primary_key_in
from redstart.documents.forms import form_of
from redstart.documents.query import Query, perform_search
from redstart.documents.ranges import keys_in_ranges
from redstart.effects import Op
from redstart.errors import CommandFailed, NotFoundError, QuerySyntaxError
from redstart.mapping.models import RedisModel
from redstart.mapping.registry import model_name
from redstart.values.timezones import NaiveTimezone

M = TypeVar("M", bound=RedisModel)

FIRST_KEYS: Final = 1_000
"""Keys asked for at first. A higher limit costs the server more, also where there is little to find."""


def count_documents(query: Query[Any], zone: NaiveTimezone) -> Op[int]:
    """How many documents a query finds. One FT.SEARCH. Raises IndexMissing, QueryError."""
    return (yield from perform_search(query.search(zone, limit=0))).total


def page_of(query: Query[M], zone: NaiveTimezone, offset: int, limit: int) -> Op[list[M]]:
    """Some of the documents of a query, read by the very search that finds them.

    Unsorted, and where others write meanwhile, one page after the other may skip documents: use `found_keys`.

    Raises:
        IndexMissing, QueryError: it cannot be answered.
        UnreadableDocument: a value does not fit its field.

    Effects: one FT.SEARCH.
    """
    if offset < 0 or limit < 0:
        raise QuerySyntaxError(
            f"A page begins at 0 or later and has 0 documents or more, not {offset} and {limit}."
        )
    return _documents(
        query, (yield from perform_search(query.search(zone, offset=offset, limit=limit, keys=False))), zone
    )


def first_document(query: Query[M], zone: NaiveTimezone) -> Op[M]:
    """The first document that a query finds.

    Raises:
        NotFoundError: it finds none.
        IndexMissing, QueryError, UnreadableDocument: see `page_of`.

    Effects: one FT.SEARCH, and one more for each document that expired and is still in the index.
    """
    offset = 0
    while True:
        search = query.search(zone, offset=offset, limit=1, keys=False)
        reply = yield from perform_search(search)
        documents = _documents(query, reply, zone)
        if documents:
            return documents[0]
        if not reply.found:
            raise NotFoundError(f"No {model_name(query.model)} is found by {search.query.text}")
        offset += 1


def found_keys(query: Query[Any], zone: NaiveTimezone) -> Op[list[bytes]]:
    """The keys of all documents that a query finds, from one search.

    Raises:
        IndexMissing: there is no such index.
        QueryNotSupportedError: they are more than the server answers.

    Effects: one FT.SEARCH; a second one for more than 1,000 keys.
    """
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


def _documents(query: Query[M], reply: SearchReply, zone: NaiveTimezone) -> list[M]:
    form = form_of(query.model)
    stored = [(found.key, form.searched(found.fields)) for found in reply.found]
    return [
        form.document(query.model, primary_key_in(query.model, key), held, zone)
        for key, held in stored
        if held is not None
    ]
