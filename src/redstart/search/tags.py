"""Text as tags: splitting and escaping as the server does it.

Measured with RediSearch 2.10: a value is split at the separator, each tag loses the white space around it and
is cut to 4,096 bytes, an empty tag is none. Without CASESENSITIVE the case of ASCII letters is lost, and no other.
Letters and digits stand for themselves, ASCII punctuation and white space must be escaped, other control characters
cannot be and have to travel as parameters; a tag ends at a NUL. Parts of tags have limits of their own (`patterns.py`).
Wildcards, `w'*a'`, have the same limits and are never sent: on some tags they block the server permanently.
"""

import re
import string
from typing import Final

from redstart.search.escaping import encodable
from redstart.search.patterns import Where
from redstart.search.query_errors import cannot_find
from redstart.search.query_field import QueryField

WHITE_SPACE: Final = " \t\n\v\f\r"
LONGEST_TAG_BYTES: Final = 4096
ESCAPED: Final = re.compile("([" + re.escape(string.punctuation.replace("_", "") + WHITE_SPACE) + "])")
CONTROLS: Final = re.compile("[\x01-\x08\x0e-\x1f\x7f]")


def tags_of(field: QueryField, text: str) -> list[str]:
    """Return the tags of a value, each once.

    Raises:
        QueryNotSupportedError: there are none, or one that the index cannot hold.
    """
    parts = text.split(field.separator) if field.separator else [text]
    tags = list(dict.fromkeys(part.strip(WHITE_SPACE) for part in parts))
    tags = [checked(field, tag) for tag in tags if tag]
    if not tags:
        raise cannot_find(
            field,
            text,
            "empty strings are not indexed",
            "Store None or a placeholder value and query that.",
        )
    return tags


def checked(field: QueryField, tag: str) -> str:
    """Return the tag, if the index can hold it. Raises QueryNotSupportedError."""
    if "\0" in tag:
        raise cannot_find(field, tag, "the server truncates a tag at a NUL character")
    size = len(tag.encode())
    if size > LONGEST_TAG_BYTES:
        raise cannot_find(
            field, tag, f"it has {size} bytes, and the server indexes {LONGEST_TAG_BYTES} bytes of a tag"
        )
    return tag


def pattern_of(field: QueryField, text: object, where: Where) -> str:
    """Return the pattern of a part of a tag. Raises QueryError."""
    if not isinstance(text, str):
        raise cannot_find(field, text, "a part of text has to be a str")
    part = encodable(field, text)
    if where is Where.START:
        part = part.lstrip(WHITE_SPACE)
    elif where is Where.END:
        part = part.rstrip(WHITE_SPACE)
    if not part:
        raise cannot_find(field, text, "a part of text must not be empty or only white space")
    if field.separator and field.separator in part:
        raise cannot_find(
            field,
            text,
            f"values are split at the separator {field.separator!r}, so no tag contains it",
            "Query one tag at a time, or give the field another separator.",
        )
    return checked(field, part)


def as_indexed(field: QueryField, tag: str) -> bytes:
    """Return the bytes of a tag, or of a part of one, as the index has them."""
    return tag.encode() if field.case_sensitive else tag.encode().lower()


def escaped(tag: str) -> str:
    """Return a tag as it stands in a query."""
    # An underscore is a letter, but for one that is alone.
    return r"\_" if tag == "_" else ESCAPED.sub(r"\\\1", tag)


class TokenEscaper:
    """Escape text for a query that is written by hand. Conditions on fields need no escaping.

    Args:
        escape_chars_re: what to escape; by default everything that has a meaning in a query.
    """

    def __init__(self, escape_chars_re: re.Pattern[str] | None = None) -> None:
        self.escaped_chars_re: Final = escape_chars_re or ESCAPED

    def escape(self, value: str) -> str:
        """Return the text with a backslash before each character that has to be escaped."""
        return self.escaped_chars_re.sub(r"\\\g<0>", value)


escaper: Final = TokenEscaper()


def needs_parameter(tag: str) -> bool:
    """Return whether a tag cannot be written into a query."""
    return CONTROLS.search(tag) is not None
