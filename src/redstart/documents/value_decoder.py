"""Reader of stored values with another type than in JSON: dates, timedeltas, bytes.

The model has their paths as a tree, so a document is traversed once.
"""

import base64
import binascii
import math
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any, TypeAlias, TypeVar

from pydantic import ValidationError

from redstart.documents.errors import OnUnreadable, ValueDecodeError, reading_error
from redstart.errors import DocumentDecodeError, ValueConversionError
from redstart.mapping.base_model import validates_itself
from redstart.mapping.core_schema import by_name
from redstart.mapping.models import RedisModel
from redstart.mapping.primary_keys import DEFAULT_NAME
from redstart.mapping.pydantic_internals import decorators_of, validator_of
from redstart.mapping.renamed_fields import former_names_of
from redstart.mapping.temporal_paths import ScalarPath, scalar_paths, temporal_paths
from redstart.mapping.type_tree import allows_none, alternatives, complete_fields, names_read
from redstart.mapping.value_paths import Each, Segment, TemporalPath, display
from redstart.values.datetime_parser import read_temporal_text
from redstart.values.stored_text import bytes_text
from redstart.values.timestamps import (
    EPOCH,
    MICROSECOND,
    date_from_seconds,
    datetime_from_seconds,
    exact_microseconds,
    microseconds_from_number,
    microseconds_from_seconds,
    seconds_from_number,
)
from redstart.values.timezones import NaiveTimezone
from redstart.values.types import TemporalKind

ReadStored: TypeAlias = Callable[[Any], Any]
"""Turns a stored value into one for the model. A value it does not recognize is left to pydantic."""


@dataclass(slots=True)
class Place:
    """A node of the tree: the reader of a value, and the nodes inside it.

    Args:
        read: reads the value; None if only values inside it are read.
        inside: the nodes inside it, by segment: a field name, a position, or all items.
        of_seconds: for a date or datetime, converts the stored number.
    """

    read: ReadStored | None
    inside: "dict[Segment, Place]"
    of_seconds: Callable[[float], Any] | None = None


def places_of(
    dates: Iterable[TemporalPath], others: Iterable[ScalarPath], zone: NaiveTimezone
) -> dict[Segment, Place]:
    """Return the paths of a model as one tree of places.

    Args:
        zone: what a number means where the model wants a datetime without an offset.
    """
    root: dict[Segment, Place] = {}
    for path in dates:
        place = _at(root, path.segments)
        place.of_seconds, of_microseconds = _date_readers(path, zone)
        place.read = _reader_of_dates(path, zone, place.of_seconds, of_microseconds)
    for scalar in others:
        _at(root, scalar.segments).read = READERS[scalar.kind]
    return root


def _at(root: dict[Segment, Place], segments: tuple[Segment, ...]) -> Place:
    inside, place = root, Place(None, root)
    for segment in segments:
        place = inside.setdefault(segment, Place(None, {}))
        inside = place.inside
    return place


def _reader_of_dates(
    path: TemporalPath,
    zone: NaiveTimezone,
    of_seconds: Callable[[float], Any],
    of_microseconds: Callable[[int], Any],
) -> ReadStored:
    """Return a reader of numbers and, as in the migration, of text: a date is the same before and after it."""

    def read_stored(value: Any) -> Any:
        if isinstance(value, str) and exact_microseconds(value) is not None:
            return of_microseconds(microseconds_from_number(value))
        seconds = _seconds(value)
        if seconds is not None:
            return of_seconds(seconds)
        if not isinstance(value, str):
            return value
        try:
            return of_microseconds(read_temporal_text(value, path.kind, zone).microseconds)
        except ValueConversionError:
            return value  # pydantic accepts or rejects it

    return read_stored


