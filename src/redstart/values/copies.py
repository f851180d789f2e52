"""Copies of the values that callers give, so that what they change later changes nothing here."""

from collections import deque
from collections.abc import ItemsView, Iterator, KeysView, ValuesView
from copy import deepcopy
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

IMMUTABLE: Final = frozenset(
    {type(None), bool, int, float, str, bytes, Decimal, datetime, date, time, timedelta, UUID}
)
SEQUENCES: Final = frozenset({list, tuple, set, frozenset, deque})
READ_AS_LISTS: Final = (Iterator, KeysView, ValuesView, ItemsView)


def copied(value: Any) -> Any:
    """Return a copy of a value and of all that it contains.

    A list takes the place of an iterator, which can be read only once, and of a view of a dict. An object that cannot
    be copied, such as a lock, is returned as it is.
    """
    kind = type(value)
    if kind in IMMUTABLE:
        return value
    if kind in SEQUENCES:
        return kind(map(copied, value))
    if kind is dict:
        return {name: copied(member) for name, member in value.items()}
    if isinstance(value, READ_AS_LISTS):
        return list(map(copied, value))
    try:
        return deepcopy(value)
    except Exception:  # noqa: BLE001 - whatever its own methods raise
        return value
