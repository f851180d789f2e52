"""Counts of values by field and outcome."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from redstart.migrations.data.converter import Outcome, Verdict
from redstart.migrations.data.edits import StoredDocument, StoredValue


@dataclass(slots=True)
class Tally:
    """Documents, and values by (key prefix, path, outcome).

    Attributes:
        naive: number of texts without an offset, by (key prefix, path); `aware`: of texts with one.
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
        """Count a number of values of one field with the same conversion."""
        prefix, path = document.model.key_prefix, str(value.path)
        self.values[prefix, path, verdict.outcome] += number
        if verdict.naive is not None:
            (self.naive if verdict.naive else self.aware)[prefix, path] += number

    @property
    def total_documents(self) -> int:
        """Documents of all models."""
        return sum(self.documents.values())

    def total(self, outcome: Outcome) -> int:
        """Return the number of values with this outcome, over all models and fields."""
        return sum(count for (_, _, found), count in self.values.items() if found is outcome)

    def mostly_naive(self, prefix: str, path: str) -> bool:
        """Return whether more texts of a field have no offset than have one."""
        return self.naive[prefix, path] >= self.aware[prefix, path]
