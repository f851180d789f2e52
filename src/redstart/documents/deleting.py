"""Deletion of documents: one, many, or on a pipeline."""

from collections.abc import Sequence
from typing import Any

from redstart.commands.keyspace import delete
from redstart.documents.fetching import in_utf8, pages
from redstart.documents.forms import form_of
from redstart.documents.writes import Pipeline, queue
from redstart.effects import Call, Op, call
from redstart.mapping.models import RedisModel

PAGE_KEYS = 1_000


def delete_document(model: type[RedisModel], primary_key: Any) -> Op[int]:
    """Delete a document. Returns 1, or 0 if there was no such document.

    Effects: DEL; one round trip; atomic. Safe to repeat; after a lost reply it may return 0 for what it deleted.
    """
    return (yield from call(_deletion(model, primary_key)))


def queue_deletion(model: type[RedisModel], primary_key: Any, pipeline: Pipeline) -> None:
    """Queue the command that deletes a document on a pipeline; nothing is sent."""
    queue(pipeline, _deletion(model, primary_key))


def delete_documents(documents: Sequence[RedisModel]) -> Op[None]:
    """Delete many documents; those that are already gone are ignored.

    Effects: one DEL for each 1,000 documents; one round trip for each DEL. Safe to repeat.
    """
    for page in pages(documents, PAGE_KEYS):
        yield from call(delete(*_keys(page)))


def queue_deletions(documents: Sequence[RedisModel], pipeline: Pipeline) -> None:
    """Queue the command that deletes many documents on a pipeline; nothing is sent."""
    if documents:
        queue(pipeline, delete(*_keys(documents)))


def _deletion(model: type[RedisModel], primary_key: Any) -> Call[int]:
    _ = form_of(model)
    return delete(in_utf8(model, model.make_primary_key(primary_key)))


def _keys(documents: Sequence[RedisModel]) -> list[bytes]:
    return [in_utf8(type(document), document.key()) for document in documents]
