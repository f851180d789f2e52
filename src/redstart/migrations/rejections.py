"""Describe why a model rejects values of a stored document: the stored value, and the type that was expected."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from redstart.errors import DocumentDecodeError
from redstart.mapping.value_paths import display

_MISSING = "the field is missing"
_INPUT = "Input should be "
_OBVIOUS = ("unable to parse", "unable to interpret", "input is too short", "got an unexpected")
"""The beginnings of details of pydantic that add nothing to the value and the expected type."""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A value that a model rejects.

    Attributes:
        value: its stored text; empty if the field is missing or only the reason is known.
        reason: the expected type, or that the field is missing.
    """

    value: bytes
    reason: str

    @property
    def is_missing(self) -> bool:
        """Return whether the document does not have the field."""
        return self.reason == _MISSING


def rejections(error: DocumentDecodeError, *, is_json: bool) -> Mapping[str, Rejection]:
    """Return the rejected values of a document by path."""
    cause = error.__cause__
    if not isinstance(cause, ValidationError):
        return {path: Rejection(b"", reason) for path, reason in error.reasons.items()}
    found = {}
    for one in cause.errors(include_url=False, include_context=False):
        stored, reason = _stored(one["type"], one["input"], is_json), _reason(one["type"], one["msg"])
        if not stored and one["type"] != "missing":
            reason += ", not an empty string"
        found[display(one["loc"])] = Rejection(stored, reason)
    return found


def _stored(kind: str, value: Any, is_json: bool) -> bytes:
    """Return a value as its document has it, as far as pydantic kept it; empty for a missing field."""
    if kind == "missing":
        return b""
    if isinstance(value, bytes):
        return value
    if isinstance(value, str) and not is_json:
        return value.encode(errors="surrogatepass")
    return json.dumps(value, ensure_ascii=False, default=str).encode(errors="surrogatepass")


def _reason(kind: str, message: str) -> str:
    if kind == "missing":
        return _MISSING
    for prefix, expected in (("datetime_", "a datetime"), ("date_", "a date")):
        if kind.startswith(prefix):
            return f"expected {expected}"
    if not message.startswith(_INPUT):
        return message[:1].lower() + message[1:]
    expected, _, detail = message.removeprefix(_INPUT).partition(", ")
    expected = expected.replace("a valid ", "an " if expected[8:9] in "aeiou" else "a ", 1)
    is_obvious = not detail or detail.startswith(_OBVIOUS)
    return f"expected {expected}" if is_obvious else f"expected {expected}, {detail}"
