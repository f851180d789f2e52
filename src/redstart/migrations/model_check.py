"""Check that models accept the converted documents, each read as a whole, and find why a model rejects one."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import from_json

from redstart.commands.resp import mapping
from redstart.documents.storage_adapters import storage_adapter
from redstart.documents.value_decoder import reader_of
from redstart.effects import Op
from redstart.errors import DocumentDecodeError
from redstart.mapping.model_info import ModelDeclaration
from redstart.mapping.models import RedisModel
from redstart.mapping.primary_keys import DEFAULT_NAME
from redstart.mapping.value_paths import display
from redstart.migrations.data.edit_builder import QUARANTINE_SUFFIX, ClassifiedDocument
from redstart.migrations.data.edits import StoredDocument
from redstart.migrations.data.failures import failure_at
from redstart.migrations.data.plan import Plan, PlannedModel
from redstart.migrations.data.reader import read_whole
from redstart.migrations.data.verify import Problems
from redstart.migrations.transformation import Transformation
from redstart.values.timezones import NaiveTimezone
from redstart.values.types import Storage

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


REQUIRED = "is null (quarantined), but required"
"""A problem that a verification reports."""


def undeclared_names(declaration: ModelDeclaration, stored: Any, zone: NaiveTimezone) -> list[str]:
    """Return the fields of a stored document that its model does not read.

    Args:
        stored: the text of a JSON document, or the fields of a hash.
    """
    model: type[RedisModel] = declaration.model
    reader = reader_of(model, zone)
    # redis-om 0.3.5 wrote an unused `pk` next to a custom primary key.
    names = [
        name
        for name in _stored_names(declaration, stored)
        if name != DEFAULT_NAME and not name.endswith(QUARANTINE_SUFFIX)
    ]
    return [name for name in names if not reader.wants(name)]


def _stored_names(declaration: ModelDeclaration, stored: Any) -> list[str]:
    """Return the names of the fields of a stored document."""
    model: type[RedisModel] = declaration.model
    if declaration.storage is Storage.HASH:
        return [name.decode(model._meta.encoding, "backslashreplace") for name in stored]
    content = from_json(stored)
    return list(content) if isinstance(content, dict) else []


class ModelCheck:
    """Reads whole documents; each field that a model rejects is a problem, whatever the reason.

    Args:
        zone: the zone in which the application reads values without an offset.
        transformation: for messages.
        recorded: the plan in the record; its values must not be in fields that the model does not declare.

    Attributes:
        read: documents that their models accept.
        unreadable: documents that their models reject.
        undeclared: number of documents with a field that their model does not declare, by model and field.
        without_model: documents that were not read, by models that are recorded as converted and were not given.
    """

    def __init__(
        self,
        declarations: Sequence[ModelDeclaration],
        zone: NaiveTimezone,
        transformation: Transformation,
        recorded: Plan | None = None,
    ) -> None:
        self.read = 0
        self.unreadable = 0
        self.without_model: Counter[PlannedModel] = Counter()
        self.undeclared: Counter[tuple[str, str]] = Counter()
        self._converted = {
            model.key_prefix: {str(path.segments[0]) for path in model.paths}
            for model in (() if recorded is None else recorded.models)
        }
        self._zone = zone
        self._texts = transformation.texts
        self._declarations: Mapping[str, ModelDeclaration] = {d.key_prefix: d for d in declarations}

    def visit(self, page: Sequence[ClassifiedDocument], problems: Problems) -> Op[None]:
        """Read the documents of a page as a whole. A round trip for as many as fit into a page."""
        rest = [document for document, _ in page if document.model.key_prefix in self._declarations]
        self.without_model.update(
            document.model for document, _ in page if document.model.key_prefix not in self._declarations
        )
        while rest:
            replies = yield from read_whole([(document.model.storage, document.key) for document in rest])
            for document, reply in zip(rest, replies, strict=False):
                if reply:  # else deleted since
                    self._check(document, reply, problems)
            rest = rest[len(replies) :]

    def _check(self, document: StoredDocument, reply: Any, problems: Problems) -> None:
        stored = reply if document.model.storage is Storage.JSON else mapping(reply)
        declaration = self._declarations[document.model.key_prefix]
        reasons = self._refused(declaration, document, stored)
        self._count_undeclared(document, stored, problems)
        self.read += not reasons
        self.unreadable += bool(reasons)
        for path, rejection in reasons.items():
            is_quarantined = f"{path}{QUARANTINE_SUFFIX}" in _stored_names(declaration, stored)
            reason = REQUIRED if is_quarantined else f"not readable by its model: {rejection.reason}"
            problems.add_in_page(failure_at(document.key, path, rejection.value, reason))

    def _count_undeclared(self, document: StoredDocument, stored: Any, problems: Problems) -> None:
        declaration = self._declarations[document.model.key_prefix]
        for name in undeclared_names(declaration, stored, self._zone):
            self.undeclared[declaration.name, name] += 1
            if name in self._converted.get(document.model.key_prefix, ()):
                reason = self._texts.undeclared.format(model=declaration.name)
                problems.add(failure_at(document.key, name, b"", reason))

    def report_unnamed(self, problems: Problems) -> None:
        """Report models whose documents were not read because the models are not given."""
        for model, count in self.without_model.items():
            problems.add(
                failure_at(
                    model.key_prefix.encode(),
                    "",
                    b"",
                    f"{count:,} converted documents of {model.name} were not read: "
                    "give the module of the model with --models",
                )
            )

    def _refused(
        self, declaration: ModelDeclaration, document: StoredDocument, reply: Any
    ) -> Mapping[str, Rejection]:
        """Return why the model rejects a document, by field; empty if it accepts the document."""
        model: type[RedisModel] = declaration.model
        try:
            _ = storage_adapter(model).reader(model, self._zone)(
                declaration.primary_key_in(document.key), reply
            )
        except DocumentDecodeError as exc:  # errors in the project's code are converted to this class
            return rejections(exc, is_json=document.model.storage is Storage.JSON)
        return {}
