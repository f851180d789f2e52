"""What a run of a pending migration file would do on this server: documents, indexes, time, and what it ends.

Reads only. The documents are counted in a sample, unless there are few of them.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from redstart.effects import Op
from redstart.errors import MigrationError
from redstart.mapping.value_paths import display
from redstart.migrations.context import Context
from redstart.migrations.data.statistics import statistics
from redstart.migrations.failure import FailureSummary
from redstart.migrations.file_migration import FileMigration
from redstart.migrations.indexes.build import find_built
from redstart.migrations.indexes.expand import ExpansionOptions
from redstart.migrations.indexes.preflight import estimate_builds
from redstart.migrations.indexes.status import ActiveIndex, index_statuses
from redstart.migrations.operations.base import model_title
from redstart.migrations.operations.field_state import FieldState
from redstart.migrations.operations.state import ModelState
from redstart.migrations.transformation import Outcome
from redstart.search.schema import create_arguments
from redstart.search.schema_diff import Change


@dataclass(frozen=True, slots=True)
class IndexBuild:
    """One index that a run builds.

    Attributes:
        name: the name that queries use.
        command: the words of the command that creates the index itself.
        changes: what differs from the active index; empty if there is none.
        documents: in the active index.
        megabytes, seconds: of the builds, estimated from the active index.
    """

    name: str
    model: str
    command: tuple[str, ...]
    changes: tuple[Change, ...]
    documents: int
    megabytes: float
    seconds: float


@dataclass(frozen=True, slots=True)
class FileEstimate:
    """What a run of one file would do.

    Attributes:
        documents: number of documents of the models that it changes, by key prefix.
        is_exact: whether all documents were read; otherwise the numbers are extrapolated.
        values: number of values that would change.
        failed: number of values that cannot be changed; `failures`: those that were found.
        indexes: those that would be built.
        seconds: expected duration.
        refusal: why a run would be refused; None if it would start.
    """

    migration: FileMigration
    documents: Mapping[str, int] = field(default_factory=dict)
    is_exact: bool = True
    values: int = 0
    failed: int = 0
    failures: FailureSummary = field(default_factory=FailureSummary)
    indexes: tuple[IndexBuild, ...] = ()
    seconds: float = 0.0
    refusal: MigrationError | None = None

    @property
    def removed_by_cleanup(self) -> list[str]:
        """The fields that only the old version needs: a run keeps their values."""
        if not self.migration.removes_values:
            return []
        return [
            f"{title}.{path}"
            for title, before, after in _changed_models(self.migration)
            for path in _removed(before, after)
        ]

    @property
    def changed_in_place(self) -> list[str]:
        """The fields whose values an old version no longer reads once they are changed."""
        found = [
            f"{title}.{path}"
            for title, before, after in _changed_models(self.migration)
            for path in _converted(before, after)
        ]
        for model in self.migration.models:
            for one in model.changes:
                if not one.change.decided_by_shape:
                    found += [f"{model_title(model.model)}.{display(path)}" for path in one.change.writes]
        return list(dict.fromkeys(found))

    @property
    def lost_attributes(self) -> list[str]:
        """The attributes of indexes on which queries of an old version fail after the cutover."""
        found: list[str] = []
        for model in self.migration.before.models.values():
            following = model_after(self.migration, model)
            if model.index is None or following is None or following.index is None:
                continue
            for one in model.index.fields:
                new = following.index.field_named(one.attribute)
                if new is None or new.kind is not one.kind:
                    found.append(f"{model_title(model)}.{one.attribute}")
        return found

    @property
    def not_reversible(self) -> list[str]:
        """The operations that a rollback does not make backward in documents that are written since."""
        return [one.describe() for one in self.migration.file.operations if not one.is_reversible]


def estimate_file(migration: FileMigration, context: Context, rng: Random | None) -> Op[FileEstimate]:
    """Return what a run of a pending file would do now.

    Args:
        context: of a data migration; its transformation is not used.
        rng: source of the random sample; None to read all documents.

    Effects: reads only; see `statistics` and `estimate_builds`.
    """
    indexes = yield from _indexes(migration)
    seconds = sum(one.seconds for one in indexes)
    refusal: MigrationError | None = None
    try:
        yield from migration.require_possible(ExpansionOptions())
    except MigrationError as exc:
        refusal = exc
    if not migration.models:
        return FileEstimate(migration, indexes=indexes, seconds=seconds, refusal=refusal)
    found = yield from statistics(migration.context(context), migration.plan(), rng=rng)
    return FileEstimate(
        migration,
        documents={one.model.key_prefix: one.documents for one in found.models},
        is_exact=found.exact,
        values=found.total(Outcome.CONVERTIBLE),
        failed=found.total(Outcome.UNCONVERTIBLE),
        failures=found.survey.failures,
        indexes=indexes,
        seconds=seconds + found.estimate.expected,
        refusal=refusal,
    )


def estimate_files(
    migrations: Sequence[FileMigration], context: Context, rng: Random | None
) -> Op[list[FileEstimate]]:
    """Return what a run of several pending files would do, each on the documents as they are now. Reads only."""
    found: list[FileEstimate] = []
    for migration in migrations:
        found.append((yield from estimate_file(migration, context, rng)))
    return found


def documents_of_all(estimates: Sequence[FileEstimate]) -> int:
    """Return the number of documents that the models of some files have together."""
    by_prefix = {prefix: number for one in estimates for prefix, number in one.documents.items()}
    return sum(by_prefix.values())


def model_after(migration: FileMigration, model: ModelState) -> ModelState | None:
    """Return a model after a migration; None if it is removed."""
    models = migration.after.models
    if model.name in models:
        return models[model.name]
    return next((one for one in models.values() if one.key_prefix == model.key_prefix), None)


def _indexes(migration: FileMigration) -> Op[tuple[IndexBuild, ...]]:
    planned = migration.indexes()
    if not planned:
        return ()
    builds = {one.name: one for one in (yield from estimate_builds(planned))}
    found: list[IndexBuild] = []
    for status in (yield from index_statuses(planned)):
        if status.active is ActiveIndex.UP_TO_DATE:
            continue
        index = status.planned.index
        name, _ = yield from find_built(index.name, index)
        build = builds.get(index.name)
        found.append(
            IndexBuild(
                index.name,
                status.planned.model,
                ("FT.CREATE", *create_arguments(index, name=name)),
                status.pending.changes if status.pending is not None else (),
                status.documents,
                build.megabytes if build else 0.0,
                build.seconds if build else 0.0,
            )
        )
    return tuple(found)


def _changed_models(migration: FileMigration) -> Iterator[tuple[str, ModelState, ModelState]]:
    """Yield the title of each model that exists before and after, with both states."""
    for model in migration.before.models.values():
        following = model_after(migration, model)
        if following is not None:
            yield model_title(model), model, following


_Fields = Mapping[str, FieldState]


def _pairs(
    before: _Fields, after: _Fields, within: str = ""
) -> Iterator[tuple[str, FieldState, FieldState | None]]:
    """Yield the path of each field, with the field after it; not those in fields that are removed."""
    for name, one in before.items():
        path, following = f"{within}{name}", after.get(name)
        yield path, one, following
        if following is not None:
            yield from _pairs(one.members, following.members, f"{path}.")


def _removed(before: ModelState, after: ModelState) -> list[str]:
    return [path for path, _, following in _pairs(before.members, after.members) if following is None]


def _converted(before: ModelState, after: ModelState) -> list[str]:
    return [
        path
        for path, one, following in _pairs(before.members, after.members)
        if following is not None and following.type != one.type
    ]
