"""The indexes that a run of a migration file builds, and their memory and time."""

from dataclasses import dataclass

from redstart.effects import Op
from redstart.migrations.file_indexes import name_in
from redstart.migrations.file_migration import FileMigration
from redstart.migrations.indexes.build import find_built
from redstart.migrations.indexes.preflight import estimate_model_builds
from redstart.migrations.indexes.status import ActiveIndex, index_statuses
from redstart.migrations.operations.state import ModelState
from redstart.search.schema import Change, create_arguments


@dataclass(frozen=True, slots=True)
class IndexBuild:
    """One index that a run builds.

    Attributes:
        name: the name that queries use.
        command: the words of the command that creates the index itself.
        changes: what differs from the active index; empty if there is none.
        documents: in the active index.
        to_build: number of indexes to build: this one, and those that are active while documents change or move.
        megabytes, seconds: of these builds, estimated from the active index.
    """

    name: str
    model: str
    command: tuple[str, ...]
    changes: tuple[Change, ...]
    documents: int
    to_build: int
    megabytes: float
    seconds: float


def _model_before(migration: FileMigration, model: ModelState) -> ModelState | None:
    """Return a model as it is before a file, also under another name or key prefix; None for a new one."""
    moves = (*migration.steps.moves, *(change.move for change in migration.steps.storage))
    former = next((move.before for move in moves if move.after.name == model.name), None)
    return former or migration.before.models.get(name_in(migration.before, model))


def index_builds(migration: FileMigration) -> Op[tuple[IndexBuild, ...]]:
    """Return the indexes that a run of a file builds, each with its size. Reads only."""
    indexes = migration.file_indexes
    planned = indexes.changed()
    if not planned:
        return ()
    meanwhile = [*(yield from indexes.transitions(filters=True)), *indexes.of_moves()]
    found: list[IndexBuild] = []
    for status in (yield from index_statuses(planned)):
        if status.active is ActiveIndex.UP_TO_DATE:
            continue
        index, model = status.planned.index, migration.after.models[status.planned.model]
        former = _model_before(migration, model)
        names = {model.name, *(() if former is None else (former.name,))}
        builds = [one for one in meanwhile if one.model in names]
        existing = index.name if former is None or former.index is None else former.index.name
        build = yield from estimate_model_builds([*builds, status.planned], existing)
        name, _ = yield from find_built(index.name, index)
        found.append(
            IndexBuild(
                index.name,
                status.planned.model,
                ("FT.CREATE", *create_arguments(index, name=name)),
                status.pending.changes if status.pending is not None else (),
                build.documents if build else 0,
                build.to_build if build else 1,
                build.megabytes if build else 0.0,
                build.seconds if build else 0.0,
            )
        )
    return tuple(found)
