"""The history of a project: its migration files in order, and which of them the server has recorded as applied.

Files in the format of redis-om are read with them.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from redstart.display import nearest, printable
from redstart.effects import Op
from redstart.errors import MigrationFileError, UnknownMigrationError
from redstart.migrations.files.declarations import DATA, SCHEMA, Problem
from redstart.migrations.files.graph import heads, in_order, require_single_head
from redstart.migrations.files.ledger import Ledger, LedgerEntry, read_ledger
from redstart.migrations.files.loader import Found, load_directory
from redstart.migrations.files.migration_file import LoadedFiles, MigrationFile, load_files
from redstart.migrations.files.redis_om_history import FilesStatus, applied_ids, files_status
from redstart.next_steps import Command, Hint


class FileState(StrEnum):
    """The state of one migration.

    Attributes:
        APPLIED: recorded as applied.
        PENDING: not recorded.
        EDITED: recorded as applied, but the file has changed since.
        WITHOUT_FILE: recorded as applied, but there is no such file.
        UNUSABLE: the file cannot be used, whether it is recorded or not.
    """

    APPLIED = "applied"
    PENDING = "pending"
    EDITED = "edited"
    WITHOUT_FILE = "without_file"
    UNUSABLE = "unusable"


@dataclass(frozen=True, slots=True)
class HistoryItem:
    """One migration of the history.

    Attributes:
        file: None if there is none, or if it cannot be used.
        entry: its entry in the ledger; None if it is not recorded as applied.
        problem: why the file cannot be used; None if it can.
        started: the checksum of the file when its run or rollback was started; None if that is complete.
    """

    migration_id: str
    file: MigrationFile | None
    entry: LedgerEntry | None
    problem: Problem | None = None
    started: str | None = None

    @property
    def is_begun(self) -> bool:
        """Return whether the server has changes of it: it is applied, or its run was started."""
        return self.entry is not None or self.started is not None

    @property
    def state(self) -> FileState:
        """The state."""
        if self.problem is not None:
            return FileState.UNUSABLE
        if self.file is None:
            return FileState.WITHOUT_FILE
        if self.entry is None:
            return FileState.PENDING
        return FileState.APPLIED if self.entry.checksum == self.file.checksum else FileState.EDITED


class DifferenceKind(StrEnum):
    """What differs between the models, the files and the server."""

    UNUSABLE = "unusable"
    HEADS = "heads"
    EDITED = "edited"
    WITHOUT_FILE = "without_file"
    OUT_OF_ORDER = "out_of_order"
    PENDING = "pending"
    NAME_IN_USE = "name_in_use"
    MODELS = "models"
    INDEX = "index"
    DOCUMENTS = "documents"


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference.

    Attributes:
        migration_id: None if it is not about one migration.
        message, hint: see RedstartError.
    """

    kind: DifferenceKind
    migration_id: str | None
    message: str
    hint: str | Hint


