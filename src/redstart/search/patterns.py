"""Parts of tags and words in a query, which the server expands to the tags and words of the index.

It expands each into 200 at most (MAXPREFIXEXPANSIONS), those without a document included, and none that is shorter than
2 bytes (MINPREFIX). Both can be configured. A search does not report it: `documents/patterns.py` finds out.
"""

from dataclasses import dataclass
from enum import StrEnum


class Where(StrEnum):
    """Where in a tag its part stands. The values are those of `documents/lua/search_patterns.lua`."""

    START = "start"
    END = "end"
    ANYWHERE = "anywhere"


@dataclass(frozen=True, slots=True)
class TagPattern:
    """A part of tags.

    Args:
        attribute: the field's name in the index.
        where: where in the tags it stands.
        part: its bytes as the index has them.
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
    """Words to search for, of which some are given in part.

    Args:
        term: the tags of the field in the query language of the server.
        label: the field's name in messages.
        value: the words as they were given.
        text: the condition in the query language of the server.
        shortest: how many bytes the shortest part has; 0 if no word is given in part, but one is fuzzy.
    """

    term: str
    label: str
    value: str
    text: str
    shortest: int
