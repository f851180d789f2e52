"""Reading every document through its model, as an application will."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import from_json

from redstart.commands.replies import mapping
from redstart.documents.forms import form_of
from redstart.documents.reader import reader_of
from redstart.effects import Op
from redstart.errors import DocumentDecodeError
from redstart.mapping.declaration import ModelDeclaration
from redstart.mapping.models import RedisModel
from redstart.mapping.primary_keys import DEFAULT_NAME
from redstart.migrations.data.judging.transform import QUARANTINE_SUFFIX, JudgedDocument
from redstart.migrations.data.planned.documents import StoredDocument
from redstart.migrations.data.planned.plan import Plan, PlannedModel
from redstart.migrations.data.reading.whole import read_whole
from redstart.migrations.data.state.failures import failure_at
from redstart.migrations.data.verifying.verify import Problems
from redstart.values.kinds import Storage
from redstart.values.timezones import NaiveTimezone


def undeclared_names(declaration: ModelDeclaration, stored: Any, zone: NaiveTimezone) -> list[str]:
    """Return the fields of a stored document that its model does not read.

    Args:
        stored: the text of a JSON document, or the fields of a hash.
    """
    model: type[RedisModel] = declaration.model
    if declaration.storage is Storage.HASH:
        names = [name.decode(model._meta.encoding, "backslashreplace") for name in stored]
    else:
        content = from_json(stored)
        names = list(content) if isinstance(content, dict) else []
    reader = reader_of(model, zone)
    # redis-om 0.3.5 wrote a `pk` beside a custom primary key; it means nothing.
    names = [name for name in names if name != DEFAULT_NAME and not name.endswith(QUARANTINE_SUFFIX)]
    return [name for name in names if not reader.wants(name)]


class ModelCheck:
    """Reads whole documents; each field for which a model refuses one is a problem, whatever the reason.

    Args:
        zone: what a datetime without an offset means to the application.
        recorded: the plan that the record has; a date of it must not be in a field that the model does not declare.

    Attributes:
        read: documents that their models accept.
        unreadable: documents that they refuse.
        undeclared: how many documents have a field that their model does not declare, by model and field.
        without_model: documents that were not read, by the models that are recorded as converted and not named now.
    """

    def __init__(
        self, declarations: Sequence[ModelDeclaration], zone: NaiveTimezone, recorded: Plan | None = None
    ) -> None:
        self.read = 0
        self.unreadable = 0
        self.without_model: Counter[PlannedModel] = Counter()
        self.undeclared: Counter[tuple[str, str]] = Counter()
        self._dates = {
            model.key_prefix: {str(path.segments[0]) for path in model.paths}
            for model in (() if recorded is None else recorded.models)
        }
        self._zone = zone
        self._declarations: Mapping[str, ModelDeclaration] = {d.key_prefix: d for d in declarations}

    def visit(self, page: Sequence[JudgedDocument], problems: Problems) -> Op[None]:
        """Read a page's documents. A round trip for as many as fit into a page, of everything that they hold."""
        rest = [document for document, _ in page if document.model.key_prefix in self._declarations]
        self.without_model.update(
            document.model for document, _ in page if document.model.key_prefix not in self._declarations
        )
        while rest:
            replies = yield from read_whole([(one.model.storage, one.key) for one in rest])
            for document, reply in zip(rest, replies, strict=False):
                if reply:  # else deleted since
                    self._check(document, reply, problems)
            rest = rest[len(replies) :]

    def _check(self, document: StoredDocument, reply: Any, problems: Problems) -> None:
        stored = reply if document.model.storage is Storage.JSON else mapping(reply)
        reasons = self._refused(self._declarations[document.model.key_prefix], document, stored)
        self._count_undeclared(document, stored, problems)
        self.read += not reasons
        self.unreadable += bool(reasons)
        for field, reason in reasons.items():
            problems.add(failure_at(document.key, field, b"", f"its model cannot read it: {reason}"))

    def _count_undeclared(self, document: StoredDocument, stored: Any, problems: Problems) -> None:
        declaration = self._declarations[document.model.key_prefix]
        for name in undeclared_names(declaration, stored, self._zone):
            self.undeclared[declaration.name, name] += 1
            if name in self._dates.get(document.model.key_prefix, ()):
                reason = f"a run has converted this date, and {declaration.name} does not declare the field any more"
                problems.add(failure_at(document.key, name, b"", reason))

    def report_unnamed(self, problems: Problems) -> None:
        """Report the models whose documents were not read because they are not named."""
        for model, count in self.without_model.items():
            problems.add(
                failure_at(
                    model.key_prefix.encode(),
                    "",
                    b"",
                    f"{count:,} documents of {model.name}, which a run has converted, were not read: "
                    "name the module of their model with --models",
                )
            )

    def _refused(
        self, declaration: ModelDeclaration, document: StoredDocument, reply: Any
    ) -> Mapping[str, str]:
        """Why the model does not read a document, by field; nothing if it does."""
        model: type[RedisModel] = declaration.model
        try:
            _ = form_of(model).reader(model, self._zone)(declaration.primary_key_in(document.key), reply)
        except DocumentDecodeError as exc:  # whatever code of the project raises becomes one
            return exc.reasons
        return {}
