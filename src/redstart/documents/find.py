"""Operations of queries: counts, pages, the first document, all documents, all keys.

Pages of an unsorted query miss documents while other clients write, because a written document moves to the end of the
index. The result of a query is therefore that of one search: whole documents if they are few, otherwise all keys, by
which the documents are then read in pages.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, TypeVar

from redstart.commands.resp import PageSize
from redstart.commands.search import SearchReply
from redstart.commands.server_errors import max_results
from redstart.display import MAX_LINE_CHARACTERS_SHOWN, cut
from redstart.documents.arguments import integer_of
from redstart.documents.fetch import PAGE_DOCUMENTS, Distances, PageSizes, documents_at, pages, shrink
from redstart.documents.projection import projected_at
from redstart.documents.query import Query, bounds_of_page, keys_in_order, perform_search
from redstart.documents.ranges import keys_in_ranges
from redstart.documents.search_results import documents_found
from redstart.effects import Op, learnt
from redstart.errors import (
    CommandError,
    DocumentDecodeError,
    NotFoundError,
    QueryNotSupportedError,
    QuerySyntaxError,
    ServerConnectionError,
)
from redstart.mapping.base_model import model_name
from redstart.search.expressions import Both, KNNExpression
from redstart.values.timezones import NaiveTimezone

R = TypeVar("R")

POSITION: Final = "The position of a document"

FIRST_KEYS: Final = 10_000
"""Number of keys requested first. A much higher limit costs the server more, even if it finds few."""

FIRST_DOCUMENTS: Final = 10
"""Documents requested from a search while their size is not known: a page of `page`."""

MORE_KEYS: Final = 16
"""The factor by which the limit of FT.AGGREGATE grows if the result was incomplete: the reply has no total."""


def count_documents(query: Query[Any], zone: NaiveTimezone) -> Op[int]:
    """Return how many documents a query finds. One FT.SEARCH. Raises IndexNotFoundError, QueryError."""
    return (yield from perform_search(replace(query, sort=()).search(zone, limit=0))).total


def page_of(query: Query[R], zone: NaiveTimezone, offset: int, limit: int | None) -> Op[list[R]]:
    """Return some of the documents of a query, read by the search that finds them.

    If the query is unsorted and other clients write, consecutive pages may skip documents: use `found_keys`. Documents
    that no longer exist count for `offset` and `limit`, so a page with less than `limit` need not be the last.

    Raises:
        IndexNotFoundError, QueryError: it cannot be answered.
        DocumentDecodeError: a value does not fit its field.

    Effects: one FT.SEARCH. Sorted by several fields, or for some fields only: the keys (FT.AGGREGATE or FT.SEARCH) and
        one round trip for the documents. If the page exceeds MAXSEARCHRESULTS, also those of `found_keys`.
    """
    offset, limit = bounds_of_page(offset, limit)
    limit = replace(query, limit=limit).first_limit
    return (yield from _page(query, zone, offset, limit)).documents


def first_document(query: Query[R], zone: NaiveTimezone) -> Op[R]:
    """Return the first document that a query finds.

    Raises:
        NotFoundError: it finds none.
        IndexNotFoundError, QueryError, DocumentDecodeError: see `page_of`.

    Effects: those of `page_of`. If the first one has expired and is still in the index, also those of `found_keys`,
        and a round trip for each document that no longer exists.
    """
    found = yield from _next_document(query, zone, 0)
    if not found:
        raise NotFoundError(f"{model_name(query.model)}: {_no_match(query)}")
    return found[0]


def _no_match(query: Query[Any]) -> str:
    neighbours = "" if query.knn is None else f" (KNN of {query.knn.vector_field!r})"
    if not query.conditions:
        return f"the index contains no document{neighbours}."
    return (
        f"no document matches {cut(repr(Both.of(*query.conditions)), MAX_LINE_CHARACTERS_SHOWN)}{neighbours}"
    )


def item_of(query: Query[R], zone: NaiveTimezone, position: int) -> Op[R]:
    """Return the document at a position, from 0. If it no longer exists, return the next document that does.

    Raises:
        IndexError: there are fewer documents.
        IndexNotFoundError, QueryError, DocumentDecodeError: see `page_of`.

    Effects: those of `first_document`.
    """
    hint = "For several documents use page(offset, limit)."
    position = integer_of(POSITION, position, error=_invalid_position, hint=hint)
    found = yield from _next_document(query, zone, query.offset + position)
    if not found:
        raise IndexError(f"The position {position} is beyond the last document of the query.")
    return found[0]


def _invalid_position(message: str) -> QuerySyntaxError:
    return QuerySyntaxError(message, 'For the last document use sort_by("-field").first().')


def _next_document(query: Query[R], zone: NaiveTimezone, offset: int) -> Op[list[R]]:
    """Return the document at a position, or the next one that exists and can be read; empty if there is none."""
    try:
        page = yield from _page(replace(query, unreadable=None), zone, offset, 1)
        if page.documents or page.is_last:
            return page.documents
    except DocumentDecodeError:
        if query.unreadable is None:
            raise
    if query.knn is not None:
        return (yield from page_of(query, zone, offset, query.knn.k))[:1]
    # A document that no longer exists may leave the index before the next search, which then counts from another
    # document. So the next search begins at the same position.
    read: set[bytes] = set()
    for limit in (FIRST_KEYS, None):
        keys = yield from found_keys(replace(query, offset=offset, limit=limit), zone)
        for key in keys:
            documents = [] if key in read else (yield from documents_of(query, zone, [key]))
            if documents:
                return documents
        read.update(keys)
    return []


def first_page(query: Query[R], zone: NaiveTimezone) -> Op[list[R]]:
    """Return the page of the query's offset and limit, or the first page. See `page_of`."""
    return (yield from page_of(query, zone, query.offset, query.first_limit))


