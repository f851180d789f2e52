"""All migration files of a project, its own and those of redis-om, and what the server has recorded of them."""

from dataclasses import dataclass, replace
from pathlib import Path

from redstart.effects import Op
from redstart.migrations.files.declarations import DATA, SCHEMA
from redstart.migrations.files.ledger import Ledger, read_ledger
from redstart.migrations.files.loader import Found, load_directory
from redstart.migrations.files.migration_file import LoadedFiles, load_files
from redstart.migrations.files.project_history import ProjectHistory, project_history
from redstart.migrations.files.redis_om_history import FilesStatus, applied_ids, files_status


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
    """All migration files, and what the server has recorded of them.

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
        """Return the files as they are after the rollback of one."""
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
    """Return the files with what the server has recorded of them. Some reads.

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
