"""Checks of arguments, with errors that name the argument and the value."""

import re
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, Final, TypeVar

from redstart.display import shortened
from redstart.mapping.base_model import model_name
from redstart.mapping.models import RedisModel
from redstart.search.expressions import FieldExpression
from redstart.values.indexed_numbers import MAX_INT64
from redstart.values.types import has_text

T = TypeVar("T")


NOT_PRIMARY_KEYS: Final = (RedisModel, FieldExpression, type, dict, list, set, frozenset, slice, type(None))


def require_int(
    name: str, value: Any, least: int = 0, *, error: Callable[[str], Exception] = ValueError, hint: str = ""
) -> None:
    """Raise TypeError for anything but an int, and `error` for one that is too small or too large."""
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{name} has to be an int, not {shortened(value)}. {hint}".rstrip())
    if value < least:
        raise error(f"{name} has to be {least} or more, not {shortened(value)}.")
    if value > MAX_INT64:
        raise error(f"{name} has to be {MAX_INT64} or less, not {shortened(value)}.")


def seconds_of(name: str, value: Any, least: int = 0) -> int:
    """Return seconds that are given as redis-py accepts them: int, digits or timedelta. Raises like `require_int`."""
    if isinstance(value, timedelta):
        value = int(value.total_seconds())
    elif isinstance(value, str) and re.fullmatch(r"-?[0-9]{1,20}", value):
        value = int(value)
    require_int(name, value, least)
    seconds: int = value
    return seconds


def items_of(name: str, value: Iterable[T], items: str) -> list[T]:
    """Return the items of an argument. Raises TypeError for a single text, and for what is not iterable.

    Args:
        name: the argument.
        items: what its items are, for the message.
    """
    try:
        if isinstance(value, str | bytes | RedisModel):  # all of them can be iterated over
            raise TypeError
        values = iter(value)
    except TypeError:
        example = f"[{shortened(value)}]" if isinstance(value, str | bytes) else "a list"
        raise TypeError(
            f"{name} has to be an iterable of {items}, such as {example}, not {shortened(value)}."
        ) from None
    return list(values)


def documents_of_argument(name: str, value: Iterable[T]) -> list[T]:
    """Return the documents in an argument. Raises TypeError for anything else."""
    documents = items_of(name, value, "documents")
    for document in documents:
        if not isinstance(document, RedisModel):
            raise TypeError(f"{name} has to contain documents only, not {shortened(document)}.")
    return documents


def require_primary_key(model: type[RedisModel], value: Any) -> None:
    """Raise TypeError for a value that cannot be a primary key, such as a document, a list or a class."""
    if type(value) is str or type(value) is int:
        return
    if isinstance(value, NOT_PRIMARY_KEYS) or not has_text(value):
        hint = ""
        if isinstance(value, RedisModel):
            hint = f" Pass document.{value._primary_key_name}."
        raise TypeError(f"pk of {model_name(model)} has to be a primary key, not {shortened(value)}.{hint}")
