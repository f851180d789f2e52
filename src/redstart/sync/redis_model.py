# Generated from redstart/aio/redis_model.py: change that, then `python -m tools.generate_sync`.
"""Operations on documents, for hashes and JSON: `customer.save()`."""

import abc
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, cast, overload

from redstart.documents import expiry
from redstart.documents.arguments import documents_of_argument, items_of
from redstart.documents.delete import delete_document, delete_documents, queue_deletion, queue_deletions
from redstart.documents.errors import RAISE, OnError, on_unreadable
from redstart.documents.fetch import PAGE_DOCUMENTS, get_document, get_documents, primary_keys_page
from redstart.documents.save import add_documents, queue_document, save_document
from redstart.documents.update import assign, update_document
from redstart.documents.write_requests import Saving
from redstart.mapping import models
from redstart.mapping.base_model import overrides
from redstart.search.expressions import Expression, KNNExpression
from redstart.settings import naive_timezone
from redstart.sync.connections import client_in_meta, queue_of, server_of_all, server_of_model, shared_client

if TYPE_CHECKING:
    import redis
    from redis.client import Pipeline

    from redstart.sync.find import FindQuery

P = TypeVar("P", bound="Pipeline")
M = TypeVar("M", bound="RedisModel")
Models = TypeVar("Models", bound="Sequence[RedisModel]")


