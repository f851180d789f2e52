"""Reader of stored JSON documents."""

from typing import Any, TypeVar

from pydantic_core import from_json

from redstart.documents.errors import decode_error, unexpected
from redstart.documents.reader import Read, Reader, reader_of, validated
from redstart.documents.value_decoder import ValueDecodeError, read_places
from redstart.mapping.models import RedisModel
from redstart.values.timezones import NaiveTimezone

M = TypeVar("M", bound=RedisModel)


def reader_of_json(model: type[M], zone: NaiveTimezone) -> Read[M]:
    """Return the function that reads the JSON documents of a model, from the text that JSON.GET returns without a path.

    Args: as `reader_of_hashes`.
    """
    reader = reader_of(model, zone)

    def read(primary_key: str, stored: bytes) -> M:
        return validated(model, primary_key, _json_values(model, reader, primary_key, stored))

    return read


def _json_values(model: type[M], reader: Reader, primary_key: str, text: bytes) -> dict[str, Any]:
    """Return the members of a document that are passed to the model, by name. Raises DocumentDecodeError."""
    try:
        value = from_json(text)
    except ValueError as error:
        raise decode_error(model, primary_key, "", text, f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise decode_error(model, primary_key, "", value, "not a JSON object")
    document = {name: member for name, member in value.items() if reader.wants(name)}
    try:
        read_places(document, reader.places, ())
    except ValueDecodeError as error:
        raise decode_error(model, primary_key, error.path, error.value, error.reason) from error
    except Exception as error:
        raise unexpected(model, primary_key, "", value, error) from error
    return document
