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