def _date_readers(
    path: TemporalPath, zone: NaiveTimezone
) -> tuple[Callable[[float], Any], Callable[[int], Any]]:
    def moment(microseconds: int) -> datetime:
        return EPOCH + timedelta(microseconds=microseconds)

    def naive_moment(microseconds: int) -> datetime:
        shown = zone.naive_datetime(microseconds)
        if shown is None:
            raise ValueConversionError(f"ambiguous local time in {zone.name}")
        return shown

    if path.kind is TemporalKind.DATE:
        return date_from_seconds, lambda microseconds: moment(microseconds).date()
    if path.naive:
        return lambda seconds: naive_moment(microseconds_from_seconds(seconds)), naive_moment
    return datetime_from_seconds, moment


def _timedelta(value: Any) -> Any:
    exact = exact_microseconds(value) if isinstance(value, str) else None
    seconds = _seconds(value)
    try:
        if exact is not None:
            return exact * MICROSECOND
        return value if seconds is None else timedelta(seconds=seconds)
    except OverflowError as error:
        raise ValueConversionError("number of seconds out of range for a timedelta") from error


def _bytes(value: Any) -> Any:
    """Return Base64 as bytes; other text, which redis-om 0.x wrote, is left to pydantic, which encodes it as UTF-8."""
    if not isinstance(value, str):
        return value
    try:
        data = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return value
    return data if bytes_text(data) == value else value


READERS: dict[type, ReadStored] = {bytes: _bytes, timedelta: _timedelta}


def read_places(container: Any, places: dict[Segment, Place], above: tuple[Segment, ...]) -> None:
    """Convert stored values to datetimes, dates and similar types. Changes the parsed document in place."""
    for segment, place in places.items():
        for position in positions(container, segment):
            value = container[position]
            if value is None:
                continue
            if place.read is not None:
                try:
                    container[position] = place.read(value)
                except ValueConversionError as error:
                    path = display((*above, position))
                    raise ValueDecodeError(path, value, error.reason) from error
            if place.inside:
                read_places(value, place.inside, (*above, position))


def positions(container: Any, segment: Segment) -> Iterable[Any]:
    """Return the keys or positions of a segment; none if the container is of another kind."""
    if isinstance(container, dict):
        if isinstance(segment, str):
            return (segment,) if segment in container else ()
        return list(container) if segment is Each.VALUE else ()
    if isinstance(container, list):
        if segment is Each.ITEM:
            return range(len(container))
        return (segment,) if isinstance(segment, int) and segment < len(container) else ()
    return ()


def _seconds(value: Any) -> float | None:
    """Return the number that a value represents."""
    kind = type(value)
    if kind is str:
        return seconds_from_number(value)
    if kind is float:
        return value if math.isfinite(value) else None
    return seconds_from_number(str(value)) if kind is int else None


M = TypeVar("M", bound=RedisModel)

Read: TypeAlias = Callable[[str, Any], M]
"""Makes an instance from its primary key, which is used if the document does not contain it, and its stored form.

Raises DocumentDecodeError for a value that does not fit its field.
"""


@dataclass(frozen=True, slots=True)
class Reader:
    """Facts about the documents of one model, computed once.

    Args:
        names: stored names of the model; others are dropped, unless it keeps extra fields.
        nullable: names of fields that may be None; in hashes "" means None.
        places: the tree of paths of datetimes, dates, bytes and timedeltas.
        keeps_extra: whether fields that the model does not declare are kept.
    """

    names: frozenset[str]
    nullable: frozenset[str]
    places: dict[Segment, Place]
    keeps_extra: bool

    def wants(self, name: str) -> bool:
        """Return whether a stored field is passed to the model."""
        return name in self.names or self.wants_extra(name)

    def wants_extra(self, name: str) -> bool:
        """Return whether an unknown stored field is passed to the model."""
        # redis-om 0.3.5 also stored a random `pk` if there was a custom primary key; it has no meaning.
        return self.keeps_extra and name != DEFAULT_NAME