def all_documents(query: Query[R], zone: NaiveTimezone, page_documents: int) -> Op[list[R]]:
    """Return all documents of a query. A document that matches all the time is never missed.

    Raises:
        IndexNotFoundError, QueryError, DocumentDecodeError: see `found_keys` and `page_of`.

    Effects: one FT.SEARCH for up to 1,000 documents. For more also the effects of
        `found_keys`, and HGETALL or JSON.GET for each further document, a round trip for a page. For some fields
        only, or sorted by several fields: no such search first, and all documents by their keys.
    """
    if query.knn is not None:
        return (yield from first_page(query, zone))
    documents: list[Any] = []
    page_size = (yield from learnt(PageSizes)).of(query.model)
    limit = min(PAGE_DOCUMENTS, _most_of(page_size)) if query.limit is None else query.limit
    page = yield from _searched_page(query, zone, limit)
    if page is not None and (query.limit is not None or page.total <= query.offset + limit):
        documents += documents_found(query.model, page, zone, unreadable=query.unreadable)
        return documents
    keys = yield from found_keys(query, zone)
    if page is not None:
        # All keys come from one search. Documents that the previous search returned need not be read again.
        still_found, read = set(keys), set(page.keys)
        documents += documents_found(query.model, page.only(still_found), zone, unreadable=query.unreadable)
        keys = [key for key in keys if key not in read]
    if query.projection is None:
        documents += yield from documents_at(query.model, keys, zone, page_documents, query.unreadable)
        return documents
    for keys_of_page in pages(keys, page_documents):
        documents += yield from documents_of(query, zone, keys_of_page)
    return documents


def _searched_page(query: Query[Any], zone: NaiveTimezone, limit: int) -> Op[SearchReply | None]:
    """Return the first documents of one search; None if one search is not sufficient."""
    if query.projection is not None or len(query.sort) > 1 or not 0 < limit <= PAGE_DOCUMENTS:
        return None
    return (yield from _documents_of_search(query, zone, query.offset, limit))


def _most_of(page_size: PageSize) -> int:
    """Return how many documents to take from one search."""
    return page_size.keys if page_size.is_known else FIRST_DOCUMENTS


