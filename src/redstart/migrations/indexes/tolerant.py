"""The rule for a change of type: an index may serve while data changes only if it accepts both forms.

A hash field of type TAG accepts both ("1672531200.0" is a tag). In JSON a number under a TAG drops the whole
document, as a string under a NUMERIC does. A path with a filter takes the values of one form and overlooks the
others: `$.at[?(@>"")]` finds strings only, so the document stays whatever form the value has.
"""

import re
from collections.abc import Collection, Sequence

STRINGS_ONLY = '[?(@>"")]'
"""RedisJSON 2.8 applies a filter to a scalar; other versions may not, so it is probed on a scratch index."""

_IDENTIFIER_AT = re.compile(r"^\$")


def tolerant_arguments(arguments: Sequence[str], moving: Collection[str]) -> tuple[str, ...]:
    """The FT.CREATE arguments of an index that keeps a document whatever form its moving values have.

    Args:
        arguments: of the index that serves, from ON to the end.
        moving: the attributes whose type changes.
    """
    return tuple(_each_identifier(arguments, moving, _strings_only))


def bridge_arguments(arguments: Sequence[str], moving: Collection[str]) -> tuple[str, ...]:
    """The same index without the moving attributes, for servers that do not understand such paths."""
    result: list[str] = []
    start = arguments.index("SCHEMA") + 1
    result += arguments[:start]
    for field in fields_of(arguments):
        if field[2] not in moving:
            result += field
    return tuple(result)


def fields_of(arguments: Sequence[str]) -> list[list[str]]:
    """The schema of a JSON index, a list of words for each field: `$.path AS name TYPE ...`."""
    start = arguments.index("SCHEMA") + 1
    fields: list[list[str]] = []
    for position, word in enumerate(arguments[start:], start):
        begins = _IDENTIFIER_AT.match(word) and arguments[position + 1 : position + 2] == ("AS",)
        if begins or not fields:
            fields.append([])
        fields[-1].append(word)
    return fields
