"""Reader of stored hashes.

Text is validated by pydantic, except for types that a hash stores as other text: datetimes, timedeltas, bytes, vectors,
and values with a fixed set of texts.
"""

import enum
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, NamedTuple, TypeVar

from redstart.documents.errors import decode_error
from redstart.documents.field_lookup import encoded_names
from redstart.documents.hash_encoder import holds_bytes, unpacked_vector, vectors_of
from redstart.documents.renamed_fields import names_in_hash, take_former
from redstart.documents.value_decoder import (
    Place,
    Read,
    ReadStored,
    is_plain,
    parser_of_key,
    reader_of,
    set_primary_key,
    validated,
)
from redstart.documents.value_encoder import text_of
from redstart.errors import DocumentDecodeError, ValueConversionError
from redstart.mapping.models import RedisModel
from redstart.mapping.pydantic_internals import fields_taking_bytes, validator_of
from redstart.mapping.type_tree import alternatives, complete_fields
from redstart.mapping.vectors import VectorFieldOptions
from redstart.values.timezones import NaiveTimezone

OWN_VALIDATOR: Final = RedisModel.__dict__["_primary_key_given"].__func__
"""Generates a missing primary key; leaves a given one unchanged."""


def names_taken_as_bytes(model: type[RedisModel]) -> frozenset[str]:
    """Return the names of these fields."""
    return fields_taking_bytes(model, OWN_VALIDATOR)


def union_discriminators(model: type[RedisModel]) -> dict[str, dict[str, Any]]:
    """Return the values of each such field by their text, without fields in which two values share a text."""
    found = {name: _choices(field.annotation) for name, field in complete_fields(model).items()}
    return {name: choices for name, choices in found.items() if choices}


def _choices(annotation: Any) -> dict[str, Any]:
    kinds = [kind for kind in alternatives(annotation) if kind is not type(None)]
    values = list(_values(kinds[0])) if len(kinds) == 1 else []
    if not all(isinstance(value, str | int | float) for value in values):
        return {}
    choices = {text_of(value): value for value in values}
    has_other_types = any(not isinstance(value, str) for value in values)
    return choices if len(choices) == len(values) and has_other_types else {}


def _values(kind: Any) -> Iterable[Any]:
    if typing.get_origin(kind) is typing.Literal:
        return typing.get_args(kind)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return [member.value for member in kind]
    return ()


M = TypeVar("M", bound=RedisModel)

ReadBytes = Callable[[bytes], Any]


def reader_of_hashes(model: type[M], zone: NaiveTimezone) -> Read[M]:
    """Return the reader of hashes of a model, in both formats: names and values, in the encoding of `Meta.encoding`.

    Args:
        model: the class to make.
        zone: the zone of datetimes that the model declares without an offset.
    """
    reader = hash_reader_of(model, zone)
    validate: Callable[..., M] = validator_of(model).validate_python
    has_plain_values = is_plain(model)
    key_name, parses_key = model._primary_key_name, parser_of_key(model) is not None

    renamed = reader.renamed

    def read(primary_key: str, stored: dict[bytes, bytes]) -> M:
        if renamed:
            take_former(stored, renamed)
        values = reader.undecoded(stored) if has_plain_values and primary_key else None
        if values is not None:
            if values.get(key_name) is None or parses_key:
                set_primary_key(model, primary_key, values)
            try:
                return validate(values, strict=False)
            except Exception:  # noqa: BLE001 - a validator of the application may raise anything
                pass  # validated again as text, for the error message
        return validated(model, primary_key, reader.values(primary_key, stored))

    return read


class FieldDecoder(NamedTuple):
    """How one field is read: "" means None if that is allowed."""

    name: str
    is_nullable: bool
    read: ReadBytes


