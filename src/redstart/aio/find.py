"""Queries of documents: `await Customer.find(Customer.age > 18).sort_by("name").all()`."""

from collections.abc import AsyncIterator, Callable, Iterable
from functools import partial
from time import monotonic
from typing import Any, Generic, NoReturn, TypeAlias, TypeVar, cast, dataclass_transform

from redstart.aio.connections import server_of_model
from redstart.display import shortened
from redstart.documents.arguments import optional_items_of
from redstart.documents.bulk import delete_found, documents_to_update, update_found
from redstart.documents.document_list import DocumentList
from redstart.documents.errors import RAISE, OnError
from redstart.documents.fetch import PAGE_DOCUMENTS, page_size_of, pages
from redstart.documents.find import (
    all_documents,
    count_documents,
    documents_of,
    first_document,
    first_page,
    found_keys,
    item_of,
    page_of,
)
from redstart.documents.index_fields import checked
from redstart.documents.projection import PartialModel
from redstart.documents.query import Query, query_of, raw_reply
from redstart.effects import Op
from redstart.errors import QuerySyntaxError, SearchDatabaseError
from redstart.mapping.base_model import overrides
from redstart.search.expressions import Both, Expression, KNNExpression
from redstart.settings import naive_timezone

R = TypeVar("R")
T = TypeVar("T")

Fields: TypeAlias = dict[str, Any]


@dataclass_transform(frozen_default=True, eq_default=False)
def _immutable(kind: type[T]) -> type[T]:
    """Return the class; for type checkers, one whose attributes cannot be assigned."""
    return kind


