"""An index and its fields, as data; and the differences between two indexes."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import StrEnum
from hashlib import sha1
from typing import TypeAlias

from redstart.values.types import Storage

DEFAULT_TAG_SEPARATOR = ","
"""The default separator of the server for hashes. For JSON there is none."""


FIELD_OPTIONS = frozenset({"SORTABLE", "NOINDEX", "INDEXMISSING"})
"""Words that FT.CREATE interprets as options of the previous field, so no field of a hash can have such a name."""

PHONETIC = "PHONETIC"
"""Words with a similar sound match (TEXT). Followed by the language, such as `dm:en`."""


class FieldKind(StrEnum):
    """How an index treats the values of a field."""

    TAG = "TAG"
    TEXT = "TEXT"
    NUMERIC = "NUMERIC"
    GEO = "GEO"
    GEOSHAPE = "GEOSHAPE"
    VECTOR = "VECTOR"


def _copy(holder: object, *names: str) -> None:
    """Copy these values of an immutable object, which may be iterators. Raises TypeError for a text."""
    for name in names:
        value = getattr(holder, name)
        if isinstance(value, str | bytes):
            raise TypeError(f"{name} of {type(holder).__name__} must be a list or tuple, got {value!r}")
        object.__setattr__(holder, name, tuple(value))


@dataclass(frozen=True, slots=True)
class VectorSettings:
    """How vectors are indexed.

    Args:
        algorithm: `FLAT` or `HNSW`.
        attributes: names and values in the order of the definition: TYPE, DIM, DISTANCE_METRIC and so on.
    """

    algorithm: str
    attributes: tuple[tuple[str, str], ...]

    def __post_init__(self) -> None:
        _copy(self, "attributes")

    def words(self) -> tuple[str, ...]:
        """Return the algorithm, the number of the following words, and these words."""
        flat = [word for pair in self.attributes for word in pair]
        return (self.algorithm, str(len(flat)), *flat)

    def reported(self) -> "VectorSettings":
        """Return the settings in FT.INFO: without those that only tune searches, and with the defaults of a graph."""
        known = {name.upper(): value.upper() for name, value in self.attributes}
        defaults = {"M": "16", "EF_CONSTRUCTION": "200"} if self.algorithm == "HNSW" else {}
        names = ("TYPE", "DIM", "DISTANCE_METRIC", *defaults)
        return VectorSettings(self.algorithm, tuple((name, (defaults | known)[name]) for name in names))


@dataclass(frozen=True, slots=True)
class IndexField:
    """One field of an index.

    Args:
        identifier: the location of the value: the name of a hash field, or a JSON path.
        attribute: the field's name in queries.
        kind: how its values are indexed.
        separator: the separator of the tags of one value (TAG); None if the definition has none.
        case_sensitive: whether tags are case-sensitive.
        sortable: queries may sort by it.
        unnormalized: sortable values keep their case and accents (UNF).
        noindex: whether it is only for sorting, and not searched.
        vector: the settings of a VECTOR; None for other kinds.
        options: further words of the definition that Redstart does not write itself, such as `NOSTEM`.
    """

    identifier: str
    attribute: str
    kind: FieldKind
    separator: str | None = None
    case_sensitive: bool = False
    sortable: bool = False
    unnormalized: bool = False
    noindex: bool = False
    vector: VectorSettings | None = None
    options: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _copy(self, "options")

    def words(self, storage: Storage) -> tuple[str, ...]:
        """Return the part of the field in FT.CREATE, in the only order that the server accepts."""
        words = [*self._name_words(storage), self.kind.value]
        if self.vector is not None:
            words += self.vector.words()
        if self.separator is not None:
            words += ["SEPARATOR", self.separator]
        if self.case_sensitive:
            words.append("CASESENSITIVE")
        words += self.options
        if self.sortable:
            words.append("SORTABLE")
        if self.unnormalized:
            words.append("UNF")
        if self.noindex:
            words.append("NOINDEX")
        return tuple(words)

    def text(self, storage: Storage) -> str:
        """Return the field's part of the schema text as redis-om writes it, which is not always valid."""
        words = [*self._name_words(storage), self.kind.value]
        if self.vector is not None:
            words += self.vector.words()
        if self.separator is not None:
            words += ["SEPARATOR", self.separator]
        if self.sortable:
            words.append("SORTABLE")
        if self.case_sensitive:
            words.append("CASESENSITIVE")
        return " ".join(words)

    def reported(self, storage: Storage) -> "IndexField":
        """Return the field as in FT.INFO, with the defaults of the server."""
        separator = self.separator
        if self.kind is FieldKind.TAG and separator is None and storage is Storage.HASH:
            separator = DEFAULT_TAG_SEPARATOR
        always_unnormalized = storage is Storage.JSON or self.kind is FieldKind.NUMERIC or self.case_sensitive
        return replace(
            self,
            separator=separator,
            unnormalized=self.sortable and (self.unnormalized or always_unnormalized),
            vector=None if self.vector is None else self.vector.reported(),
            options=self._reported_options(),
        )

    def _reported_options(self) -> tuple[str, ...]:
        """Return the options in FT.INFO, which hides PHONETIC and shows the coordinates of every GEOSHAPE."""
        if self.kind is FieldKind.GEOSHAPE and not {"FLAT", "SPHERICAL"} & set(self.options):
            return ("SPHERICAL", *self.options)
        if PHONETIC not in self.options:
            return self.options
        at = self.options.index(PHONETIC)
        return (*self.options[:at], *self.options[at + 2 :])

    def _name_words(self, storage: Storage) -> tuple[str, ...]:
        if storage is Storage.HASH and self.identifier == self.attribute:
            return (self.identifier,)
        return (self.identifier, "AS", self.attribute)


