"""The planned values of a document as read, the edits to make, and the interface that decides for whole documents.

A data migration that renames or splits fields decides so; others decide for single values.
"""

from abc import abstractmethod
from collections.abc import Callable, Collection, Iterable, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any, ClassVar, NamedTuple, TypeAlias

from redstart.mapping.value_paths import Location, ValuePath
from redstart.migrations.data.compact_edits import CompactEdits, Pairs
from redstart.migrations.data.plan import PlannedModel
from redstart.migrations.transformation import Classification, Conversion, Edit, EditSet, Transformation
from redstart.values.lossless_json import JsonValue
from redstart.values.types import Storage


class StoredValue(NamedTuple):
    """One value of a document.

    Attributes:
        location: its concrete location; one name for a hash field.
        path: the planned path that matches the location.
        raw: its exact bytes: the value of a hash field, or the JSON text that the server prints.
        parsed: the JSON value (numbers as JsonNumber); None for hashes.
        misplaced: why the value does not fit the path (for example, it is not a list), or None.
    """

    location: Location
    path: ValuePath
    raw: bytes
    parsed: JsonValue = None
    misplaced: str | None = None


class StoredDocument:
    """An existing document with its planned values.

    Attributes:
        fields: of a hash, the value of each path of the model, None for a missing field; None for JSON.
        large: whether the document must not be fetched as a whole.
        size: bytes of a JSON document that were read; 0 for a hash.
        marks: marks that the server was asked for, and whether it has them; see `document_marks`. None: none was.
        text: of a JSON document, the reply with its planned values, if they are not taken apart; else None.
        is_whole: whether this reply is the whole document.
        wanted: marks on which the classification depends, and that the server was not asked for.
    """

    __slots__ = (
        "_parse",
        "_values",
        "fields",
        "is_whole",
        "key",
        "large",
        "marks",
        "model",
        "size",
        "text",
        "wanted",
    )

    marks: dict[bytes, bool] | None
    wanted: tuple[bytes, ...]

    fields: Sequence[bytes | None] | None
    text: bytes | None
    _values: list[StoredValue] | None
    _parse: Callable[[bytes], list[StoredValue]]

    def __init__(
        self,
        key: bytes,
        model: PlannedModel,
        values: list[StoredValue],
        *,
        size: int = 0,
        large: bool = False,
    ) -> None:
        self.key, self.model, self.large, self.fields, self._values = key, model, large, None, values
        self.size = size
        self.marks, self.wanted, self.text, self.is_whole = None, (), None, False

    @classmethod
    def of_json(
        cls,
        key: bytes,
        model: PlannedModel,
        text: bytes,
        parse: Callable[[bytes], list[StoredValue]],
        *,
        is_whole: bool,
    ) -> "StoredDocument":
        """Return a JSON document.

        Args:
            text: the reply with its planned values.
            parse: returns these values.
        """
        document = cls(key, model, [], size=len(text))
        document._values, document._parse, document.text = None, parse, text
        document.is_whole = is_whole
        return document

    @classmethod
    def of_hash(cls, key: bytes, model: PlannedModel, fields: Sequence[bytes | None]) -> "StoredDocument":
        """Return a hash with the value of each path of the model."""
        document = cls.__new__(cls)
        document.key, document.model, document.large, document.size = key, model, False, 0
        document.fields, document._values = fields, None
        document.marks, document.wanted, document.text, document.is_whole = None, (), None, False
        return document

    @property
    def values(self) -> list[StoredValue]:
        """The planned values. They are made on first access, because most documents do not need them."""
        if self._values is None and self.text is not None:
            self._values = self._parse(self.text)
        elif self._values is None:
            found = zip(self.model.paths, self.fields or (), strict=True)
            self._values = [_of_field(path, raw) for path, raw in found if raw is not None]
        return self._values


def of_each_model(
    documents: Iterable[StoredDocument],
) -> Iterable[tuple[PlannedModel, list[StoredDocument]]]:
    """Yield a model with its documents for each run of documents of the same model."""
    return ((model, list(alike)) for model, alike in groupby(documents, attrgetter("model")))


