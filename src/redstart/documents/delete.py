"""Deletion of documents: one, many, or on a pipeline."""

from collections.abc import Sequence
from typing import Any, Final

from redstart.commands.keyspace import delete
from redstart.commands.scripts import load, run_script
from redstart.documents.fetch import in_utf8, key_of, raise_if_module_missing
from redstart.documents.storage_adapters import storage_adapter
from redstart.documents.write_requests import Pipeline, queue
from redstart.effects import Call, Op, call
from redstart.errors import CommandError
from redstart.mapping.models import RedisModel

PAGE_KEYS: Final = 1_000
_GROWTH: Final = 4
"""The factor by which the number of keys of the next script may grow."""


def delete_document(model: type[RedisModel], primary_key: Any) -> Op[int]:
    """Delete a document. Returns 1, or 0 if there was no such document.

    Effects: DEL; one round trip; atomic. Safe to repeat; after a lost reply it may return 0 for what it deleted.
    """
    return (yield from call(_deletion(model, primary_key)))


def queue_deletion(model: type[RedisModel], primary_key: Any, pipeline: Pipeline) -> None:
    """Queue the command that deletes a document on a pipeline; nothing is sent."""
    queue(pipeline, _deletion(model, primary_key))


def delete_documents(documents: Sequence[RedisModel]) -> Op[None]:
    """Delete many documents; missing ones are ignored.

    Effects: those of `delete_keys`.
    """
    _ = yield from delete_keys(_keys(documents))


def delete_keys(keys: Sequence[bytes]) -> Op[int]:
    """Delete many keys, and return how many of them existed.

    Effects: one script for up to 1,000 keys, or for fewer if they take the server more than 5 ms. Safe to repeat.
    """
    script = load("delete.lua")
    done, deleted, asked = 0, 0, PAGE_KEYS
    while done < len(keys):
        page = keys[done : done + asked]
        try:
            passed, existed = yield from run_script(script, page, ())
        except CommandError as error:
            raise_if_module_missing(error)
            raise
        done += passed
        deleted += existed
        asked = min(PAGE_KEYS, _GROWTH * passed)
    return deleted


def queue_deletions(documents: Sequence[RedisModel], pipeline: Pipeline) -> None:
    """Queue the command that deletes many documents on a pipeline; nothing is sent."""
    if documents:
        queue(pipeline, delete(*_keys(documents)))


def _deletion(model: type[RedisModel], primary_key: Any) -> Call[int]:
    _ = storage_adapter(model)
    return delete(key_of(model, primary_key))


def _keys(documents: Sequence[RedisModel]) -> list[bytes]:
    return [in_utf8(type(document), document.key()) for document in documents]
