"""The values of a document, before they are written as a hash or as JSON."""

from typing import Any

from pydantic import BaseModel

from redstart.documents.unwritable import UnwritableDocument
from redstart.mapping.models import RedisModel


def dumped(document: RedisModel) -> dict[str, Any]:
    """The document's values by field name, with the model's own serializers applied. Raises UnwritableDocument."""
    if type(document).model_dump is BaseModel.model_dump:
        # Called directly: model_dump() takes as long for its options as for the work.
        values = document.__pydantic_serializer__.to_python(document, by_alias=False)
    else:
        values = document.model_dump(by_alias=False)
    if not isinstance(values, dict):
        raise UnwritableDocument(document, "the document", "its model_serializer gives no dict")
    return values