def _documents_of_search(
    query: Query[Any], zone: NaiveTimezone, offset: int, limit: int
) -> Op[SearchReply | None]:
    """Return a page with its documents; None if it is too large, or exceeds MAXSEARCHRESULTS."""
    page_size = (yield from learnt(PageSizes)).of(query.model)
    if limit > _most_of(page_size):
        return None
    try:
        page = yield from _whole_page(query, zone, offset, limit, keys=False)
    except ServerConnectionError:
        if limit == 1:
            raise
        shrink(page_size)
        return None
    if page is not None:
        few = len(page.fields) <= FIRST_DOCUMENTS
        page_size.observe(page.fields if few else page.fields[::FIRST_DOCUMENTS])
    return page


def documents_of(query: Query[R], zone: NaiveTimezone, keys: Sequence[bytes]) -> Op[list[R]]:
    """Return some documents of a query by their keys, in that order, without deleted ones.

    Raises:
        DocumentDecodeError: a value does not fit its field.

    Effects: HGETALL or JSON.GET for each, or HMGET for some fields; one round trip for up to 1,000.
    """
    found: list[Any]
    if query.projection is None:
        found = list((yield from documents_at(query.model, keys, zone, unreadable=query.unreadable)))
    else:
        found = yield from projected_at(query.projection, keys, zone, query.unreadable)
    return found


def found_keys(query: Query[Any], zone: NaiveTimezone) -> Op[list[bytes]]:
    """Return the keys of all documents that a query finds, from one search.

    Raises:
        IndexNotFoundError: there is no such index.
        QueryNotSupportedError: the server does not return so many, and no numeric field divides them; or it does not
            sort so many by several fields.

    Effects: one FT.SEARCH; a second one for more than 10,000 keys; those of `keys_in_ranges` for more than the server
    returns. If sorted by several fields: FT.AGGREGATE instead, repeated with a limit that grows by a factor of 16.
    """
    if query.limit is not None:
        return _existing((yield from _keys_of_page(query, zone, query.offset, query.limit)))
    if len(query.sort) > 1:
        return _existing((yield from _keys_in_order(query, zone))[query.offset :])
    return (yield from _keys(query, zone))[query.offset :]


def _keys(query: Query[Any], zone: NaiveTimezone) -> Op[list[bytes]]:
    limit, most = FIRST_KEYS, None
    while True:
        try:
            reply = yield from perform_search(query.search(zone, limit=limit))
        except CommandError as error:
            most = max_results(error)
            if most is None or most >= limit:
                raise
            limit = most
            continue
        if reply.total <= limit:
            return reply.keys
        if limit == most:
            return (yield from keys_in_ranges(query, zone, most))
        # A few more than there were, because other clients may write between the requests.
        limit = reply.total + reply.total // 8 + FIRST_KEYS if most is None else most


def _existing(keys: Iterable[bytes | None]) -> list[bytes]:
    return [key for key in keys if key is not None]


def _keys_in_order(query: Query[Any], zone: NaiveTimezone) -> Op[list[bytes | None]]:
    limit, most = FIRST_KEYS, None
    while True:
        try:
            keys = yield from keys_in_order(query.search(zone, limit=limit))
        except CommandError as error:
            most = max_results(error)
            if most is None or most >= limit:
                raise
            limit = most
            continue
        if len(keys) < limit or (limit == most and (yield from count_documents(query, zone)) <= limit):
            return keys
        if limit == most:
            raise QueryNotSupportedError(
                f"The query of {model_name(query.model)} matches more documents than the server can sort by several "
                f"fields (MAXAGGREGATERESULTS is {most}).",
                "Add a condition, sort by one field, or raise MAXAGGREGATERESULTS on the server.",
            )
        limit *= MORE_KEYS