@dataclass(frozen=True, slots=True)
class ProjectHistory:
    """The migrations of a project.

    Attributes:
        where: the directory of the files.
        items: in the order in which they have to be applied; at the end those without a place in it.
        heads: ids of the files on which no other depends; empty while a file cannot be used: then they are not known.
        problems: all reasons why files cannot be used.
    """

    where: str
    items: tuple[HistoryItem, ...]
    heads: tuple[str, ...]
    problems: tuple[Problem, ...]

    @property
    def files(self) -> list[MigrationFile]:
        """All files, in order."""
        return [item.file for item in self.items if item.file]

    @property
    def pending(self) -> list[MigrationFile]:
        """The files to apply, in order."""
        return [item.file for item in self.items if item.file and item.state is FileState.PENDING]

    @property
    def started(self) -> list[str]:
        """Ids of the files whose run or rollback was started and is not complete, in order."""
        return [item.migration_id for item in self.items if item.started is not None]

    @property
    def current(self) -> tuple[str, ...]:
        """Ids of the applied migrations on which no other applied one depends."""
        applied = [item for item in self.items if item.entry is not None]
        awaited = {other for item in applied if item.file for other in item.file.dependencies}
        return tuple(item.migration_id for item in applied if item.migration_id not in awaited)

    def item(self, wanted: str) -> HistoryItem:
        """Return the migration with this id, or the only one whose id begins with it or contains it after the time.

        Raises:
            UnknownMigrationError: there is none.
            MigrationFileError: there are several.
        """
        by_id = {item.migration_id: item for item in self.items}
        if wanted in by_id:
            return by_id[wanted]
        matching = matching_ids(wanted, by_id) if wanted else []
        if len(matching) == 1:
            return by_id[matching[0]]
        if matching:
            raise MigrationFileError(
                f"{len(matching)} migrations have an id with {printable(wanted)}: "
                f"{', '.join(map(printable, matching))}.",
                "Type more of the id.",
            )
        near = nearest(wanted, by_id)
        raise UnknownMigrationError(
            wanted,
            None if near is None else printable(near),
            noun="migration",
            listed_by=Command("migrate history"),
        )

    def differences(self) -> Iterator[Difference]:
        """Yield what prevents a run, the most severe first; then the pending files."""
        for problem in self.problems:
            yield Difference(
                DifferenceKind.UNUSABLE,
                problem.migration_id,
                f"A migration file cannot be used. {problem}",
                "Correct the file, or restore it from version control. Then type the same command again.",
            )
        try:
            require_single_head(self.heads, self.where)
        except MigrationFileError as exc:
            yield Difference(DifferenceKind.HEADS, None, exc.message, exc.next_step or "")
        for item in self.items:
            yield from self._difference(item)
        for file in self.pending:
            hint = Hint("See the changes with: ", Command("migrate plan"))
            message = f"{file.migration_id} is pending."
            if file.migration_id in self.started:
                message = f"{file.migration_id} is pending: a run of it was started and is not complete."
                hint = Hint("Resume with: ", Command("upgrade"))
            yield Difference(DifferenceKind.PENDING, file.migration_id, message, hint)

    def _difference(self, item: HistoryItem) -> Iterator[Difference]:
        """Yield the difference between an applied migration and its file, and between the order and the record."""
        name, shown = item.migration_id, printable(item.migration_id)
        if item.entry is None:
            if item.started is not None and item.problem is None:
                yield from self._difference_of_started(item)
            return
        if item.state is FileState.EDITED:
            yield Difference(
                DifferenceKind.EDITED,
                name,
                f"{shown} was edited after it was applied: its checksum differs from the recorded one.",
                Hint(
                    "Restore the file from version control, or accept the edited file with: ",
                    Command("migrate stamp", shown),
                ),
            )
        if item.state is FileState.WITHOUT_FILE:
            yield Difference(
                DifferenceKind.WITHOUT_FILE,
                name,
                f"{shown} is recorded as applied, but {printable(self.where)} has no such file.",
                Hint(
                    "Restore the file from version control. To remove it from the record: ",
                    Command("migrate stamp", "--remove", shown),
                ),
            )
        pending = {file.migration_id for file in self.pending}
        missing = [other for other in (item.file.dependencies if item.file else ()) if other in pending]
        if missing:
            yield Difference(
                DifferenceKind.OUT_OF_ORDER,
                name,
                f"{shown} is recorded as applied, but {', '.join(missing)}, on which it depends, is not.",
                Hint("If it is applied, record it with: ", Command("migrate stamp", missing[0])),
            )

    def _difference_of_started(self, item: HistoryItem) -> Iterator[Difference]:
        """Yield the difference between a file whose run is not complete and the file as the run has started it."""
        shown = printable(item.migration_id)
        back = Hint("Restore the file from version control. To change it, first roll back with: ")
        hint = Hint(back, Command("migrate rollback", shown))
        if item.file is None:
            message = f"A run of {shown} is not complete, and {printable(self.where)} has no such file."
            yield Difference(DifferenceKind.WITHOUT_FILE, item.migration_id, message, hint)
        elif item.started != item.file.checksum:
            message = f"{shown} was edited after a run of it was started, and the run is not complete."
            yield Difference(DifferenceKind.EDITED, item.migration_id, message, hint)

    def require_runnable(self) -> None:
        """Raise MigrationFileError for the first difference other than pending files."""
        found = [one for one in self.differences() if one.kind is not DifferenceKind.PENDING]
        if found:
            raise MigrationFileError(_with_count(found), found[0].hint)

    def require_usable(self) -> None:
        """Raise MigrationFileError if a file cannot be used."""
        unusable = [one for one in self.differences() if one.kind is DifferenceKind.UNUSABLE]
        if unusable:
            raise MigrationFileError(_with_count(unusable), unusable[0].hint)


_TIME = re.compile(r"[0-9_]*_")
"""The beginning of an id."""


