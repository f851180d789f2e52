# Generated from redstart/aio/models.py: change that, then `python -m tools.generate_sync`.
"""The two classes that models derive from: `class Customer(HashModel)`, `class Order(JsonModel)`."""

import abc
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, Self, overload

from redstart.documents import expiry
from redstart.documents.writes import Saving
from redstart.mapping import models
from redstart.sync.connections import server_of_model
from redstart.sync.redis_model import RedisModel

if TYPE_CHECKING:
    from redis.client import Pipeline


class HashModel(RedisModel, models.HashModel, abc.ABC):
    """A model whose documents are Redis hashes: flat, one text per field."""

    @overload
    def save(
        self,
        pipeline: "Pipeline | None" = None,
        nx: Literal[False] = False,
        xx: Literal[False] = False,
        field_expirations: Mapping[str, int] | None = None,
    ) -> Self: ...
    @overload
    def save(
        self,
        pipeline: "Pipeline | None" = None,
        nx: bool = False,
        xx: bool = False,
        field_expirations: Mapping[str, int] | None = None,
    ) -> Self | None: ...
    def save(
        self,
        pipeline: "Pipeline | None" = None,
        nx: bool = False,
        xx: bool = False,
        field_expirations: Mapping[str, int] | None = None,
    ) -> Self | None:
        """Store this document as it is now. Fields that are None are removed from the hash.

        Args:
            pipeline: where to queue the command instead of sending it.
            nx: save only if the document does not exist yet.
            xx: save only if the document exists. Neither works on a pipeline.
            field_expirations: by field name, in how many seconds from now the field expires. This replaces its
                `Field(expire=)` and any time to live it has.

        Returns:
            This document; None if `nx` or `xx` kept it from being written.

        Raises:
            QuerySyntaxError: `field_expirations` names an unknown field.
            ValueError, ValidationError, DocumentEncodeError, WrongKeyTypeError, ServerConnectionError: see `JsonModel.save`.
            UnsupportedServerError: fields should expire, and the server does not support that.

        Effects: one round trip; atomic. The key and all other fields keep their times to live. Safe to repeat.
        """
        queued = pipeline is not None
        saving = Saving.of(nx=nx, xx=xx, expirations=field_expirations, queued=queued)
        return self._save(pipeline, saving)

    def expire_field(
        self,
        field_name: str,
        seconds: int,
        nx: bool = False,
        xx: bool = False,
        gt: bool = False,
        lt: bool = False,
    ) -> int:
        """Have the server delete one field after some seconds.

        Args:
            field_name: the field.
            seconds: counted from now; 0 deletes it immediately.
            nx: only if the field has no expiry yet.
            xx: only if it has one.
            gt: only if this is later than its present expiry.
            lt: only if this is earlier than its present expiry.

        Returns:
            1 if done, 0 if the condition is not met, 2 if deleted immediately, -2 without such a field or document.

        Raises:
            ValueError: more than one condition was given.
            NotImplementedError (FieldExpiryNotSupportedError): the server does not support it.
            WrongKeyTypeError: the key of the document holds a value of another type.

        Effects: one round trip; atomic. Safe to repeat; with a condition it is not retried automatically.
        """
        operation = expiry.expire_field(self, field_name, seconds, nx=nx, xx=xx, gt=gt, lt=lt)
        return server_of_model(type(self)).run(operation)

    def field_ttl(self, field_name: str) -> int:
        """In how many seconds one field expires; -1 if it does not, -2 if there is no such field or document.

        Raises:
            NotImplementedError (FieldExpiryNotSupportedError), WrongKeyTypeError: see `expire_field`.

        Effects: one round trip.
        """
        return server_of_model(type(self)).run(expiry.field_ttl(self, field_name))

    def persist_field(self, field_name: str) -> int:
        """Remove the expiry of one field: 1 if done, -1 if it had none, -2 if there is no such field or document.

        Raises:
            NotImplementedError (FieldExpiryNotSupportedError), WrongKeyTypeError: see `expire_field`.

        Effects: one round trip; atomic. Safe to repeat; after a lost reply it may return -1 for what it removed.
        """
        return server_of_model(type(self)).run(expiry.persist_field(self, field_name))


class JsonModel(RedisModel, models.JsonModel, abc.ABC):
    """A model whose documents are JSON values."""


class EmbeddedJsonModel(JsonModel, models.EmbeddedJsonModel, abc.ABC):
    """A model whose documents are part of those of a JsonModel. It has no keys, so what needs one is an error."""

    _is_part = True

    class Meta:
        embedded = True
