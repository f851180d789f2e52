"""Documents deleted: one, many, or on a pipeline that is executed later."""

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
    """Delete a document: 1, or 0 when there was none.

    Effects: DEL; one round trip; atomic. Safe to repeat; after a lost answer it may say 0 of what it deleted.
    """
    return (yield from call(_deletion(model, primary_key)))


def queue_deletion(model: type[RedisModel], primary_key: Any, pipeline: Pipeline) -> None:
    """Put the command that deletes a document on a pipeline. Nothing is sent."""
    queue(pipeline, _deletion(model, primary_key))


def delete_documents(documents: Sequence[RedisModel]) -> Op[None]:
    """Delete many documents; those that are gone already do not count as errors.

    Effects: DEL for 1,000 of them; one round trip for each. Safe to repeat.
    """
    for page in pages(documents, PAGE_KEYS):
        yield from call(delete(*_keys(page)))


def queue_deletions(documents: Sequence[RedisModel], pipeline: Pipeline) -> None:
    """Put the command that deletes many documents on a pipeline. Nothing is sent."""
    if documents:
        queue(pipeline, delete(*_keys(documents)))


def _deletion(model: type[RedisModel], primary_key: Any) -> Call[int]:
    _ = form_of(model)
    return delete(in_utf8(model, model.make_primary_key(primary_key)))


def _keys(documents: Sequence[RedisModel]) -> list[bytes]:
    return [in_utf8(type(document), document.key()) for document in documents]
