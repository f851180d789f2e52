"""Writer of documents as fields of a hash; vectors are the bytes of their numbers, as in a VECTOR index."""

import base64
import binascii
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, NamedTuple, TypeAlias

from redstart.documents.document_dump import dump_for_storage
from redstart.documents.errors import encode_error
from redstart.documents.field_lookup import encoded_names
from redstart.documents.index_constraints import limits_of
from redstart.documents.renamed_fields import give_former, names_in_hash, names_of
from redstart.documents.value_encoder import hash_values
from redstart.errors import ValueConversionError
from redstart.mapping.fields import field_options
from redstart.mapping.models import RedisModel
from redstart.mapping.type_tree import alternatives, complete_fields
from redstart.mapping.vectors import VectorFieldOptions
from redstart.values.timezones import NaiveTimezone

CODES: Final = {VectorFieldOptions.TYPE.FLOAT32: "f", VectorFieldOptions.TYPE.FLOAT64: "d"}


@cache
def vectors_of(model: type[RedisModel]) -> dict[str, VectorFieldOptions]:
    """Return the vector fields of a model, by name."""
    options = {name: field_options(field).vector_options for name, field in complete_fields(model).items()}
    return {name: found for name, found in options.items() if found is not None}


@cache
def holds_bytes(model: type[RedisModel], name: str) -> bool:
    """Return whether a vector field is declared as the bytes of its numbers."""
    return bytes in alternatives(complete_fields(model)[name].annotation)


def packed_vector(value: Any, options: VectorFieldOptions) -> bytes:
    """Return the bytes of a vector, little-endian.

    Raises:
        ValueConversionError: it is not a vector of numbers, or not of the dimension of the index.
    """
    data = value if isinstance(value, bytes) else _packed(value, options)
    size = _layout(options).size
    if len(data) != size:
        raise ValueConversionError(f"a vector of {len(data)} bytes; the index requires {size}")
    return data


def unpacked_vector(stored: bytes, options: VectorFieldOptions) -> tuple[bytes, list[float]]:
    """Return the bytes and the numbers of a stored vector; redis-om 1.x stores the bytes as base64.

    Raises:
        ValueConversionError: it is neither.
    """
    layout = _layout(options)
    data = stored
    if len(stored) != layout.size:
        try:
            data = base64.b64decode(stored, validate=True)
        except binascii.Error as error:
            raise ValueConversionError("neither vector bytes nor base64") from error
    if len(data) != layout.size:
        raise ValueConversionError(f"a vector of {len(data)} bytes; the index requires {layout.size}")
    return data, list(layout.unpack(data))


def _packed(value: Sequence[float], options: VectorFieldOptions) -> bytes:
    try:
        return struct.pack(f"<{len(value)}{CODES[options.type]}", *value)
    except (struct.error, TypeError, OverflowError) as error:
        raise ValueConversionError(f"not a list of {options.type} numbers: {error}") from error


def _layout(options: VectorFieldOptions) -> struct.Struct:
    return struct.Struct(f"<{options.dimension}{CODES[options.type]}")


WriteBytes: TypeAlias = Callable[[Any], bytes]


class FieldEncoder(NamedTuple):
    """The encoder of one field.

    Args:
        name: its name in the hash.
        write: encodes a value; None if this depends on the type of the value.
        reason_against: returns why the index does not accept some bytes; None if it accepts all.
    """

    name: bytes
    write: WriteBytes | None = None
    reason_against: Callable[[bytes], str | None] | None = None


@dataclass(frozen=True, slots=True)
class HashWriter:
    """The encoder of the hashes of one model.

    Args:
        fields: those of the model, by name, without any whose name cannot be encoded.
        of_types: encodes values of exactly these types, which most values have.
        other: encodes all other values.
        renamed: the former names of renamed fields, by stored name.
    """

    fields: dict[str, FieldEncoder]
    of_types: dict[type, WriteBytes]
    other: WriteBytes
    renamed: dict[bytes, bytes]


def hash_fields(document: RedisModel, zone: NaiveTimezone) -> tuple[dict[bytes, bytes], list[bytes]]:
    """Return a document as a hash: the values of its fields by name, and the names of those that are None.

    Args:
        zone: the zone of datetimes without an offset.

    Raises:
        DocumentEncodeError: a value cannot be stored as text, or its index would not accept it.
    """
    encoding = document._meta.encoding
    writer = _hash_writer(type(document), zone, encoding)
    fields, of_types, other = writer.fields, writer.of_types, writer.other
    written: dict[bytes, bytes] = {}
    empty: list[bytes] = []
    for name, value in dump_for_storage(document).items():
        try:
            stored_name, write, reason_against = fields.get(name) or FieldEncoder(name.encode(encoding))
            if value is None:
                empty.append(stored_name)
                continue
            text = (write or of_types.get(type(value), other))(value)
        except UnicodeEncodeError as error:
            raise encode_error(document, name, f"the text cannot be encoded as {encoding}") from error
        except ValueConversionError as error:
            raise encode_error(document, name, error.reason) from error
        reason = None if reason_against is None else reason_against(text)
        if reason is not None:
            raise encode_error(document, name, reason)
        written[stored_name] = text
    if writer.renamed:
        give_former(written, empty, writer.renamed)
    return written, empty


@cache
def _hash_writer(model: type[RedisModel], zone: NaiveTimezone, encoding: str) -> HashWriter:
    vectors, values = vectors_of(model), hash_values(zone)
    limits = {limit.label: limit.reason_against for limit in limits_of(model)}
    of_types = {kind: _encoded(text, encoding) for kind, text in values.texts.items()}
    if encoding == "utf-8":
        of_types[str] = str.encode  # without a frame of Python
    return HashWriter(
        fields={
            name: FieldEncoder(
                stored_name, _vector_writer(vectors[name]) if name in vectors else None, limits.get(name)
            )
            for name, stored_name in encoded_names(complete_fields(model), encoding).items()
        },
        of_types=of_types,
        other=_encoded(values.text, encoding),
        renamed=names_in_hash(model, encoding),
    )


def _encoded(text: Callable[[Any], str], encoding: str) -> WriteBytes:
    return lambda value: text(value).encode(encoding)


def _vector_writer(options: VectorFieldOptions) -> WriteBytes:
    return lambda value: packed_vector(value, options)


@cache
def default_expiries_of(model: type[RedisModel], encoding: str) -> tuple[tuple[bytes, int], ...]:
    """Return the fields with `Field(expire=)` under all their names, with the expiry in milliseconds."""
    seconds = {name: field_options(field).expire for name, field in complete_fields(model).items()}
    return tuple(
        (stored_name, 1000 * expire)
        for name, expire in seconds.items()
        if expire
        for stored_name in names_of(model, name, encoding)
    )
