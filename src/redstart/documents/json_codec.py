"""Documents as JSON text, in the format of redis-om 1.x: written and read; see `hash_encoder.py` for hashes."""

import json
from collections.abc import Iterable
from itertools import chain, zip_longest
from typing import Any, Final, TypeVar

from pydantic_core import from_json

from redstart.documents.document_dump import dump_for_storage
from redstart.documents.errors import ValueDecodeError, decode_error, encode_error, reading_error
from redstart.documents.hash_encoder import vectors_of
from redstart.documents.index_constraints import reason_against_json
from redstart.documents.renamed_fields import give_former_inside, stored_paths, take_former_inside
from redstart.documents.value_decoder import Read, Reader, read_places, reader_of, validated
from redstart.documents.value_encoder import UnencodableValueError, WrittenNumber, json_values, vector_values
from redstart.mapping.models import RedisModel
from redstart.mapping.renamed_fields import RenamedFields, renamed_fields_of
from redstart.mapping.value_paths import display
from redstart.search.json_paths import writable_member
from redstart.values.timezones import NaiveTimezone

NUMBER_MARK: Final = "\ud800"
"""Represents a number that `json` would write otherwise. Documents contain no lone surrogates."""


def json_document(document: RedisModel, zone: NaiveTimezone) -> bytes:
    """Return a document as JSON text.

    Args:
        zone: what a datetime without an offset means.

    Raises:
        DocumentEncodeError: a value cannot be stored as JSON, or its index would not accept it.
    """
    return _json_bytes(_plain(document, zone))


def json_members(
    document: RedisModel, zone: NaiveTimezone, paths: Iterable[tuple[str, ...]]
) -> list[bytes | str]:
    """Return members of a document as arguments of `lua/update_json.lua`. Members that are not stored are omitted.

    Args:
        zone: what a datetime without an offset means.
        paths: for each member, the names of its path; it is written under all its names.

    Raises:
        DocumentEncodeError: a value cannot be stored as JSON, or its index would not accept it.
    """
    stored = _plain(document, zone)
    renamed = renamed_fields_of(type(document))
    if renamed is not None:
        paths = [one for path in paths for one in stored_paths(path, renamed)]
    words: list[bytes | str] = []
    for path in paths:
        if path[0] not in stored:
            continue
        depth = _depth(stored, path)
        holder, own = _json_path(document, path[: depth - 1]), _json_path(document, path[:depth])
        value = stored
        for name in path[:depth]:
            value = value[name]
        words += (
            holder,
            own,
            _json_bytes(value),
            _json_path(document, path[:1]),
            _json_bytes(stored[path[0]]),
        )
    return words


def _depth(stored: Any, path: tuple[str, ...]) -> int:
    """Return how many names of a path exist in the stored document: a serializer may have changed its structure."""
    for depth, name in enumerate(path):
        if not isinstance(stored, dict) or name not in stored:
            return depth
        stored = stored[name]
    return len(path)


def _json_path(document: RedisModel, path: tuple[str, ...]) -> str:
    members = [writable_member(name) for name in path]
    if None in members:
        reason = "RedisJSON cannot set a member with this name in a stored document. Save the whole document"
        raise encode_error(document, display(path), reason)
    return "".join(["$", *filter(None, members)])


def _plain(document: RedisModel, zone: NaiveTimezone) -> Any:
    """Return a document as a JSON value. Raises DocumentEncodeError."""
    try:
        stored = _stored(document, zone)
    except UnencodableValueError as refused:
        raise encode_error(document, display(tuple(refused.segments)), refused.reason) from refused
    against = reason_against_json(type(document), stored)
    if against is not None:
        raise encode_error(document, *against)
    renamed = renamed_fields_of(type(document))
    if renamed is not None:
        give_former_inside(stored, renamed)
    return stored


def _stored(document: RedisModel, zone: NaiveTimezone) -> Any:
    values, vectors = dump_for_storage(document), vectors_of(type(document))
    if not vectors:
        return json_values(zone).plain(values)
    others = json_values(zone).plain({name: value for name, value in values.items() if name not in vectors})
    numbers = vector_values(zone).plain({name: values[name] for name in vectors if name in values})
    return {name: numbers[name] if name in numbers else others[name] for name in values}


def _json_bytes(value: Any) -> bytes:
    numbers: list[str] = []

    def mark(number: WrittenNumber) -> str:
        numbers.append(number.text)
        return NUMBER_MARK

    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=mark)
    if numbers:
        text = "".join(chain(*zip_longest(text.split(f'"{NUMBER_MARK}"'), numbers, fillvalue="")))
    return text.encode()


M = TypeVar("M", bound=RedisModel)


def reader_of_json(model: type[M], zone: NaiveTimezone) -> Read[M]:
    """Return the function that reads the JSON documents of a model, from the text that JSON.GET returns without a path.

    Args: as `reader_of_hashes`.
    """
    reader, renamed = reader_of(model, zone), renamed_fields_of(model)

    def read(primary_key: str, stored: bytes) -> M:
        return validated(model, primary_key, _json_values(model, reader, renamed, primary_key, stored))

    return read


def _json_values(
    model: type[M], reader: Reader, renamed: RenamedFields | None, primary_key: str, text: bytes
) -> dict[str, Any]:
    """Return the members of a document that are passed to the model, by name. Raises DocumentDecodeError."""
    try:
        value = from_json(text)
    except ValueError as error:
        raise decode_error(model, primary_key, "", text, f"not JSON: {error}") from error
    if not isinstance(value, dict):
        raise decode_error(model, primary_key, "", value, "not a JSON object")
    if renamed is not None:
        take_former_inside(value, renamed)
    document = {name: member for name, member in value.items() if reader.wants(name)}
    try:
        read_places(document, reader.places, ())
    except ValueDecodeError as error:
        raise reading_error(model, primary_key, "", value, error) from error
    return document
