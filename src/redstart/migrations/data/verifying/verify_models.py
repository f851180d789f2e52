"""Reading every document through its model, as an application will."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from redstart.commands.replies import mapping
from redstart.documents.forms import form_of
from redstart.documents.unreadable import UnreadableDocument
from redstart.effects import Op
from redstart.mapping.declaration import ModelDeclaration
from redstart.mapping.models import RedisModel
from redstart.mapping.paths import display
from redstart.migrations.data.judging.convert import Outcome
from redstart.migrations.data.judging.transform import QUARANTINE_SUFFIX, Judged, JudgedDocument
from redstart.migrations.data.planned.documents import StoredDocument
from redstart.migrations.data.reading.whole import read_whole
from redstart.migrations.data.state.failures import Failure, failure_at
from redstart.migrations.data.verifying.verify import Problems
from redstart.values.kinds import Storage
from redstart.values.timezones import NaiveTimezone


class ModelCheck:
    """Reads whole documents; one that its model refuses is a problem, unless the run has told of it.

    Args:
        zone: what a datetime without an offset means to the application.

    Attributes:
        read: documents that their models accept.
        known: documents that they refuse for no other value than those that do not convert, were moved aside, or were
            null before the run.
    """

    def __init__(self, declarations: Sequence[ModelDeclaration], zone: NaiveTimezone) -> None:
        self.read = 0
        self.known = 0
        self._zone = zone
        self._declarations: Mapping[str, ModelDeclaration] = {d.key_prefix: d for d in declarations}

    def visit(self, page: Sequence[JudgedDocument], problems: Problems) -> Op[None]:
        """Read a page's documents. A round trip for as many as fit into a page, of everything that they hold."""
        rest = page
        while rest:
            replies = yield from read_whole([document for document, _ in rest])
            for (document, items), reply in zip(rest, replies, strict=False):
                declaration = self._declarations.get(document.model.key_prefix)
                if declaration is not None and reply:  # else deleted since, or a model of an earlier plan
                    self._check(declaration, document, items, reply, problems)
            rest = rest[len(replies) :]

    def _check(
        self,
        declaration: ModelDeclaration,
        document: StoredDocument,
        items: Sequence[Judged],
        reply: Any,
        problems: Problems,
    ) -> None:
        stored = reply if document.model.storage is Storage.JSON else mapping(reply)
        try:
            self._read(declaration, document, stored)
            self.read += 1
        except UnreadableDocument as exc:
            wrong = _unexplained(document, exc, items, stored)
            self.known += not wrong
            for failure in wrong[:1]:
                problems.add(failure)

    def _read(self, declaration: ModelDeclaration, document: StoredDocument, reply: Any) -> None:
        end = len(document.key) - len(declaration.key_suffix.encode())
        primary_key = document.key[len(declaration.key_prefix.encode()) : end].decode(
            errors="backslashreplace"
        )
        model: type[RedisModel] = declaration.model
        _ = form_of(model).reader(model, self._zone)(primary_key, reply)


def _unexplained(
    document: StoredDocument, error: UnreadableDocument, items: Sequence[Judged], reply: Any
) -> list[Failure]:
    """The fields that do not fit and that verification has not counted already.

    Counted are values that do not convert; a null where the model wants a date was there before the run, or its
    value was moved aside.
    """
    known = {
        display(value.location)
        for value, verdict in items
        if verdict.outcome is Outcome.UNCONVERTIBLE
        or (verdict.outcome is Outcome.NULL and not value.path.optional)
    }
    return [
        failure_at(document.key, field, b"", f"its model cannot read it: {reason}")
        for field, reason in error.reasons.items()
        # pydantic may add to a path what it tried there, as the member of a union.
        if not any(field.startswith(path) for path in known) and not _was_moved(document, field, reply)
    ]


def _was_moved(document: StoredDocument, field: str, reply: Any) -> bool:
    """Whether the value of a field stands beside it, as quarantine leaves it."""
    aside = f"{field}{QUARANTINE_SUFFIX}"
    if document.model.storage is Storage.HASH:
        return aside.encode() in reply
    *above, name = aside.split(".")
    place = json.loads(reply)
    for step in above:
        place = place.get(step) if isinstance(place, dict) else None
    return isinstance(place, dict) and name in place
