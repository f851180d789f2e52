"""A document as it is stored, in the form of redis-om 1.x: one text per field of a hash, or one JSON text."""

import json
from collections.abc import Iterable
from functools import cache
from typing import Any

from redstart.documents.index_limits import Limit, limits_of, reason_against_json
from redstart.documents.names import encoded_names
from redstart.documents.stored_values import Refused, hash_values, json_values
from redstart.documents.vectors import packed_vector, vectors_of
from redstart.errors import DocumentError, ValueConversionError
from redstart.mapping.annotations import complete_fields
from redstart.mapping.fields import field_options
from redstart.mapping.models import RedisModel
from redstart.mapping.paths import display
from redstart.mapping.registry import model_name
from redstart.values.timezones import NaiveTimezone


class UnwritableDocument(DocumentError):
    """A document holds a value that cannot be stored. Nothing of it was sent.

    `key` is its key, `field` the path of the value, `reason` why.
    """

    def __init__(self, document: RedisModel, field: str, reason: str) -> None:
        self.key = document.key()
        self.field = field
        self.reason = reason
        super().__init__(f"{model_name(type(document))} {self.key}: {field} cannot be stored: {reason}.")


def hash_fields(document: RedisModel, zone: NaiveTimezone) -> tuple[list[tuple[bytes, bytes]], list[bytes]]:
    """A document as a hash: names and values of the fields that have one, and the names of those that are None.

    Args:
        zone: what a datetime without an offset means.

    Raises:
        UnwritableDocument: a value has no text that stands for it, or none that its index takes.
    """
    model = type(document)
    encoding = model._meta.encoding
    vectors, names = vectors_of(model), _stored_names(model, encoding)
    writer = hash_values(zone)
    texts, text = writer.texts, writer.text
    written: list[tuple[bytes, bytes]] = []
    empty: list[bytes] = []
    for name, value in _dumped(document).items():
        try:
            stored_name = names.get(name) or name.encode(encoding)
            if value is None:
                empty.append(stored_name)
            elif name in vectors:
                written.append((stored_name, packed_vector(value, vectors[name])))
            else:
                written.append((stored_name, texts.get(type(value), text)(value).encode(encoding)))
        except UnicodeEncodeError as error:
            raise UnwritableDocument(document, name, f"{encoding} has no such text") from error
        except ValueConversionError as error:
            raise UnwritableDocument(document, name, error.reason) from error
    limits = limits_of(model)
    if limits:
        _refuse_what_no_query_finds(document, limits, dict(written))
    return written, empty


def _refuse_what_no_query_finds(
    document: RedisModel, limits: Iterable[Limit], stored: dict[bytes, bytes]
) -> None:
    for limit in limits:
        text = stored.get(limit.name)
        reason = None if text is None else limit.reason_against(text)
        if reason is not None:
            raise UnwritableDocument(document, limit.label, reason)


@cache
def _stored_names(model: type[RedisModel], encoding: str) -> dict[str, bytes]:
    return encoded_names(complete_fields(model), encoding)


@cache
def lifetimes_of(model: type[RedisModel]) -> tuple[tuple[bytes, int], ...]:
    """The fields of hashes that expire after a time of their own, and that time in milliseconds."""
    seconds = {name: field_options(field).expire for name, field in complete_fields(model).items()}
    encoding = model._meta.encoding
    return tuple((name.encode(encoding), 1000 * expire) for name, expire in seconds.items() if expire)


def json_document(document: RedisModel, zone: NaiveTimezone) -> bytes:
    """A document as JSON text.

    Args:
        zone: what a datetime without an offset means.

    Raises:
        UnwritableDocument: a value has no JSON that stands for it, or none that its index takes.
    """
    return _json_bytes(_plain(document, zone))


def json_members(
    document: RedisModel, zone: NaiveTimezone, paths: Iterable[tuple[str, ...]]
) -> list[bytes | str]:
    """Some members of a document, as `lua/update_json.lua` takes them. A member that is not stored is left out.

    Args:
        zone: what a datetime without an offset means.
        paths: the names on the way to each.

    Raises:
        UnwritableDocument: a value has no JSON that stands for it, or none that its index takes.
    """
    stored = _plain(document, zone)
    words: list[bytes | str] = []
    for path in paths:
        if path[0] not in stored:
            continue
        depth = _depth(stored, path)
        holder, own = _json_path(path[: depth - 1]), _json_path(path[:depth])
        value = stored
        for name in path[:depth]:
            value = value[name]
        words += (holder, own, _json_bytes(value), _json_path(path[:1]), _json_bytes(stored[path[0]]))
    return words


def _depth(stored: Any, path: tuple[str, ...]) -> int:
    """How many names of a path lead to a value as it is stored: a serializer may have put it elsewhere."""
    for depth, name in enumerate(path):
        if not isinstance(stored, dict) or name not in stored:
            return depth
        stored = stored[name]
    return len(path)


def _json_path(path: tuple[str, ...]) -> str:
    return "$" + "".join(f"[{json.dumps(name, ensure_ascii=False)}]" for name in path)


def _plain(document: RedisModel, zone: NaiveTimezone) -> Any:
    """A document as JSON has it. Raises UnwritableDocument."""
    try:
        stored = json_values(zone).plain(_dumped(document))
    except Refused as refused:
        raise UnwritableDocument(document, display(tuple(refused.segments)), refused.reason) from refused
    against = reason_against_json(type(document), stored)
    if against is not None:
        raise UnwritableDocument(document, *against)
    return stored


def _json_bytes(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def _dumped(document: RedisModel) -> dict[str, Any]:
    """The document's values by field name, with the model's own serializers applied."""
    dumped = document.model_dump(by_alias=False)
    if not isinstance(dumped, dict):
        raise UnwritableDocument(document, "the document", "its model_serializer gives no dict")
    return dumped
