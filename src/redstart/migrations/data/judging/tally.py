"""Counting values by field and outcome."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from redstart.migrations.data.judging.convert import Outcome, Verdict
from redstart.migrations.data.planned.documents import StoredDocument, StoredValue


@dataclass(slots=True)
class Tally:
    """Documents, and values by (key prefix, path, outcome).

    Attributes:
        naive: how many texts of a field had no offset, by (key prefix, path); `aware` those that had one.
    """

    documents: Counter[str] = field(default_factory=Counter)
    values: Counter[tuple[str, str, Outcome]] = field(default_factory=Counter)
    naive: Counter[tuple[str, str]] = field(default_factory=Counter)
    aware: Counter[tuple[str, str]] = field(default_factory=Counter)
    foreign: int = 0

    def add_documents(self, documents: Iterable[StoredDocument]) -> None:
        """Count documents."""
        self.documents.update(document.model.key_prefix for document in documents)

    def add_values(self, number: int, document: StoredDocument, value: StoredValue, verdict: Verdict) -> None:
        """Count values: as many as `number` of this field, with this verdict."""
        prefix, path = document.model.key_prefix, str(value.path)
        self.values[prefix, path, verdict.outcome] += number
        if verdict.naive is not None:
            (self.naive if verdict.naive else self.aware)[prefix, path] += number

    @property
    def total_documents(self) -> int:
        """Of all models."""
        return sum(self.documents.values())

    def total(self, outcome: Outcome) -> int:
        """Values with this outcome, of all models and fields."""
        return sum(count for (_, _, found), count in self.values.items() if found is outcome)

    def mostly_naive(self, prefix: str, path: str) -> bool:
        """Whether a field's texts are written without an offset more often than with one."""
        return self.naive[prefix, path] >= self.aware[prefix, path]