@_immutable
class FindQuery(Generic[R]):
    """An immutable query. Methods such as `sort_by` and `copy` return a new query.

    Nothing is sent until documents are requested.

    Args:
        expressions: conditions that all have to be met. They are checked when the query is sent.
        model: the model class.
        knn: return only the nearest neighbours of a vector among these documents, with their distances.
        offset: the number of documents to skip.
        limit: the maximum number of documents to return; None for all.
        page_size: the number of documents in one round trip.
        sort_fields: the arguments of `sort_by`.
        projected_fields: the arguments of `values` and `only`; None for whole documents.
        nocontent: request keys only, in `get_query` and raw results.
        return_as_dict: return dicts, as `values` does.
        on_error: how all methods handle documents that cannot be read: `"raise"` DocumentDecodeError, `"skip"` them,
            or call a function with the DocumentDecodeError of each.

    Raises:
        RedisModelError: the model has no documents of its own.
        ValueError: `on_error` is not valid.
        QueryError: a field does not exist or is not sortable, `knn` is not valid, or `offset`, `limit` or `page_size`
            is out of range.
    """

    expressions: tuple[Expression | int, ...]
    model: type[Any]
    knn: KNNExpression | None
    offset: int
    limit: int | None
    page_size: int
    sort_fields: tuple[str, ...]
    projected_fields: tuple[str, ...]
    nocontent: bool
    return_as_dict: bool
    on_error: OnError
    _query: Query[R]

    def __init__(
        self,
        expressions: Iterable[Expression | int] | None,
        model: type[R],
        knn: KNNExpression | None = None,
        offset: int = 0,
        limit: int | None = None,
        page_size: int = PAGE_DOCUMENTS,
        sort_fields: Iterable[str] | None = None,
        projected_fields: Iterable[str] | None = None,
        nocontent: bool = False,
        return_as_dict: bool = False,
        on_error: OnError = RAISE,
    ) -> None:
        arguments: Fields = {
            "expressions": optional_items_of("expressions", expressions, "conditions"),
            "model": model,
            "knn": knn,
            "offset": offset,
            "limit": limit,
            "page_size": page_size,
            "sort_fields": optional_items_of("sort_fields", sort_fields, "names"),
            "projected_fields": optional_items_of("projected_fields", projected_fields, "names"),
            "nocontent": nocontent,
            "return_as_dict": return_as_dict,
            "on_error": on_error,
        }
        query = query_of(**arguments)
        numbers = {"offset": query.offset, "limit": query.limit, "page_size": query.page_documents}
        self.__dict__.update(arguments, **numbers, knn=query.knn, _query=query)  # past __setattr__

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise self._is_immutable(name, f"query = query.copy({name}={shortened(value)})")

    def __delattr__(self, name: str) -> NoReturn:
        raise self._is_immutable(name, "query = query.copy(...)")

    def _is_immutable(self, name: str, copy: str) -> AttributeError:
        arguments = self._said()
        instead = copy if name in arguments else f"copy() with one of its arguments: {', '.join(arguments)}"
        return AttributeError(
            f"A query is immutable, so its attribute {name!r} cannot be changed. Use {instead}",
            name=name,
            obj=self,
        )

    def _said(self) -> Fields:
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}

    def __repr__(self) -> str:
        return f"<FindQuery {self._query}>"

    def copy(self, **changes: Any) -> "FindQuery[R]":
        """Return this query with other arguments of the constructor. Raises the errors of the constructor."""
        return FindQuery(**self._said() | changes)

    def dict(self) -> Fields:
        """Return the arguments of the constructor, by name."""
        return self._said()

    def sort_by(self, *fields: str) -> "FindQuery[R]":
        """Return this query, sorted by fields.

        Args:
            fields: names: `"age"`; `"-age"` for descending order; `"address__city"` for a field of an embedded
                document.
                Without arguments the order does not change.

        Raises:
            QueryNotSupportedError: E2, a field does not exist or is not sortable.
        """
        return self.copy(sort_fields=fields) if fields else self

    def values(self, *fields: str) -> "FindQuery[Fields]":
        """Return this query with dicts as its results, as from `model_dump()`, with some fields or all.

        Args:
            fields: names; `address__city` for a field of an embedded document or map.

        Raises:
            QueryNotSupportedError: a field does not exist, or is inside a list.
        """
        return cast("FindQuery[Fields]", self.copy(projected_fields=fields, return_as_dict=True))

    def only(self, *fields: str) -> "FindQuery[PartialModel]":
        """Return this query with partial objects as its results. Other fields than these raise AttributeError.

        Args:
            fields: one or more names, as in `values`.

        Raises:
            QuerySyntaxError: no field, or an argument that is not a str.
            QueryNotSupportedError: a field does not exist, or is inside a list.
        """
        if not fields:
            raise QuerySyntaxError(
                "only() requires the name of at least one field.",
                'Pass names of fields, as in only("name", "age").',
            )
        return cast("FindQuery[PartialModel]", self.copy(projected_fields=fields, return_as_dict=False))

    @property
    def expression(self) -> Expression | None:
        """Return the conjunction of all conditions, or None. Its `tree` is a readable text."""
        return Both.of(*self._query.conditions) if self._query.conditions else None

    @property
    def query(self) -> str:
        """Return the conditions in the query language of the server. Raises QueryError."""
        return self._query.text(naive_timezone()).text

    @property
    def query_params(self) -> list[str | bytes]:
        """Return alternating names and values of the `$name` parameters in `query`. Raises QueryError."""
        return [word for pair in self._query.text(naive_timezone()).parameters for word in pair]

    @property
    def pagination(self) -> list[str | int]:
        """Return the LIMIT arguments: `LIMIT`, the offset and the number of documents."""
        return ["LIMIT", self._query.offset, self._query.first_limit]

    async def get_query(self) -> tuple[str, list[Any]]:
        """Return the name of the index, and the FT.SEARCH command that `execute` sends for a raw result.

        Raises:
            QueryError: the query is invalid, or the index cannot answer it.
        """
        words: list[Any] = self._query.words(naive_timezone())
        return self._query.model._meta.index_name, words

    async def execute(
        self,
        exhaust_results: bool = True,
        return_raw_result: bool = False,
        return_query_args: bool = False,
    ) -> Any:
        """Return the documents, the raw reply, or the command, as in redis-om.

        Args:
            exhaust_results: return all documents; if False, at most `limit`, or 1,000.
            return_raw_result: return the unparsed reply of the server to `get_query()`.
            return_query_args: return `get_query()`, and send nothing.

        Raises:
            DocumentDecodeError, IndexNotFoundError, QueryError: see `all`.
        """
        if return_query_args:
            return await self.get_query()
        if return_raw_result:
            return await self._run(lambda query: raw_reply(query, naive_timezone()))
        if exhaust_results:
            return await self.all(self.page_size)
        return DocumentList(await self._run(lambda query: first_page(query, naive_timezone())))

    async def all(self, batch_size: int = PAGE_DOCUMENTS, on_error: OnError | None = None) -> list[R]:
        """Return all documents. A document that matches all the time is never missed, even while other clients write.

        A single search returns up to 1,000 documents, fewer while their size is not known. For more documents, a search
        returns all keys, and the documents are read by key: those deleted in between are omitted, and those changed in
        between are returned with their changes.

        Args:
            batch_size: the maximum number of documents in one round trip if there are more than 1,000.
            on_error: how to handle documents that cannot be read; by default the `on_error` of the query.

        Raises:
            DocumentDecodeError: a stored value does not fit its field, and `on_error` is "raise".
            IndexNotFoundError: the index does not exist; `om migrate run` creates it.
            QueryError: the query is invalid, or the index cannot answer it; or `batch_size` is less than 1.

        Effects: one search for up to 1,000 documents; for more, one or two further searches for the keys, and one round
            trip for each batch. Safe to repeat.
        """
        page_size = page_size_of("batch_size", batch_size, error=QuerySyntaxError)
        query = self._with(on_error).copy(page_size=page_size)
        return DocumentList(await query._run(lambda query: all_documents(query, naive_timezone(), page_size)))

    def __aiter__(self) -> AsyncIterator[R]:
        """Yield the documents. A single search returns all keys; the documents are then read in pages."""
        return self._documents()

    async def _documents(self) -> AsyncIterator[R]:
        zone = naive_timezone()
        if self.knn is not None:
            for document in await self._run(lambda query: first_page(query, zone)):
                yield document
            return
        keys = await self._run(lambda query: found_keys(query, zone))
        for page in pages(keys, self.page_size):
            for document in await self._run(partial(documents_of, zone=zone, keys=page)):
                yield document

    async def first(self, on_error: OnError | None = None) -> R:
        """Return the first document; if `on_error` is not "raise", the first one that can be read.

        Args:
            on_error: as for `all`.

        Raises:
            NotFoundError: no document matches.
            DocumentDecodeError, IndexNotFoundError, QueryError: see `all`.
        """
        return await self._with(on_error)._run(lambda query: first_document(query, naive_timezone()))

    async def page(self, offset: int = 0, limit: int | None = 10, on_error: OnError | None = None) -> list[R]:
        """Return a page of documents.

        Consecutive pages of an unsorted query may miss documents while other clients write: sort the query, or use
        `all`. A document that has just expired counts for `offset` and `limit`, so a page with fewer documents than
        `limit` is not necessarily the last one.

        Args:
            offset: the number of documents to skip.
            limit: the maximum number of documents to return; None for up to 1,000.
            on_error: as for `all`. Omitted documents count for `offset` and `limit`.

        Raises:
            DocumentDecodeError, IndexNotFoundError, QueryError: see `all`.
        """
        query = self._with(on_error)
        return DocumentList(await query._run(lambda query: page_of(query, naive_timezone(), offset, limit)))

    async def get_item(self, item: int) -> R:
        """Return the document at a position; if it has just expired, the next one.

        Args:
            item: the position, from 0.

        Raises:
            IndexError: fewer documents match.
            DocumentDecodeError, IndexNotFoundError, QueryError: see `all`.
        """
        return await self._run(lambda query: item_of(query, naive_timezone(), item))

    # for threads: __getitem__ = get_item

    async def count(self) -> int:
        """Return the number of matching documents, regardless of `limit`.

        Raises:
            IndexNotFoundError, QueryError: see `all`.

        Effects: one search.
        """
        return await self._run(lambda query: count_documents(query, naive_timezone()))

    async def update(self, use_transaction: bool = True, **fields: Any) -> None:
        """Set fields of all matching documents. The new values are validated, and only these fields are written.

        A document that cannot be read is changed, too, if its new values can be validated without its other fields.
        Otherwise its error is raised; with `copy(on_error=...)` it is omitted.
        If the class overrides `save`, it is called for each document, and writes all fields.

        Args:
            use_transaction: write all documents in one transaction after all are validated, which blocks the server.
                If False, documents are validated and written in pages.
            fields: new values by name; `address__city=` for a field of an embedded document.

        Raises:
            QuerySyntaxError: a field does not exist, or is the primary key. Nothing was sent.
            ValidationError (pydantic): a value is not valid. With a transaction, nothing was written.
            DocumentEncodeError: a value cannot be stored. With a transaction, nothing was written.
            DocumentDecodeError: a document can neither be read nor be changed without reading it. With a transaction,
                nothing was written.
            IndexNotFoundError, QueryError: see `all`.

        Effects: one search; a read and a write for each document, many in one round trip. Safe to repeat. Documents
            that are deleted by other clients stay deleted.
        """
        if overrides(self.model, "save"):
            zone = naive_timezone()
            found = await self._run(lambda query: documents_to_update(query, fields, zone), writes=True)
            for document in found:
                await document.update(**fields)
            return
        await self._run(
            lambda query: update_found(query, fields, naive_timezone(), at_once=use_transaction), writes=True
        )

    async def delete(self) -> int:
        """Delete all matching documents, including those that cannot be read, and return their number.

        Raises:
            IndexNotFoundError, QueryError: see `all`.

        Effects: one search; one round trip for each 1,000 documents. Safe to repeat.
        """
        return await self._run(lambda query: delete_found(query, naive_timezone()), writes=True)

    def _with(self, on_error: OnError | None) -> "FindQuery[R]":
        return self if on_error is None else self.copy(on_error=on_error)

    async def _run(self, operation_of: Callable[[Query[R]], Op[T]], *, writes: bool = False) -> T:
        server = server_of_model(self._query.model)
        if server.database != 0:  # the index would answer with documents of database 0
            raise SearchDatabaseError(server.database)
        return await server.run(checked(self._query, operation_of, monotonic, writes=writes))
