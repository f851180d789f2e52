"""Queries on the documents of a model: `await Customer.find(Customer.age > 18).sort_by("name").all()`."""

from collections.abc import AsyncIterator, Callable, Iterable
from functools import partial
from time import monotonic
from typing import Any, Generic, NoReturn, TypeAlias, TypeVar, cast, dataclass_transform

from redstart.aio.connections import server_of_model
from redstart.documents.bulk_changes import delete_found, documents_to_update, update_found
from redstart.documents.fetching import PAGE_DOCUMENTS, pages
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
from redstart.documents.projection import PartialModel
from redstart.documents.query import Query, query_of, raw_reply
from redstart.documents.served_fields import checked
from redstart.documents.unreadable import RAISE, OnError
from redstart.effects import Op
from redstart.errors import QuerySyntaxError, SearchDatabaseError, shortened
from redstart.mapping.overrides import overrides
from redstart.search.expressions import Both, Expression, KNNExpression
from redstart.settings import naive_timezone

R = TypeVar("R")
T = TypeVar("T")

Fields: TypeAlias = dict[str, Any]


@dataclass_transform(frozen_default=True, eq_default=False)
def _immutable(kind: type[T]) -> type[T]:
    """The class; for type checkers, one whose attributes cannot be assigned."""
    return kind


