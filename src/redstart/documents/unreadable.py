"""The error for a stored document that does not fit its model, and what a caller wants to be done with it."""

from collections.abc import Callable, Mapping
from inspect import iscoroutinefunction
from typing import Final, Literal, TypeAlias

from pydantic import ValidationError

from redstart.errors import DocumentError, shortened
from redstart.mapping.models import RedisModel
from redstart.mapping.paths import display
from redstart.mapping.registry import model_name


class DocumentDecodeError(DocumentError):
    """A stored document does not fit its model.

    Attributes:
        key: the key of the document.
        primary_key: its primary key, as `Model.delete` takes it.
        field: the path of the first value that does not fit; empty if it is the document as a whole, or not known.
        reason: why it does not fit.
        reasons: the reasons of all fields that do not fit, by path, as far as they are known.
    """

    def __init__(
        self,
        model: type[RedisModel],
        primary_key: str,
        field: str,
        value: object,
        reason: str,
        *,
        reasons: Mapping[str, str] | None = None,
        is_missing: bool = False,
        hint: str | None = None,
    ) -> None:
        self.key = model.make_primary_key(primary_key)
        self.primary_key = primary_key
        self.field = field
        self.reasons = reasons or {field: reason}
        self.reason = reason
        # Of a missing field the value would be the whole document around it.
        found = "is missing" if is_missing else f"holds {shortened(value)}"
        super().__init__(
            f"{model_name(model)} {self.key}: {field or 'the document'} {found}: {reason}.",
            "Give the field a default where documents may lack it." if is_missing else hint,
        )


def unreadable(model: type[RedisModel], primary_key: str, error: ValidationError) -> DocumentDecodeError:
    """An error of pydantic as one that names the document."""
    errors = error.errors(include_url=False, include_context=False)
    reasons = {display(one["loc"]): one["msg"] for one in errors}
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    first = errors[0]
    return DocumentDecodeError(
        model,
        primary_key,
        display(first["loc"]),
        first["input"],
        first["msg"] + more,
        reasons=reasons,
        is_missing=first["type"] == "missing",
    )


def unexpected(
    model: type[RedisModel], primary_key: str, field: str, value: object, error: Exception
) -> DocumentDecodeError:
    """Another error that a validator of the model has raised, as one that names the document."""
    return DocumentDecodeError(
        model,
        primary_key,
        field,
        value,
        f"{type(error).__name__}: {error}",
        hint="Let validators raise ValueError for a value that they do not accept.",
    )


OnUnreadable: TypeAlias = Callable[[DocumentDecodeError], None]
"""Called with the error of each document that is left out."""

OnError: TypeAlias = Literal["raise", "skip"] | OnUnreadable
"""What to do with an unreadable document: raise its error, leave the document out, or call a function with the error
and leave it out."""

RAISE: Final = "raise"


def on_unreadable(on_error: OnError) -> OnUnreadable | None:
    """The function to call with the error of an unreadable document; None if it is to be raised.

    Raises:
        ValueError: `on_error` is anything else than OnError allows.
    """
    if on_error == RAISE:
        return None
    if on_error == "skip":
        return _ignore
    if not callable(on_error) or iscoroutinefunction(on_error):
        raise ValueError(
            "on_error is 'raise', 'skip' or a plain function to be called with each error, as errors.append, "
            f"not {shortened(on_error)}."
        )
    return on_error


def _ignore(_error: DocumentDecodeError) -> None:
    pass
