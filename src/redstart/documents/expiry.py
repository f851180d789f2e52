"""How long documents live, and fields of hashes."""

from typing import TypeVar

from redstart.commands.field_expiry import hexpire, hpersist, httl
from redstart.commands.keyspace import expire
from redstart.documents.fetching import is_of_another_type
from redstart.documents.forms import form_of
from redstart.documents.writes import Pipeline, queue
from redstart.effects import Call, Op, call
from redstart.errors import CommandFailed, FieldExpiryMissing, WrongKeyType
from redstart.mapping.models import RedisModel

T = TypeVar("T")


def expire_document(document: RedisModel, seconds: int) -> Op[bool]:
    """Have a document go after some seconds: whether it is there. EXPIRE; one round trip. Safe to repeat."""
    return (yield from call(expire(document.key(), seconds)))


def queue_expiry(document: RedisModel, seconds: int, pipeline: Pipeline) -> None:
    """Put that command on a pipeline. Nothing is sent."""
    queue(pipeline, expire(document.key(), seconds))


def expire_field(
    document: RedisModel, field: str, seconds: int, *, nx: bool, xx: bool, gt: bool, lt: bool
) -> Op[int]:
    """Have a field of a hash go after some seconds: see `redstart.commands.field_expiry.hexpire`.

    Raises:
        ValueError: more than one condition.
        FieldExpiryMissing: the server cannot do that.
        WrongKeyType: something else stands under the document's key.

    Effects: HEXPIRE; one round trip; atomic. Safe to repeat; with a condition it is not repeated.
    """
    conditions = [name for name, given in (("NX", nx), ("XX", xx), ("GT", gt), ("LT", lt)) if given]
    if len(conditions) > 1:
        raise ValueError(
            f"expire_field() takes one of nx, xx, gt and lt, not {' and '.join(conditions).lower()}."
        )
    condition = conditions[0] if conditions else None
    request = hexpire(document.key(), _stored(document, field), seconds, condition)
    return (yield from _asked(document, request))


def field_ttl(document: RedisModel, field: str) -> Op[int]:
    """The seconds a field of a hash has left; -1 where it stays, -2 where there is none.

    Raises:
        FieldExpiryMissing, WrongKeyType: as `expire_field`.

    Effects: HTTL; one round trip.
    """
    return (yield from _asked(document, httl(document.key(), _stored(document, field))))


def persist_field(document: RedisModel, field: str) -> Op[int]:
    """Have a field of a hash stay: 1; -1 where it did already, -2 where there is none.

    Raises:
        FieldExpiryMissing, WrongKeyType: as `expire_field`.

    Effects: HPERSIST; one round trip; atomic. Safe to repeat; after a lost answer it may say -1 of what it did.
    """
    return (yield from _asked(document, hpersist(document.key(), _stored(document, field))))


def _stored(document: RedisModel, field: str) -> bytes:
    return field.encode(document._meta.encoding)


def _asked(document: RedisModel, request: Call[T]) -> Op[T]:
    try:
        return (yield from call(request))
    except CommandFailed as error:
        if "unknown command" in error.message.lower():
            raise FieldExpiryMissing(error.message) from error
        if is_of_another_type(error):
            raise WrongKeyType(document.key(), form_of(type(document)).name) from error
        raise
