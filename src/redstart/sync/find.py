# Generated from redstart/aio/find.py: change that, then `python -m tools.generate_sync`.
"""Queries on the documents of a model: `Customer.find(Customer.age > 18).sort_by("name").all()`."""

from collections.abc import Iterator, Sequence
from functools import reduce
from typing import Any, Final, Generic, TypeAlias, TypeVar, cast

from redstart.documents.bulk_changes import delete_found, update_found
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
from redstart.effects import Op
from redstart.errors import OtherDatabase, QuerySyntaxError
from redstart.search.expressions import Both, Expression, KNNExpression
from redstart.settings import naive_timezone
from redstart.sync.connections import server_of_model

R = TypeVar("R")
T = TypeVar("T")

Fields: TypeAlias = dict[str, Any]


class FindQuery(Generic[R]):
    """A query. It never changes: `sort_by` and the like give another. Nothing is sent until it is asked for documents.

    Args:
        expressions: conditions that the documents meet, all of them; checked when the query is sent.
        model: whose documents.
        knn: the nearest neighbours of a vector among them, with their distances.
        offset: documents to skip.
        limit: documents to give at most; None: all.
        page_size: documents read in one round trip.
        sort_fields: as `sort_by` takes them.
        projected_fields: as `values` and `only` take them; None: whole documents.
        nocontent: for `get_query` and raw results: keys alone.
        return_as_dict: give dicts, as `values` does.

    Raises:
        RedisModelError: the model has no documents of its own.
        QueryError: a field that cannot be sorted by or is not there, or a page that cannot be.
    """

    def __init__(
        self,
        expressions: Sequence[Expression | int],
        model: type[R],
        knn: KNNExpression | None = None,
        offset: int = 0,
        limit: int | None = None,
        page_size: int = PAGE_DOCUMENTS,
        sort_fields: Sequence[str] | None = None,
        projected_fields: Sequence[str] | None = None,
        nocontent: bool = False,
        return_as_dict: bool = False,
    ) -> None:
        self.expressions: Final = tuple(expressions)
        self.model: Final[type[Any]] = model
        self.knn: Final = knn
        self.offset: Final = offset
        self.limit: Final = limit
        self.page_size: Final = page_size
        self.sort_fields: Final = tuple(sort_fields or ())
        self.projected_fields: Final = tuple(projected_fields or ())
        self.nocontent: Final = nocontent
        self.return_as_dict: Final = return_as_dict
        self._query: Final[Query[R]] = query_of(**self._said())

    def _said(self) -> Fields:
        return {name: value for name, value in vars(self).items() if not name.startswith("_")}

    def __repr__(self) -> str:
        return f"<FindQuery {self._query}>"

    def copy(self, **changes: Any) -> "FindQuery[R]":
        """The same query with other arguments, named as those of the constructor. Raises as that, and TypeError."""
        return FindQuery(**self._said() | changes)

    def dict(self) -> Fields:
        """The arguments of the constructor, by name."""
        return self._said()

    def sort_by(self, *fields: str) -> "FindQuery[R]":
        """The same query, sorted by fields: `age`, descending `-age`, of an embedded document `address__city`.

        Without fields, in the order it has.

        Raises:
            QueryNotSupportedError: E2, one is not indexed.
        """
        return self.copy(sort_fields=fields) if fields else self

    def values(self, *fields: str) -> "FindQuery[Fields]":
        """The same query, for dicts as `model_dump()` makes them; with these fields, or all.

        Args:
            fields: names; `address__city` for a field of a document or map inside.

        Raises:
            QueryNotSupportedError: there is no such field, or it lies in a list.
        """
        return cast("FindQuery[Fields]", self.copy(projected_fields=fields, return_as_dict=True))

    def only(self, *fields: str) -> "FindQuery[PartialModel]":
        """The same query, for partial objects that have these fields; any other is an AttributeError.

        Args:
            fields: as those of `values`, one at least.

        Raises:
            QuerySyntaxError: without a field.
            QueryNotSupportedError: there is no such field, or it lies in a list.
        """
        if not fields:
            raise QuerySyntaxError(
                "only() takes the names of one or more fields.", 'As in only("name", "age").'
            )
        return cast("FindQuery[PartialModel]", self.copy(projected_fields=fields, return_as_dict=False))

    @property
    def expression(self) -> Expression | None:
        """All conditions as one; None without any. `.tree` draws it."""
        return reduce(Both, self._query.conditions) if self._query.conditions else None

    @property
    def query(self) -> str:
        """The conditions in the server's language. Raises QueryError."""
        return self._query.text(naive_timezone()).text

    @property
    def query_params(self) -> list[str | bytes]:
        """Names and values of what `$name` in `query` stands for, in turn. Raises QueryError."""
        return [word for pair in self._query.text(naive_timezone()).parameters for word in pair]

    @property
    def pagination(self) -> list[str | int]:
        """The words that say how many documents to skip and to answer."""
        return ["LIMIT", self._query.offset, self._query.first_limit]

    def get_query(self) -> tuple[str, list[Any]]:
        """The name of the index, and the words of the FT.SEARCH that `execute` sends for a raw result.

        Raises:
            QueryError: the query has no meaning, or the index cannot answer it.
        """
        words: list[Any] = self._query.words(naive_timezone())
        return self._query.model._meta.index_name, words

    def execute(
        self,
        exhaust_results: bool = True,
        return_raw_result: bool = False,
        return_query_args: bool = False,
    ) -> Any:
        """Documents as `all` gives them, or in another form.

        Args:
            exhaust_results: all of them; else the first page alone.
            return_raw_result: what the server answers to `get_query()`.
            return_query_args: what `get_query()` gives. Nothing is sent.

        Raises:
            UnreadableDocument, IndexMissing, QueryError: as `all`.
        """
        if return_query_args:
            return self.get_query()
        if return_raw_result:
            return self._run(raw_reply(self._query, naive_timezone()))
        if exhaust_results:
            return self.all(self.page_size)
        return self._run(first_page(self._query, naive_timezone()))

    def all(self, batch_size: int = PAGE_DOCUMENTS) -> list[R]:
        """All documents. None is missed that was found throughout, whoever writes meanwhile.

        What is found comes from one search: up to 1,000 documents themselves, of more the keys of all. A document
        that is deleted before it is read is left out; one that is changed comes as it is then.

        Args:
            batch_size: of more than 1,000 documents, how many are read in one round trip.

        Raises:
            UnreadableDocument: a value does not fit its field.
            IndexMissing: `om migrate run` was not run.
            QueryError: the query has no meaning, or the index cannot answer it; or a batch of no documents.

        Effects: one search for up to 1,000 documents; for more one or two others for the keys, and a round trip for
            each batch. Safe to repeat.
        """
        _ = self.copy(page_size=batch_size)  # refused there, if it is none
        return self._run(all_documents(self._query, naive_timezone(), batch_size))

    def __iter__(self) -> Iterator[R]:
        """The documents one by one: all keys from one search, then page by page. As safe as `all`, in less memory."""
        return self._documents()

    def _documents(self) -> Iterator[R]:
        query, zone = self._query, naive_timezone()
        if query.knn is not None:
            for document in self._run(first_page(query, zone)):
                yield document
            return
        keys = self._run(found_keys(query, zone))
        for page in pages(keys, self.page_size):
            for document in self._run(documents_of(query, zone, page)):
                yield document

    def first(self) -> R:
        """The first document.

        Raises:
            NotFoundError: there is none.
            UnreadableDocument, IndexMissing, QueryError: as `all`.
        """
        return self._run(first_document(self._query, naive_timezone()))

    def page(self, offset: int = 0, limit: int = 10) -> list[R]:
        """Some of the documents.

        Unsorted, and where others write meanwhile, one page after the other may skip documents: sort, or use `all`.

        Args:
            offset: documents to skip.
            limit: documents to give at most.

        Raises:
            UnreadableDocument, IndexMissing, QueryError: as `all`.
        """
        return self._run(page_of(self._query, naive_timezone(), offset, limit))

    def get_item(self, item: int) -> R:
        """The document at a position, 0 the first.

        Raises:
            IndexError: there are not so many.
            UnreadableDocument, IndexMissing, QueryError: as `all`.
        """
        return self._run(item_of(self._query, naive_timezone(), item))

    __getitem__ = get_item

    def count(self) -> int:
        """How many documents there are, whatever `limit` says. Raises IndexMissing, QueryError."""
        return self._run(count_documents(self._query, naive_timezone()))

    def update(self, use_transaction: bool = True, **fields: Any) -> None:
        """Give all these documents new values, checked as in `save`, and write those fields alone.

        Args:
            use_transaction: all in one transaction, after all have been checked: the server does nothing else
                meanwhile. Else page by page.
            fields: values by name; `address__city=` for a field of a document inside.

        Raises:
            QuerySyntaxError: there is no such field, or it is the primary key. Nothing was sent.
            ValidationError (pydantic): a document does not take a value. In a transaction nothing was written.
            UnwritableDocument: a value has no stored form. As above.
            UnreadableDocument, IndexMissing, QueryError: as `all`.

        Effects: one search; a read and a write for each document, sent together. Safe to repeat. Documents that are
            deleted meanwhile stay deleted.
        """
        self._run(update_found(self._query, fields, naive_timezone(), at_once=use_transaction))

    def delete(self) -> int:
        """Delete all these documents: how many there were.

        Raises:
            IndexMissing, QueryError: as `all`.

        Effects: one search; one round trip for 1,000 documents. Safe to repeat.
        """
        return self._run(delete_found(self._query, naive_timezone()))

    def _run(self, operation: Op[T]) -> T:
        server = server_of_model(self._query.model)
        if server.database != 0:  # the index would answer with documents of database 0
            raise OtherDatabase(server.database)
        return server.run(operation)
