"""What a run of a pending migration file would do on this server: documents, indexes, time, and what it ends.

And how much work a cleanup and a rollback are. Reads only. The documents are counted in a sample, unless there are few
of them; those that move to other keys or are removed are counted one by one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from random import Random

from redstart.commands.keyspace import xlen
from redstart.effects import Op, call
from redstart.errors import MigrationError
from redstart.mapping.value_paths import display
from redstart.migrations.context import Context
from redstart.migrations.cutover_prediction import (
    blocked_by_operations,
    blocked_without_changes,
    cutovers_of_file,
)
from redstart.migrations.data.statistics import statistics
from redstart.migrations.failure import BlockedDocuments, FailureSummary
from redstart.migrations.file_migration import FileMigration
from redstart.migrations.index_builds import IndexBuild, index_builds
from redstart.migrations.indexes.expand import ExpansionOptions
from redstart.migrations.operations.base import model_title
from redstart.migrations.operations.field_state import FieldState
from redstart.migrations.operations.state import ModelState, ProjectState
from redstart.migrations.state_keys import StateKeys
from redstart.migrations.steps.key_moves import KeyMove
from redstart.migrations.steps.key_passes import SECONDS_PER_DOCUMENT, KeyPattern, count_keys
from redstart.migrations.steps.record import read_steps
from redstart.migrations.steps.removed_models import owner_of_documents
from redstart.migrations.steps.storage_changes import StorageChange, StorageCheck, check_documents
from redstart.migrations.transformation import Classification


@dataclass(frozen=True, slots=True)
class FileEstimate:
    """What a run of one file would do.

    Attributes:
        documents: number of documents of the models that it changes, by key prefix.
        is_exact: whether all documents were read; otherwise the numbers are extrapolated.
        values: number of values that would change.
        failed: number of values that cannot be changed; `failures`: those that were found.
        moves: moves of documents to other keys, with the number of documents of each.
        storage: changes of the storage of models, with what their documents would become.
        removed: number of documents of each removed model; a run leaves them to the cleanup.
        indexes: those that would be built.
        seconds: expected duration.
        refusal: why a run would be refused; None if it would start.
        blocked: by index, the documents because of which its cutover would be refused, or without which it would be
            created; of a prediction only.
        created: the names of the indexes that would be created; of a prediction only.
    """

    migration: FileMigration
    documents: Mapping[str, int] = field(default_factory=dict)
    is_exact: bool = True
    values: int = 0
    failed: int = 0
    failures: FailureSummary = field(default_factory=FailureSummary)
    moves: tuple[tuple[KeyMove, int], ...] = ()
    storage: tuple[tuple[StorageChange, StorageCheck], ...] = ()
    removed: Mapping[str, int] = field(default_factory=dict)
    indexes: tuple[IndexBuild, ...] = ()
    seconds: float = 0.0
    refusal: MigrationError | None = None
    blocked: Mapping[str, BlockedDocuments] = field(default_factory=dict)
    created: frozenset[str] = frozenset()

    @property
    def refused_cutovers(self) -> list[str]:
        """The indexes whose cutover would be refused; of a prediction only."""
        return [name for name in self.blocked if name not in self.created]

    @property
    def changes_documents(self) -> bool:
        """Whether a run changes documents or moves them."""
        return bool(self.migration.models or self.moves or self.storage)

    @property
    def replaced_models(self) -> list[str]:
        """The models whose storage changes."""
        return [model_title(change.move.before) for change, _ in self.storage]

    @property
    def has_documents(self) -> bool:
        """Whether there are documents that the file changes, moves or removes."""
        return any((*self.documents.values(), *(number for _, number in self.moves), *self.removed.values()))

    @property
    def moved_models(self) -> list[str]:
        """The models whose documents move to other keys."""
        return [model_title(move.before) for move, _ in self.moves]

    @property
    def awaited_models(self) -> list[str]:
        """The models of which the old version may write no document at the end of a run."""
        changed = self.migration.models if self.migration.steps.last else ()
        return [*self.moved_models, *(model_title(one.model) for one in changed)]

    @property
    def removed_by_cleanup(self) -> list[str]:
        """The fields that only the old version needs: a run keeps their values."""
        if not self.migration.changes_at_cleanup:
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
    def lost_at_start(self) -> list[str]:
        """The attributes of these on which the queries fail from the start of the run."""
        changed = {one.model.name for one in self.migration.models}
        return [
            f"{model_title(model)}.{attribute}"
            for model, attribute in self.migration.file_indexes.lost_while_changing()
            if model.name in changed
        ]

    @property
    def not_reversible(self) -> list[str]:
        """The operations without an inverse. A rollback leaves documents that are written since the run as they are."""
        return [one.describe() for one in self.migration.file.operations if not one.is_reversible]


def estimate_files(
    migrations: Sequence[FileMigration], context: Context, rng: Random | None, used: ProjectState
) -> Op[list[FileEstimate]]:
    """Return what a run of pending files would do, each on the documents as they are now.

    Args:
        context: of a data migration; its transformation is not used.
        rng: source of the random sample; None to read all documents, and to predict which cutovers are refused.
        used: the models after all files.

    Effects: reads only; see `statistics`, `estimate_model_builds` and `count_keys`.
    """
    found: list[FileEstimate] = []
    moves: list[KeyMove] = []
    for migration in migrations:
        found.append((yield from _estimate_file(migration, context, rng, used, moves)))
        moves += migration.steps.moves
    return found


def _estimate_file(
    migration: FileMigration,
    context: Context,
    rng: Random | None,
    used: ProjectState,
    earlier_moves: Sequence[KeyMove],
) -> Op[FileEstimate]:
    indexes = yield from index_builds(migration)
    refusal: MigrationError | None = None
    try:
        yield from migration.require_possible(ExpansionOptions())
    except MigrationError as exc:
        refusal = exc
    moves: list[tuple[KeyMove, int]] = []
    began = context.clock()
    for move in migration.steps.moves:
        moves.append((move, (yield from _count(move.source, earlier_moves, move.exclude_prefixes))))
    # A move reads the keyspace at least twice, and before it once for keys that exist.
    seconds = 3 * (context.clock() - began) + SECONDS_PER_DOCUMENT * sum(number for _, number in moves)
    began = context.clock()
    storage: list[tuple[StorageChange, StorageCheck]] = []
    failures = FailureSummary()
    for change in migration.steps.storage:
        storage.append((change, (yield from check_documents(context, change))))
        found_now = storage[-1][1]
        failures.add(found_now.failures)
        if refusal is None and found_now.refusal is not None:
            refusal = MigrationError(f"{found_now.refusal}.", "Correct the documents listed below.")
    # A run reads and converts all documents once before the first write, and then again.
    replaced = sum(found.documents for _, found in storage)
    seconds += 2 * (context.clock() - began) + SECONDS_PER_DOCUMENT * replaced
    estimate = FileEstimate(
        migration,
        failed=sum(found.failed for _, found in storage),
        failures=failures,
        moves=tuple(moves),
        storage=tuple(storage),
        removed=(yield from count_removed(migration, used, earlier_moves)),
        indexes=indexes,
        seconds=seconds + sum(one.seconds for one in indexes),
        refusal=refusal,
    )
    cutovers = (yield from cutovers_of_file(migration)) if rng is None else []
    blocked = yield from blocked_without_changes(cutovers, migration.plan())
    created = frozenset(one.name for one in cutovers if one.active is None)
    estimate = replace(estimate, blocked=blocked, created=created)
    if not migration.models:
        return estimate
    found = yield from statistics(
        migration.context(context),
        migration.plan(),
        rng=rng,
        find_blocked=partial(blocked_by_operations, cutovers) if cutovers else None,
    )
    if migration.stops_at_failures and found.survey.failures.count:
        blocked = {}  # it does not reach the cutover
    else:
        blocked |= found.survey.blocked
    found.survey.failures.add(item for _, check in storage for item in check.failures)
    return replace(
        estimate,
        documents={one.model.key_prefix: one.documents for one in found.models},
        is_exact=found.exact,
        values=found.total(Classification.CONVERTIBLE),
        failed=found.total(Classification.UNCONVERTIBLE) + estimate.failed,
        failures=found.survey.failures,
        seconds=estimate.seconds + found.estimate.expected,
        blocked=blocked,
    )


def count_removed(
    migration: FileMigration, used: ProjectState, earlier_moves: Sequence[KeyMove] = ()
) -> Op[dict[str, int]]:
    """Return the number of documents of each model that a file removes.

    Args:
        used: the models after all files. A removed model with the keys of one of them loses no document.
        earlier_moves: moves that are pending, in order, so that documents can still have the old keys.

    Effects: see `count_keys`.
    """
    counts: dict[str, int] = {}
    for model in migration.steps.removed:
        if owner_of_documents(model, used.models.values()) is None:
            counts[model.name] = yield from _count(
                KeyPattern.of(model), earlier_moves, migration.exclude_prefixes
            )
    return counts


def _count(
    pattern: KeyPattern, earlier_moves: Sequence[KeyMove], exclude_prefixes: tuple[str, ...]
) -> Op[int]:
    """Return the number of documents with some keys, whether the earlier moves are made or not."""
    patterns = [pattern]
    for move in reversed(earlier_moves):
        if move.target in patterns:
            patterns.append(move.source)
    return (yield from count_keys(patterns, exclude_prefixes))


@dataclass(frozen=True, slots=True)
class WorkEstimate:
    """How much work a run, a cleanup or a rollback is.

    Attributes:
        documents: number of documents of the models.
        is_exact: whether all of them were counted; otherwise the number is extrapolated.
        seconds: expected duration.
    """

    documents: int
    is_exact: bool
    seconds: float


def estimate_run(estimates: Sequence[FileEstimate]) -> WorkEstimate:
    """Return how much work a run of pending files is."""
    by_prefix = {move.before.key_prefix: number for one in estimates for move, number in one.moves}
    by_prefix |= {
        change.move.before.key_prefix: found.documents for one in estimates for change, found in one.storage
    }
    by_prefix |= {prefix: number for one in estimates for prefix, number in one.documents.items()}
    is_exact = all(one.is_exact for one in estimates)
    return WorkEstimate(sum(by_prefix.values()), is_exact, sum(one.seconds for one in estimates))


def estimate_cleanup(
    migrations: Sequence[FileMigration], context: Context, rng: Random | None, used: ProjectState
) -> Op[WorkEstimate]:
    """Return how much work it is to remove what only the versions before applied files need. Reads only.

    Args:
        rng, used: see `estimate_files`.
    """
    by_prefix: dict[str, int] = {}
    removed: dict[str, int] = {}
    is_exact, seconds = True, 0.0
    for migration in migrations:
        if migration.changes_at_cleanup:
            context_of_file = migration.context(context, removes=True, after_run=True)
            found = yield from statistics(context_of_file, migration.plan(), rng=rng)
            by_prefix |= {one.model.key_prefix: one.documents for one in found.models}
            is_exact, seconds = is_exact and found.exact, seconds + found.estimate.expected
        began = context.clock()
        for change in migration.steps.storage:
            number = yield from count_keys([change.source], change.move.exclude_prefixes)
            by_prefix[change.source.prefix] = by_prefix.get(change.source.prefix, 0) + number
        counted = yield from count_removed(migration, used)
        seconds += 2 * (context.clock() - began) + SECONDS_PER_DOCUMENT * sum(counted.values())
        removed |= counted
    return WorkEstimate(sum((*by_prefix.values(), *removed.values())), is_exact, seconds)


def estimate_rollback(
    migrations: Sequence[FileMigration], seconds_of_runs: Mapping[str, float], context: Context
) -> Op[WorkEstimate]:
    """Return how much work a rollback of applied or started files is. Reads only.

    Args:
        seconds_of_runs: how long their runs took, by id: about as long as a rollback. It is not known of a run that is
            not complete; then it is estimated from the time in which the documents are counted.
    """
    patterns: set[KeyPattern] = set()
    copies, seconds = 0, 0.0
    excluded = next((one.exclude_prefixes for one in migrations), ())
    began = context.clock()
    for migration in migrations:
        patterns |= {KeyPattern.of(one.model) for one in migration.models}
        patterns |= {pattern for move in migration.steps.moves for pattern in (move.source, move.target)}
        patterns |= {one.target for one in migration.steps.storage}
        keys = StateKeys(migration.file.migration_id)
        _ = yield from read_steps(keys)  # refuses keys of other types
        copies += yield from call(xlen(keys.removed))
    counted = yield from count_keys(patterns, excluded)
    # As a run: the keyspace is read at least twice.
    unknown = 2 * (context.clock() - began) + SECONDS_PER_DOCUMENT * counted
    seconds = sum(seconds_of_runs.get(one.file.migration_id, unknown) for one in migrations)
    return WorkEstimate(counted + copies, True, seconds + SECONDS_PER_DOCUMENT * copies)


def model_after(migration: FileMigration, model: ModelState) -> ModelState | None:
    """Return a model after a migration; None if it is removed."""
    models = migration.after.models
    if model.name in models:
        return models[model.name]
    return next((one for one in models.values() if one.key_prefix == model.key_prefix), None)


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
