"""A field of a model at one point of the migration history."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from enum import Enum
from pathlib import PurePath
from typing import Any, Final
from uuid import UUID

from pydantic import AnyUrl, BaseModel

from redstart.display import shortened
from redstart.documents.value_encoder import ADDRESSES
from redstart.errors import MigrationStateError
from redstart.mapping.coordinates import Coordinates
from redstart.mapping.primary_keys import DEFAULT_NAME
from redstart.migrations.operations.value_types import ValueType, parse_type


class NoDefault(Enum):
    """The type of NO_DEFAULT."""

    NO_DEFAULT = "no default"

    def __repr__(self) -> str:
        return "NO_DEFAULT"


NO_DEFAULT: Final = NoDefault.NO_DEFAULT
"""In place of a default: the field has none."""

_PLAIN: Final = (type(None), bool, int, float, str, bytes, Decimal, UUID, date, time, timedelta)
_PLAIN_OF_SUBCLASSES: Final[tuple[tuple[type, Callable[[Any], Any]], ...]] = (
    (int, int.__int__),
    (float, float.__float__),
    (str, str.__str__),
    (bytes, bytes),
    *((kind, str) for kind in (PurePath, Coordinates, AnyUrl, *ADDRESSES)),
)
"""Functions that make a plain value of one of another class."""


@dataclass(frozen=True)
class FieldState:
    """A field. Defaults are compared by type and value, nested fields by name.

    Args:
        name: its stored name.
        type: the type of its values, as `redstart.migrations.operations.value_types` describes it.
        default: the value of documents without the field.
        is_optional: whether None is one of its values.
        is_generated: whether a function of the application (`default_factory`) returns the value of a new document.
        fields: the fields of the embedded model, if it contains one.

    Raises:
        MigrationStateError: an argument is invalid.
    """

    name: str
    type: str
    default: Any = field(default=NO_DEFAULT, kw_only=True, compare=False)
    is_optional: bool = field(default=False, kw_only=True)
    is_generated: bool = field(default=False, kw_only=True)
    fields: Sequence["FieldState"] = field(default=(), kw_only=True, compare=False)
    renamed_from: str | None = field(init=False, default=None, repr=False, compare=False)
    """The former name that the model declares. Migration files do not contain it."""
    members: Mapping[str, "FieldState"] = field(init=False, repr=False)
    _default_key: object = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not self.name:
            raise MigrationStateError("A field has no name.")
        try:
            default = frozen_value(self.default)
        except ValueError as error:
            raise MigrationStateError(
                f"The default of the field {self.name!r}, {shortened(self.default)}, cannot be part of a migration "
                f"file: {error}.",
                "Use None, a number, text, bytes, a date, a time, a UUID, or a list or dict of these.",
            ) from error
        fields = tuple(self.fields)
        for name, value in (
            ("type", str(parse_type(self.type))),
            ("default", default),
            ("fields", fields),
            ("members", by_name(fields, f"The field {self.name!r}")),
            ("_default_key", _key(default)),
        ):
            object.__setattr__(self, name, value)

    @property
    def value_type(self) -> ValueType:
        """Return the type of its values."""
        return parse_type(self.type)

    @property
    def has_default(self) -> bool:
        """Return whether documents may lack the field: it has a default, or the application makes one."""
        return self.default is not NO_DEFAULT or self.is_generated

    @property
    def reads_absent_as_none(self) -> bool:
        """Return whether None is the value of documents without the field, as hashes store it."""
        return self.is_optional and not self.is_generated and self.default in (None, NO_DEFAULT)

    def renamed(self, name: str) -> "FieldState":
        """Return the field with another name."""
        return self.replaced(name=name)

    def with_former_name(self, former: str) -> "FieldState":
        """Return the field with the former name that the model declares."""
        declared = self.replaced()
        object.__setattr__(declared, "renamed_from", former)
        return declared

    def replaced(self, **changes: Any) -> "FieldState":
        """Return the field with other arguments."""
        return dataclasses.replace(self, **changes)


def by_name(fields: Sequence[FieldState], owner: str) -> dict[str, FieldState]:
    """Return fields by name. Raises MigrationStateError if two have the same name."""
    found: dict[str, FieldState] = {}
    for one in fields:
        if one.name in found:
            raise MigrationStateError(f"{owner} has two fields named {one.name!r}.")
        found[one.name] = one
    return found


def frozen_value(value: Any) -> Any:
    """Return a value as a migration file can contain it: without classes of the project.

    Raises:
        ValueError: its type has no such value.
    """
    if isinstance(value, Enum):
        return value if value is NO_DEFAULT else frozen_value(value.value)
    if isinstance(value, datetime):
        return _frozen_moment(value)
    if isinstance(value, time) and value.tzinfo is not None:
        raise ValueError("a time with an offset has no text there")
    if type(value) in _PLAIN:
        return value
    for kind, plain in _PLAIN_OF_SUBCLASSES:
        if isinstance(value, kind):
            return plain(value)
    return _frozen_structure(value)


def _frozen_structure(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [frozen_value(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((frozen_value(item) for item in value), key=repr)
    members = value
    if isinstance(value, BaseModel):
        members = {name: getattr(value, name) for name in type(value).model_fields if name != DEFAULT_NAME}
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        members = {one.name: getattr(value, one.name) for one in dataclasses.fields(value)}
    if not isinstance(members, Mapping):
        raise ValueError(f"the type {type(value).__name__} has no text there")
    return {frozen_value(name): frozen_value(item) for name, item in members.items()}


def _frozen_moment(moment: datetime) -> datetime:
    zone = moment.tzinfo
    if zone is not None and type(zone) is not timezone:
        moment, zone = moment.astimezone(UTC), UTC
    offset = moment.utcoffset()
    return datetime(
        *(
            moment.year,
            moment.month,
            moment.day,
            moment.hour,
            moment.minute,
            moment.second,
            moment.microsecond,
        ),
        tzinfo=None if offset is None else timezone(offset),
        fold=moment.fold if offset is None else 0,
    )


def _key(value: Any) -> object:
    """Return what distinguishes a frozen value: `1`, `1.0` and `True` differ, and nan equals itself."""
    if isinstance(value, list):
        return [_key(item) for item in value]
    if isinstance(value, dict):
        return {repr(name): _key(item) for name, item in value.items()}
    return type(value), repr(value)
