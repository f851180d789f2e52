"""Differences between two indexes."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

from redstart.search.schema import Index, IndexField
from redstart.values.types import Storage


@dataclass(frozen=True, slots=True)
class StorageChanged:
    """Other documents altogether: hashes instead of JSON, or the reverse."""

    before: Storage
    after: Storage

    def __str__(self) -> str:
        return f"the document type changes from {self.before.name} to {self.after.name}"


@dataclass(frozen=True, slots=True)
class PrefixesChanged:
    """Keys with other beginnings are indexed."""

    before: tuple[str, ...]
    after: tuple[str, ...]

    def __str__(self) -> str:
        return f"the key prefixes change from {_quoted(self.before)} to {_quoted(self.after)}"


@dataclass(frozen=True, slots=True)
class OptionsChanged:
    """Options of the whole index differ."""

    before: tuple[str, ...]
    after: tuple[str, ...]

    def __str__(self) -> str:
        return f"the options of the index change from {_words(self.before)} to {_words(self.after)}"


@dataclass(frozen=True, slots=True)
class FieldAdded:
    """A field that was not indexed."""

    field: IndexField

    def __str__(self) -> str:
        return f"{self.field.attribute} is added as {self.field.kind}"


@dataclass(frozen=True, slots=True)
class FieldRemoved:
    """A field that is no longer indexed."""

    field: IndexField

    def __str__(self) -> str:
        return f"{self.field.attribute} ({self.field.kind}) is removed"


@dataclass(frozen=True, slots=True)
class FieldChanged:
    """A field that is indexed in another way."""

    before: IndexField
    after: IndexField
    storage: Storage

    @property
    def is_change_of_type(self) -> bool:
        """Return whether documents that one index accepts may fall out of the other: the kind differs."""
        return self.before.kind is not self.after.kind

    def __str__(self) -> str:
        name = self.after.attribute
        if self.is_change_of_type:
            return f"{name} changes its type from {self.before.kind} to {self.after.kind}"
        before, after = (" ".join(one.words(self.storage)) for one in (self.before, self.after))
        return f"{name} changes from {before!r} to {after!r}"


Change: TypeAlias = (
    StorageChanged | PrefixesChanged | OptionsChanged | FieldAdded | FieldRemoved | FieldChanged
)


@dataclass(frozen=True, slots=True)
class IndexDifference:
    """Everything that differs; `str()` gives one sentence a line. False when nothing does."""

    changes: tuple[Change, ...]

    def __bool__(self) -> bool:
        return bool(self.changes)

    def __str__(self) -> str:
        return "\n".join(f"{change}." for change in self.changes) or "No differences."


def difference(before: Index, after: Index) -> IndexDifference:
    """Compare two indexes by what the server makes of them; names and spelling do not count.

    A field is the same field if queries call it by the same name.
    """
    return IndexDifference(tuple(_changes(before.reported(), after.reported())))


def same_definition(one: Index, other: Index) -> bool:
    """Return whether two indexes answer queries alike."""
    return not difference(one, other).changes


def _changes(before: Index, after: Index) -> Iterator[Change]:
    if before.storage is not after.storage:
        yield StorageChanged(before.storage, after.storage)
    if set(before.prefixes) != set(after.prefixes):
        yield PrefixesChanged(before.prefixes, after.prefixes)
    if before.options != after.options:
        yield OptionsChanged(before.options, after.options)
    for old in before.fields:
        new = after.field_named(old.attribute)
        if new is None:
            yield FieldRemoved(old)
        elif new != old:
            yield FieldChanged(old, new, after.storage)
    yield from (FieldAdded(new) for new in after.fields if before.field_named(new.attribute) is None)


def _quoted(words: tuple[str, ...]) -> str:
    return ", ".join(map(repr, words)) or "nowhere"


def _words(words: tuple[str, ...]) -> str:
    return " ".join(words) or "no options"
