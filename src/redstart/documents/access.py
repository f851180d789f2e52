"""Documents by their keys: saved, read, deleted."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from redstart.commands.keyspace import delete
from redstart.commands.packing import KeyedCommand, packed_batch
from redstart.documents.forms import Form, form_of
from redstart.effects import Op, batch, call
from redstart.errors import CapabilityMissing, CommandFailed, NotFoundError, WrongKeyType
from redstart.mapping.keys import around_primary_key
from redstart.mapping.models import RedisModel
from redstart.mapping.registry import model_name
from redstart.values.timezones import NaiveTimezone

M = TypeVar("M", bound=RedisModel)


def save_document(document: RedisModel, zone: NaiveTimezone) -> Op[None]:
    """Store a document as it is now. In a hash, fields that are None are taken away, and all other fields stay.

    Args:
        zone: what a datetime without an offset means.

    Raises:
        ValidationError (pydantic): a value was assigned that its field does not take. Nothing was sent.
        UnwritableDocument: a value has no stored form. Nothing was sent.
        WrongKeyType: something else stands under its key.

    Effects: one script (hash) or JSON.SET; one round trip; atomic. Times to live of the key and of the fields stay.
        Safe to repeat.
    """
    form = form_of(type(document))
    document.check()
    try:
        yield from form.save(document, zone)
    except CommandFailed as error:
        _raise_understood(error, document.key(), form)
        raise


def get_document(model: type[M], primary_key: Any, zone: NaiveTimezone) -> Op[M]:
    """Read a document, in the old form or the new.

    Raises:
        NotFoundError: there is none.
        UnreadableDocument: a value does not fit its field.
        WrongKeyType: something else stands under its key.

    Effects: HGETALL or JSON.GET; one round trip.
    """
    form = form_of(model)
    key = model.make_primary_key(primary_key)
    (reply,) = yield from batch(packed_batch([form.read.pack(key.encode())], 1))
    if isinstance(reply, CommandFailed):
        _raise_understood(reply, key, form)
        raise reply
    stored = form.stored(reply)
    if stored is None:
        raise NotFoundError(f"There is no {model_name(model)} with the primary key {primary_key!r} ({key}).")
    document: M = form.document(model, str(primary_key), stored, zone)
    return document


def documents_at(model: type[M], keys: Sequence[bytes], zone: NaiveTimezone) -> Op[list[M]]:
    """The documents under some keys, in that order; those that are gone are left out.

    Raises:
        UnreadableDocument: a value does not fit its field.

    Effects: HGETALL or JSON.GET for each, sent together; one round trip.
    """
    form = form_of(model)
    found = yield from stored_at(form.read, form.stored, keys)
    return [
        form.document(model, primary_key_in(model, key), stored, zone)
        for key, stored in zip(keys, found, strict=True)
        if stored is not None
    ]


def stored_at(read: KeyedCommand, stored: Callable[[Any], Any], keys: Sequence[bytes]) -> Op[list[Any]]:
    """What is stored under some keys, in that order: `stored` of each reply, None for those that are gone.

    Effects: the command for each, sent together; one round trip.
    """
    replies = yield from batch(packed_batch(map(read.pack, keys), len(keys)))
    found: list[Any] = []
    for reply in replies:
        if isinstance(reply, CommandFailed):
            if not _is_of_another_type(reply):
                raise_if_module_missing(reply)
                raise reply
            found.append(None)  # deleted, and the key is used for something else
        else:
            found.append(stored(reply))
    return found


def delete_document(model: type[RedisModel], primary_key: Any) -> Op[int]:
    """Delete a document: 1, or 0 when there was none.

    Effects: DEL; one round trip; atomic. Safe to repeat; after a lost answer it may say 0 of what it deleted.
    """
    _ = form_of(model)
    return (yield from call(delete(model.make_primary_key(primary_key))))


def primary_key_in(model: type[RedisModel], key: bytes) -> str:
    """The primary key that a document's key was made of. Raises RedisModelError."""
    before, after = around_primary_key(model._meta, model_name(model))
    return key.decode(errors="replace").removeprefix(before).removesuffix(after)


def raise_if_module_missing(error: CommandFailed) -> None:
    """Raise CapabilityMissing for a command that the server does not know."""
    if "unknown command" in error.message.lower():
        raise CapabilityMissing(
            f"The server lacks a command that is needed: {error.message}",
            "JSON documents need RedisJSON, queries RediSearch, and fields that expire Redis 7.4 or Valkey 9. "
            "`om server` starts a server that has all.",
        ) from error


def _raise_understood(error: CommandFailed, key: str, form: Form) -> None:
    """Raise what a refusal means, where more can be said than the server does."""
    if _is_of_another_type(error):
        raise WrongKeyType(key, form.name) from error
    raise_if_module_missing(error)


def _is_of_another_type(error: CommandFailed) -> bool:
    return error.code == "WRONGTYPE" or "wrong redis type" in error.message.lower()
