"""Primary keys: who makes them, and which field of a model is one."""

import os
import time
from typing import Final, Protocol

from pydantic import BaseModel
from ulid_transform import bytes_to_ulid

from redstart.errors import RedisModelError
from redstart.mapping.fields import field_options

DEFAULT_NAME = "pk"

CHANCE_BYTES: Final = 10
"""Of a ULID's 16 bytes those that are left to chance."""

_chances: dict[int, list[bytes]] = {}
"""What a process asked of the system ahead of its use: asking costs more than all else about a key."""


class PrimaryKeyCreator(Protocol):
    """What `Meta.primary_key_creator_cls` names: a class that makes keys."""

    def create_pk(self, *args: object, **kwargs: object) -> str:
        """A new primary key."""


class UlidPrimaryKey:
    """ULIDs: 26 characters, sorted by time. Source: https://github.com/ulid/spec"""

    def create_pk(self, *args: object, **kwargs: object) -> str:  # noqa: ARG002 - a creator may be given anything
        """A new ULID. Safe in threads and after a fork."""
        return new_ulid()


def new_ulid() -> str:
    """48 bits of milliseconds and 80 of chance, which come from the system: forked processes never share them."""
    process = os.getpid()  # Python is not told of every fork, as of uWSGI's
    try:
        chance = _chances[process].pop()
    except LookupError:
        chance = _more_chances(process)
    return bytes_to_ulid((time.time_ns() // 1_000_000).to_bytes(6, "big") + chance)


def _more_chances(process: int) -> bytes:
    """One to use now, and some to keep. Threads may ask for them at the same time: then there are more."""
    data = os.urandom(64 * CHANCE_BYTES)
    first, *others = (data[start : start + CHANCE_BYTES] for start in range(0, len(data), CHANCE_BYTES))
    _chances.setdefault(process, []).extend(others)
    return first


def primary_key_name(model: type[BaseModel]) -> str:
    """The field that is a model's primary key: the one declared so, or `pk`.

    Raises:
        RedisModelError: more than one is declared so.
    """
    declared = [name for name, field in model.model_fields.items() if field_options(field).primary_key]
    if len(declared) > 1:
        raise RedisModelError(
            f"You must define only one primary key for a model. "
            f"{model.__module__}.{model.__qualname__} has {len(declared)}: {', '.join(declared)}."
        )
    return declared[0] if declared else DEFAULT_NAME
