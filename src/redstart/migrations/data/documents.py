"""What a migration handles: the planned values of a document as read, and the edits to make."""

from dataclasses import dataclass, field
from typing import NamedTuple

from redstart.mapping.paths import TemporalPath
from redstart.migrations.data.jsonpath import Location
from redstart.migrations.data.plan import PlannedModel
from redstart.values.json_text import JsonValue


class StoredValue(NamedTuple):
    """One value of a document.

    Attributes:
        location: its concrete place; one name for a hash field.
        path: the planned path it was found under.
        raw: its exact bytes: a hash field's value, or the JSON text the server prints.
        parsed: the JSON value (numbers as JsonNumber); None for hashes.
        misplaced: why this is not a value of the path at all (a list was expected here ...), or None.
    """

    location: Location
    path: TemporalPath
    raw: bytes
    parsed: JsonValue = None
    misplaced: str | None = None


class StoredDocument(NamedTuple):
    """A document that exists, with the planned values it has; `large` if it is never to be fetched as a whole."""

    key: bytes
    model: PlannedModel
    values: list[StoredValue]
    large: bool = False


class Edit(NamedTuple):
    """One value to change. `None` bytes mean "not there".

    Attributes:
        aside: for a quarantined value, the place its old bytes move to; the place itself gets `new`.
        converts: whether it counts as a conversion; `lossy` whether as one that is not exact.
    """

    location: Location
    old: bytes | None
    new: bytes | None
    aside: Location | None = None
    converts: bool = False
    lossy: bool = False


@dataclass(slots=True)
class DocumentEdits:
    """All edits of one document, applied together or not at all.

    Attributes:
        guards: JSON paths of lists whose items are edited, each with the digest that must be found before the
            edit, or None when the digest found after it is to be journaled.
    """

    key: bytes
    json: bool
    edits: list[Edit]
    guards: list[tuple[str, bytes | None]] = field(default_factory=list)

    @property
    def converted(self) -> int:
        """How many values are converted."""
        return sum(edit.converts for edit in self.edits)

    @property
    def lossy(self) -> int:
        """How many of them not exactly."""
        return sum(edit.lossy for edit in self.edits)


def shown(location: Location) -> str:
    """A place as people write it: `lines[0].added_at`, `stops["it's"]`."""
    text = ""
    for step in location:
        if isinstance(step, int):
            text += f"[{step}]"
        elif step.isidentifier():
            text += f".{step}" if text else step
        else:
            text += f"[{step!r}]"
    return text