def matching_ids(wanted: str, ids: Iterable[str]) -> list[str]:
    """Return the ids that begin with a text; else those with this name after the time, or else with it in the name."""
    ids = list(ids)
    names = {one: one[found.end() :] if (found := _TIME.match(one)) else one for one in ids}
    return (
        [one for one in ids if one.startswith(wanted)]
        or [one for one in ids if names[one] == wanted]
        or [one for one in ids if wanted in names[one]]
    )


def _with_count(found: Sequence[Difference]) -> str:
    others = f"\n... {len(found) - 1} more" if len(found) > 1 else ""
    return f"{found[0].message}{others}"


def project_history(loaded: LoadedFiles, ledger: Ledger, others: Collection[str]) -> ProjectHistory:
    """Return the history of the files of a directory.

    Args:
        ledger: a damaged entry counts as absent.
        others: ids of other migrations on which files may depend: those of redis-om, and the built-in one.
    """
    # A file that depends on an unusable file has no separate problem.
    known = {*others, *(problem.migration_id for problem in loaded.problems)}
    ordered, without_place = in_order(loaded.files, known, f"which has no file in {printable(loaded.where)}")
    unordered = {problem.migration_id: problem for problem in without_place}
    items = [
        HistoryItem(
            file.migration_id,
            file,
            ledger.entries.get(file.migration_id),
            unordered.get(file.migration_id),
            ledger.started.get(file.migration_id),
        )
        for file in ordered
    ]
    for problem in loaded.problems:
        name = problem.migration_id
        items.append(HistoryItem(name, None, ledger.entries.get(name), problem, ledger.started.get(name)))
    listed = {item.migration_id for item in items}
    items += [HistoryItem(name, None, entry) for name, entry in ledger.entries.items() if name not in listed]
    items += [
        HistoryItem(name, None, None, started=checksum)
        for name, checksum in ledger.started.items()
        if name not in listed
    ]
    problems = (*loaded.problems, *without_place)
    return ProjectHistory(loaded.where, tuple(items), () if problems else heads(loaded.files), problems)


@dataclass(frozen=True, slots=True)
class SourceFiles:
    """The files of a directory, each executed once.

    Attributes:
        redis_om: the files of redis-om, by kind.
        built_in: ids of migrations that Redstart contains.
    """

    own: LoadedFiles
    redis_om: dict[str, Found]
    built_in: tuple[str, ...]

    @classmethod
    def load(cls, root: Path, built_in: tuple[str, ...]) -> "SourceFiles":
        """Load the files of a directory. Raises ConfigurationError."""
        redis_om = {kind.name: load_directory(kind.directory(str(root)), kind) for kind in (SCHEMA, DATA)}
        return cls(load_files(root, built_in), redis_om, built_in)


@dataclass(frozen=True, slots=True)
class ProjectFiles:
    """All migration files, and their records on the server.

    Attributes:
        redis_om: the state of redis-om's files, by kind.
        built_in: ids of migrations that Redstart contains.
    """

    loaded: LoadedFiles
    ledger: Ledger
    redis_om: dict[str, FilesStatus]
    built_in: tuple[str, ...]

    @property
    def history(self) -> ProjectHistory:
        """The files of Redstart in order."""
        return project_history(self.loaded, self.ledger, self._others)

    def without(self, migration_id: str) -> "ProjectFiles":
        """Return the files after the rollback of one."""
        entries = {name: entry for name, entry in self.ledger.entries.items() if name != migration_id}
        started = {name: checksum for name, checksum in self.ledger.started.items() if name != migration_id}
        return replace(self, ledger=replace(self.ledger, entries=entries, started=started))

    @property
    def _others(self) -> set[str]:
        found = {*self.built_in}
        for status in self.redis_om.values():
            found |= {one.migration_id for one in (*status.applied, *status.pending)} | {*status.recorded}
        return found


def read_project(source: SourceFiles, *, may_be_damaged: bool = False) -> Op[ProjectFiles]:
    """Return the files with their records on the server. Some reads.

    Args:
        may_be_damaged: whether entries of the ledger may be missing or unreadable.

    Raises:
        StateDamagedError: the ledger is damaged.
    """
    redis_om: dict[str, FilesStatus] = {}
    for kind in (SCHEMA, DATA):
        recorded = yield from applied_ids(kind)
        redis_om[kind.name] = files_status(source.redis_om[kind.name], recorded, source.built_in)
    ledger = yield from read_ledger()
    if not may_be_damaged:
        ledger.require_intact()
    return ProjectFiles(source.own, ledger, redis_om, source.built_in)
