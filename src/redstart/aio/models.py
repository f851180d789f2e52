"""Base classes of models: `HashModel`, `JsonModel` and `EmbeddedJsonModel`."""

import abc
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Literal, Self, overload

from redstart.aio.connections import queue_of, server_of_model
from redstart.aio.redis_model import RedisModel
from redstart.documents import expiry
from redstart.documents.write_requests import Saving
from redstart.mapping import models

if TYPE_CHECKING:
    from redis.asyncio.client import Pipeline


class HashModel(RedisModel, models.HashModel, abc.ABC):
    """Base class of models whose documents are Redis hashes, with one text value per field."""

    @overload
    async def save(
        self,
        pipeline: "Pipeline | None" = None,
        nx: Literal[False] = False,
        xx: Literal[False] = False,
        field_expirations: Mapping[str, int | timedelta] | None = None,
    ) -> Self: ...
    @overload
    async def save(
        self,
        pipeline: "Pipeline | None" = None,
        nx: bool = False,
        xx: bool = False,
        field_expirations: Mapping[str, int | timedelta] | None = None,
    ) -> Self | None: ...
    async def save(
        self,
        pipeline: "Pipeline | None" = None,
        nx: bool = False,
        xx: bool = False,
        field_expirations: Mapping[str, int | timedelta] | None = None,
    ) -> Self | None:
        """Validate and save this document. Fields that are None are removed from the hash.

        Args:
            pipeline: a pipeline to queue the command on instead of sending it.
            nx: save only if the document does not exist.
            xx: save only if the document exists. `nx` and `xx` are not supported on a pipeline.
            field_expirations: the expiry of fields in seconds from now, by field name. It replaces `Field(expire=)` and
                the current time to live.

        Returns:
            This document; None if it was not written because of `nx` or `xx`.

        Raises:
            QuerySyntaxError: `field_expirations` contains an unknown field.
            ValueError, ValidationError, DocumentEncodeError, WrongKeyTypeError, ServerConnectionError: see
                `JsonModel.save`.
            UnsupportedServerError: a field has an expiry, which the server does not support.

        Effects: one round trip; atomic. The key and all other fields keep their times to live. Safe to repeat.
        """
        queued = queue_of(pipeline) is not None
        saving = Saving.of(nx=nx, xx=xx, expirations=field_expirations, queued=queued)
        return await self._save(pipeline, saving)

    async def expire_field(
        self,
        field_name: str,
        seconds: int | timedelta,
        nx: bool = False,
        xx: bool = False,
        gt: bool = False,
        lt: bool = False,
    ) -> int:
        """Set the expiry of a field: the server deletes it after some seconds.

        Args:
            field_name: the name of the field.
            seconds: seconds from now; 0 deletes the field immediately.
            nx: only if the field has no expiry.
            xx: only if the field has an expiry.
            gt: only if the new expiry is later than the current one.
            lt: only if the new expiry is earlier than the current one.

        Returns:
            1 if the expiry was set, 0 if the condition is not met, 2 if the field was deleted immediately, -2 if the
            field or the document does not exist.

        Raises:
            ValueError: more than one condition.
            NotImplementedError (FieldExpiryNotSupportedError): the server does not support it.
            WrongKeyTypeError: the key has a value of another type.

        Effects: one round trip; atomic. Safe to repeat; with a condition it is not retried automatically.
        """
        operation = expiry.expire_field(self, field_name, seconds, nx=nx, xx=xx, gt=gt, lt=lt)
        return await server_of_model(type(self)).run(operation)

    async def field_ttl(self, field_name: str) -> int:
        """Return the time to live of a field.

        Args:
            field_name: the name of the field.

        Returns:
            Seconds; -1 if the field does not expire, -2 if the field or the document does not exist.

        Raises:
            NotImplementedError (FieldExpiryNotSupportedError), WrongKeyTypeError: see `expire_field`.

        Effects: one round trip.
        """
        return await server_of_model(type(self)).run(expiry.field_ttl(self, field_name))

    async def persist_field(self, field_name: str) -> int:
        """Remove the expiry of a field.

        Args:
            field_name: the name of the field.

        Returns:
            1 if the expiry was removed, -1 if the field had none, -2 if the field or the document does not exist.

        Raises:
            NotImplementedError (FieldExpiryNotSupportedError), WrongKeyTypeError: see `expire_field`.

        Effects: one round trip; atomic. Safe to repeat; after a lost reply it may return -1 although
            it removed the expiry.
        """
        return await server_of_model(type(self)).run(expiry.persist_field(self, field_name))


class JsonModel(RedisModel, models.JsonModel, abc.ABC):
    """Base class of models whose documents are JSON values."""


class EmbeddedJsonModel(JsonModel, models.EmbeddedJsonModel, abc.ABC):
    """Base class of models whose documents are parts of documents of a JsonModel.

    They have no keys: methods that need a key raise an error.
    """

    _is_part = True

    class Meta:
        embedded = True
