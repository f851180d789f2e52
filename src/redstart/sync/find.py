# Generated from redstart/aio/find.py: change that, then `python -m tools.generate_sync`.
"""Queries on the documents of a model: `Customer.find(Customer.age > 18).sort_by("name").all()`."""

from collections.abc import Iterator
from typing import Generic, TypeVar

from redstart.documents.access import documents_at
from redstart.documents.find import count_documents, first_document, found_keys, page_of
from redstart.documents.query import Query
from redstart.mapping.models import RedisModel
from redstart.settings import naive_timezone
from redstart.sync.connections import server_of_model

M = TypeVar("M", bound=RedisModel)

PAGE_DOCUMENTS = 1_000


class FindQuery(Generic[M]):
    """A query. It never changes: `sort_by` gives another. Nothing is sent until it is asked for documents."""

    def __init__(self, query: Query[M]) -> None:
        self._query = query

    def __repr__(self) -> str:
        return f"<FindQuery {self._query}>"

    def sort_by(self, *fields: str) -> "FindQuery[M]":
        """The same query, sorted by fields: `age`, descending `-age`, of an embedded document `address__city`.

        Raises:
            QueryNotSupportedError: E2, one is not indexed.
        """
        return FindQuery(self._query.sorted_by(*fields))

    def all(self, batch_size: int = PAGE_DOCUMENTS) -> list[M]:
        """All documents. None is missed that was found throughout, whoever writes meanwhile.

        Their keys come from one search. A document that is deleted before it is read is left out; one that is
        changed comes as it is then.

        Args:
            batch_size: documents read in one round trip.

        Raises:
            UnreadableDocument: a value does not fit its field.
            IndexMissing: `om migrate run` was not run.
            QueryError: the query has no meaning, or the index cannot answer it.
        """
        return [document for document in self._documents(batch_size)]

    def __iter__(self) -> Iterator[M]:
        """The documents one by one, read page by page; as `all`."""
        return self._documents(PAGE_DOCUMENTS)

    def _documents(self, page_documents: int) -> Iterator[M]:
        model, zone = self._query.model, naive_timezone()
        server = server_of_model(model)
        keys = server.run(found_keys(self._query, zone))
        for start in range(0, len(keys), page_documents):
            for document in server.run(documents_at(model, keys[start : start + page_documents], zone)):
                yield document

    def first(self) -> M:
        """The first document.

        Raises:
            NotFoundError: there is none.
            UnreadableDocument, IndexMissing, QueryError: as `all`.
        """
        return server_of_model(self._query.model).run(first_document(self._query, naive_timezone()))

    def page(self, offset: int = 0, limit: int = 10) -> list[M]:
        """Some of the documents.

        Unsorted, and where others write meanwhile, one page after the other may skip documents: sort, or use `all`.

        Args:
            offset: documents to skip.
            limit: documents to give at most.

        Raises:
            UnreadableDocument, IndexMissing, QueryError: as `all`.
        """
        operation = page_of(self._query, naive_timezone(), offset, limit)
        return server_of_model(self._query.model).run(operation)

    def count(self) -> int:
        """How many documents there are. Raises IndexMissing, QueryError."""
        return server_of_model(self._query.model).run(count_documents(self._query, naive_timezone()))
