"""The type of a field in an index, from its annotation."""

import dataclasses
import datetime
import enum
import typing
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final, Literal

from pydantic import BaseModel

from redstart.mapping.base_model import MappedModel
from redstart.mapping.coordinates import Coordinates
from redstart.mapping.type_tree import alternatives, name_of, temporal_kind
from redstart.values.types import Storage


class Indexable(enum.Enum):
    """How the values of a type can be indexed."""

    TEXT = "text"
    """Strings: tags, and full text if requested."""
    TAG = "tag"
    """Other values that are stored as text: tags only."""
    BOOLEAN = "boolean"
    NUMBER = "number"
    DATE = "date"
    """Datetimes and dates: numbers since redis-om 1.0, tags before."""
    GEO = "geo"
    BYTES = "bytes"
    """Tags, unless they are those of a vector."""
    NOTHING = "nothing"
    """Not indexable, such as a list with undeclared items."""


@dataclasses.dataclass(frozen=True, slots=True)
class IndexType:
    """The index type of one field.

    Args:
        indexable: how its values, or its items, can be indexed.
        repeated: whether it is a list or tuple.
        lists: whether its items are lists of such values.
        embedded: the model of embedded documents.
        refused: the description of the type, if it cannot be declared as indexed.
    """

    indexable: Indexable
    repeated: bool = False
    lists: bool = False
    embedded: type[MappedModel] | None = None
    refused: str | None = None


NOTHING = IndexType(Indexable.NOTHING)

A_MAP: Final = "a map"


def index_type(annotation: Any, storage: Storage) -> IndexType:
    """Return the index type of a field; of a union, that of the first member that is not None."""
    kind = _first(annotation)
    origin = typing.get_origin(kind) or kind
    if isinstance(origin, type) and issubclass(origin, list | tuple):
        return _of_items(typing.get_args(kind), storage)
    if isinstance(origin, type) and issubclass(origin, MappedModel):
        return IndexType(Indexable.NOTHING, embedded=origin)
    refused = _refused(origin)
    if refused is not None:
        return IndexType(Indexable.NOTHING, refused=refused)
    return IndexType(_of_plain(kind, storage))


def _refused(origin: Any) -> str | None:
    if not isinstance(origin, type):
        return None
    if issubclass(origin, Mapping):
        return A_MAP
    if issubclass(origin, BaseModel) or dataclasses.is_dataclass(origin):
        return f"{origin.__name__}, which is not an EmbeddedJsonModel"
    return None


def _first(annotation: Any) -> Any:
    members = list(alternatives(annotation))
    return next((member for member in members if member is not type(None)), type(None))


def _of_items(arguments: tuple[Any, ...], storage: Storage) -> IndexType:
    if not arguments:
        return IndexType(Indexable.NOTHING, repeated=True)
    item = arguments[0]
    if isinstance(item, type) and issubclass(item, MappedModel):
        return IndexType(Indexable.NOTHING, repeated=True, embedded=item)
    item = _first(item)
    if typing.get_origin(item) in (list, tuple):
        inside = _of_items(typing.get_args(item), storage)
        return IndexType(inside.indexable, repeated=True, lists=True)
    if typing.get_origin(item) is not Literal and (not isinstance(item, type) or issubclass(item, BaseModel)):
        return IndexType(Indexable.NOTHING, repeated=True, refused=f"a list of {name_of(item)}")
    return IndexType(_of_plain(item, storage), repeated=True)


INDEXABLE_OF_TYPES: Final = (
    (str, Indexable.TEXT),
    (bool, Indexable.BOOLEAN),
    ((int, float, Decimal), Indexable.NUMBER),
    (Coordinates, Indexable.GEO),
    (bytes, Indexable.BYTES),
)
"""In this order: in Python a bool is an int."""


def _of_plain(kind: Any, storage: Storage) -> Indexable:
    if temporal_kind(kind) is not None:
        return Indexable.DATE
    if typing.get_origin(kind) is Literal:
        return _of_values(typing.get_args(kind), storage, Indexable.TEXT)
    if typing.get_args(kind):  # a set or sequence: its items count
        return _of_plain(_first(typing.get_args(kind)[0]), storage)
    return _of_class(kind, storage) if isinstance(kind, type) else Indexable.TAG


def _of_class(kind: type, storage: Storage) -> Indexable:
    found = next((indexable for types, indexable in INDEXABLE_OF_TYPES if issubclass(kind, types)), None)
    if found is not None:
        return found
    if issubclass(kind, enum.Enum):
        return _of_values(tuple(member.value for member in kind), storage, Indexable.TAG)
    if issubclass(kind, datetime.timedelta):
        return _of_values((0.0,), storage, Indexable.TAG)  # seconds
    return Indexable.TAG


def _of_values(values: tuple[Any, ...], storage: Storage, strings: Indexable) -> Indexable:
    # A JSON number in a TAG field keeps its whole document out of the index.
    numbers = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    if numbers and storage is Storage.JSON:
        return Indexable.NUMBER
    return strings if all(isinstance(value, str) for value in values) else Indexable.TAG
