"""Errors of stored documents that do not fit their model, and their handling by `on_error`."""

from collections.abc import Callable, Mapping
from inspect import iscoroutinefunction
from typing import Final, Literal, TypeAlias

from pydantic import ValidationError

from redstart.display import shortened
from redstart.errors import DocumentDecodeError, DocumentEncodeError, ValueConversionError
from redstart.mapping.base_model import model_name
from redstart.mapping.models import RedisModel
from redstart.mapping.value_paths import display


def decode_error(
    model: type[RedisModel],
    primary_key: str,
    field: str,
    value: object,
    reason: str,
    *,
    reasons: Mapping[str, str] | None = None,
    is_missing: bool = False,
    hint: str | None = None,
) -> DocumentDecodeError:
    """Return the error for a document of a model; see DocumentDecodeError."""
    return DocumentDecodeError(
        model_name(model),
        model.make_primary_key(primary_key),
        primary_key,
        field,
        value,
        reason,
        reasons=reasons,
        is_missing=is_missing,
        hint=hint,
    )


class ValueDecodeError(ValueConversionError):
    """A stored value that cannot be read, at `path`."""

    def __init__(self, path: str, value: object, reason: str) -> None:
        super().__init__(reason)
        self.path = path
        self.value = value


def reading_error(
    model: type[RedisModel], primary_key: str, field: str, value: object, error: Exception
) -> DocumentDecodeError:
    """Return the error that names the document, for any error raised while it was read. Validators may raise anything.

    Args:
        field: the path of the value that was read, unless the error knows it.
        value: what was read.
    """
    if isinstance(error, ValidationError):
        return _unreadable(model, primary_key, error)
    if isinstance(error, ValueDecodeError):
        return decode_error(model, primary_key, error.path, error.value, error.reason)
    return decode_error(
        model,
        primary_key,
        field,
        value,
        f"{type(error).__name__}: {error}",
        hint="Raise ValueError in validators for a value that is not valid.",
    )


def _unreadable(model: type[RedisModel], primary_key: str, error: ValidationError) -> DocumentDecodeError:
    """Return an error of pydantic as one that names the document."""
    errors = error.errors(include_url=False, include_context=False)
    reasons = {display(one["loc"]): one["msg"] for one in errors}
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    first = errors[0]
    return decode_error(
        model,
        primary_key,
        display(first["loc"]),
        first["input"],
        first["msg"] + more,
        reasons=reasons,
        is_missing=first["type"] == "missing",
    )


OnUnreadable: TypeAlias = Callable[[DocumentDecodeError], None]
"""Called with the error of each omitted document."""

OnError: TypeAlias = Literal["raise", "skip"] | OnUnreadable
"""What to do with an unreadable document: raise its error, omit it, or call a function with the error and omit it."""

RAISE: Final = "raise"


def on_unreadable(on_error: OnError) -> OnUnreadable | None:
    """Return the function to call with the error of an unreadable document; None if it is to be raised.

    Raises:
        ValueError: `on_error` has an invalid value.
    """
    if isinstance(on_error, str):  # a field of a model compares as a condition
        if on_error == RAISE:
            return None
        if on_error == "skip":
            return _ignore
    if not callable(on_error) or isinstance(on_error, type) or iscoroutinefunction(on_error):
        raise ValueError(
            "on_error has to be 'raise', 'skip' or a function (not a coroutine function) of one error, for example "
            f"errors.append; got {shortened(on_error)}."
        )
    return on_error


def _ignore(_error: DocumentDecodeError) -> None:
    pass


def encode_error(document: RedisModel, field: str, reason: str) -> DocumentEncodeError:
    """Return the error for a document of which one value cannot be stored."""
    return DocumentEncodeError(model_name(type(document)), document.key(), field, reason)
