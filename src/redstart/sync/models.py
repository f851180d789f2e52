# Generated from redstart/aio/models.py: change that, then `python -m tools.generate_sync`.
"""Models whose documents are saved, read and deleted: `customer.save()`."""

import abc
from typing import TYPE_CHECKING, Any, Self

from redstart.documents.access import delete_document, get_document, save_document
from redstart.mapping import models
from redstart.search.expressions import Expression, KNNExpression
from redstart.settings import naive_timezone
from redstart.sync.connections import client_of, server_of_model
from redstart.sync.find import FindQuery

if TYPE_CHECKING:
    import redis


class RedisModel(models.RedisModel, abc.ABC):
    """What HashModel and JsonModel share. Declare yours as one of these."""

    @classmethod
    def db(cls) -> "redis.Redis":
        """The client that the model's documents are reached with."""
        return client_of(cls)

    def save(self) -> Self:
        """Store this document as it is now. In a hash, fields that are None are taken away.

        Raises:
            ValidationError (pydantic): a value was assigned that its field does not take. Nothing was sent.
            UnwritableDocument: a value has no stored form. Nothing was sent.
            WrongKeyType: something else stands under its key.

        Effects: one round trip; atomic. Times to live of the key and of a hash's fields stay. Safe to repeat.
        """
        server_of_model(type(self)).run(save_document(self, naive_timezone()))
        return self

    @classmethod
    def get(cls, pk: Any) -> Self:
        """The document with this primary key, in the form of redis-om 0.x or of 1.x.

        Raises:
            NotFoundError: there is none.
            UnreadableDocument: a value does not fit its field.
            WrongKeyType: something else stands under its key.

        Effects: one round trip.
        """
        return server_of_model(cls).run(get_document(cls, pk, naive_timezone()))

    @classmethod
    def delete(cls, pk: Any) -> int:
        """Delete the document with this primary key: 1, or 0 when there was none.

        Effects: one round trip; atomic. Safe to repeat; after a lost answer it may say 0 of what it deleted.
        """
        return server_of_model(cls).run(delete_document(cls, pk))

    @classmethod
    def find(cls, *expressions: Expression | int, knn: KNNExpression | None = None) -> FindQuery[Self]:
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
        return FindQuery(expressions, cls, knn=knn)


class HashModel(RedisModel, models.HashModel, abc.ABC):
    """A model whose documents are Redis hashes: flat, one text per field."""


class JsonModel(RedisModel, models.JsonModel, abc.ABC):
    """A model whose documents are JSON values."""
