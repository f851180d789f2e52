"""The recorded failed values: `errors` lists them, and `status --detailed` counts them."""

from collections.abc import Sequence
from dataclasses import dataclass

from redstart.cli.output import counted
from redstart.cli.session import Session
from redstart.migrations.data.failures import FailureLog
from redstart.migrations.data.record import read_record
from redstart.migrations.data.unrestored import all_unrestored
from redstart.migrations.failure import Failure


@dataclass(frozen=True, slots=True)
class FailedValues:
    """Failed values that are recorded, and those that are only counted. As text: how many, in how many documents.

    Attributes:
        listed: of the last run, replaced or quarantined by any run, and not restored by a rollback.
        not_listed: number beyond the 100,000 recorded ones.
    """

    listed: Sequence[Failure]
    not_listed: int

    @property
    def count(self) -> int:
        """Return the number of all failed values."""
        return len(self.listed) + self.not_listed

    def __str__(self) -> str:
        documents = len({failure.key for failure in self.listed})
        values = counted(self.count, "failed value")
        if self.not_listed:
            return f"{values}, of which {self.not_listed:,} are only counted and not recorded"
        return f"{values} in {counted(documents, 'document')}"


def recorded_failures(session: Session) -> FailedValues:
    """Read the recorded failed values. A read for each 500, and some."""
    failures = session.run(FailureLog(session.keys).all())
    for document in session.run(all_unrestored(session.keys)):
        failures += document.failures()
    return FailedValues(failures, session.run(read_record(session.keys)).failures_not_kept)