_new = tuple.__new__  # calling the class of a named tuple takes twice as long, for millions of values


def _of_field(path: ValuePath, raw: bytes) -> StoredValue:
    return _new(StoredValue, ((str(path.segments[0]),), path, raw, None, None))


class DocumentEdits:
    """All edits of one document, applied together or not at all.

    Attributes:
        guards: JSON paths of lists whose items are edited, each with the digest that must be found before the
            edit, or None when the digest found after it is to be added to the undo log.
        guarded_bytes: about how much these lists hold, where that is known.
        large: whether a guard covers just those items of a list that are edited.
        unchanged: values on which the edits depend: they are compared before the edits, and not changed.
        is_atomic: whether the edits must be applied by one script, however many there are.
        marks: what the script records with the edits.
        count: how many values are edited.
        locations: the places of the edits of a plain document, see `plain`; empty for other documents.
        old, new: the values at these places. Only a plain document has these and `times`.
        times: the calendar times of `old`, see `Pairs`.
        compact: the edits in the form of another fast path, or None.
    """

    __slots__ = (
        "_edits",
        "compact",
        "count",
        "guarded_bytes",
        "guards",
        "is_atomic",
        "json",
        "key",
        "large",
        "locations",
        "marks",
        "new",
        "old",
        "times",
        "unchanged",
    )

    count: int
    locations: tuple[Location, ...]
    old: Sequence[Any]
    new: Sequence[Any]
    times: Sequence[int | None]
    compact: CompactEdits | None
    unchanged: Sequence[tuple[Location, bytes | None]]
    marks: Sequence[bytes]
    _edits: list[Edit] | None

    def __init__(
        self,
        key: bytes,
        json: bool,
        edits: list[Edit],
        guards: list[tuple[str, bytes | None]] | None = None,
        guarded_bytes: int = 0,
        *,
        large: bool = False,
        unchanged: Sequence[tuple[Location, bytes | None]] = (),
        is_atomic: bool = False,
        marks: Sequence[bytes] = (),
    ) -> None:
        self.key = key
        self.marks = marks
        self.json = json
        self.unchanged = unchanged
        self.is_atomic = is_atomic
        self.guarded_bytes = guarded_bytes
        self.large = large
        self.guards = [] if guards is None else guards
        self.edits = edits

    @classmethod
    def plain(
        cls,
        key: bytes,
        locations: tuple[Location, ...],
        old: Sequence[Any],
        new: Sequence[Any],
        times: Sequence[int | None] = (),
    ) -> "DocumentEdits":
        """Return the edits of a hash that needs only exact conversions, as most do.

        No object is made for a single edit. Scripts get such hashes in groups with the same fields.

        Args:
            locations: the places of the edits, `old` and `new` their values.
            times: see `Pairs`.
        """
        document = cls.__new__(cls)
        document.key, document.json, document.guards, document._edits = key, False, [], None
        document.guarded_bytes = 0
        document.large = document.is_atomic = False
        document.unchanged = document.marks = ()
        document.compact = None
        document.count, document.locations = len(locations), locations
        document.old, document.new, document.times = old, new, times
        return document

    @classmethod
    def of_compact(cls, key: bytes, count: int, compact: CompactEdits) -> "DocumentEdits":
        """Return the edits of a hash that are applied by one script, in the form of a fast path."""
        document = cls.__new__(cls)
        document.key, document.json, document.guards, document._edits = key, False, [], None
        document.guarded_bytes, document.large, document.is_atomic = 0, False, True
        document.unchanged = document.marks = ()
        document.count, document.locations, document.compact = count, (), compact
        return document

    @classmethod
    def of_compact_json(
        cls, stored: StoredDocument, count: int, compact: CompactEdits, guards: Sequence[str]
    ) -> "DocumentEdits":
        """Return the edits of a JSON document in the form of a fast path."""
        document = cls.of_compact(stored.key, count, compact)
        document.json, document.is_atomic = True, False
        document.guards = [(path, None) for path in guards]
        document.guarded_bytes = stored.size if guards else 0
        return document

    def pairs(self) -> Pairs | None:
        """Return the edits as texts of instants and their numbers; None if they may be others."""
        if self.locations:
            return _new(Pairs, (self.locations, b"\n".join(self.old), self.new, self.times, ()))
        return None if self.compact is None else self.compact.pairs()

    @property
    def edits(self) -> list[Edit]:
        """The edits, one for each value; those of a fast path are made on first access, which is rare."""
        if self._edits is None:
            if self.compact is None:
                values = zip(self.locations, self.old, self.new, strict=True)
                self._edits = [Edit(*value, converts=True) for value in values]
            else:
                edits, self.unchanged, self.marks = self.compact.edit_set()
                self._edits = list(edits)
        return self._edits

    @edits.setter
    def edits(self, edits: list[Edit]) -> None:
        self._edits, self.count, self.compact = edits, len(edits), None
        self.locations = self.old = self.new = self.times = ()

    @property
    def converted(self) -> int:
        """Number of converted values."""
        return sum(edit.converts for edit in self.edits)

    @property
    def lossy(self) -> int:
        """Number of values that lost something."""
        return sum(edit.lossy for edit in self.edits)


