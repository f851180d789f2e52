"""A stored document, in the old format or the new one, as an instance of its model.

In the places where a model keeps datetimes and dates, numbers and numeric text are the new format and are
read here, exactly; all other text is left to pydantic, which reads the ISO forms of the old one. So are bytes,
time spans, vectors and words that stand for other values: what JSON and hashes have no form of their own for.
"""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import from_json

from redstart.documents.hash_reader import hash_reader_of
from redstart.documents.places import UnreadableValue, read_places
from redstart.documents.reader import reader_of
from redstart.documents.unreadable import UnreadableDocument, unreadable
from redstart.mapping.models import RedisModel
from redstart.values.timezones import NaiveTimezone

M = TypeVar("M", bound=RedisModel)


def document_from_hash(
    model: type[M], primary_key: str, fields: Mapping[bytes, bytes], zone: NaiveTimezone
) -> M:
    """Read the fields of a hash, in either format.

    Args:
        model: the class to make.
        primary_key: what the document was asked by; used if it does not hold its key itself.
        fields: names and values as stored, in the encoding of `Meta.encoding`.
        zone: in which datetimes stand that the model wants without an offset.

    Raises:
        UnreadableDocument: a value does not fit its field.
    """
    return _validated(model, primary_key, hash_reader_of(model, zone).values(primary_key, fields))


def document_from_json(model: type[M], primary_key: str, text: bytes, zone: NaiveTimezone) -> M:
    """Read a JSON document, in either format.

    Args:
        model: the class to make.
        primary_key: what the document was asked by; used if it does not hold its key itself.
        text: one JSON object, as JSON.GET without a path answers.
        zone: in which datetimes stand that the model wants without an offset.

    Raises:
        UnreadableDocument: it is no JSON object, or a value does not fit its field.
    """
    reader = reader_of(model, zone)
    try:
        value = from_json(text)
    except ValueError as error:
        raise UnreadableDocument(model, primary_key, "", text, f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise UnreadableDocument(model, primary_key, "", value, "not a JSON object")
    document = {name: member for name, member in value.items() if reader.wants(name)}
    try:
        read_places(document, reader.places, ())
    except UnreadableValue as error:
        raise UnreadableDocument(model, primary_key, error.path, error.value, error.reason) from error
    return _validated(model, primary_key, document)


def _validated(model: type[M], primary_key: str, document: dict[str, Any]) -> M:
    key_name = model._primary_key_name
    if document.get(key_name) is None:
        document[key_name] = primary_key
    try:
        # Not strict, whatever the model says: a hash holds only text, and JSON has no dates.
        read: M = model.__pydantic_validator__.validate_python(document, strict=False)
    except ValidationError as error:
        raise unreadable(model, primary_key, error) from error
    return read
