# Generated from redstart/aio/redis_model.py: change that, then `python -m tools.generate_sync`.
"""What documents can do, whether stored as hashes or as JSON: `customer.save()`."""

import abc
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, overload

from redstart.documents import expiry
from redstart.documents.adding import add_documents
from redstart.documents.deleting import delete_document, delete_documents, queue_deletion, queue_deletions
from redstart.documents.fetching import PAGE_DOCUMENTS, get_document, get_documents
from redstart.documents.listing import primary_keys_page
from redstart.documents.saving import queue_document, save_document
from redstart.documents.unreadable import RAISE, OnError, on_unreadable
from redstart.documents.updating import assign, update_document
from redstart.documents.writes import Saving
from redstart.mapping import models
from redstart.mapping.overrides import overrides
from redstart.search.expressions import Expression, KNNExpression
from redstart.settings import naive_timezone
from redstart.sync.connections import client_in_meta, server_of_all, server_of_model, shared_client

if TYPE_CHECKING:
    import redis
    from redis.client import Pipeline

    from redstart.sync.find import FindQuery

P = TypeVar("P", bound="Pipeline")
M = TypeVar("M", bound="RedisModel")
Models = TypeVar("Models", bound="Sequence[RedisModel]")


class RedisModel(models.RedisModel, abc.ABC):
    """What HashModel and JsonModel share. Derive your models from one of these two.

    Some methods take a `pipeline` of redis-py. Then they queue their commands on it and send nothing: the commands are
    sent when the pipeline is executed, and their replies are among its results.
    """

    @classmethod
    def db(cls) -> "redis.Redis":
        """The client that this model sends its commands with."""
        return client_in_meta(cls)

    @classmethod
    def _shared_client(cls) -> "redis.Redis":
        return shared_client()

    @classmethod
    def _get_db(cls, pipeline: "Pipeline | None" = None, bulk: bool = False) -> "redis.Redis | Pipeline":
        """Return the pipeline if one is given, a new one with `bulk`, else the client, as methods of redis-om do."""
        if pipeline is not None:
            return pipeline
        return cls.db().pipeline(transaction=False) if bulk else cls.db()

    @classmethod
    def check_datetime_schema_compatibility(cls) -> dict[str, Any]:
        """Return the dates of this model that the index on the server holds as another type.

        Raises:
            ServerError: the server did not answer, or refused a command.

        Effects: see `DatetimeFieldDetector.check_for_schema_mismatches`.
        """
        from redstart.sync.datetime_detector import DatetimeFieldDetector  # noqa: PLC0415 - as in find()

        return DatetimeFieldDetector(cls.db()).check_for_schema_mismatches([cls])

    @overload
    def save(
        self, pipeline: "Pipeline | None" = None, nx: Literal[False] = False, xx: Literal[False] = False
    ) -> Self: ...
    @overload
    def save(self, pipeline: "Pipeline | None" = None, nx: bool = False, xx: bool = False) -> Self | None: ...
    def save(self, pipeline: "Pipeline | None" = None, nx: bool = False, xx: bool = False) -> Self | None:
        """Store this document as it is now. Fields that are None are removed from a hash.

        Args:
            pipeline: where to queue the command instead of sending it.
            nx: save only if the document does not exist yet.
            xx: save only if the document exists. On a pipeline, only a JsonModel accepts `nx` and `xx`.

        Returns:
            This document; None if `nx` or `xx` kept it from being written.

        Raises:
            ValueError: `nx` and `xx` together, or one of them for a hash on a pipeline.
            RedisModelError: its primary key is None or empty. Nothing was sent.
            ValidationError (pydantic): a field was assigned a value that it does not accept. Nothing was sent.
            DocumentEncodeError: a value cannot be stored. Nothing was sent.
            WrongKeyTypeError: its key holds a value of another type.
            ServerConnectionError: no answer came; with `nx`, the document may or may not have been saved.

        Effects: one round trip; atomic. The key and the fields of a hash keep their times to live. Safe to repeat.
        """
        return self._save(pipeline, Saving.of(nx=nx, xx=xx))

    def _save(self, pipeline: "Pipeline | None", saving: Saving) -> Self | None:
        if pipeline is not None:
            queue_document(self, naive_timezone(), pipeline, saving)
            return self
        saved = server_of_model(type(self)).run(save_document(self, naive_timezone(), saving))
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
        """Store many documents, as `save` does one.

        Args:
            models: the documents: any iterable, which is read once, before anything is sent.
            pipeline: where to queue the commands instead of sending them.
            pipeline_verifier: called with the list of all replies, errors included, and with the number of documents as
                `expected_responses`. The first error is raised after that.

        Returns:
            The same documents: what was given, or a list of them if it is not a sequence.

        Raises:
            ValidationError (pydantic): a field was assigned a value that it does not accept. Nothing was sent.
            DocumentEncodeError: a value cannot be stored. The pages before that document were saved.
            WrongKeyTypeError: the key of a document holds a value of another type. The other documents were saved.
            ConfigurationError: the model of one document is on another server. Nothing was sent.

        Effects: one round trip for each 500 documents, and a second one if some of them exist already. Each document
            is written atomically. Safe to repeat. If a class overrides `save`, that is called for each document.
        """
        documents, zone = list(models), naive_timezone()
        if any(overrides(model, "save") for model in {type(document) for document in documents}):
            options: dict[str, Any] = {} if pipeline is None else {"pipeline": pipeline}
            replies = [document.save(**options) for document in documents]
            if pipeline is None and pipeline_verifier is not None:
                pipeline_verifier(replies, expected_responses=len(replies))
        elif pipeline is None:
            server_of_all(cls, documents).run(add_documents(documents, zone, pipeline_verifier))
        else:
            for document in documents:
                queue_document(document, zone, pipeline)
        return models if isinstance(models, Sequence) else documents

    @classmethod
    def get(cls, pk: Any) -> Self:
        """The document with this primary key, whether redis-om 0.x, redis-om 1.x or Redstart wrote it.

        Raises:
            NotFoundError: there is no such document.
            DocumentDecodeError: a stored value does not fit its field.
            WrongKeyTypeError: its key holds a value of another type.

        Effects: one round trip.
        """
        return server_of_model(cls).run(get_document(cls, pk, naive_timezone()))

    @classmethod
    def get_many(
        cls, pks: Iterable[Any], batch_size: int = PAGE_DOCUMENTS, on_error: OnError = RAISE
    ) -> list[Self]:
        """The documents with these primary keys, in that order. Those that do not exist are left out.

        Args:
            pks: the primary keys: any iterable, which is read once, before anything is sent.
            batch_size: documents read in one round trip at most; fewer at first, and where those of this model are
                large. While one batch is parsed, the next is already requested.
            on_error: what to do with documents that cannot be read: `"raise"` DocumentDecodeError; `"skip"` them; or a
                function, which is called with the DocumentDecodeError of each.

        Raises:
            DocumentDecodeError: a stored value does not fit its field, and `on_error` is "raise".
            ValueError: `on_error` is anything else, or `batch_size` is below 1.
            TypeError: `pks` is a single text, whose characters would be taken for primary keys.

        Effects: one round trip for each batch.
        """
        if isinstance(pks, str | bytes):
            raise TypeError(
                f"get_many() requires an iterable of primary keys, such as [{pks!r}], not a single str."
            )
        operation = get_documents(cls, list(pks), naive_timezone(), batch_size, on_unreadable(on_error))
        return server_of_model(cls).run(operation)

    @classmethod
    def all_pks(cls) -> Iterator[str]:
        """The primary keys of all documents, read page by page, in no particular order.

        A document that exists the whole time is listed at least once, and maybe twice if others are written meanwhile.

        Raises:
            RedisModelError: the model has no documents of its own.

        Effects: scans the whole database; one round trip for about 1,000 of its keys.
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
        """Set some fields to new values, here and on the server. Other fields are neither read nor written.

        If the document does not exist on the server, all of it is saved. If the class overrides `save`, that is
        called, and writes all fields.

        Args:
            field_values: new values by field name; in a JsonModel also `address__city`, for an embedded document.

        Raises:
            QuerySyntaxError: there is no such field, or it is the primary key and the value is another one.
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
        except BaseException:
            restore()
            raise

    def expire(self, num_seconds: int, pipeline: "Pipeline | None" = None) -> None:
        """Have the server delete this document after some seconds. Does nothing if it does not exist there.

        Args:
            num_seconds: counted from now; 0 deletes it immediately.
            pipeline: where to queue the command instead of sending it.

        Effects: one round trip; atomic. Safe to repeat.
        """
        if pipeline is None:
            _ = server_of_model(type(self)).run(expiry.expire_document(self, num_seconds))
        else:
            expiry.queue_expiry(self, num_seconds, pipeline)

    @overload
    @classmethod
    def delete(cls, pk: Any, pipeline: None = None) -> int: ...
    @overload
    @classmethod
    def delete(cls, pk: Any, pipeline: P) -> P: ...
    @classmethod
    def delete(cls, pk: Any, pipeline: P | None = None) -> int | P:
        """Delete the document with this primary key.

        Args:
            pk: the primary key.
            pipeline: where to queue the command instead of sending it.

        Returns:
            1, or 0 if there was no such document; with a pipeline, that pipeline.

        Effects: one round trip; atomic. Safe to repeat; after a lost reply it may return 0 for what it deleted.
        """
        if pipeline is None:
            return server_of_model(cls).run(delete_document(cls, pk))
        queue_deletion(cls, pk, pipeline)
        return pipeline

    @classmethod
    def delete_many(cls, models: "Iterable[RedisModel]", pipeline: "Pipeline | None" = None) -> int:
        """Delete many documents.

        Args:
            models: the documents: any iterable, which is read once, before anything is sent. Those already gone are
                ignored.
            pipeline: where to queue the command instead of sending it.

        Returns:
            How many documents were given. None of them exists any more.

        Raises:
            ConfigurationError: the model of one document is on another server. Nothing was sent.

        Effects: one round trip for each 1,000 documents, which are deleted atomically. Safe to repeat.
        """
        documents = list(models)
        if pipeline is None:
            server_of_all(cls, documents).run(delete_documents(documents))
        else:
            queue_deletions(documents, pipeline)
        return len(documents)

    @classmethod
    def from_redis(cls, res: Any, knn: KNNExpression | None = None, on_error: OnError = RAISE) -> list[Self]:
        """The documents in a reply to FT.SEARCH that you received from a redis-py client. Nothing is sent.

        Args:
            res: the reply, decoded or not.
            knn: the KNNExpression of that search, so that the documents get their distances.
            on_error: as for `get_many`.

        Raises:
            DocumentDecodeError: a stored value does not fit its field, and `on_error` is "raise".
        """
        from redstart.documents.replies import documents_in_reply  # noqa: PLC0415 - as in find()

        return documents_in_reply(cls, res, naive_timezone(), knn, on_unreadable(on_error))

    @classmethod
    def find(cls, *expressions: Expression | int, knn: KNNExpression | None = None) -> "FindQuery[Self]":
        """The documents that meet all of these conditions: `M.find(M.age > 18, M.city == "Oslo")`.

        Args:
            expressions: comparisons of fields. (Type checkers see them as bool, and `~` of them as int.) None at all
                finds every document.
            knn: only the nearest neighbours of a vector among these documents.

        Returns:
            A query. Nothing is sent, and no condition is checked, until you ask it for documents.

        Raises:
            RedisModelError: the model has no documents of its own.
        """
        from redstart.sync.find import FindQuery  # noqa: PLC0415 - all that queries need takes 20 ms to import

        return FindQuery(expressions, cls, knn=knn)
