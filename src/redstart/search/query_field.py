"""A field as queries see it: its name in the index, and what it can be compared with."""

from dataclasses import dataclass
from enum import StrEnum

from redstart.values.kinds import Storage


class Operand(StrEnum):
    """What the values of a field are to the index; the value is what messages call it."""

    TEXT = "text"
    TAG = "tag"
    """Values of other types that are stored as text: enums, UUIDs, paths, times."""
    BOOLEAN = "boolean"
    NUMBER = "number"
    GEO = "place"
    VECTOR = "vector"
    DOCUMENT = "embedded document"
    UNINDEXED = "field that is not indexed"


@dataclass(frozen=True, slots=True)
class QueryField:
    """A field as queries see it.

    Args:
        label: what messages call it, as `Customer.address.city`.
        attribute: its name in the index.
        operand: what it is compared with.
        storage: hashes or JSON.
        separator: what splits its values into tags.
        full_text: the name of its words in the index, if they are.
        sortable: whether the index keeps it for sorting.
    """

    label: str
    attribute: str
    operand: Operand
    storage: Storage
    separator: str | None = None
    full_text: str | None = None
    sortable: bool = False
