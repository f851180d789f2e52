"""A data migration of whole documents: `name` becomes `title`, `priority` is added, and `legacy` is removed."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import ClassVar

from redstart.mapping.model_info import ModelDeclaration
from redstart.mapping.value_paths import Location, ValuePath
from redstart.migrations.data.edits import (
    READ,
    SUBJECT,
    ClassifiedValue,
    DocumentTransformation,
    StoredDocument,
    StoredValue,
)
from redstart.migrations.data.plan import Plan, PlannedModel
from redstart.migrations.transformation import Classification, Conversion, Edit, EditSet
from redstart.values.types import Storage

HASH_PREFIX, JSON_PREFIX = "reshape:hash:", "reshape:json:"

NAME, TITLE, PRIORITY, LEGACY = ("name",), ("title",), ("priority",), ("legacy",)
PATHS = (
    ValuePath(NAME, READ, optional=True),
    ValuePath(TITLE, SUBJECT, optional=True),
    ValuePath(PRIORITY, SUBJECT, optional=True),
    ValuePath(LEGACY, SUBJECT, optional=True),
)
PLAN = Plan(
    (
        PlannedModel("Hash", HASH_PREFIX, "", Storage.HASH, PATHS),
        PlannedModel("Json", JSON_PREFIX, "", Storage.JSON, PATHS),
    )
)
DEFAULT = b"3"


@dataclass(frozen=True, slots=True)
class Reshape(DocumentTransformation):
    """Changes the shape of documents, and back."""

    migration_id: ClassVar[str] = "003_reshape"
    title: ClassVar[str] = "Rename name, add priority, remove legacy"

    def paths(self, declaration: ModelDeclaration) -> tuple[ValuePath, ...]:
        return PATHS

    def classify_document(self, document: StoredDocument) -> list[ClassifiedValue]:
        return list(self._classified(document))

    def _classified(self, document: StoredDocument) -> Iterator[ClassifiedValue]:
        values = {value.location: value.raw for value in document.values}
        name, title, priority, legacy = map(values.get, (NAME, TITLE, PRIORITY, LEGACY))
        if name is not None and title is None:
            edits = (
                Edit(TITLE, None, name, converts=True, expiry_of=NAME, group=0),
                Edit(NAME, name, None, expiry_of=TITLE, group=0),
            )
            yield at(TITLE, name, Conversion(Classification.CONVERTIBLE, name, edits=EditSet(edits)))
        elif name is not None:
            yield at(TITLE, title, Conversion(Classification.UNCONVERTIBLE, reason="both fields exist"))
        elif title is not None:
            yield at(TITLE, title, Conversion(Classification.ALREADY))
        if priority is None:
            edits = (Edit(PRIORITY, None, DEFAULT, converts=True, group=1),)
            unchanged = ((LEGACY, legacy),) if legacy is None else ()
            yield at(
                PRIORITY,
                b"",
                Conversion(Classification.CONVERTIBLE, DEFAULT, edits=EditSet(edits, unchanged)),
            )
        else:
            yield at(PRIORITY, priority, Conversion(Classification.ALREADY))
        if legacy is not None:
            edits = (Edit(LEGACY, legacy, None, converts=True, group=2),)
            yield at(LEGACY, legacy, Conversion(Classification.CONVERTIBLE, b"", edits=EditSet(edits)))

    def revert_document(self, document: StoredDocument, subjects: Collection[StoredValue]) -> EditSet | str:
        edits = []
        for value in subjects:
            if value.location == TITLE:
                if any(other.location == NAME for other in document.values):
                    return "both fields exist"
                edits.append(Edit(NAME, None, value.raw, expiry_of=TITLE))
                edits.append(Edit(TITLE, value.raw, None, expiry_of=NAME))
            if value.location == PRIORITY:
                edits.append(Edit(PRIORITY, value.raw, None))
        return EditSet(tuple(edits))


def at(location: Location, raw: bytes | None, conversion: Conversion) -> ClassifiedValue:
    path = next(path for path in PATHS if path.segments == location)
    return StoredValue(location, path, raw or b""), conversion