ClassifiedValue: TypeAlias = tuple[StoredValue, Conversion]
"""A value and its conversion; a plain pair, because there are millions."""

SUBJECT = "subject"
"""The kind of a path whose value represents one change of a document: it is counted, recorded and reported there."""
READ = "read"
"""The kind of a path that is only read or written."""


class DocumentTransformation(Transformation):
    """A data migration whose edits depend on more than one value of a document.

    The paths of its plan are all those that it reads or writes. Each change of a document has one path of the kind
    SUBJECT; values at other paths have the kind READ.
    """

    __slots__ = ()

    is_known_to_redis_om: ClassVar[bool] = False
    has_backward: bool = True
    """Whether documents written since the run can be reverted. If not, the undo log has the only originals."""

    def constants_of_moves(self, key_prefix: str) -> Sequence[bytes] | None:  # noqa: ARG002 - most look at values
        """Return the values that the changes of a model write, if they only move, remove and write values.

        Then the classification of a hash depends only on which fields it has, and which of them are equal to each
        other and to these values. None if it depends on more.
        """
        return None

    @abstractmethod
    def classify_document(self, document: StoredDocument) -> list[ClassifiedValue]:
        """Classify each change of a document, at its subject.

        A change that is to be made is CONVERTIBLE, with its edits; one that is made already is ALREADY. A value that
        does not exist yet is empty.
        """

    def is_written_by_both(self, _document: StoredDocument, _subject: StoredValue) -> bool:
        """Return whether both versions have written the values of a change since the run, with contents that differ.

        Args:
            document: with the marks on which its classification depends.
            subject: the value by which the change is classified.
        """
        return False

    @abstractmethod
    def revert_document(self, document: StoredDocument, subjects: Collection[StoredValue]) -> EditSet | str:
        """Return the edits that undo some changes of a document that was written since the run.

        Args:
            subjects: the values that `classify_document` has classified as ALREADY.

        Returns:
            The edits, or the reason why there are none.
        """

    def convert_hash(self, raw: bytes, path: ValuePath) -> Conversion:  # noqa: ARG002 - the path alone decides
        """Return how a value in the undo log would be classified."""
        return Conversion(Classification.ALREADY if path.kind == SUBJECT else Classification.NULL)

    def convert_json(self, value: JsonValue, path: ValuePath) -> Conversion:  # noqa: ARG002 - the path alone decides
        """Return how a value in the undo log would be classified."""
        return Conversion(Classification.ALREADY if path.kind == SUBJECT else Classification.NULL)

    def convert_back(self, *_values: object, **_options: object) -> bytes | None:
        """Return None: documents are reverted as a whole."""
        return None

    def default(self, _storage: Storage) -> bytes:
        """Raise NotImplementedError: a change has no default."""
        raise NotImplementedError

    def is_default(self, _stored: bytes) -> bool:
        """Return False: a change has no default."""
        return False
