"""Errors of documents that cannot be stored."""

from redstart.errors import DocumentEncodeError
from redstart.mapping.models import RedisModel
from redstart.mapping.registry import model_name


def encode_error(document: RedisModel, field: str, reason: str) -> DocumentEncodeError:
    """Return the error for a document of which one value cannot be stored."""
    return DocumentEncodeError(model_name(type(document)), document.key(), field, reason)
