"""Fields of queries: name in the index, type of the operands, and patterns of their values."""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final

from redstart.search.schema import VectorSettings
from redstart.values.types import Storage

PUNCTUATION: Final = re.compile(r"[^\w\x80-\U0010ffff]")
ESCAPED: Final = r"\\\g<0>"


class Operand(StrEnum):
    """The kind of values that a field has in the index. The values are the names in messages."""

    TEXT = "string"
    TAG = "tag"
    """Values of other types that are stored as text: enums, UUIDs, paths, times."""
    BOOLEAN = "boolean"
    NUMBER = "number"
    GEO = "location"
    VECTOR = "vector"
    DOCUMENT = "embedded document"
    UNINDEXED = "field that is not indexed"


@dataclass(frozen=True, slots=True)
class QueryField:
    """A field of a query.

    Args:
        label: its name in messages, for example `Customer.address.city`.
        attribute: its name in the index.
        operand: the kind of its operands.
        storage: hashes or JSON.
        separator: the character that separates tags in its values.
        case_sensitive: whether comparisons of its tags distinguish case.
        full_text: the name of its full-text attribute in the index, if it has one.
        sortable: whether the index stores it for sorting.
        is_date: whether its numbers are dates, which were text before redis-om 1.0.
        is_list: whether it is a list, or is inside one.
        type_name: its type in messages, if it is more specific than the operand.
        expression: the field as it is written in Python; empty for `label`.
        vector: of a vector.
        takes_distance: whether it can receive the distances of a nearest-neighbour query.
    """

    label: str
    attribute: str
    operand: Operand
    storage: Storage
    separator: str | None = None
    case_sensitive: bool = False
    full_text: str | None = None
    sortable: bool = False
    is_date: bool = False
    is_list: bool = False
    type_name: str = ""
    expression: str = ""
    vector: VectorSettings | None = None
    takes_distance: bool = True

    @property
    def term(self) -> str:
        """Return the field as it is written in a query."""
        return term_of(self.attribute)

    @property
    def kind(self) -> str:
        """Return the type of the field in messages, for example `list of strings`."""
        name = self.type_name or self.operand.value
        return f"list of {name}s" if self.is_list else name

    @property
    def code(self) -> str:
        """Return the field as it is written in Python, for examples."""
        return self.expression or self.label


@cache
def term_of(attribute: str) -> str:
    """Return an attribute of an index as it is written in a query."""
    return f"@{PUNCTUATION.sub(ESCAPED, attribute)}"


class Where(StrEnum):
    """The position of a part in a tag. The values are those of `lua/search_patterns.lua`."""

    START = "start"
    END = "end"
    ANYWHERE = "anywhere"


@dataclass(frozen=True, slots=True)
class TagPattern:
    """A part of tags.

    Args:
        attribute: the field's name in the index.
        where: its position in the tags.
        part: its bytes as stored in the index.
        text: the condition in the query language of the server.
        term: the field in that language.
    """

    attribute: str
    where: Where
    part: bytes
    text: str
    term: str


@dataclass(frozen=True, slots=True)
class WordPattern:
    """A full-text condition with parts of words.

    Args:
        term: the tags of the field in the query language of the server.
        label: the field's name in messages.
        value: the words as given.
        text: the condition in the query language of the server.
        shortest: the length of the shortest part, in bytes; 0 if there is no part, but a fuzzy word.
    """

    term: str
    label: str
    value: str
    text: str
    shortest: int
