"""The error for a document that cannot be stored."""

from redstart.errors import DocumentError
from redstart.mapping.models import RedisModel
from redstart.mapping.registry import model_name


class DocumentEncodeError(DocumentError):
    """A document holds a value that cannot be stored. Nothing of it was sent.

    `key` is its key, `field` the path of the value, and `reason` says why.
    """

    def __init__(self, document: RedisModel, field: str, reason: str) -> None:
        self.key = document.key()
        self.field = field
        self.reason = reason
        super().__init__(f"{model_name(type(document))} {self.key}: {field} cannot be stored: {reason}.")
