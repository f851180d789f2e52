"""Expiry of documents and of hash fields."""

from datetime import timedelta
from typing import Final, TypeVar

from redstart.commands.documents import hexpire, hpersist, httl
from redstart.commands.keyspace import expire
from redstart.commands.server_errors import is_wrong_type, unknown_command
from redstart.documents.arguments import seconds_of
from redstart.documents.projection import checked_name
from redstart.documents.renamed_fields import names_of
from redstart.documents.storage_adapters import storage_adapter
from redstart.documents.write_requests import Pipeline, queue
from redstart.effects import Call, Op, call
from redstart.errors import CommandError, FieldExpiryNotSupportedError, WrongKeyTypeError
from redstart.mapping.models import RedisModel
from redstart.values.stored_text import MAX_INT64

T = TypeVar("T")

TIME_TO_LIVE: Final = "The time to live in seconds"


def expire_document(document: RedisModel, seconds: int | timedelta) -> Op[bool]:
    """Set the expiry of a document, in seconds; 0 or less deletes it immediately. Return whether it exists.

    Effects: EXPIRE; one round trip. Safe to repeat.
    """
    return (yield from call(_expire(document, seconds)))


def queue_expiry(document: RedisModel, seconds: int | timedelta, pipeline: Pipeline) -> None:
    """Queue that command on a pipeline; nothing is sent."""
    queue(pipeline, _expire(document, seconds))


def _expire(document: RedisModel, seconds: int | timedelta) -> Call[bool]:
    return expire(document.key(), seconds_of(TIME_TO_LIVE, seconds, minimum=-MAX_INT64))


def expire_field(
    document: RedisModel, field: str, seconds: int | timedelta, *, nx: bool, xx: bool, gt: bool, lt: bool
) -> Op[int]:
    """Set the expiry of a field of a hash, in seconds: see `redstart.commands.documents.hexpire`.

    Raises:
        ValueError: more than one condition was given.
        FieldExpiryNotSupportedError: the server does not support it.
        WrongKeyTypeError: the key of the document has a value of another type.

    Effects: HEXPIRE; one round trip; atomic. Safe to repeat; with a condition it is not repeated.
    """
    conditions = [name for name, given in (("NX", nx), ("XX", xx), ("GT", gt), ("LT", lt)) if given]
    if len(conditions) > 1:
        raise ValueError(
            f"expire_field() accepts only one of nx, xx, gt and lt; got {' and '.join(conditions).lower()}."
        )
    condition = conditions[0] if conditions else None
    request = hexpire(document.key(), _names(document, field), seconds_of("seconds", seconds), condition)
    return (yield from _asked(document, request))


def field_ttl(document: RedisModel, field: str) -> Op[int]:
    """Return the seconds after which a field of a hash expires; -1 if it does not, -2 if there is no such field.

    Raises:
        FieldExpiryNotSupportedError, WrongKeyTypeError: see `expire_field`.

    Effects: HTTL; one round trip.
    """
    return (yield from _asked(document, httl(document.key(), _names(document, field))))


def persist_field(document: RedisModel, field: str) -> Op[int]:
    """Remove the expiry of a field of a hash: 1 if done, -1 if it had none, -2 if there is no such field.

    Raises:
        FieldExpiryNotSupportedError, WrongKeyTypeError: see `expire_field`.

    Effects: HPERSIST; one round trip; atomic. Safe to repeat; after a lost reply it may return -1 for what it removed.
    """
    return (yield from _asked(document, hpersist(document.key(), _names(document, field))))


def _names(document: RedisModel, field: str) -> tuple[bytes, ...]:
    return names_of(type(document), checked_name(field), document._meta.encoding)


def _asked(document: RedisModel, request: Call[T]) -> Op[T]:
    try:
        return (yield from call(request))
    except CommandError as error:
        if unknown_command(error) is not None:
            raise FieldExpiryNotSupportedError(error.message) from error
        if is_wrong_type(error):
            raise WrongKeyTypeError(document.key(), storage_adapter(type(document)).name) from error
        raise
