"""Vectors in hashes: the bytes of their numbers, as in a VECTOR index.

Source: https://redis.io/docs/latest/develop/ai/search-and-query/vectors/
"""

import base64
import binascii
import struct
from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from redstart.errors import ValueConversionError
from redstart.mapping.annotations import alternatives, complete_fields
from redstart.mapping.fields import field_options
from redstart.mapping.models import RedisModel
from redstart.mapping.vectors import VectorFieldOptions

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
