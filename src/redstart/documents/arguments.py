"""Checks of arguments, with errors that name the argument and the value."""

import re
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any, Final, TypeVar
from uuid import UUID

from redstart.display import shortened
from redstart.mapping.base_model import model_name
from redstart.mapping.models import RedisModel
from redstart.search.expressions import FieldExpression
from redstart.values.stored_text import MAX_INT64
from redstart.values.types import has_text

T = TypeVar("T")


NOT_PRIMARY_KEYS: Final = (RedisModel, FieldExpression, type, dict, list, set, frozenset, slice, type(None))


_WHOLE_NUMBER: Final = re.compile(r"([+-]?[0-9]{1,20})(\.0*)?")


def is_omitted(value: Any) -> bool:
    """Return whether an optional argument is None, or a false value of a builtin type: redis-om uses the default."""
    return value is None or (type(value).__module__ == "builtins" and not value)


def integer_of(
    name: str, value: Any, minimum: int = 0, *, error: Callable[[str], Exception] = ValueError, hint: str = ""
) -> int:
    """Return an integer that is given as the server accepts it: as an int, a whole float, or the text of one.

    Args:
        name: the name of the argument, for the message.
        error: makes the error for an integer that is too small or too large.

    Raises:
        TypeError: it is anything else.
    """
    number = whole_number(value)
    if number is None:
        raise TypeError(f"{name} has to be an int, not {shortened(value)}. {hint}".rstrip())
    if number < minimum:
        raise error(f"{name} has to be {minimum} or more, not {shortened(value)}.")
    if number > MAX_INT64:
        raise error(f"{name} has to be {MAX_INT64} or less, not {shortened(value)}.")
    return number


def whole_number(value: Any) -> int | None:
    """Return the integer that a number or text represents; None if it is anything else, such as a bool."""
    if isinstance(value, int):
        return None if isinstance(value, bool) else value
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    text = value.decode(errors="replace") if isinstance(value, bytes) else value
    digits = _WHOLE_NUMBER.fullmatch(text) if isinstance(text, str) else None
    return None if digits is None else int(digits[1])


def seconds_of(name: str, value: Any, minimum: int = 0) -> int:
    """Return seconds, which can also be a timedelta. Raises the errors of `integer_of`."""
    return integer_of(name, int(value.total_seconds()) if isinstance(value, timedelta) else value, minimum)


def items_of(name: str, value: Iterable[T], items: str) -> list[T]:
    """Return the items of an argument. Raises TypeError for a single text, and for a value that is not iterable.

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


def optional_items_of(name: str, value: Iterable[T] | None, items: str) -> tuple[T, ...]:
    """Return the items of an argument that may be omitted. Raises the errors of `items_of`."""
    return () if value is None or is_omitted(value) else tuple(items_of(name, value, items))


def documents_of_argument(model: type[RedisModel], method: str, value: Iterable[T]) -> list[T]:
    """Return the documents in the argument `models` of a method. Raises TypeError for anything else.

    Args:
        method: `add` or `delete_many`.
    """
    is_single = isinstance(value, RedisModel | str | bytes) or not _can_iterate(value)
    documents: list[Any] = [value] if is_single else list(value)
    for document in documents:
        if not isinstance(document, RedisModel):
            raise TypeError(_not_documents(model, method, document))
    if is_single:
        key = documents[0]._primary_key_name
        instead = "document.save()" if method == "add" else f"{model.__name__}.delete(document.{key})"
        raise TypeError(
            f"models of {method}() has to be a list or another iterable of documents, not {shortened(value)}. "
            f"Pass a list: {method}([document]), or call {instead}."
        )
    return documents


def _can_iterate(value: Any) -> bool:
    try:
        _ = iter(value)
    except TypeError:
        return False
    return True


def _not_documents(model: type[RedisModel], method: str, value: Any) -> str:
    if method == "add" or not _may_be_primary_key(value):
        return f"models of {method}() has to be a list or another iterable of documents, not of {shortened(value)}."
    name = model.__name__
    return (
        f"{method}() takes documents, not primary keys such as {shortened(value)}. "
        f"For primary keys: {name}.delete(pk), or {name}.{method}({name}.get_many([{shortened(value)}]))."
    )


def _may_be_primary_key(value: Any) -> bool:
    return isinstance(value, str | int | UUID) and not isinstance(value, bool)


def require_primary_key(model: type[RedisModel], value: Any) -> None:
    """Raise TypeError for a value that cannot be a primary key, such as a document, a list or a class."""
    if type(value) is str or type(value) is int:
        return
    if isinstance(value, NOT_PRIMARY_KEYS) or not has_text(value):
        hint = ""
        if isinstance(value, RedisModel):
            hint = f" Pass document.{value._primary_key_name}."
        elif isinstance(value, list | tuple | set | frozenset):
            name = model.__name__
            hint = f" For several: {name}.get_many([...]), or {name}.delete_many({name}.get_many([...]))."
        raise TypeError(f"pk of {model_name(model)} has to be a primary key, not {shortened(value)}.{hint}")
