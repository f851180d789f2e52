"""Stored values of renamed fields: read under the former name, written under both.

The version before the rename uses only the former name. The version after it writes both. So if the values differ, the
value under the former name is newer.
"""

from collections.abc import Iterator, Mapping, MutableMapping
from functools import cache
from typing import Any, TypeVar

from redstart.documents.field_lookup import encoded_names
from redstart.documents.value_decoder import positions
from redstart.mapping.models import RedisModel
from redstart.mapping.renamed_fields import RenamedFields, former_names_of

N = TypeVar("N", str, bytes)


@cache
def names_in_hash(model: type[RedisModel], encoding: str) -> dict[bytes, bytes]:
    """Return the former name of each renamed field of a hash, by its name. Raises RedisModelError."""
    names = former_names_of(model)
    stored = encoded_names([*names, *names.values()], encoding)
    return {
        stored[name]: stored[former] for name, former in names.items() if name in stored and former in stored
    }


def take_former(stored: MutableMapping[N, Any], names: Mapping[N, N]) -> None:
    """Give each renamed field of a stored object the value under its former name, if there is one."""
    for name, former in names.items():
        if former in stored:
            stored[name] = stored.pop(former)


def give_former(written: dict[bytes, bytes], empty: list[bytes], names: Mapping[bytes, bytes]) -> None:
    """Add the former names to a hash that is to be stored.

    Args:
        written, empty: see `hash_encoder.hash_fields`.
    """
    for name, former in names.items():
        if name in written:
            written[former] = written[name]
            empty[:] = [one for one in empty if one != former]  # a field that the model does not declare
        elif name in empty:
            empty.append(former)


def names_of(model: type[RedisModel], name: str, encoding: str) -> tuple[bytes, ...]:
    """Return the names under which a hash stores a field: its former one first, if it has one, and its own."""
    stored = name.encode(encoding)
    former = names_in_hash(model, encoding).get(stored)
    return (stored,) if former is None else (former, stored)


def take_former_inside(stored: Any, renamed: RenamedFields) -> None:
    """Do the same in a JSON value and in all objects inside it."""
    if isinstance(stored, dict):
        take_former(stored, renamed.names)
    for value, place in _inside(stored, renamed):
        take_former_inside(value, place)


def give_former_inside(stored: Any, renamed: RenamedFields) -> None:
    """Add the former names to a JSON value that is to be stored."""
    for value, place in _inside(stored, renamed):
        give_former_inside(value, place)
    if isinstance(stored, dict):
        stored |= {former: stored[name] for name, former in renamed.names.items() if name in stored}


def _inside(stored: Any, renamed: RenamedFields) -> Iterator[tuple[Any, RenamedFields]]:
    for segment, places in renamed.inside.items():
        for position in positions(stored, segment):
            for place in places:
                yield stored[position], place


def stored_paths(path: tuple[str, ...], renamed: RenamedFields) -> Iterator[tuple[str, ...]]:
    """Yield each path under which a field is stored: with its name, and with former names."""
    rests = {path[1:]: None}
    if len(path) > 1:
        for place in renamed.inside.get(path[0], ()):
            rests |= dict.fromkeys(stored_paths(path[1:], place))
    former = renamed.names.get(path[0])
    for name in (path[0],) if former is None else (path[0], former):
        yield from ((name, *rest) for rest in rests)