@dataclass(frozen=True, slots=True)
class Index:
    """An index.

    Args:
        name: its name in queries.
        storage: the storage of its documents.
        prefixes: the key prefixes of its documents.
        fields: its fields, in order.
        options: further words of the definition between the prefixes and the fields, such as `FILTER @a==1`.
        parts: for each declared field of the model, the number of its fields in the index; 0 is an empty part of the
            schema text. None: one each. Ignored in comparisons.
    """

    name: str
    storage: Storage
    prefixes: tuple[str, ...]
    fields: tuple[IndexField, ...]
    options: tuple[str, ...] = ()
    parts: tuple[int, ...] | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        _copy(self, "prefixes", "fields", "options", *(() if self.parts is None else ("parts",)))

    def field_named(self, attribute: str) -> IndexField | None:
        """Return the field with this name in queries."""
        return next((one for one in self.fields if one.attribute == attribute), None)

    def reported(self) -> "Index":
        """Return the index as in FT.INFO, with the defaults of the server."""
        return replace(self, fields=tuple(one.reported(self.storage) for one in self.fields), parts=None)


def schema_text(index: Index) -> str:
    """Return exactly the text that redis-om hashes.

    It is that of its FT.CREATE after the name of the index. Fields that are not indexed have an empty part, so there
    may be double spaces, and one at the end.
    """
    prefixes = " ".join(index.prefixes)
    parts = " ".join(schema_parts(index))
    return f"ON {index.storage.name} PREFIX {len(index.prefixes)} {prefixes} SCHEMA {parts}"


def schema_hash(text: str) -> str:
    """Return the content of redis-om's `<index>:hash`: the SHA-1 of the schema text, in hexadecimal."""
    return sha1(text.encode(), usedforsecurity=False).hexdigest()


def create_arguments(index: Index, *, name: str | None = None) -> tuple[str, ...]:
    """Return the arguments of FT.CREATE, from the data: they are not split at spaces.

    Args:
        index: the index to create.
        name: another name than that of the index.
    """
    return (
        name or index.name,
        *("ON", index.storage.name),
        *("PREFIX", str(len(index.prefixes)), *index.prefixes),
        *index.options,
        "SCHEMA",
        *(word for one in index.fields for word in one.words(index.storage)),
    )


def schema_parts(index: Index) -> Iterator[str]:
    """Yield the schema text, one part for each declared field of the model; empty for one that is not indexed."""
    texts = [one.text(index.storage) for one in index.fields]
    if index.parts is None:
        yield from texts
        return
    start = 0
    for count in index.parts:
        yield " ".join(texts[start : start + count])
        start += count


@dataclass(frozen=True, slots=True)
class StorageChanged:
    """The storage differs: hashes instead of JSON, or the reverse."""

    before: Storage
    after: Storage

    def __str__(self) -> str:
        return f"the document type changes from {self.before.name} to {self.after.name}"


@dataclass(frozen=True, slots=True)
class PrefixesChanged:
    """The key prefixes differ."""

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
    """A field that is indexed differently."""

    before: IndexField
    after: IndexField
    storage: Storage

    @property
    def is_change_of_type(self) -> bool:
        """Return whether documents of one index may be missing from the other, because the kind differs."""
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
    """All differences; `str()` returns one sentence per line. False if there are none."""

    changes: tuple[Change, ...]

    def __bool__(self) -> bool:
        return bool(self.changes)

    def __str__(self) -> str:
        return "\n".join(f"{change}." for change in self.changes) or "No differences."


def difference(before: Index, after: Index) -> IndexDifference:
    """Compare two indexes as the server interprets them; their names and spelling are ignored.

    Fields with the same name in queries are compared.
    """
    return IndexDifference(tuple(_changes(before.reported(), after.reported())))


def same_definition(one: Index, other: Index) -> bool:
    """Return whether two indexes return the same results."""
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
