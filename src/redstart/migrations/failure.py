"""Failed values: the value, the reason, and its fate; and their summary by reason."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum

from redstart.display import MAX_CHARACTERS_SHOWN, MAX_KEY_CHARACTERS_SHOWN, cut

REPLACED = "; replaced by "


MOVED = "; moved to "


NOT_MOVED = "; not moved: "
"""Texts in a reason before the new value or location."""


NOT_RESTORED = "not restored: "
"""How the reason of an original that a rollback could not restore begins."""


MAX_EXAMPLES = 1_000
"""Failures, problems or keys that a result keeps as examples; all are counted."""


_MAX_EXAMPLES_PER_REASON = 3
"""Failures that a summary keeps for each reason."""


_VARYING_WORD = re.compile(r"\S*\d\S*")


QUARANTINE_SUFFIX = "__invalid"
"""Follows the name of a field in the name of the field that holds its quarantined value."""


class FailureMode(StrEnum):
    """What to do with a failed value."""

    SKIP = "skip"
    FAIL = "fail"
    DEFAULT = "default"
    LOG_AND_SKIP = "log_and_skip"
    QUARANTINE = "quarantine"


class Fate(StrEnum):
    """What a run does with a failed value."""

    QUARANTINED = "quarantined"
    REPLACED = "replaced"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed value: the original value, the reason, and what replaced it, if anything.

    Attributes:
        name: the key and path, as `place_name` packs them; identifies the value.
        key, path, value: readable text, with other bytes escaped; `value` is shortened.
        digest: digest of the whole value; differs for another value at the same location.
    """

    name: bytes
    key: str
    path: str
    value: str
    reason: str
    digest: str = ""

    def as_dict(self) -> dict[str, str]:
        """Return the failure for `--json`."""
        return {"key": self.key, "path": self.path, "value": self.value, "reason": self.reason}

    @property
    def is_replaced(self) -> bool:
        """Whether something else is stored in place of the value."""
        return REPLACED in self.reason or MOVED in self.reason

    @property
    def fate(self) -> Fate:
        """The fate of the value."""
        if MOVED in self.reason:
            return Fate.QUARANTINED
        return Fate.REPLACED if REPLACED in self.reason else Fate.UNCHANGED

    @property
    def cause(self) -> str:
        """The reason without the fate of the value."""
        return self.reason.partition(MOVED)[0].partition(REPLACED)[0]

    def whole(self) -> str:
        """Return one line without shortened parts."""
        return self._described(f"{self.key} {self.path}".rstrip(), self.value)

    @property
    def place(self) -> str:
        """The key and the path, shortened; the path is empty for a whole document or an index."""
        return (
            f"{cut(self.key, MAX_KEY_CHARACTERS_SHOWN)} {cut(self.path, MAX_KEY_CHARACTERS_SHOWN)}".rstrip()
        )

    @property
    def shown_value(self) -> str:
        """The value, shortened."""
        return cut(self.value, MAX_CHARACTERS_SHOWN)

    def __str__(self) -> str:
        return self._described(self.place, self.shown_value if self.path else "")

    def _described(self, place: str, value: str) -> str:
        if self.reason.startswith(NOT_RESTORED):
            why = self.reason.removeprefix(NOT_RESTORED)
            return f"{place}: {NOT_RESTORED}the original is {value or 'an empty string'}; {why}"
        return ": ".join(filter(None, (place, self.reason, value)))


@dataclass(slots=True)
class BlockedDocuments:
    """Documents that an index would not contain, and the values because of which it would not.

    Attributes:
        values: those of the first `MAX_EXAMPLES` documents.
    """

    count: int = 0
    values: list[Failure] = field(default_factory=list)

    def add(self, other: "BlockedDocuments") -> None:
        """Add more documents."""
        self.values += other.values[: max(0, MAX_EXAMPLES - len(self.values))]
        self.count += other.count


@dataclass(slots=True)
class FailureGroup:
    """Failures with the same cause and fate.

    Attributes:
        cause: with `...` in place of words that differ, such as a value.
        examples: the first of them.
    """

    fate: Fate
    cause: str
    count: int = 0
    examples: list[Failure] = field(default_factory=list)


class FailureSummary:
    """Failures by cause and fate.

    Attributes:
        first: the first of all, at most `MAX_EXAMPLES`.
        fates: how many have each fate.
    """

    def __init__(self, failures: Iterable[Failure] = ()) -> None:
        self.first: list[Failure] = []
        self.fates: Counter[Fate] = Counter()
        self._groups: dict[tuple[Fate, str], FailureGroup] = {}
        self.add(failures)

    @property
    def count(self) -> int:
        """Return how many failures there are."""
        return self.fates.total()

    def add(self, failures: Iterable[Failure]) -> None:
        """Count failures."""
        for failure in failures:
            fate, cause = failure.fate, failure.cause
            general = _VARYING_WORD.sub("...", cause.partition(NOT_MOVED)[0])
            if NOT_MOVED in cause:
                general += f"{NOT_MOVED}the target field exists already"
            group = self._groups.setdefault((fate, general), FailureGroup(fate, cause))
            if group.cause != cause:
                group.cause = general
            group.count += 1
            self.fates[fate] += 1
            if len(group.examples) < _MAX_EXAMPLES_PER_REASON:
                group.examples.append(failure)
            if len(self.first) < MAX_EXAMPLES:
                self.first.append(failure)

    def groups(self, fate: Fate) -> list[FailureGroup]:
        """Return the groups with a fate: the largest first, then by cause."""
        chosen = (group for group in self._groups.values() if group.fate is fate)
        return sorted(chosen, key=lambda group: (-group.count, group.cause))
