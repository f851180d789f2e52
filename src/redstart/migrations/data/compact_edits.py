"""The edits of a document as fast paths make them, without an object for each."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NamedTuple

from redstart.mapping.value_paths import Location
from redstart.migrations.data.processed_documents import ProcessedDocuments
from redstart.migrations.transformation import EditSet

DIGEST_BYTES = 8
"""Stored bytes of the digest of a list. An equal digest would take about 2**64 attempts."""


class Pairs(NamedTuple):
    """Edits that replace text of instants by numbers, as the undo log packs them.

    Attributes:
        old: the texts, without the quotes of JSON, as lines.
        times: calendar times in microseconds since 1970, from which `written_number` makes `new`; empty, or None for
            one, if that is not known.
        guards: paths of lists, with the digest of each after the edits (`DIGEST_BYTES`).
    """

    locations: tuple[Location, ...]
    old: bytes
    new: Sequence[bytes]
    times: Sequence[int | None] = ()
    guards: Sequence[tuple[str, bytes]] = ()


class CompactEdits(ABC):
    """The edits of one document in the form of a fast path. They are equal to those of the general path.

    Attributes:
        forms: of numbers that are not read back, see plain_json.py; None for none.
    """

    __slots__ = ()
    forms: tuple[bool, int] | None = None

    @property
    @abstractmethod
    def byte_size(self) -> int:
        """About how many bytes the server reads and writes for these edits."""

    @abstractmethod
    def edit_set(self) -> EditSet:
        """Return the edits."""

    @abstractmethod
    def wire(self, marks: ProcessedDocuments | None) -> list[Any]:
        """Return the document as apply.lua takes it."""

    def pairs(self) -> Pairs | None:
        """Return the edits as texts of instants and their numbers; None if they may be others."""
        return None

    @abstractmethod
    def entry(self) -> list[Any]:
        """Return the document as an entry of the undo log has it."""
