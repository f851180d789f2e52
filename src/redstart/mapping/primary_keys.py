"""Primary keys: their generation, and the field of a model that contains them."""

import os
import time
from collections.abc import Hashable
from dataclasses import dataclass
from enum import Enum
from functools import cache
from typing import Any, Final, Protocol

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from ulid_transform import bytes_to_ulid

from redstart.errors import RedisModelError
from redstart.mapping.fields import field_options
from redstart.mapping.pydantic_internals import is_complete
from redstart.mapping.type_tree import alternatives

DEFAULT_NAME = "pk"

RANDOM_BYTES: Final = 10
"""The number of random bytes among the 16 of a ULID."""

_random_parts: dict[int, list[bytes]] = {}
"""Random bytes that a process fetched in advance, because the system call is the slowest part of a ULID."""


@dataclass(frozen=True, slots=True)
class PrimaryKey:
    """The primary key of a model, as `Meta.primary_key` returns it: the name of the field, and the field."""

    name: str
    field: FieldInfo


class PrimaryKeyCreator(Protocol):
    """The interface of `Meta.primary_key_creator_cls`: a class that generates primary keys."""

    def create_pk(self, *args: object, **kwargs: object) -> str:
        """Return a new primary key."""


class UlidPrimaryKey:
    """ULIDs: 26 characters, sorted by time (https://github.com/ulid/spec)."""

    def create_pk(self, *args: object, **kwargs: object) -> str:  # noqa: ARG002 - a creator may be given anything
        """Return a new ULID. Safe in threads and after a fork."""
        return new_ulid()


def new_ulid() -> str:
    """Return 48 bits of milliseconds and 80 random bits from the system, which forked processes never share."""
    process = os.getpid()  # Python does not detect every fork, for example those of uWSGI
    try:
        random_part = _random_parts[process].pop()
    except LookupError:
        random_part = _more_random_parts(process)
    return bytes_to_ulid((time.time_ns() // 1_000_000).to_bytes(6, "big") + random_part)


def _more_random_parts(process: int) -> bytes:
    """Return one random part, and keep others. If several threads call this at the same time, even more are kept."""
    data = os.urandom(64 * RANDOM_BYTES)
    first, *others = (data[start : start + RANDOM_BYTES] for start in range(0, len(data), RANDOM_BYTES))
    _random_parts.setdefault(process, []).extend(others)
    return first


def primary_key_name(model: type[BaseModel]) -> str:
    """Return the field that holds the primary key of a model: the one declared with `primary_key=True`, or `pk`.

    Raises:
        RedisModelError: more than one field is declared so.
    """
    declared = [name for name, field in model.model_fields.items() if field_options(field).primary_key]
    if len(declared) > 1:
        raise RedisModelError(
            f"You must define only one primary key for a model. "
            f"{model.__module__}.{model.__qualname__} has {len(declared)}: {', '.join(declared)}."
        )
    return declared[0] if declared else DEFAULT_NAME


def is_no_primary_key(value: object) -> bool:
    """Return whether a value is not a valid primary key: all documents with it would share one key."""
    # Not compared with "": it may be bytes, which is an error with `python -bb`.
    return value is None or (isinstance(value, str | bytes) and not value)


@cache
def _members_of(model: type[BaseModel]) -> dict[Any, Any]:
    """Return the primary keys in documents for an Enum type, by member and by value; {} for other types."""
    field = model.model_fields.get(primary_key_name(model))
    kinds = (
        [] if field is None else [kind for kind in alternatives(field.annotation) if kind is not type(None)]
    )
    if len(kinds) != 1 or not (isinstance(kinds[0], type) and issubclass(kinds[0], Enum)):
        return {}
    members = [one for one in kinds[0].__members__.values() if isinstance(one.value, Hashable)]
    holds_values = bool(model.model_config.get("use_enum_values"))
    held = {member: member.value if holds_values else member for member in members}
    return {member.value: held[member] for member in members} | held


def as_in_document(model: type[BaseModel], primary_key: Any) -> Any:
    """Return a primary key as in a document of the model: a member of an Enum, given the member or its value."""
    members = _members_of(model) if is_complete(model) else None
    if not members or not isinstance(primary_key, Hashable):
        return primary_key
    return members.get(primary_key, primary_key)


def accepts_text(annotation: Any) -> bool:
    """Return whether a field of this type accepts a generated primary key, as `int` and `UUID` do not."""
    return any(
        kind in (Any, object) or (isinstance(kind, type) and issubclass(kind, str))
        for kind in alternatives(annotation)
    )
