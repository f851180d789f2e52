"""Stored documents read without a server."""

from collections.abc import Mapping
from typing import TypeVar

from redstart.documents.hash_decoder import reader_of_hashes
from redstart.documents.json_codec import reader_of_json
from redstart.mapping.models import RedisModel
from redstart.values.timezones import NaiveTimezone

M = TypeVar("M", bound=RedisModel)

UTC_ZONE = NaiveTimezone.parse("UTC")


def document_from_hash(
    model: type[M], primary_key: str, fields: Mapping[bytes, bytes], zone: NaiveTimezone = UTC_ZONE
) -> M:
    """The document that a hash holds."""
    return reader_of_hashes(model, zone)(primary_key, fields)


def document_from_json(model: type[M], primary_key: str, text: bytes, zone: NaiveTimezone = UTC_ZONE) -> M:
    """The document that a JSON text holds."""
    return reader_of_json(model, zone)(primary_key, text)