@_immutable
class FindQuery(Generic[R]):
    """An immutable query: `sort_by`, `copy` and the like return a new one. Nothing is sent until you ask for documents.

    Args:
        expressions: conditions that a document has to meet, all of them. They are checked when the query is sent.
        model: the class of the documents.
        knn: find only the nearest neighbours of a vector among these, with their distances.
        offset: how many documents to skip.
        limit: how many documents to return at most; None for all.
        page_size: documents read in one round trip.
        sort_fields: the arguments of `sort_by`.
        projected_fields: the arguments of `values` and `only`; None for whole documents.
        nocontent: ask for keys only, in `get_query` and raw results.
        return_as_dict: return dicts, as `values` does.
        on_error: what to do with documents that cannot be read, in whatever way they are asked for: `"raise"`
            DocumentDecodeError; `"skip"` them; or a function, which is called with the DocumentDecodeError of each.

    Raises:
        RedisModelError: the model has no documents of its own.
        ValueError: `on_error` is anything else.
        QueryError: a field that does not exist or cannot be sorted by, or an impossible page.
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
        expressions: Iterable[Expression | int],
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
            "expressions": tuple(expressions),
            "model": model,
            "knn": knn,
            "offset": offset,
            "limit": limit,
            "page_size": page_size,
            "sort_fields": tuple(sort_fields or ()),
            "projected_fields": tuple(projected_fields or ()),
            "nocontent": nocontent,
            "return_as_dict": return_as_dict,
            "on_error": on_error,
        }
        self.__dict__.update(arguments, _query=query_of(**arguments))  # past __setattr__

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
        """The same query with some arguments of the constructor changed. Raises what the constructor raises."""
        return FindQuery(**self._said() | changes)

    def dict(self) -> Fields:
        """The arguments of the constructor, by name."""
        return self._said()

    def sort_by(self, *fields: str) -> "FindQuery[R]":
        """The same query, sorted by fields: `"age"`, descending `"-age"`, in an embedded document `"address__city"`.

        Without arguments the order stays as it is.

        Raises:
            QueryNotSupportedError: E2, a field is not indexed.
        """
        return self.copy(sort_fields=fields) if fields else self

    def values(self, *fields: str) -> "FindQuery[Fields]":
        """The same query, returning dicts like those of `model_dump()`, with these fields or with all.

        Args:
            fields: names; `address__city` for a field of an embedded document or map.

        Raises:
            QueryNotSupportedError: there is no such field, or it is inside a list.
        """
        return cast("FindQuery[Fields]", self.copy(projected_fields=fields, return_as_dict=True))

    def only(self, *fields: str) -> "FindQuery[PartialModel]":
        """The same query, returning partial objects with only these fields; any other raises AttributeError.

        Args:
            fields: one or more names, as in `values`.

        Raises:
            QuerySyntaxError: no field was given.
            QueryNotSupportedError: there is no such field, or it is inside a list.
        """
        if not fields:
            raise QuerySyntaxError(
                "only() requires the name of at least one field.",
                'Pass names of fields, as in only("name", "age").',
            )
        return cast("FindQuery[PartialModel]", self.copy(projected_fields=fields, return_as_dict=False))

    @property
    def expression(self) -> Expression | None:
        """All conditions combined into one, or None. Its `.tree` shows it as a drawing."""
        return Both.of(*self._query.conditions) if self._query.conditions else None

    @property
    def query(self) -> str:
        """The conditions in the query language of the server. Raises QueryError."""
        return self._query.text(naive_timezone()).text

    @property
    def query_params(self) -> list[str | bytes]:
        """Names and values, alternating, of the `$name` parameters in `query`. Raises QueryError."""
        return [word for pair in self._query.text(naive_timezone()).parameters for word in pair]

    @property
    def pagination(self) -> list[str | int]:
        """The LIMIT arguments: how many documents to skip and how many to return."""
        return ["LIMIT", self._query.offset, self._query.first_limit]

    async def get_query(self) -> tuple[str, list[Any]]:
        """The name of the index, and the FT.SEARCH command that `execute` sends for a raw result.

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
        """What `all` returns, or another view of the query.

        Args:
            exhaust_results: return all documents; if False, at most `limit`, or 1,000.
            return_raw_result: return the unparsed reply of the server to `get_query()`.
            return_query_args: return `get_query()`; nothing is sent.

        Raises:
            DocumentDecodeError, IndexNotFoundError, QueryError: see `all`.
        """
        if return_query_args:
            return await self.get_query()
        if return_raw_result:
            return await self._run(lambda query: raw_reply(query, naive_timezone()))
        if exhaust_results:
            return await self.all(self.page_size)
        return await self._run(lambda query: first_page(query, naive_timezone()))

    async def all(self, batch_size: int = PAGE_DOCUMENTS, on_error: OnError | None = None) -> list[R]:
        """All documents. Other clients may write meanwhile: a document that matches the whole time is never missed.

        A single search finds them: up to 1,000 documents come with it, fewer while their size is not known; of
        more only the keys. Documents deleted before they are read are left out; documents changed before they are read
        are returned as changed.

        Args:
            batch_size: if there are more than 1,000 documents, how many are read in one round trip at most.
            on_error: what to do with documents that cannot be read, if not what the query's own `on_error` says.

        Raises:
            DocumentDecodeError: a stored value does not fit its field, and `on_error` is "raise".
            IndexNotFoundError: there is no index yet; `om migrate run` creates it.
            QueryError: the query is invalid, or the index cannot answer it; or `batch_size` is below 1.

        Effects: one search for up to 1,000 documents; for more, one or two further searches for the keys, and one round
            trip for each batch. Safe to repeat.
        """
        query = self._with(on_error).copy(page_size=batch_size)  # checks the size
        return await query._run(lambda query: all_documents(query, naive_timezone(), batch_size))

    def __aiter__(self) -> AsyncIterator[R]:
        """The documents one by one. A single search finds all keys; the documents are then read page by page."""
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
        """The first document; the first that can be read, if `on_error` is not "raise".

        Args:
            on_error: as for `all`.

        Raises:
            NotFoundError: the query finds no document.
            DocumentDecodeError, IndexNotFoundError, QueryError: see `all`.
        """
        return await self._with(on_error)._run(lambda query: first_document(query, naive_timezone()))

    async def page(self, offset: int = 0, limit: int = 10, on_error: OnError | None = None) -> list[R]:
        """Some of the documents.

        Paging through an unsorted query may skip documents while other clients write: sort it, or use `all`. A document
        that has just expired counts for `offset` and `limit`, so a page with less than `limit` need not be the last.

        Args:
            offset: how many documents to skip.
            limit: how many documents to return at most.
            on_error: as for `all`. Documents that are left out count for `offset` and `limit`.

        Raises:
            DocumentDecodeError, IndexNotFoundError, QueryError: see `all`.
        """
        return await self._with(on_error)._run(lambda query: page_of(query, naive_timezone(), offset, limit))

    async def get_item(self, item: int) -> R:
        """The document at a position, counted from 0; if it has just expired, the next one.

        Raises:
            IndexError: the query finds fewer documents.
            DocumentDecodeError, IndexNotFoundError, QueryError: see `all`.
        """
        return await self._run(lambda query: item_of(query, naive_timezone(), item))

    # for threads: __getitem__ = get_item

    async def count(self) -> int:
        """How many documents the query finds, regardless of `limit`. Raises IndexNotFoundError, QueryError."""
        return await self._run(lambda query: count_documents(query, naive_timezone()))

    async def update(self, use_transaction: bool = True, **fields: Any) -> None:
        """Set fields of all these documents to new values, checked as in `save`. Only these fields are written.

        A document that cannot be read is changed as well if its new values can be checked without its other fields. If
        they cannot, its error is raised; with `copy(on_error=...)` the others are changed, and a function gets it.
        If the class overrides `save`, that is called for one document after the other, and writes all fields.

        Args:
            use_transaction: write all documents in one transaction, after all have been checked; the server does
                nothing else meanwhile. If False, they are checked and written page by page.
            fields: new values by name; `address__city=` for a field of an embedded document.

        Raises:
            QuerySyntaxError: there is no such field, or it is the primary key. Nothing was sent.
            ValidationError (pydantic): a document does not accept a value. With a transaction, nothing was written.
            DocumentEncodeError: a value cannot be stored. With a transaction, nothing was written.
            DocumentDecodeError: a document cannot be read, nor changed without that. With a transaction, nothing was
                written.
            IndexNotFoundError, QueryError: see `all`.

        Effects: one search; a read and a write for each document, many in one round trip. Safe to repeat. Documents
            that are deleted meanwhile stay deleted.
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
        """Delete all these documents, also those that cannot be read, and return how many there were.

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
