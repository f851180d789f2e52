"""Values that an index does not accept. A document with such a value would be missing from every query.

The accepted values were determined with RediSearch 2.10, by storing documents and searching for them.
"""

import math
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, Final, NamedTuple

from redstart.documents.value_encoder import WrittenNumber
from redstart.mapping.fields import field_options
from redstart.mapping.index_schema import index_of
from redstart.mapping.models import RedisModel
from redstart.mapping.type_tree import complete_fields
from redstart.search.json_paths import shown_path, steps
from redstart.search.schema import FieldKind, IndexField
from redstart.values.stored_text import TOO_MANY_DIGITS, reason_against_digits, reason_against_integer
from redstart.values.timestamps import NO_FLOAT, exact_microseconds
from redstart.values.types import Storage

MAX_LATITUDE: Final = 85.05112878
"""The index keeps coordinates on a square map, which ends before the poles."""

DIGITS: Final = b"123456789"

SAFE_DIGITS: Final = 15
"""The text of a number of this length has no more digits than a float can represent."""


class Limit(NamedTuple):
    """A field with values that its index does not accept.

    Its path, its name, and the function that returns the reason for a value.
    """

    steps: tuple[str, ...]
    label: str
    reason_against: Callable[[Any], str | None]


@cache
def limits_of(model: type[RedisModel]) -> tuple[Limit, ...]:
    """Return the fields of a model whose values its index may not accept. Raises RedisModelError."""
    judges = [(field, _judge(field, model._storage)) for field in index_of(model).fields]
    key = _key_that_nobody_searches(model)
    return tuple(
        Limit(
            steps(field.identifier),
            shown_path(field.identifier),
            _against_key if field.attribute == key else judge,
        )
        for field, judge in judges
        if judge is not None
    )


def _key_that_nobody_searches(model: type[RedisModel]) -> str | None:
    """Return the name of a numeric key that is indexed only because it is the key: no query needs it."""
    name = model._primary_key_name
    field, info = index_of(model).field_named(name), complete_fields(model).get(name)
    is_unmarked = info is not None and not field_options(info).index and not field_options(info).sortable
    is_number = field is not None and field.kind is FieldKind.NUMERIC
    return name if is_unmarked and is_number else None


def reason_against_json(model: type[RedisModel], stored: dict[str, Any]) -> tuple[str, str] | None:
    """Return the first field of a JSON document with a value that the index does not accept, and why."""
    for limit in limits_of(model):
        for value in _values_at(stored, limit.steps):
            if value is not None:
                reason = limit.reason_against(value)
                if reason is not None:
                    return limit.label, reason
    return None


def _judge(field: IndexField, storage: Storage | None) -> Callable[[Any], str | None] | None:
    if storage is Storage.HASH:
        return {FieldKind.NUMERIC: _against_number_text, FieldKind.GEO: _against_place}.get(field.kind)
    if field.vector is not None:
        dimension = int(dict(field.vector.attributes)["DIM"])
        return lambda value: _against_vector(value, dimension)
    one = {FieldKind.NUMERIC: _against_number, FieldKind.GEO: _against_place, FieldKind.TAG: _against_tag}
    judge = one.get(field.kind, _against_text)
    return lambda value: _against_any(value, judge, field.sortable)


def _values_at(value: Any, steps: tuple[str, ...]) -> Iterator[Any]:
    if not steps:
        yield value
    elif steps[0] == "[*]":
        for item in value if isinstance(value, list) else ():
            yield from _values_at(item, steps[1:])
    elif isinstance(value, dict) and steps[0] in value:
        yield from _values_at(value[steps[0]], steps[1:])


def _against_any(value: Any, judge: Callable[[Any], str | None], sortable: bool) -> str | None:
    if not isinstance(value, list):
        return judge(value)
    if not value and sortable:
        return "a sortable field cannot store an empty list"
    return next((reason for item in value if item is not None and (reason := judge(item))), None)


def _against_key(value: Any) -> str | None:
    if isinstance(value, bytes):
        return None if value.lstrip(b"-").isdigit() else _against_number_text(value)
    return None if isinstance(value, int) else _against_number(value)


def _against_number_text(text: bytes) -> str | None:
    try:
        number = float(text)
    except ValueError:
        return "not a number, which a NUMERIC field requires"
    if math.isnan(number):
        return "a NUMERIC field cannot store nan"
    if number == 0 or math.isinf(number):
        is_exact = text in (b"inf", b"-inf") or not any(
            digit in DIGITS for digit in text.lower().partition(b"e")[0]
        )
        return None if is_exact else "number out of range for a NUMERIC field"
    if len(text) <= SAFE_DIGITS or repr(number).encode() == text:
        return None
    if exact_microseconds(text.decode()) is not None:
        return f"a NUMERIC field stores floats, and {NO_FLOAT}"
    return reason_against_digits(text.decode())


def _against_number(value: Any) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return reason_against_integer(value)
    if isinstance(value, WrittenNumber):
        return TOO_MANY_DIGITS if value.is_rounded else None
    return None if isinstance(value, float) else "not a number, which a NUMERIC field requires"


def _against_tag(value: Any) -> str | None:
    return None if isinstance(value, str | bool) else "not a string, which the index requires"


def _against_text(value: Any) -> str | None:
    return None if isinstance(value, str) else "not a string, which the index requires"


def _against_place(value: Any) -> str | None:
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    longitude, _, latitude = text.partition(",")
    try:
        is_kept = abs(float(longitude)) <= 180 and abs(float(latitude)) <= MAX_LATITUDE
    except ValueError:
        return "not coordinates in the format longitude,latitude, which a GEO field requires"
    return (
        None
        if is_kept
        else f"out of range: a GEO field stores latitudes of up to {MAX_LATITUDE} and longitudes of up to 180 degrees"
    )


def _against_vector(value: Any, dimension: int) -> str | None:
    if isinstance(value, list) and len(value) == dimension and not any(map(_against_number, value)):
        return None
    return f"not a list of {dimension} numbers, which the VECTOR field requires"
