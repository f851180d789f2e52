"""The error for a stored document that does not fit its model."""

from collections.abc import Mapping

from pydantic import ValidationError

from redstart.errors import DocumentError, shortened
from redstart.mapping.models import RedisModel
from redstart.mapping.paths import display
from redstart.mapping.registry import model_name


class UnreadableDocument(DocumentError):
    """A stored document does not fit its model.

    `key` is its key, `field` the path of the first value that does not fit, and `reason` says why. `reasons` has the
    reasons of all fields that do not fit, as far as they are known.
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
    ) -> None:
        self.key = model.make_primary_key(primary_key)
        self.field = field
        self.reasons = reasons or {field: reason}
        self.reason = reason
        # Of a missing field the value would be the whole document around it.
        found = "is missing" if is_missing else f"holds {shortened(value)}"
        super().__init__(
            f"{model_name(model)} {self.key}: {field or 'the document'} {found}: {reason}.",
            "Give the field a default where documents may lack it." if is_missing else None,
        )


def unreadable(model: type[RedisModel], primary_key: str, error: ValidationError) -> UnreadableDocument:
    """An error of pydantic as one that names the document."""
    errors = error.errors(include_url=False, include_context=False)
    reasons = {display(one["loc"]): one["msg"] for one in errors}
    more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    first = errors[0]
    return UnreadableDocument(
        model,
        primary_key,
        display(first["loc"]),
        first["input"],
        first["msg"] + more,
        reasons=reasons,
        is_missing=first["type"] == "missing",
    )