@cache
def reader_of(model: type[RedisModel], zone: NaiveTimezone) -> Reader:
    """Return the reader of a model. Raises RedisModelError."""
    fields = complete_fields(model)
    return Reader(
        names=names_read(model).union(former_names_of(model).values()),
        nullable=frozenset(name for name, field in fields.items() if allows_none(field.annotation)),
        places=places_of(temporal_paths(model).planned, scalar_paths(model), zone),
        keeps_extra=model.model_config.get("extra") == "allow",
    )


def validated(model: type[M], primary_key: str, document: dict[str, Any]) -> M:
    """Return the instance that pydantic makes of these values by field name. Raises DocumentDecodeError."""
    set_primary_key(model, primary_key, document)
    key_name = model._primary_key_name
    try:
        # Not strict, even if the model is: a hash contains only text, and JSON has no dates.
        read: M
        if is_plain(model):
            read = validator_of(model).validate_python(document, strict=False)
        elif validates_itself(model):
            read = model.model_validate(document)
        else:
            read = validator_of(model).validate_python(document, strict=False, **by_name(model))
    except Exception as error:  # a validator of the application may raise anything
        field = "" if isinstance(error, ValidationError) else _field_of(model, document, error)
        raise reading_error(model, primary_key, field, document.get(field, document), error) from error
    if not primary_key:  # redis-om stored it like this; with a new key it would be saved twice
        read.__dict__[key_name] = ""
    return read


def set_primary_key(model: type[RedisModel], primary_key: str, document: dict[str, Any]) -> None:
    """Add the primary key to the values of a document if it is missing, or if only the key contains it exactly.

    Hashes and JSON store neither the zeros of `Decimal("1.50")` nor the offset of a datetime. With another text of its
    primary key, a document would be saved under another key after it was read.
    """
    name, parse = model._primary_key_name, parser_of_key(model)
    if document.get(name) is None:
        document[name] = primary_key
    elif parse is not None:
        with suppress(ValueError, ArithmeticError):
            document[name] = parse(primary_key)


@cache
def parser_of_key(model: type[RedisModel]) -> Callable[[str], Any] | None:
    """Return the parser of primary keys, for types whose equal values have different texts."""
    kinds = alternatives(complete_fields(model)[model._primary_key_name].annotation)
    parsers: dict[Any, Callable[[str], Any]] = {Decimal: Decimal, datetime: datetime.fromisoformat}
    found = [parsers.get(kind) for kind in kinds if kind is not type(None)]
    return found[0] if len(found) == 1 else None


def _field_of(model: type[RedisModel], document: dict[str, Any], raised: Exception) -> str:
    """Return the field whose validation alone raises the same error; empty if that is not known."""
    decorators = decorators_of(model)
    if decorators.model_validators or decorators.root_validators:
        return ""
    name = ""
    try:
        instance = model.model_construct()
        for name in [name for name in model.model_fields if name in document]:
            with suppress(ValidationError):
                _ = validator_of(model).validate_assignment(instance, name, document[name], strict=False)
    except Exception as error:  # noqa: BLE001 - a validator of the application may raise anything
        return name if (type(error), str(error)) == (type(raised), str(raised)) else ""
    return ""


def readable(read: Read[M], documents: Iterable[tuple[str, Any]], unreadable: OnUnreadable | None) -> list[M]:
    """Return the instances of some documents, given by primary key and stored value, without those that do not exist.

    Args:
        read: creates the instance.
        documents: the stored value is None if the document no longer exists.
        unreadable: called with the error of each document that cannot be read and is omitted; None to raise the error.

    Raises:
        DocumentDecodeError: a stored value does not fit its field.
    """
    if unreadable is None:
        return [read(primary_key, stored) for primary_key, stored in documents if stored is not None]
    found: list[M] = []
    for primary_key, stored in documents:
        if stored is not None:
            try:
                found.append(read(primary_key, stored))
            except DocumentDecodeError as error:
                unreadable(error)
    return found


@cache
def is_plain(model: type[RedisModel]) -> bool:
    """Return whether stored values need only pydantic's validation by field name."""
    return not validates_itself(model) and not by_name(model)
