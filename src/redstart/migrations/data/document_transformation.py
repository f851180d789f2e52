"""A data migration that classifies documents instead of single values, such as one that renames or splits fields."""

from abc import abstractmethod
from collections.abc import Collection, Sequence
from typing import ClassVar, TypeAlias

from redstart.mapping.value_paths import ValuePath
from redstart.migrations.data.edits import StoredDocument, StoredValue
from redstart.migrations.transformation import Conversion, EditSet, Outcome, Transformation
from redstart.values.lossless_json import JsonValue
from redstart.values.types import Storage

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
        return Conversion(Outcome.ALREADY if path.kind == SUBJECT else Outcome.NULL)

    def convert_json(self, value: JsonValue, path: ValuePath) -> Conversion:  # noqa: ARG002 - the path alone decides
        """Return how a value in the undo log would be classified."""
        return Conversion(Outcome.ALREADY if path.kind == SUBJECT else Outcome.NULL)

    def convert_back(self, *_values: object, **_options: object) -> bytes | None:
        """Return None: documents are reverted as a whole."""
        return None

    def default(self, _storage: Storage) -> bytes:
        """Raise NotImplementedError: a change has no default."""
        raise NotImplementedError

    def is_default(self, _stored: bytes) -> bool:
        """Return False: a change has no default."""
        return False