class RedisModel(models.RedisModel, abc.ABC):
    """Common base class of HashModel and JsonModel. Derive models from one of these.

    Methods with the argument `pipeline` can queue their commands on a redis-py pipeline. The commands are sent when the
    pipeline is executed, which returns their replies.
    """

    @classmethod
    def db(cls) -> "redis.Redis":
        """Return the redis-py client of this model: `Meta.database`, or the shared one for REDIS_OM_URL."""
        return client_in_meta(cls)

    @classmethod
    def _shared_client(cls) -> "redis.Redis":
        return shared_client()

    @classmethod
    def _get_db(cls, pipeline: "Pipeline | None" = None, bulk: bool = False) -> "redis.Redis | Pipeline":
        """Return the given pipeline, a new one if `bulk`, otherwise the client, as in redis-om."""
        if pipeline is not None:
            return pipeline
        return cls.db().pipeline(transaction=False) if bulk else cls.db()

    @classmethod
    def check_datetime_schema_compatibility(cls) -> dict[str, Any]:
        """Return the dates of this model that are indexed on the server with another type.

        Raises:
            ServerError: the server did not reply, or rejected a command.

        Effects: see `DatetimeFieldDetector.check_for_schema_mismatches`.
        """
        from redstart.sync.data_migrations import DatetimeFieldDetector  # noqa: PLC0415 - as in find()

        return DatetimeFieldDetector(cls.db()).check_for_schema_mismatches([cls])

    @overload
    def save(
        self, pipeline: "Pipeline | None" = None, nx: Literal[False] = False, xx: Literal[False] = False
    ) -> Self: ...
    @overload
    def save(self, pipeline: "Pipeline | None" = None, nx: bool = False, xx: bool = False) -> Self | None: ...
    def save(
        self, pipeline: "Pipeline | None" = None, nx: bool = False, xx: bool = False, **unsupported: Any
    ) -> Self | None:
        """Validate and save this document. Fields that are None are removed from a hash.

        Args:
            pipeline: a pipeline to queue the command on instead of sending it.
            nx: save only if the document does not exist.
            xx: save only if the document exists. On a pipeline, only a JsonModel accepts `nx` and `xx`.
            unsupported: raises TypeError; `field_expirations` is for hashes only.

        Returns:
            This document; None if it was not written because of `nx` or `xx`.

        Raises:
            ValueError: `nx` and `xx` together, or one of them for a hash on a pipeline.
            RedisModelError: the primary key is None or empty. Nothing was sent.
            ValidationError (pydantic): an assigned value is not valid. Nothing was sent.
            DocumentEncodeError: a value cannot be stored. Nothing was sent.
            WrongKeyTypeError: the key has a value of another type.
            ServerConnectionError: no reply; with `nx`, the document may or may not have been saved.

        Effects: one round trip; atomic. The key and the fields of a hash keep their times to live. Safe to repeat.
        """
        if unsupported:
            raise models.unsupported_option(type(self), next(iter(unsupported)))
        return self._save(pipeline, Saving.of(nx=nx, xx=xx))

    def _save(self, pipeline: "Pipeline | None", saving: Saving) -> Self | None:
        queue = queue_of(pipeline)
        if queue is not None:
            queue_document(self, naive_timezone(), queue, saving)
            return self
        operation = save_document(self, naive_timezone(), saving)
        saved = server_of_model(type(self), pipeline).run(operation)
        return self if saved else None

    @overload
    @classmethod
    def add(
        cls,
        models: Models,
        pipeline: "Pipeline | None" = None,
        pipeline_verifier: Callable[..., Any] | None = None,
    ) -> Models: ...
    @overload
    @classmethod
    def add(
        cls,
        models: Iterable[M],
        pipeline: "Pipeline | None" = None,
        pipeline_verifier: Callable[..., Any] | None = None,
    ) -> Sequence[M]: ...
    @classmethod
    def add(
        cls,
        models: Iterable[Any],
        pipeline: "Pipeline | None" = None,
        pipeline_verifier: Callable[..., Any] | None = None,
    ) -> Iterable[Any]:
        """Save many documents.

        Args:
            models: the documents: any iterable, which is read once, before anything is sent.
            pipeline: a pipeline to queue the commands on instead of sending them.
            pipeline_verifier: a function that is called with the list of all replies, including errors, and the number
                of documents as `expected_responses`. The first error is raised afterwards.

        Returns:
            The argument `models`, or a list of the documents if it is not a sequence.

        Raises:
            ValidationError (pydantic): an assigned value is not valid. Nothing was sent.
            DocumentEncodeError: a value cannot be stored. Previous pages were saved.
            WrongKeyTypeError: a key has a value of another type. The other documents were saved.
            ConfigurationError: the model of one document uses another server. Nothing was sent.

        Effects: one round trip for each 500 documents or 4 MB, and a second one if some of them exist. Each document is
            written atomically. Safe to repeat. If a class overrides `save`, it is called for each document.
        """
        documents, zone = documents_of_argument(cls, "add", models), naive_timezone()
        queue = queue_of(pipeline)
        if any(overrides(model, "save") for model in {type(document) for document in documents}):
            options: dict[str, Any] = {} if pipeline is None else {"pipeline": pipeline}
            replies = [document.save(**options) for document in documents]
            if queue is None and pipeline_verifier is not None:
                pipeline_verifier(replies, expected_responses=len(replies))
        elif queue is None:
            operation = add_documents(documents, zone, pipeline_verifier)
            server_of_all(cls, documents, pipeline).run(operation)
        else:
            for document in documents:
                queue_document(document, zone, queue)
        return models if isinstance(models, Sequence) else documents

    @classmethod
    def get(cls, pk: Any) -> Self:
        """Return the document with a primary key, in the format of redis-om 0.x, redis-om 1.x or Redstart.

        Args:
            pk: the primary key.

        Raises:
            NotFoundError: the document does not exist.
            DocumentDecodeError: a stored value does not fit its field.
            WrongKeyTypeError: the key has a value of another type.

        Effects: one round trip.
        """
        return server_of_model(cls).run(get_document(cls, pk, naive_timezone()))

    @classmethod
    def get_many(
        cls, pks: Iterable[Any], batch_size: int = PAGE_DOCUMENTS, on_error: OnError = RAISE
    ) -> list[Self]:
        """Return the documents with these primary keys, in this order, without those that do not exist.

        Args:
            pks: the primary keys: any iterable, which is read once, before anything is sent.
            batch_size: the maximum number of documents in one round trip; fewer in the first one and if documents are
                large. The next batch is requested while one is parsed.
            on_error: how to handle documents that cannot be read: `"raise"` DocumentDecodeError, `"skip"` them, or call
                a function with the DocumentDecodeError of each.

        Raises:
            DocumentDecodeError: a stored value does not fit its field, and `on_error` is "raise".
            ValueError: `on_error` is not valid, or `batch_size` is less than 1.
            TypeError: `pks` is not an iterable of primary keys, or is a single str.

        Effects: one round trip for each batch.
        """
        primary_keys, unreadable = items_of("pks", pks, "primary keys"), on_unreadable(on_error)
        operation = get_documents(cls, primary_keys, naive_timezone(), batch_size, unreadable)
        return server_of_model(cls).run(operation)

    @classmethod
    def all_pks(cls) -> Iterator[str]:
        """Yield the primary keys of all documents, in no particular order.

        A document that exists all the time is listed at least once; it may be listed twice if other clients write.

        Raises:
            RedisModelError: the model has no documents of its own.

        Effects: scans the whole database, with one round trip for about 1,000 keys.
        """
        return cls._all_pks()

    @classmethod
    def _all_pks(cls) -> Iterator[str]:
        server, cursor, is_first = server_of_model(cls), 0, True
        while cursor or is_first:
            is_first = False
            cursor, page = server.run(primary_keys_page(cls, cursor))
            for primary_key in page:
                yield primary_key

    def update(self, **field_values: Any) -> None:
        """Set fields of this document, and of the document on the server. Other fields are neither read nor written.

        If the document does not exist on the server, the whole document is saved. If the class overrides `save`, it is
        called, and writes all fields.

        Args:
            field_values: new values by field name; `address__city` for a field of an embedded document.

        Raises:
            QuerySyntaxError: a field does not exist, or the primary key would change.
            ValidationError (pydantic), DocumentEncodeError, WrongKeyTypeError: see `save`.

        After any of these errors, this object is unchanged.

        Effects: one round trip; atomic. Times to live are kept. Safe to repeat.
        """
        if not overrides(type(self), "save"):
            operation = update_document(self, field_values, naive_timezone())
            server_of_model(type(self)).run(operation)
            return
        restore = assign(self, field_values)
        try:
            _ = self.save()
        except BaseException:  # also if the task is cancelled
            restore()
            raise

    def expire(self, num_seconds: int | timedelta, pipeline: "Pipeline | None" = None) -> None:
        """Set the expiry of this document: the server deletes it after some seconds.

        Does nothing if the document does not exist on the server.

        Args:
            num_seconds: seconds from now; 0 and less delete the document immediately.
            pipeline: a pipeline to queue the command on instead of sending it.

        Effects: one round trip; atomic. Safe to repeat.
        """
        queue = queue_of(pipeline)
        if queue is None:
            operation = expiry.expire_document(self, num_seconds)
            _ = server_of_model(type(self), pipeline).run(operation)
        else:
            expiry.queue_expiry(self, num_seconds, queue)

    @overload
    @classmethod
    def delete(cls, pk: Any, pipeline: None = None) -> int: ...
    @overload
    @classmethod
    def delete(cls, pk: Any, pipeline: P) -> P: ...
    @classmethod
    def delete(cls, pk: Any, pipeline: P | None = None) -> int | P:
        """Delete the document with a primary key.

        Args:
            pk: the primary key.
            pipeline: a pipeline to queue the command on instead of sending it.

        Returns:
            1, or 0 if the document did not exist; with a pipeline, the pipeline.

        Effects: one round trip; atomic. Safe to repeat; after a lost reply it may return 0 although it
            deleted the document.
        """
        queue = queue_of(pipeline)
        if queue is None:
            return server_of_model(cls, pipeline).run(delete_document(cls, pk))
        queue_deletion(cls, pk, queue)
        return cast("P", queue)

    @classmethod
    def delete_many(cls, models: "Iterable[RedisModel]", pipeline: "Pipeline | None" = None) -> int:
        """Delete many documents.

        Args:
            models: the documents: any iterable, which is read once, before anything is sent. Missing documents are
                ignored.
            pipeline: a pipeline to queue the command on instead of sending it.

        Returns:
            The number of documents in `models`, whether they existed or not.

        Raises:
            ConfigurationError: the model of one document uses another server. Nothing was sent.

        Effects: one round trip for each 1,000 documents, which are deleted atomically. Safe to repeat.
        """
        documents = documents_of_argument(cls, "delete_many", models)
        queue = queue_of(pipeline)
        if queue is None:
            server_of_all(cls, documents, pipeline).run(delete_documents(documents))
        else:
            queue_deletions(documents, queue)
        return len(documents)

    @classmethod
    def from_redis(cls, res: Any, knn: KNNExpression | None = None, on_error: OnError = RAISE) -> list[Self]:
        """Return the documents of a reply to FT.SEARCH from a redis-py client. Nothing is sent.

        Args:
            res: the reply, decoded or not.
            knn: the KNNExpression of the search, to set the distances of the documents.
            on_error: as for `get_many`.

        Raises:
            DocumentDecodeError: a stored value does not fit its field, and `on_error` is "raise".
        """
        from redstart.documents.search_results import documents_in_reply  # noqa: PLC0415 - as in find()

        return documents_in_reply(cls, res, naive_timezone(), knn, on_unreadable(on_error))

    @classmethod
    def find(cls, *expressions: Expression | int, knn: KNNExpression | None = None) -> "FindQuery[Self]":
        """Return a query for documents that meet all conditions: `M.find(M.age > 18, M.city == "Oslo")`.

        Args:
            expressions: conditions, such as comparisons of fields. (For type checkers these are bool, and `~` of them
                is int.) Without conditions, the query matches all documents.
            knn: return only the nearest neighbours of a vector among these documents.

        Returns:
            The query. Nothing is sent, and conditions are not checked, until documents are requested.

        Raises:
            RedisModelError: the model has no documents of its own.
            QueryError: `knn` is not valid.
        """
        from redstart.sync.find import FindQuery  # noqa: PLC0415 - all that queries need takes 20 ms to import

        return FindQuery(expressions, cls, knn=knn)