@dataclass(frozen=True, slots=True)
class HashReader:
    """Reader of the hashes of one model.

    Args:
        model: the model of the documents.
        encoding: the encoding of names and text.
        fields: the fields of the model, by their stored names.
        names: names of these fields, by stored name.
        inner: names of the fields that pydantic does not read equally from bytes and from text, and how each is read.
        nullable: names of the fields in which "" means None.
        absent: fields without a default that may be None, which hashes store as missing fields.
        renamed: the former names of renamed fields, by stored name; the methods are given documents without these.
        wants_extra: whether undeclared fields are kept.
    """

    model: type[RedisModel]
    encoding: str
    fields: dict[bytes, FieldDecoder]
    names: dict[bytes, str]
    inner: tuple[tuple[str, ReadBytes], ...]
    nullable: tuple[str, ...]
    absent: tuple[str, ...]
    renamed: dict[bytes, bytes]
    wants_extra: Callable[[str], bool]

    def undecoded(self, stored: Mapping[bytes, bytes]) -> dict[str, Any] | None:
        """Return `values`, with the bytes themselves if pydantic can read them, which is faster.

        None for an unknown field or one that cannot be read: `values` handles these.
        """
        names = self.names
        try:
            values: dict[str, Any] = {names[name]: text for name, text in stored.items()}
            for name in self.nullable:
                if name in values and not values[name]:
                    values[name] = None
            for name, read in self.inner:
                text = values.get(name)
                if text is not None:
                    values[name] = read(text)
        except (
            KeyError,
            UnicodeError,
            ValueConversionError,
        ):  # an unknown field, or an error for `values` to report
            return None
        for name in self.absent:
            _ = values.setdefault(name, None)
        return values

    def values(self, primary_key: str, stored: Mapping[bytes, bytes]) -> dict[str, Any]:
        """Return the values of fields, by name, without those that are not passed to the model.

        Args:
            primary_key: the primary key of the document, for messages.
            stored: stored names and values.

        Raises:
            DocumentDecodeError: a value is not text, or is not valid for its field.
        """
        values: dict[str, Any] = {}
        fields, encoding = self.fields, self.encoding
        for stored_name, text in stored.items():
            field = fields.get(stored_name)
            if field is None:
                extra = stored_name.decode(encoding, "replace")
                if not self.wants_extra(extra):
                    continue
                field = FieldDecoder(extra, False, _decoder(encoding))
            name, is_nullable, read = field
            try:
                values[name] = read(text) if text or not is_nullable else None
            except (UnicodeError, ValueConversionError) as error:
                raise self._error(primary_key, name, text, error) from error
        for name in self.absent:
            _ = values.setdefault(name, None)
        return values

    def _error(
        self, primary_key: str, name: str, text: bytes, error: UnicodeError | ValueConversionError
    ) -> DocumentDecodeError:
        if isinstance(error, UnicodeError):
            return decode_error(self.model, primary_key, name, text, f"not valid {self.encoding} text")
        shown = text.decode(self.encoding, "replace")
        return decode_error(self.model, primary_key, name, shown, error.reason)


def hash_reader_of(model: type[RedisModel], zone: NaiveTimezone) -> HashReader:
    """Return the reader of hashes of a model. Raises RedisModelError if an annotation cannot be resolved."""
    return _hash_reader(model, zone, model._meta.encoding)


@cache
def _hash_reader(model: type[RedisModel], zone: NaiveTimezone, encoding: str) -> HashReader:
    reader = reader_of(model, zone)
    choices, vectors, decode = union_discriminators(model), vectors_of(model), _decoder(encoding)

    def read_of(name: str) -> ReadBytes:
        if name in vectors:
            return _vector_reader(vectors[name], decode, as_bytes=holds_bytes(model, name))
        return _text_reader(decode, choices.get(name), reader.places.get(name))

    fields = {
        stored_name: FieldDecoder(name, name in reader.nullable, read_of(name))
        for name, stored_name in encoded_names(reader.names, encoding).items()
    }
    taken = names_taken_as_bytes(model) if decode is bytes.decode else frozenset[str]()
    return HashReader(
        model=model,
        encoding=encoding,
        fields=fields,
        names={stored_name: field.name for stored_name, field in fields.items()},
        inner=tuple((field.name, field.read) for field in fields.values() if field.name not in taken),
        nullable=tuple(field.name for field in fields.values() if field.is_nullable),
        absent=tuple(
            name
            for name, field in complete_fields(model).items()
            if name in reader.nullable and field.is_required() and field.validation_alias is None
        ),
        renamed=names_in_hash(model, encoding),
        wants_extra=reader.wants_extra,
    )


def _decoder(encoding: str) -> ReadBytes:
    # The method itself is called without a frame of Python, and most fields are plain text.
    return bytes.decode if encoding in {"utf-8", "utf8"} else lambda text: text.decode(encoding)


def _text_reader(decode: ReadBytes, choices: dict[str, Any] | None, place: Place | None) -> ReadBytes:
    if choices is not None:
        return lambda stored: choices.get(text := decode(stored), text)
    read: ReadStored | None = None if place is None else place.read
    if place is None or read is None:
        return decode
    of_seconds = place.of_seconds
    if of_seconds is None or decode is not bytes.decode:
        return lambda stored: read(decode(stored))

    def read_date(stored: bytes) -> Any:
        # Most numbers; `read` recognizes the others.
        is_plain_number = stored.replace(b".", b"", 1).isdigit() and not stored.startswith(b"0")
        return of_seconds(float(stored)) if is_plain_number else read(decode(stored))

    return read_date


def _vector_reader(options: VectorFieldOptions, decode: ReadBytes, *, as_bytes: bool) -> ReadBytes:
    def read_vector(stored: bytes) -> Any:
        if not stored:
            return decode(stored)
        data, numbers = unpacked_vector(stored, options)
        return data if as_bytes else numbers

    return read_vector
