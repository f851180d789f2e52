# Generated from redstart/aio/models.py: change that, then `python -m tools.generate_sync`.
"""Models whose documents are saved, read and deleted: `customer.save()`."""

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
        """Store this document as it is now. Fields that are None are taken away.

        Args:
            pipeline: where to put the command, in place of sending it.
            nx: only if there is no such document yet.
            xx: only if there is one. Neither goes with a pipeline.
            field_expirations: seconds from now on after which fields expire, by name; in place of `Field(expire=)`,
                and of what such a field has left.

        Returns:
            This document; None when its condition did not hold and nothing was written.

        Raises:
            QuerySyntaxError: `field_expirations` names a field that there is not.
            ValueError, ValidationError, UnwritableDocument, WrongKeyType, ConnectionFailed: as `JsonModel.save`.
            CapabilityMissing: fields are to expire, and the server cannot do that.

        Effects: one round trip; atomic. Times to live of the key and of other fields stay. Safe to repeat.
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
        """Have one field expire after some seconds.

        Args:
            field_name: the field.
            seconds: from now on; 0 deletes it at once.
            nx: only if it does not expire yet.
            xx: only if it does.
            gt: only if it lives longer by that.
            lt: only if it lives shorter by that.

        Returns:
            1 done, 0 the condition does not hold, 2 deleted at once, -2 no such field or document.

        Raises:
            ValueError: more than one condition.
            NotImplementedError (FieldExpiryMissing): the server cannot do that.
            WrongKeyType: something else stands under its key.

        Effects: one round trip; atomic. Safe to repeat, but with a condition it is not sent again by itself.
        """
        operation = expiry.expire_field(self, field_name, seconds, nx=nx, xx=xx, gt=gt, lt=lt)
        return server_of_model(type(self)).run(operation)

    def field_ttl(self, field_name: str) -> int:
        """The seconds one field has left; -1 where it does not expire, -2 where there is no such field or document.

        Raises:
            NotImplementedError (FieldExpiryMissing), WrongKeyType: as `expire_field`.

        Effects: one round trip.
        """
        return server_of_model(type(self)).run(expiry.field_ttl(self, field_name))

    def persist_field(self, field_name: str) -> int:
        """Have one field not expire: 1 done, -1 it does not anyway, -2 no such field or document.

        Raises:
            NotImplementedError (FieldExpiryMissing), WrongKeyType: as `expire_field`.

        Effects: one round trip; atomic. Safe to repeat; after a lost answer it may say -1 of what it did.
        """
        return server_of_model(type(self)).run(expiry.persist_field(self, field_name))


class JsonModel(RedisModel, models.JsonModel, abc.ABC):
    """A model whose documents are JSON values."""
