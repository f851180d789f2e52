"""Words to search for, in the query language of the server, but unable to leave their field."""

import re
from typing import Final

from redstart.errors import QuerySyntaxError
from redstart.search.query_field import QueryField
from redstart.search.refusals import wrong_operand

ONE_WORD: Final = re.compile(r"[\w*%]+")
ESCAPED_CHARACTER: Final = re.compile(r"\\.", re.DOTALL)
LEAVING: Final = re.compile(r"[@{}\[\]$\\\x00-\x08\x0e-\x1f\x7f]|=>")
"""What could end the field's part of a query, or start another one."""


def full_text(field: QueryField, value: object) -> str:
    """Words as they stand after the field's name: alone, or in parentheses that hold them together.

    Raises:
        QuerySyntaxError: they could leave the field.
    """
    if not isinstance(value, str) or not value.strip():
        raise wrong_operand(field, value, "words to look for")
    if ONE_WORD.fullmatch(value):
        return value
    bare = ESCAPED_CHARACTER.sub("", value)
    found = LEAVING.search(bare)
    if found is not None:
        raise _leaves(field, value, f"{found.group()!r} has a meaning of its own there")
    if bare.count('"') % 2:
        raise _leaves(field, value, "a quotation mark is not closed")
    depth = 0
    for character in bare:
        depth += (character == "(") - (character == ")")
        if depth < 0:
            break
    if depth:
        raise _leaves(field, value, "its parentheses do not match")
    return f"({value})"


def _leaves(field: QueryField, value: str, reason: str) -> QuerySyntaxError:
    return QuerySyntaxError(
        f"{field.label} cannot be searched for the words {value!r}: {reason}.",
        "Put a backslash before it to mean the character itself.",
        field=field.label,
        value=value,
    )