def _keys_of_page(
    query: Query[Any], zone: NaiveTimezone, offset: int, limit: int
) -> Op[Sequence[bytes | None]]:
    """Return the keys of a page; None for each document that no longer exists and keeps its position."""
    if not limit:
        return []
    search = query.search(zone, offset=offset, limit=limit)
    if len(query.sort) > 1:
        keys = yield from keys_in_order(search)
        if offset > 0 and len(keys) < limit:  # the end, or the limit of the server: then this is refused
            keys = (yield from keys_in_order(query.search(zone, limit=offset + limit)))[offset:]
        return keys
    page = yield from _whole_page(query, zone, offset, limit, keys=True)
    if page is None:
        return (yield from _keys(query, zone))[offset : offset + limit]
    return page.keys


def _whole_page(
    query: Query[Any], zone: NaiveTimezone, offset: int, limit: int, *, keys: bool
) -> Op[SearchReply | None]:
    """Return a page from one search; None if it exceeds MAXSEARCHRESULTS."""
    try:
        page = yield from perform_search(query.search(zone, offset=offset, limit=limit, keys=keys))
    except CommandError as error:
        if max_results(error) is None or query.knn is not None:
            raise
        return None
    return None if (yield from _is_cut(query, zone, page, offset, limit)) else page


def _is_cut(query: Query[Any], zone: NaiveTimezone, page: SearchReply, offset: int, limit: int) -> Op[bool]:
    """Return whether a page is short because it exceeds MAXSEARCHRESULTS, which the server does not report."""
    if query.knn is not None or not offset or len(page.keys) >= limit:
        return False
    if offset + len(page.keys) >= page.total:
        return False
    try:
        _ = yield from perform_search(query.search(zone, limit=offset + limit))
    except CommandError as error:
        if max_results(error) is None:
            raise
        return True
    return False


@dataclass(frozen=True, slots=True)
class _Page(Generic[R]):
    """A page of a query.

    Args:
        documents: those that still exist.
        is_last: whether nothing follows, existing or not.
    """

    documents: list[R]
    is_last: bool


def _page(query: Query[R], zone: NaiveTimezone, offset: int, limit: int) -> Op[_Page[R]]:
    if query.knn is None and (query.projection is not None or len(query.sort) > 1):
        return (
            yield from _read_page(query, zone, (yield from _keys_of_page(query, zone, offset, limit)), limit)
        )
    reply = yield from _documents_of_search(query, zone, offset, limit)
    if reply is None and query.knn is not None:
        return (yield from _neighbours(query, query.knn, zone, offset, limit))
    if reply is None:
        keys = yield from _keys_of_page(query, zone, offset, limit)
        return (yield from _read_page(query, zone, keys, limit))
    documents: list[Any] = documents_found(query.model, reply, zone, query.knn, query.unreadable)
    return _Page(_projected(query, documents), is_last=reply.total <= offset + limit)


def _neighbours(
    query: Query[R], knn: KNNExpression, zone: NaiveTimezone, offset: int, limit: int
) -> Op[_Page[R]]:
    """Return a page of nearest neighbours: their keys and distances from one search, then the documents by key."""
    name = knn.score_field.query_field().attribute
    search = replace(query.search(zone, offset=offset, limit=limit, keys=False), return_fields=(name,))
    reply = yield from perform_search(search)
    # A document that no longer exists has no fields.
    rows = zip(reply.keys, reply.fields, strict=True)
    distances = {key: fields[name.encode()] for key, fields in rows if name.encode() in fields}
    documents: list[Any] = yield from documents_at(
        query.model,
        list(distances),
        zone,
        query.page_documents,
        query.unreadable,
        Distances(name, distances),
    )
    return _Page(_projected(query, documents), is_last=reply.total <= offset + limit)


def _projected(query: Query[Any], documents: list[Any]) -> list[Any]:
    return documents if query.projection is None else list(map(query.projection.of, documents))


def _read_page(
    query: Query[R], zone: NaiveTimezone, keys: Sequence[bytes | None], limit: int
) -> Op[_Page[R]]:
    documents = yield from documents_of(query, zone, _existing(keys))
    return _Page(documents, is_last=len(keys) < limit)
