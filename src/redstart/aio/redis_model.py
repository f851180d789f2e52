"""What documents of both storages can do: `await customer.save()`."""

import abc
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, overload

from redstart.aio.connections import client_of, server_of_all, server_of_model
from redstart.documents import expiry
from redstart.documents.adding import add_documents
from redstart.documents.deleting import delete_document, delete_documents, queue_deletion, queue_deletions
from redstart.documents.fetching import PAGE_DOCUMENTS, get_document, get_documents
from redstart.documents.listing import primary_keys_page
from redstart.documents.saving import queue_document, save_document
from redstart.documents.updating import update_document
from redstart.documents.writes import Saving
from redstart.mapping import models
from redstart.search.expressions import Expression, KNNExpression
from redstart.settings import naive_timezone

if TYPE_CHECKING:
    import redis.asyncio
    from redis.asyncio.client import Pipeline

    from redstart.aio.find import FindQuery

P = TypeVar("P", bound="Pipeline")
Models = TypeVar("Models", bound="Sequence[RedisModel]")


class RedisModel(models.RedisModel, abc.ABC):
    """What HashModel and JsonModel share. Declare yours as one of these.

    Where a method takes a `pipeline`, a pipeline of redis-py, its commands are put on that one; they are sent when the
    pipeline is executed, and the pipeline has their answers.
    """

    @classmethod
    def db(cls) -> "redis.asyncio.Redis":
        """The client that the model's documents are reached with."""
        return client_of(cls)

    @overload
    async def save(
        self, pipeline: "Pipeline | None" = None, nx: Literal[False] = False, xx: Literal[False] = False
    ) -> Self: ...
    @overload
    async def save(
        self, pipeline: "Pipeline | None" = None, nx: bool = False, xx: bool = False
    ) -> Self | None: ...
    async def save(
        self, pipeline: "Pipeline | None" = None, nx: bool = False, xx: bool = False
    ) -> Self | None:
        """Store this document as it is now. In a hash, fields that are None are taken away.

        Args:
            pipeline: where to put the command, in place of sending it.
            nx: only if there is no such document yet.
            xx: only if there is one. With a pipeline only a JsonModel takes conditions.

        Returns:
            This document; None when its condition did not hold and nothing was written.

        Raises:
            ValueError: both conditions, or one where there can be none.
            ValidationError (pydantic): a value was assigned that its field does not take. Nothing was sent.
            UnwritableDocument: a value has no stored form. Nothing was sent.
            WrongKeyType: something else stands under its key.
            ConnectionFailed: no answer; with `nx` the document may be saved or not.

        Effects: one round trip; atomic. Times to live of the key and of a hash's fields stay. Safe to repeat.
        """
        return await self._save(pipeline, Saving.of(nx=nx, xx=xx))

    async def _save(self, pipeline: "Pipeline | None", saving: Saving) -> Self | None:
        if pipeline is not None:
            queue_document(self, naive_timezone(), pipeline, saving)
            return self
        saved = await server_of_model(type(self)).run(save_document(self, naive_timezone(), saving))
        return self if saved else None

    @classmethod
    async def add(
        cls,
        models: Models,
        pipeline: "Pipeline | None" = None,
        pipeline_verifier: Callable[..., Any] | None = None,
    ) -> Models:
        """Store many documents, as `save` does one.

        Args:
            models: the documents.
            pipeline: where to put the commands, in place of sending them.
            pipeline_verifier: called with the list of all answers, the errors among them, and with their number as
                `expected_responses`. Without it, the first error is raised when all were answered.

        Returns:
            The same documents.

        Raises:
            ValidationError (pydantic): a value was assigned that its field does not take. Nothing was sent.
            UnwritableDocument: a value has no stored form. Documents of the pages before it were saved.
            WrongKeyType: something else stands under the key of one. The others were saved.
            ConfigurationError: one is of a model on another server. Nothing was sent.

        Effects: one round trip for a page of 500 documents, a second one if not all of them are new; atomic for each
            document. Safe to repeat.
        """
        zone = naive_timezone()
        if pipeline is None:
            await server_of_all(cls, models).run(add_documents(models, zone, pipeline_verifier))
        else:
            for document in models:
                queue_document(document, zone, pipeline)
        return models

    @classmethod
    async def get(cls, pk: Any) -> Self:
        """The document with this primary key, in the form of redis-om 0.x or of 1.x.

        Raises:
            NotFoundError: there is none.
            UnreadableDocument: a value does not fit its field.
            WrongKeyType: something else stands under its key.

        Effects: one round trip.
        """
        return await server_of_model(cls).run(get_document(cls, pk, naive_timezone()))

    @classmethod
    async def get_many(cls, pks: Iterable[Any], batch_size: int = PAGE_DOCUMENTS) -> list[Self]:
        """The documents with these primary keys, in that order. Those that do not exist are left out.

        Args:
            pks: the primary keys.
            batch_size: documents read in one round trip; while they are taken in, the next are on their way.

        Raises:
            UnreadableDocument: a value does not fit its field.

        Effects: one round trip for `batch_size` documents.
        """
        operation = get_documents(cls, pks, naive_timezone(), batch_size)
        return await server_of_model(cls).run(operation)

    @classmethod
    async def all_pks(cls) -> AsyncIterator[str]:
        """The primary keys of all documents, read page by page and in no order.

        One that exists throughout comes at least once; it may come twice while others are written or deleted.

        Raises:
            RedisModelError: the model has no documents of its own.

        Effects: one round trip for about 1,000 keys of the whole database.
        """
        return cls._all_pks()

    @classmethod
    async def _all_pks(cls) -> AsyncIterator[str]:
        server, cursor, is_first = server_of_model(cls), 0, True
        while cursor or is_first:
            is_first = False
            cursor, page = await server.run(primary_keys_page(cls, cursor))
            for primary_key in page:
                yield primary_key

    async def update(self, **field_values: Any) -> None:
        """Give some fields new values, here and on the server. Other fields are neither written nor read.

        A document that is not on the server is saved whole.

        Args:
            field_values: the values by name; of a JsonModel also `part__name`, of a document inside.

        Raises:
            QuerySyntaxError: there is no such field.
            ValidationError (pydantic), UnwritableDocument, WrongKeyType: as `save`.

            After each of these the document is as it was.

        Effects: one round trip; atomic. Times to live stay. Safe to repeat.
        """
        operation = update_document(self, field_values, naive_timezone())
        await server_of_model(type(self)).run(operation)

    async def expire(self, num_seconds: int, pipeline: "Pipeline | None" = None) -> None:
        """Have this document deleted after some seconds; one that is not on the server stays away.

        Args:
            num_seconds: from now on; 0 deletes it at once.
            pipeline: where to put the command, in place of sending it.

        Effects: one round trip; atomic. Safe to repeat.
        """
        if pipeline is None:
            _ = await server_of_model(type(self)).run(expiry.expire_document(self, num_seconds))
        else:
            expiry.queue_expiry(self, num_seconds, pipeline)

    @overload
    @classmethod
    async def delete(cls, pk: Any, pipeline: None = None) -> int: ...
    @overload
    @classmethod
    async def delete(cls, pk: Any, pipeline: P) -> P: ...
    @classmethod
    async def delete(cls, pk: Any, pipeline: P | None = None) -> int | P:
        """Delete the document with this primary key.

        Args:
            pk: the primary key.
            pipeline: where to put the command, in place of sending it.

        Returns:
            1, or 0 when there was none; with a pipeline, the pipeline.

        Effects: one round trip; atomic. Safe to repeat; after a lost answer it may say 0 of what it deleted.
        """
        if pipeline is None:
            return await server_of_model(cls).run(delete_document(cls, pk))
        queue_deletion(cls, pk, pipeline)
        return pipeline

    @classmethod
    async def delete_many(cls, models: "Sequence[RedisModel]", pipeline: "Pipeline | None" = None) -> int:
        """Delete many documents.

        Args:
            models: the documents; some may be gone already.
            pipeline: where to put the command, in place of sending it.

        Returns:
            How many were given: none of them is there any more.

        Raises:
            ConfigurationError: one is of a model on another server. Nothing was sent.

        Effects: one round trip for 1,000 documents; atomic for each of those. Safe to repeat.
        """
        if pipeline is None:
            await server_of_all(cls, models).run(delete_documents(models))
        else:
            queue_deletions(models, pipeline)
        return len(models)

    @classmethod
    def from_redis(cls, res: Any, knn: KNNExpression | None = None) -> list[Self]:
        """The documents in an answer of FT.SEARCH, as a client of redis-py gives it; nothing is sent.

        Args:
            res: the answer, decoded or not.
            knn: what neighbours were asked for, so that documents get their distances.

        Raises:
            UnreadableDocument: a value does not fit its field.
        """
        from redstart.documents.replies import documents_in_reply  # noqa: PLC0415 - as in find()

        return documents_in_reply(cls, res, naive_timezone(), knn)

    @classmethod
    def find(cls, *expressions: Expression | int, knn: KNNExpression | None = None) -> "FindQuery[Self]":
        """The documents that meet all of these conditions: `M.find(M.age > 18, M.city == "Oslo")`.

        Args:
            expressions: comparisons of fields, which type checkers take for bool (and their `~` for int). Without
                any: all documents.
            knn: the nearest neighbours of a vector among these documents.

        Returns:
            A query. Nothing is sent until it is asked for documents, and conditions are looked at then.

        Raises:
            RedisModelError: the model has no documents of its own.
        """
        from redstart.aio.find import FindQuery  # noqa: PLC0415 - all that queries need takes 20 ms to import

        return FindQuery(expressions, cls, knn=knn)
