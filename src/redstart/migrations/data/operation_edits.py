"""The edits of a document that operations have changed: their groups, and the order in which they are undone."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from redstart.mapping.value_paths import Each, Location
from redstart.migrations.operations.base import DocumentChange
from redstart.migrations.operations.document import Change, Document, Path, changes, stored_text
from redstart.migrations.operations.value_types import Segments
from redstart.migrations.transformation import Edit, EditSet
from redstart.values.types import Storage


@dataclass(frozen=True, slots=True)
class BoundChange:
    """One change of the documents of a model.

    Attributes:
        change: what the operation does.
        is_removal: whether it only removes a value.
        subject: the path at which the change is counted and reported: the last one that it writes.
        location: the location of the subject; that of the list or map on the way, if there is one.
        reads: the locations of the values that it reads.
        sources, targets: those of the values that it moves, and of the ones that it makes of them.
        is_in_items: whether it changes members of the items of lists, or of the values of maps.
    """

    change: DocumentChange
    is_removal: bool = False
    subject: Segments = field(init=False)
    location: tuple[str, ...] = field(init=False)
    reads: tuple[tuple[str, ...], ...] = field(init=False)
    sources: tuple[tuple[str, ...], ...] = field(init=False)
    targets: tuple[tuple[str, ...], ...] = field(init=False)
    is_in_items: bool = field(init=False)

    def __post_init__(self) -> None:
        subject = tuple(self.change.writes[-1])
        reads = tuple(dict.fromkeys(_location(path) for path in self.change.reads))
        found = {
            "subject": subject,
            "location": _location(subject),
            "reads": reads,
            "sources": tuple(map(_location, self.change.sources)),
            "targets": tuple(map(_location, self.change.targets)),
            "is_in_items": any(isinstance(step, Each) for path in self.change.writes for step in path),
        }
        for name, value in found.items():
            object.__setattr__(self, name, value)


class Step(NamedTuple):
    """One change that was made in a document: its number, and what it changed."""

    number: int
    bound: BoundChange
    made: list[Change]


def _location(subject: Segments) -> tuple[str, ...]:
    """Return the location of a subject: a list or map on the way represents its items."""
    names: list[str] = []
    for step in subject:
        if isinstance(step, Each):
            break
        names.append(str(step))
    return tuple(names)


def edit_set(
    before: Document,
    after: Document,
    steps: Sequence[Step],
    *,
    is_one_group: bool = False,
) -> EditSet:
    """Return the edits that turn one version of a document into another.

    Args:
        steps: the changes made. What they read must not have changed when the edits are applied.
        is_one_group: whether all edits are undone together or not at all.
    """
    if len(steps) == 1:
        final, groups = steps[0].made, [steps[0].number] * len(steps[0].made)
    else:
        final = [*changes(before, after), *_absent(before, after, steps)]
        groups = [0] * len(final) if is_one_group else _groups([change.path for change in final], steps)
    edited = [change.path for change in final]
    read = dict.fromkeys(location for step in steps for location in step.bound.reads)
    unchanged = dict(value for location in read for value in _unchanged(before, location, edited))
    heirs = _heirs(before, final, steps, unchanged) if before.storage is Storage.HASH else {}
    edits = tuple(
        Edit(
            change.path,
            change.old,
            change.new,
            converts=True,
            expiry_of=heirs.get(change.path),
            group=group,
        )
        for change, group in zip(final, groups, strict=True)
    )
    return EditSet(edits, tuple(unchanged.items()))


def _absent(before: Document, after: Document, steps: Sequence[Step]) -> list[Change]:
    """Return the values that one step has made and another one has removed, as no value.

    A rollback compares them, too: a value that is written there since belongs to those that the steps have made.
    """
    removed = dict.fromkeys(item.path for step in steps for item in step.made if item.new is None)
    if not removed or not changes(before, after):
        return []
    return [Change(path, None, None) for path in removed if not (before.has(path) or after.has(path))]


def _groups(paths: Sequence[tuple[str, ...]], steps: Sequence[Step]) -> list[int]:
    """Return for each changed path the number of its group: steps that change the same path are one group."""
    group_of = {step.number: step.number for step in steps}

    def root(number: int) -> int:
        while group_of[number] != number:
            number = group_of[number]
        return number

    touching: list[list[int]] = [
        [step.number for step in steps if any(_overlap(one.path, path) for one in step.made)]
        for path in paths
    ]
    for numbers in touching:
        for number in numbers[1:]:
            group_of[root(number)] = root(numbers[0])
    return [root(numbers[0]) for numbers in touching]


def _heirs(
    before: Document,
    final: Sequence[Change],
    steps: Sequence[Step],
    unchanged: Mapping[Location, bytes | None],
) -> dict[Location, Location]:
    """Return for each new field of a hash those from which it inherits its expiry, the earliest one.

    They are the fields of which the same step has made it. And for a removed field, the new one that has its bytes and
    its expiry.
    """
    added = [change for change in final if change.old is None]
    heirs: dict[Location, Location] = {
        change.path: found
        for change in added
        if (found := tuple(dict.fromkeys(_origins(before, change, steps, unchanged))))
    }
    back = {heirs[change.path]: change for change in added if len(heirs.get(change.path, ())) == 1}
    for change in final:
        heir = back.get(change.path)
        if change.new is None and heir is not None and heir.new == change.old:
            heirs[change.path] = heir.path
    return heirs


def _origins(
    before: Document, change: Change, steps: Sequence[Step], unchanged: Mapping[Location, bytes | None]
) -> Iterator[str]:
    """Yield the fields of which the steps have made a new field."""
    numbered = [(at, one) for at, step in enumerate(steps) for one in step.made if one.path == change.path]
    if not numbered:
        return
    at, made = numbered[0]
    step = steps[at]
    sources: Sequence[Path] = step.bound.sources or [one.path for one in step.made if one.new is None]
    if not sources:
        sources = [path for path in step.bound.reads if unchanged.get(path) == made.new is not None][:1]
    for path in sources:
        if before.has(path):
            yield str(path[0])
        else:  # made by an earlier step
            yield from _origins(before, Change(path, None, None), steps[:at], unchanged)


def _overlap(one: Location, other: Location) -> bool:
    """Return whether one location contains the other."""
    length = min(len(one), len(other))
    return one[:length] == other[:length]


def _unchanged(
    document: Document, location: tuple[str, ...], edited: Sequence[Location]
) -> Iterator[tuple[Location, bytes | None]]:
    """Yield the values at and below a location that no edit changes, the largest ones."""
    touching = [path for path in edited if _overlap(path, location)]
    if not touching:
        raw = stored_text(document.get(location)) if document.has(location) else None
        yield location, raw
        return
    if any(len(path) <= len(location) for path in touching) or not document.has(location):
        return
    value: Any = document.get(location)
    if isinstance(value, Mapping):
        for name in value:
            yield from _unchanged(document, (*location, name), edited)
