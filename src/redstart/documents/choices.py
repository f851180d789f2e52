"""Hash fields with a fixed set of values: members of an Enum or of a Literal.

A hash stores the text of such a value, and pydantic does not accept the text instead of `1` or `True`.
"""

import enum
import typing
from collections.abc import Iterable
from typing import Any

from redstart.documents.value_encoder import text_of
from redstart.mapping.annotations import alternatives, complete_fields
from redstart.mapping.models import RedisModel


def choices_of(model: type[RedisModel]) -> dict[str, dict[str, Any]]:
    """Return the values of each such field by their text, without fields in which two values share a text."""
    found = {name: _choices(field.annotation) for name, field in complete_fields(model).items()}
    return {name: choices for name, choices in found.items() if choices}


def _choices(annotation: Any) -> dict[str, Any]:
    kinds = [kind for kind in alternatives(annotation) if kind is not type(None)]
    values = list(_values(kinds[0])) if len(kinds) == 1 else []
    if not all(isinstance(value, str | int | float) for value in values):
        return {}
    choices = {text_of(value): value for value in values}
    has_other_types = any(not isinstance(value, str) for value in values)
    return choices if len(choices) == len(values) and has_other_types else {}


def _values(kind: Any) -> Iterable[Any]:
    if typing.get_origin(kind) is typing.Literal:
        return typing.get_args(kind)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return [member.value for member in kind]
    return ()
