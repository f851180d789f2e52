"""What a migration handles: the planned values of a document as read, and the edits to make."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

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
    def is_plain(self) -> bool:
        """Whether this is a hash whose values are converted and nothing else: nearly every document."""
        if self.json:
            return False
        for edit in self.edits:  # noqa: SIM110  # for so few items all() takes three times as long
            if not edit.converts or edit.old is None:
                return False
        return True

    @property
    def converted(self) -> int:
        """How many values are converted."""
        return sum(edit.converts for edit in self.edits)

    @property
    def lossy(self) -> int:
        """How many of them not exactly."""
        return sum(edit.lossy for edit in self.edits)


def flat_form(document: DocumentEdits) -> list[object]:
    """A plain document as one flat list, for scripts and the journal: nested ones cost both twice the time.

    Key, "plain", the number n of its fields, lossy ones among them, n names, n old values, n times name and new.
    """
    names: list[object] = []
    old: list[object] = []
    new: list[object] = []
    lossy = 0
    for (name, *_), before, after, _, _, is_lossy in document.edits:
        names.append(name)
        old.append(before)
        new += (name, after)
        lossy += is_lossy
    return [document.key, "plain", len(names), lossy, *names, *old, *new]


def from_flat_form(flat: Sequence[Any]) -> DocumentEdits:
    """The document of `flat_form`, as msgpack reads it back: all text is bytes."""
    number = flat[2]
    names, old, new = flat[4 : 4 + number], flat[4 + number : 4 + 2 * number], flat[5 + 2 * number :: 2]
    edits = [
        Edit((name.decode(),), before, after, converts=True)
        for name, before, after in zip(names, old, new, strict=True)
    ]
    return DocumentEdits(flat[0], False, edits)


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
